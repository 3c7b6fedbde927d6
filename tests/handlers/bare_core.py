"""A core that a test holds in its hands: a real socket, the protocol's own words, and no will of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import zmq

from schedule_zero.transport import wire
from schedule_zero.transport.pump import Pump

PATIENCE_S = 30.0
M = TypeVar("M", bound=msgspec.Struct)
Pair = tuple[str, int]


class BareCore:
    """Hears one handler and says what the test says. What it hears is checked against the protocol's own types."""

    def __init__(self, beat: float = 0.05, lease: float = 0.5) -> None:
        self.beat, self.lease = beat, lease
        self._context: zmq.Context[Any] = zmq.Context()
        socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind("tcp://127.0.0.1:*")
        self.address = str(socket.getsockopt_string(zmq.LAST_ENDPOINT))
        self.heard: list[msgspec.Struct] = []
        self.route = b""
        self._news = asyncio.Event()
        self._pump = Pump(socket, self._take)

    async def close(self) -> None:
        await self._pump.close(0)
        self._context.term()

    async def welcome(self, cluster: str | None = None) -> wire.Hello:
        """Let the handler in; what it said of itself. ``cluster``: the cores this one belongs to."""
        hello = await self.next(wire.Hello)
        self.say(wire.Welcome(wire.VERSION, self.lease, self.beat, wire.LARGEST_BODY, time.time_ns() // 1000, cluster))
        return hello

    def say(self, *messages: msgspec.Struct) -> None:
        self._pump.send([self.route, wire.write(messages)])

    def say_raw(self, *messages: Any) -> None:
        """Say what the types do not know: messages and fields of a later version."""
        self._pump.send([self.route, bytes([wire.VERSION]) + msgspec.msgpack.encode(messages)])

    def run(self, run_id: str, method: str, args: str, attempt: int = 1, timeout: float = 30.0) -> Pair:
        """Give out an attempt."""
        self.say(wire.Run([self.order(run_id, method, args, attempt, timeout)]))
        return run_id, attempt

    def order(self, run_id: str, method: str, args: str, attempt: int = 1, timeout: float = 30.0) -> wire.Order:
        now = time.time_ns() // 1000
        return wire.Order(run_id, attempt, method, args, "sch_1", "7", "8", now, 0, timeout, "{}")

    def acknowledge(self, *pairs: Pair) -> None:
        self.say(wire.ResultAck(list(pairs)))

    async def next(self, kind: type[M], *, after: int = 0, **facts: Any) -> M:
        """The first message of that kind with these facts among those heard since; waits for it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for message in self.heard[after:]:
                    if isinstance(message, kind) and all(getattr(message, k) == v for k, v in facts.items()):
                        return message
                self._news.clear()
                await self._news.wait()

    async def ended(self, pair: Pair, *, after: int = 0, times: int = 1) -> wire.Ended:
        """The result of an attempt, once it was told so many times."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = [
                    ended for message in self.heard[after:] if isinstance(message, wire.Result)
                    for ended in message.ended if (ended.run_id, ended.attempt) == pair
                ]  # fmt: skip
                if len(told) >= times:
                    return told[-1]
                self._news.clear()
                await self._news.wait()

    async def beats(self, count: int) -> list[wire.Beat]:
        """So many beats from now on."""
        after = len(self.heard)
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [each for each in self.heard[after:] if isinstance(each, wire.Beat)]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        for route, body in batch:
            self.route = bytes(route)
            self.heard += wire.read_from_handler(body)
        self._news.set()
