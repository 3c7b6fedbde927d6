"""Sockets as the core binds them, bounded towards whoever connects; and what comes out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from core.gateway.guard import Guard, user_of
from schedule_zero.transport.connecting import guarded
from schedule_zero.transport.wire import WireError


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
    socket.setsockopt(zmq.LINGER, 0)
    guarded(socket, largest)
    return socket


def sender_of(frames: Sequence[Any], *, encrypted: bool) -> tuple[bytes, str | None]:
    """Whose message it is: its route, and on an encrypted socket the public key its connection has shown."""
    if encrypted:
        return frames[0].bytes, user_of(frames[0])
    return frames[0], None


def body_of(frames: Sequence[Any]) -> bytes:
    """The one frame behind the route.

    Raises:
        WireError: there are none, or several.
    """
    if len(frames) != 2:
        raise WireError("a message has one body")
    body: bytes = frames[1]
    return body
