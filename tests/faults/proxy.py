"""A stretch of network between a handler and the core that can go silent: nothing passes and nobody is told.

While it is cut, bytes wait on the side they came from and connections that end on one side stay open on the other, as
with a cable pulled; whoever connects gets no answer at all, because the queue of the listening port is full. Healed,
everything that still lives goes on where it stood.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

CHUNK = 64 * 1024
STUFFING = 8
"""Connections that fill the queue of the listening port, which is shorter: who comes later is not answered."""


class Way:
    """One direction."""

    def __init__(self) -> None:
        self._pass = asyncio.Event()
        self._pass.set()

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._pass.clear()

    def heal(self) -> None:
        """What waits, and what follows, passes."""
        self._pass.set()

    async def clear(self) -> None:
        """Wait until bytes pass."""
        await self._pass.wait()


class Proxy:
    """Listens on loopback for one handler and passes on to a core's port.

    Attributes:
        port: where the handler connects.
        target: the port that connections are passed on to, from the next one on.
        to_core: the way there; ``to_handler``: the way back.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listening = socket.socket()
        self._listening.setblocking(False)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(1)
        self._stuffing: list[socket.socket] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = asyncio.create_task(self._accept(), name="proxy")
        self.port = int(self._listening.getsockname()[1])
        self.to_core, self.to_handler = Way(), Way()

    @property
    def address(self) -> str:
        """Where the handler connects."""
        return f"tcp://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Silence in both directions, for those who are connected and for those who try."""
        self.to_core.cut()
        self.to_handler.cut()
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None
        while len(self._stuffing) < STUFFING:
            stuffing = socket.socket()
            stuffing.setblocking(False)
            stuffing.connect_ex(("127.0.0.1", self.port))
            self._stuffing.append(stuffing)

    def heal(self) -> None:
        """The cable is back."""
        ours = {stuffing.getsockname()[1] for stuffing in self._stuffing}
        with contextlib.suppress(BlockingIOError):
            while self._stuffing:
                near, (_, port) = self._listening.accept()
                if port in ours:
                    near.close()
                else:
                    self._begin(near)
        for stuffing in self._stuffing:
            stuffing.close()
        self._stuffing.clear()
        self.to_core.heal()
        self.to_handler.heal()
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept(), name="proxy")

    async def drop(self) -> None:
        """End every connection; what waits on a cut way is lost. Then heal."""
        for task in (tasks := list(self._connections)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.heal()

    async def close(self) -> None:
        """End every connection and leave the port."""
        await self.drop()
        assert self._accepting is not None
        self._accepting.cancel()
        await asyncio.gather(self._accepting, *self._connections, return_exceptions=True)
        self._listening.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self._listening)
            self._begin(near)

    def _begin(self, near: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(near), name="proxied")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connect(self, near: socket.socket) -> None:
        """One connection, until both of its ends are gone."""
        loop = asyncio.get_running_loop()
        with contextlib.closing(near), contextlib.closing(socket.socket()) as far:
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await loop.sock_connect(far, ("127.0.0.1", self.target))
            except OSError:
                return  # no core there: the handler is told by the close
            ways = [
                loop.create_task(self._carry(near, far, self.to_core)),
                loop.create_task(self._carry(far, near, self.to_handler)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                await self.to_core.clear()
                await self.to_handler.clear()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, source: socket.socket, target: socket.socket, way: Way) -> None:
        """Carry one direction until it ends or breaks."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                await way.clear()
                data = await loop.sock_recv(source, CHUNK)
                if not data:
                    return
                await way.clear()
                await loop.sock_sendall(target, data)
