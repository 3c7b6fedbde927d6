"""Sockets as the core binds them: bounded towards whoever connects."""

from __future__ import annotations

from typing import Any, Final

import zmq

from core.listening import CannotListen, cannot_listen

HANDSHAKE_MS: Final = 5000


def bound(
    context: zmq.Context[Any], kind: int, address: str, key: str, *, largest: int, high_water: int
) -> zmq.Socket[bytes]:
    """A socket that listens.

    Args:
        key: of the configuration, under which the address stands.
        largest: bytes of a message that comes in; a larger one cuts its connection.
        high_water: messages that wait for one peer.

    Raises:
        CannotListen: the address is taken, or not ours.
    """
    if not is_of_this_machine(address):
        raise CannotListen(
            f"{address} can be reached from other machines, and nothing would be encrypted: "
            f"set {key} to an address such as tcp://127.0.0.1:{address.rpartition(':')[2]}"
        )
    socket: zmq.Socket[bytes] = context.socket(kind)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.SNDHWM, high_water)
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
    socket.setsockopt(zmq.LINGER, 0)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        raise cannot_listen(address, key, OSError(error.errno, error.strerror)) from None
    return socket


def is_of_this_machine(address: str) -> bool:
    """Whether only programs of this machine can connect."""
    scheme, _, place = address.partition("://")
    if scheme != "tcp":
        return True
    host = place.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.")
