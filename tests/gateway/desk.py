"""A clients' door before a house, and who comes to it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from core.gateway.clients import Clients
from core.gateway.exposure import Curve
from core.gateway.guard import Guard
from core.ledger.port import Transaction
from core.ledger.rows import EventRow
from core.service.keyring import KeyRow, digest_of
from schedule_zero.actor import Actor
from schedule_zero.requests import Request
from schedule_zero.transport.curve import new_pair
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.zmq_client import ZmqClient
from schedule_zero.views import Done, Part, View
from tests.engine.house import House
from tests.gateway.stranger import StrangeClient

CONFINED: Final = KeyRow(
    id="key_1", name="confined", role="operator", kind="token", created=0, created_by="operator:owner", guild_id="1",
    digest=digest_of("confined"),
)  # fmt: skip
CONFINED_BOT: Final = KeyRow(
    id="key_2", name="confined-bot", role="bot", kind="token", created=0, created_by="operator:owner", guild_id="1",
    digest=digest_of("confined-bot"),
)  # fmt: skip


class Slow:
    """Use cases that wait until they are let go."""

    def __init__(self, house: House) -> None:
        self._service = house.client._service
        self.gate: asyncio.Event | None = None
        self.asked: list[tuple[Actor, Request]] = []

    async def handle(self, actor: Actor, request: Request) -> View:
        self.asked.append((actor, request))
        if self.gate is not None:
            await self.gate.wait()
            return Done()
        return await self._service.handle(actor, request)

    async def feed(self, actor: Actor, wish: Any) -> Any:
        return await self._service.feed(actor, wish)


class Board:
    """Where parts are noted."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        self.parts[part] = Part(ok=ok, detail=detail)

    def forget(self, part: str) -> None:
        self.parts.pop(part, None)


class Desk:
    """A clients' door before a house, and those who came to it."""

    def __init__(self, house: House, curve: Curve = "auto") -> None:
        self.house = house
        self.pair = new_pair()
        self._curve = curve
        self.keyring = house.service.keyring
        self.keyring.trust("owner")
        self.keyring.trust("bot", role="bot", name="bot")
        self.keyring.put(CONFINED)
        self.keyring.put(CONFINED_BOT)
        self.slow = Slow(house)
        self.board = Board()
        self.address = "tcp://127.0.0.1:*"
        self._callers: list[Any] = []
        self.door: Clients
        self.guard: Guard
        self._task: asyncio.Task[None]

    def open(self) -> None:
        self.guard = Guard(self.keyring, self.house.clock, self.pair, self._curve)
        self.door = Clients(self.slow, self.guard, self.board, self.house.clock)
        self.address = self.door.bind(self.address)
        self._task = asyncio.create_task(self.door.run())

    async def shut(self) -> None:
        self._task.cancel()
        await self.door.close()
        await self.guard.close()

    async def crash(self) -> None:
        """End without a word to anybody."""
        self._task.cancel()
        await self.door._pump.close(0)
        for caller in list(self.door._callers.values()):
            self.door._gone(caller, "killed")
        await self.guard.close()

    def client(self, token: str | KeyFile | None = "owner", **options: Any) -> ZmqClient:
        made = ZmqClient(self.address, token, **options)
        self._callers.append(made)
        return made

    def stranger(self, identity: bytes = b"") -> StrangeClient:
        made = StrangeClient(self.address, identity)
        self._callers.append(made)
        return made

    async def close(self) -> None:
        for caller in self._callers:
            await caller.close()
        await self.shut()


async def tell(house: House, count: int, *, guild: str | None = "1", kind: str = "run.failed", data: str = "{}") -> int:
    """So many events in one transaction; the number of the last one."""

    async def unit(tx: Transaction) -> None:
        await tx.journal.append([EventRow(at=house.clock.now(), kind=kind, guild_id=guild, data=data)] * count)

    await house.ledger.write(unit)
    return (await house.ledger.reader.journal.head())[1]
