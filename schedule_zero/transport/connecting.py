"""How the kit's sockets connect: bounded, encrypted where the core is, and soon there again after a break."""

from __future__ import annotations

import re
from random import uniform
from typing import Final

import zmq

from schedule_zero.transport.curve import encrypt
from schedule_zero.transport.keyfile import KeyFile

# The first try comes at once for people, and not in the same instant for five hundred handlers; later ones ever less often.
RECONNECT_MS: Final = (10, 40)
LONGEST_RECONNECT_MS: Final = 2000
# The system's own tries are a minute apart after a long silence; a new connection begins with short ones.
CONNECT_MS: Final = 2000
HANDSHAKE_MS: Final = 5000
_TCP: Final = re.compile(r"tcp://\S+:(\d{1,5})")


def connect(socket: zmq.Socket[bytes], address: str, keys: KeyFile, *, largest: int) -> None:
    """Have a socket connect to a core, and stay connected. It has to be closed by the caller, also after an error.

    Args:
        keys: with a ``server`` the connection is encrypted.
        largest: bytes of a frame that comes in; a larger one cuts the connection.

    Raises:
        ValueError: the address is none.
    """
    socket.setsockopt(zmq.RECONNECT_IVL, int(uniform(*RECONNECT_MS)))
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, LONGEST_RECONNECT_MS)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MS)
    socket.setsockopt(zmq.IPV6, 1)
    guarded(socket, largest)
    check_address(address)
    try:
        if keys.server is not None:
            encrypt(socket, keys)
        socket.connect(address)
    except zmq.ZMQError as error:
        raise ValueError(f"{address} is no address of a core: {error.strerror}") from None


def check_address(address: str) -> None:
    """Raises ValueError for an address where nothing can ever be: ZeroMQ would try it for ever."""
    if not address.startswith("tcp://"):
        return
    found = _TCP.fullmatch(address)
    if found is None or not 1 <= int(found[1]) <= 65_535:
        raise ValueError(f"{address} is no address of a core: after the host it takes a port from 1 to 65535")


def guarded(socket: zmq.Socket[bytes], largest: int) -> None:
    """Bounds towards whoever is at the other end, the same on both: a frame's size, a greeting's time, and how long a
    connection may be dead before that is noticed."""
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
