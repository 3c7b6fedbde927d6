"""Programs that speak the wire by hand: one as a handler does, one as a client does."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec
import zmq

from schedule_zero import requests
from schedule_zero.transport import asking, wire
from schedule_zero.transport.pump import Pump

OFFER = wire.MethodOffer("work", "", None, False, "{}")
_encode = msgspec.msgpack.Encoder().encode


class Stranger(ABC):
    """Says what it likes, and keeps what it hears."""

    def __init__(self, address: str, identity: bytes = b"") -> None:
        self._context = zmq.Context()
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        if identity:
            socket.routing_id = identity
        self.prepare(socket)
        socket.connect(address)
        self._pump = Pump(socket, self._take)
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    def prepare(self, socket: zmq.Socket[bytes]) -> None:
        """Set the socket up, before it connects; as it is, in the clear."""
        socket.linger = 0

    @abstractmethod
    def read(self, body: bytes) -> Sequence[msgspec.Struct]:
        """What a core says at this door."""

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        for frames in batch:
            for message in self.read(frames[0]):
                self.heard.put_nowait(message)

    def say(self, *messages: msgspec.Struct) -> None:
        self._pump.send([wire.write(messages)])

    def say_frames(self, *frames: bytes) -> None:
        self._pump.send(frames)

    async def hear(self, kind: type[Any]) -> Any:
        """The next message of a kind; others are passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self.heard.get()
                if isinstance(message, kind):
                    return message

    async def close(self) -> None:
        await self._pump.close(0)
        self._context.term()


class StrangeHandler(Stranger):
    """At the door for handlers."""

    def read(self, body: bytes) -> Sequence[msgspec.Struct]:
        return list(wire.read_from_core(body))

    async def greet(self, **fields: Any) -> wire.Welcome:
        hello = {"name": "far", "instance": "i1", "versions": (1, 1), "software": "by hand", "methods": [OFFER],
                 "credit": 8, "held": []}  # fmt: skip
        self.say(wire.Hello(**{**hello, **fields}))
        return await self.hear(wire.Welcome)  # type: ignore[no-any-return]


class StrangeClient(Stranger):
    """At the door for clients."""

    def read(self, body: bytes) -> Sequence[msgspec.Struct]:
        return list(asking.read_from_core(body))

    def ask(self, number: int, request: Any, member: asking.Member | None = None) -> asking.Ask:
        return asking.Ask(number, msgspec.Raw(_encode(request)), member)

    def ask_status(self, number: int) -> None:
        """What can be answered at once, and tells that all said before was heard."""
        self.say(self.ask(number, requests.GetStatus()))

    async def login(self, token: str | None = "owner", instance: str = "i1") -> asking.Welcome:
        self.say(asking.Login(instance, (1, 1), "by hand", token))
        return await self.hear(asking.Welcome)  # type: ignore[no-any-return]
