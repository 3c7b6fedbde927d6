"""A ZeroMQ socket on the event loop: whole batches in, single bodies out, never waiting.

The socket's file descriptor tells of *changes*, for receiving and sending together, and is silent while something lies
there unread (ZMQ_FD in zmq_getsockopt(3)). So its events are looked at again after every batch and after every send:
whoever forgets that stands still with work in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import zmq

# What is taken in one turn of the loop: so many messages, or the first few that hold so many bytes together.
AT_ONCE: Final = 512
BYTES_AT_ONCE: Final = 2 << 20
MOST_FRAMES: Final = 3

Take = Callable[[Sequence[Sequence[Any]]], None]


class Pump:
    """Owns one socket: nobody else receives, sends or closes it. Lives on the loop it was made in."""

    def __init__(
        self, socket: zmq.Socket[bytes], take: Take, room: Callable[[], None] | None = None, *, named: bool = False,
        most_frames: int = MOST_FRAMES,
    ) -> None:  # fmt: skip
        """``take`` gets what came in one turn: messages, each a list of its first frames (at most ``most_frames``).

        ``room`` is called when the socket takes messages again that it did not take before. ``named``: the first frame is
        a ``zmq.Frame``, which knows whose key its connection has shown.
        """
        self._socket = socket
        self._take = take
        self._room = room
        self._full = False
        self._copy = not named
        self._most_frames = most_frames
        self._loop = asyncio.get_running_loop()
        self._fd = int(socket.getsockopt(zmq.FD))
        self._looking = False
        self._closed = False
        self._loop.add_reader(self._fd, self._drain)
        self._look()

    def send(self, frames: Sequence[bytes]) -> bool:
        """Hand a message to the socket; whether it took it. It does not, where the peer is gone or its queue is full."""
        if self._closed:
            return False
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except (zmq.Again, zmq.ZMQError):
            self._full = True
            return False
        finally:
            self._look()
        return True

    async def close(self, linger_ms: int) -> None:
        """Take nothing more. What was handed over has so long to leave."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        await asyncio.sleep(0)  # a loop may still hold the descriptor in this turn
        self._socket.close(linger_ms)

    def _look(self) -> None:
        """Come back in the next turn, if there is something to receive, or room again."""
        if self._looking:
            return
        events = int(self._socket.getsockopt(zmq.EVENTS))
        if events & zmq.POLLIN:
            self._looking = True
            self._loop.call_soon(self._drain)
        if self._full and events & zmq.POLLOUT:
            self._full = False
            if self._room is not None:
                self._loop.call_soon(self._room)

    def _drain(self) -> None:
        self._looking = False
        if self._closed:
            return
        batch: list[Sequence[Any]] = []
        size = 0
        try:
            while len(batch) < AT_ONCE and size < BYTES_AT_ONCE:
                batch.append(self._receive())
                size += len(batch[-1][-1])
        except zmq.Again:
            pass
        try:
            if batch:
                self._take(batch)
        finally:  # what one batch led to keeps nobody else waiting
            if not self._closed:
                self._look()

    def _receive(self) -> Sequence[Any]:
        socket = self._socket
        frames: list[Any] = [socket.recv(zmq.NOBLOCK, copy=self._copy)]
        while socket.getsockopt(zmq.RCVMORE):
            frame = socket.recv(zmq.NOBLOCK)
            if len(frames) < self._most_frames:
                frames.append(frame)
        return frames
