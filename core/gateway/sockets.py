"""Sockets as the core binds them: bounded towards whoever connects."""

from __future__ import annotations

from typing import Final

import zmq

from core.gateway.guard import Guard

HANDSHAKE_MS: Final = 5000


def socket_of(guard: Guard, kind: int, *, largest: int, high_water: int) -> zmq.Socket[bytes]:
    """A socket in the guard's context, not yet bound.

    Args:
        largest: bytes of a frame that comes in; a larger one cuts its connection.
        high_water: messages that wait for one peer.
    """
    socket: zmq.Socket[bytes] = guard.context.socket(kind)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.SNDHWM, high_water)
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
    socket.setsockopt(zmq.LINGER, 0)
    return socket
