"""The world outside the core: a chat that drops repeated nonces, an outbox, and links that misbehave.

All of it outlives the core's crashes, as Discord and a disk do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from core.engine.ports import Answer, AnswerKind, AnswerSink, HandlerLink, Instance, Order
from schedule_zero.handler import MethodInfo
from schedule_zero.run import Cause
from schedule_zero.transport.wire import Line

NONCE_S = 180.0
REPEATABLE_S = 120.0


class Guards(msgspec.Struct, frozen=True):
    """The guards against posting twice; the suite takes one away at a time and must see a failure."""

    nonce: bool = True
    outbox: bool = True


class Chat:
    """Keeps messages; within ``NONCE_S`` a nonce it knows is answered with the first message."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._nonces: dict[str, tuple[float, int]] = {}
        self.messages: list[tuple[str, float]] = []

    def post(self, run_id: str, at: float) -> int:
        known = self._nonces.get(run_id)
        if self._guards.nonce and known is not None and at - known[0] < NONCE_S:
            return known[1]
        self.messages.append((run_id, at))
        self._nonces[run_id] = (at, len(self.messages))
        return len(self.messages)

    def find(self, run_id: str) -> int | None:
        for number, (known, _) in enumerate(self.messages, 1):
            if known == run_id:
                return number
        return None


class World:
    """What survives a crash: the chat, the outbox file, and the random choices still to come."""

    def __init__(self, seed: int, guards: Guards) -> None:
        self.random = random.Random(seed)
        self.guards = guards
        self.chat = Chat(guards)
        self.intents: dict[str, float] = {}
        self.sent: dict[str, int] = {}
        self.starts: dict[tuple[str, int], int] = {}
        self.done: set[tuple[str, int]] = set()
        self.alive: set[int] = set()

    def deliver(self, run_id: str, at: float) -> int:
        """The discord handler's way to send: known outcome, else intent and nonce, else look in the channel."""
        if not self.guards.outbox:
            return self.chat.post(run_id, at)
        if run_id in self.sent:
            return self.sent[run_id]
        intent = self.intents.get(run_id)
        if intent is not None and at - intent >= REPEATABLE_S:
            found = self.chat.find(run_id)
            if found is not None:
                self.sent[run_id] = found
                return found
        self.intents.setdefault(run_id, at)
        return self.chat.post(run_id, at)

    def note_sent(self, run_id: str) -> None:
        """The message id is in the outbox now, if there is a message."""
        found = self.chat.find(run_id)
        if found is not None:
            self.sent.setdefault(run_id, found)


class WorldLink(HandlerLink):
    """Handlers elsewhere, over a link that is slow, loses, repeats, and answers late."""

    def __init__(self, world: World, sink: AnswerSink, calm: bool, incarnation: str) -> None:
        self._world = world
        self._sink = sink
        self._calm = calm
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        info = {name: MethodInfo(name=name, doc="", timeout=None, at_most_once=name == "once", schema={})
                for name in ("post", "once", "flaky")}  # fmt: skip
        self.instance = Instance(name=f"world@{incarnation}", handler="world", methods=info, credit=64)
        self._beats: asyncio.Task[None] | None = None

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            key = (order.run_id, order.attempt)
            self._tasks[key] = asyncio.get_running_loop().create_task(self._work(order))
        if self._beats is None or self._beats.done():
            self._beats = asyncio.get_running_loop().create_task(self._beat())

    def cancel(self, run_id: str, attempt: int) -> None:
        task = self._tasks.get((run_id, attempt))
        if task is not None and self._world.random.random() < 0.8:
            task.cancel()

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        pass

    def drain(self) -> None:
        pass

    async def close(self, grace_s: float) -> None:
        if self._beats is not None:
            self._beats.cancel()
        for task in self._tasks.values():
            task.cancel()

    async def _beat(self) -> None:
        while self._tasks:
            self._sink.beat(self.instance.name, list(self._tasks))
            await asyncio.sleep(2.0)

    async def _work(self, order: Order) -> None:
        roll = self._world.random.random
        key = (order.run_id, order.attempt)
        try:
            if not self._calm and roll() < 0.02:
                return  # the order was lost on its way; the lease will tell
            await asyncio.sleep(roll() * (0.05 if roll() < 0.9 else 8.0))
            self._world.starts[key] = self._world.starts.get(key, 0) + 1
            self._tell(order)
            answer = self._do(order)
            await asyncio.sleep(roll() * 0.05)
            self._world.note_sent(order.run_id)
            if not self._calm and roll() < 0.02:
                return  # the answer was lost
            if not self._calm and roll() < 0.06:
                self._tasks.pop(key, None)  # no beat speaks for it, and the answer comes after its lease
                await asyncio.sleep(6.0 + 3.0 * roll())
            self._sink.answer([answer] * (2 if roll() < 0.05 else 1))
        except asyncio.CancelledError:
            self._sink.answer([_answer(order, "cancelled")])
        finally:
            self._tasks.pop(key, None)

    def _tell(self, order: Order) -> None:
        """How far it is, and a line that nobody else says; now and then once more, for an attempt that may be over."""
        line = Line(order.due, f"{order.run_id} {order.attempt}")
        told = _answer(order, "progress", fraction=0.5, note="half", lines=[line])
        self._sink.answer([told])
        asyncio.get_running_loop().call_later(0.02, self._sink.answer, [_answer(order, "progress", left_out=1)])

    def _do(self, order: Order) -> Answer:
        roll = self._world.random.random()
        if order.method == "flaky" and roll < 0.3:
            cause = Cause.LASTING if roll < 0.05 else Cause.PASSING
            return _answer(order, "failed", cause=cause, error="flaky")
        number = self._world.deliver(order.run_id, asyncio.get_running_loop().time())
        self._world.done.add((order.run_id, order.attempt))
        value = f'{{"message":{number}}}'
        return _answer(order, "succeeded", value=value)


def _answer(order: Order, kind: AnswerKind, **fields: Any) -> Answer:
    return Answer(run_id=order.run_id, attempt=order.attempt, instance=order.instance, kind=kind, **fields)
