"""Attendance: how many are connected to a bound socket. ZeroMQ says so itself; what they say would not tell."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import zmq

from schedule_zero.transport.pump import Pump

_EVENT: Final = struct.Struct("<Hi")


def watched(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """What a socket will say of its connections. Asked for before it is bound, so that nobody comes unseen."""
    return socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)


class Attendance:
    """Of one socket."""

    def __init__(self, socket: zmq.Socket[bytes], events: zmq.Socket[bytes], changed: Callable[[], None]) -> None:
        """``events``: what ``watched`` gave; ``changed``: called when somebody came or went."""
        self._socket = socket
        self._changed = changed
        self._connections: set[int] = set()
        self._pump = Pump(events, self._take)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is connected."""
        return not self._connections

    async def close(self) -> None:
        """Before the socket itself."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        await self._pump.close(0)

    def _take(self, batch: Sequence[Sequence[Any]]) -> None:
        for frames in batch:
            event, connection = _EVENT.unpack(frames[0])
            if event == zmq.EVENT_ACCEPTED:
                self._connections.add(connection)
            else:
                self._connections.discard(connection)
        self._changed()
