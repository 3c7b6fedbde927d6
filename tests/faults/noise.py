"""Hostile peers: what somebody sends who does not speak the protocol, or wants to do harm."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import zmq
from zmq import ZMQError

from schedule_zero.transport import wire

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
"""A whole ZMTP 3.0 greeting."""
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def _hello(random: Random, **fields: Any) -> bytes:
    said = {"name": "works", "instance": f"noise-{random.randrange(1000)}", "versions": (1, 1), "software": "noise",
            "methods": [wire.MethodOffer("work", "", None, False, "{}")], "credit": 0, "held": []}  # fmt: skip
    return wire.write([wire.Hello(**{**said, **fields})])


def bodies(random: Random) -> list[bytes]:
    """One of each kind of body nobody should send."""
    whole = _hello(random)
    pair = [f"run_{random.randrange(10**9)}", random.randint(1, 9)]
    pack = msgspec.msgpack.encode
    return [
        b"",
        b"\x01",
        random.randbytes(random.randint(1, 2000)),
        b"\x01" + random.randbytes(random.randint(1, 2000)),
        bytes([random.randint(2, 255)]) + whole[1:],
        whole[: random.randrange(len(whole))],
        _hello(random, versions=(2, 9)),
        _hello(random, methods=[wire.MethodOffer("work", "", None, False, "[not json")]),
        b"\x01" + pack([["HELLO", "x" * 100_000, "i", [1, 1], "s", [], 1, []]]),
        b"\x01" + pack([["SHUTDOWN", 1]]),
        b"\x01" + pack([["RESULT", [[*pair, "succeeded", '"never asked for"']]]]),
        b"\x01" + pack([["BEAT", [pair] * 4096]]),
        b"\x01" + pack([["BEAT", []]] * 5000),
        b"\x01" + b"\x91" * 100_000,
        b"\x01\xdd\xff\xff\xff\xff",
        b"\x01" + random.randbytes(wire.LARGEST_BODY - 1),
        b"\x01" * (wire.LARGEST_BODY + random.randint(1, 100_000)),
    ]


async def speak(address: str, random: Random) -> int:
    """Say all of it over a connection each, in random order, some of it in many frames; how much was said."""
    loop, said = asyncio.get_running_loop(), 0
    context: zmq.Context[Any] = zmq.Context()
    try:
        for body in random.sample(all_of_it := bodies(random), len(all_of_it)):
            frames = [body] * random.choice((1, 1, 1, 2, 40))
            said += await loop.run_in_executor(None, _say, context, address, frames)
    finally:
        context.term()
    return said


def _say(context: zmq.Context[Any], address: str, frames: list[bytes]) -> int:
    peer: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    try:
        peer.setsockopt(zmq.LINGER, 500)
        if len(frames) == 2:
            peer.setsockopt(zmq.ROUTING_ID, b"somebody")
        peer.setsockopt(zmq.SNDTIMEO, 500)
        peer.setsockopt(zmq.RCVTIMEO, 50)
        peer.connect(address)
        peer.send_multipart(frames)
        peer.recv()
    except ZMQError:
        return 1  # it was cut off, or never answered
    finally:
        peer.close()
    return 1


def raw(port: int, random: Random) -> list[socket.socket]:
    """Connections that are no ZeroMQ, or stop in the middle of it; they stay open until they are closed."""
    endless = b"\x02\xff" + bytes(8)  # a long frame whose size says: all there is
    starts: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: b"GET / HTTP/1.1\r\nHost: core\r\n\r\n",
        lambda: random.randbytes(random.randint(1, 3000)),
        lambda: GREETING[: random.randrange(len(GREETING))],
        lambda: GREETING,
        lambda: GREETING + READY[: random.randrange(len(READY))],
        lambda: GREETING + READY + random.randbytes(500),
        lambda: GREETING + READY + b"\x02" + b"\x7f" * 8 + b"\x01",
        lambda: GREETING + READY + endless,
    ]
    opened = []
    for start in starts:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.sendall(start())
        opened.append(connection)
    return opened
