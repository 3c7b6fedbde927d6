"""One handler process at the other end of a connection: the link the engine gives its orders to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from core.engine.ports import HandlerLink, Instance, Order
from core.service.keyring import KeyRow
from schedule_zero.transport import wire

MOST_ORDERS: Final = 512
Send = Callable[[bytes, msgspec.Struct], None]


class Peer(HandlerLink):
    """A handler that was welcomed.

    Attributes:
        route: where the socket finds it; another after each reconnect.
        heard: when it last said anything, in monotonic seconds; ``told``: when we last beat.
        user: the public key its connection has shown; None on a plain one.
        row: the key it was admitted by; None: it was believed.
        hello: what it said it is.
        has_beaten: it has said since its welcome what it holds.
        turned: why it is refused as soon as it has nothing in hand; None: it may stay.
    """

    def __init__(
        self, route: bytes, instance: Instance, hello: wire.Hello, send: Send, now: float, *, user: str | None = None,
        row: KeyRow | None = None,
    ) -> None:  # fmt: skip
        self.route = route
        self.instance = instance
        self.hello = _lasting(hello)
        self.user = user
        self.row = row
        self.heard: float = now
        self.told = now
        self.has_beaten = False
        self.turned: str | None = None
        self._send = send
        self._left = asyncio.Event()

    def send(self, orders: Sequence[Order]) -> None:
        for at in range(0, len(orders), MOST_ORDERS):
            self._send(self.route, wire.Run([_on_the_wire(order) for order in orders[at : at + MOST_ORDERS]]))

    def cancel(self, run_id: str, attempt: int) -> None:
        self._send(self.route, wire.Cancel(run_id, attempt))

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        self._send(self.route, wire.ResultAck(list(answered)))

    def drain(self) -> None:
        self._send(self.route, wire.Drain())

    async def close(self, grace_s: float) -> None:
        """The core stops, the handler goes on: what it runs it keeps, and tells the next core."""

    def is_still(self, hello: wire.Hello) -> bool:
        """Whether it says once more what it is, and has not said meanwhile that it leaves. It does so while it waits for a
        welcome: all at once, where nobody was there to hear it."""
        return not self.instance.draining and self.hello == _lasting(hello)

    def left(self) -> None:
        """It said goodbye, or went without."""
        self._left.set()


def _lasting(hello: wire.Hello) -> wire.Hello:
    """Without what may be another thing the next moment."""
    return msgspec.structs.replace(hello, credit=0, held=[])


def _on_the_wire(order: Order) -> wire.Order:
    return wire.Order(
        order.run_id, order.attempt, order.method, order.args, order.schedule_id, order.guild_id, order.owner_id,
        order.due, order.late_by, order.timeout_s, order.metadata,
    )  # fmt: skip
