"""Hundreds of handlers in one process, written by hand from `docs/protocol.md`: `python -m tests.faults.crowd CORE N`.

Each has a connection and an instance of its own, and keeps the process's journal of effects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import zmq

from schedule_zero.transport import wire
from schedule_zero.transport.pump import Pump
from tests.faults.effects import Journal, own_journal

NAME: Final = "crowd"
HELLO_AGAIN_S: Final = 2.0
OFFER: Final = wire.MethodOffer("work", "", None, False, '{"type":"object"}')


class Member:
    """One of them: answers at once, and keeps each answer until it is acknowledged."""

    def __init__(self, socket: zmq.Socket[bytes], number: int, journal: Journal) -> None:
        self._journal = journal
        self._instance = f"member-{number}"
        self._kept: dict[tuple[str, int], wire.Ended] = {}
        self._known = False
        self._beat_s = HELLO_AGAIN_S
        self._pump = Pump(socket, self._take)

    async def live(self) -> None:
        """Greet until welcomed, then beat; for ever."""
        while True:
            self._say(wire.Beat(list(self._kept)) if self._known else self._hello())
            await asyncio.sleep(self._beat_s)

    def _hello(self) -> wire.Hello:
        return wire.Hello(NAME, self._instance, (1, 1), "by hand", [OFFER], 4, list(self._kept))

    def _say(self, *messages: msgspec.Struct) -> None:
        self._pump.send([wire.write(messages)])

    def _take(self, batch: Sequence[Sequence[bytes]]) -> None:
        for frames in batch:
            for message in wire.read_from_core(frames[0]):
                self._hear(message)

    def _hear(self, message: Any) -> None:
        match message:
            case wire.Who():
                self._known = False
                self._say(self._hello())
            case wire.Welcome():
                self._known, self._beat_s = True, message.beat
                if self._kept:
                    self._say(wire.Result(list(self._kept.values())))
            case wire.Run():
                self._say(wire.Result([self._done(order) for order in message.orders]))
            case wire.ResultAck():
                for run_id, attempt in message.pairs:
                    self._kept.pop((run_id, attempt), None)

    def _done(self, order: wire.Order) -> wire.Ended:
        pair = (order.run_id, order.attempt)
        if pair not in self._kept:
            for what in ("begun", "done"):
                self._journal.write(what, *pair, order.method)
            receipt = {"run": pair[0], "attempt": pair[1], "process": self._journal.process}
            self._kept[pair] = wire.Ended(*pair, "succeeded", msgspec.json.encode(receipt).decode())
        return self._kept[pair]


async def crowd(address: str, count: int) -> None:
    """So many of them, for ever."""
    context: zmq.Context[Any] = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, count + 8)
    journal = own_journal()
    members = []
    for number in range(count):
        socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 200)
        socket.connect(address)
        members.append(Member(socket, number, journal))
    async with asyncio.TaskGroup() as living:
        for member in members:
            living.create_task(member.live())


if __name__ == "__main__":
    asyncio.run(crowd(sys.argv[1], int(sys.argv[2])))
