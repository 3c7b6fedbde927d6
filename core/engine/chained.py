"""The ledger as the core writes it: every unit ends with what follows the runs that it ended.

One place for all ways in which runs end, so that none of them has to think of chains, and none can forget to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Protocol, TypeVar

from core.engine.chains import Chains, Followed
from core.ledger.among import Membership
from core.ledger.port import Ledger, Reader, Transaction, Unit

T = TypeVar("T")


class Consequences(Protocol):
    """What the engine does with what followed, once it is committed."""

    async def followed(self, followed: Followed) -> None: ...


class ChainedLedger:
    """``core.ledger.port.Ledger`` over another one, with chains."""

    def __init__(self, ledger: Ledger, chains: Chains, consequences: Consequences) -> None:
        self._ledger = ledger
        self._chains = chains
        self._consequences = consequences

    @property
    def reader(self) -> Reader:
        return self._ledger.reader

    @property
    def membership(self) -> Membership | None:
        return self._ledger.membership

    @property
    def failed(self) -> Awaitable[BaseException]:
        return self._ledger.failed

    async def open(self) -> None:
        await self._ledger.open()

    async def write(self, unit: Unit[T]) -> T:
        return await self._written(self._ledger.write, unit)

    async def write_new(self, unit: Unit[T]) -> T:
        return await self._written(self._ledger.write_new, unit)

    async def write_essential(self, unit: Unit[T]) -> T:
        return await self._written(self._ledger.write_essential, unit)

    async def has_room(self) -> bool:
        return await self._ledger.has_room()

    async def clear_traces(self) -> None:
        await self._ledger.clear_traces()

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._ledger.on_commit(callback)

    async def close(self) -> None:
        await self._ledger.close()

    async def _written(self, write: Callable[[Unit[T]], Awaitable[T]], unit: Unit[T]) -> T:
        followed: Followed | None = None

        @wraps(unit)  # it is still that one to whoever looks
        async def chained(tx: Transaction) -> T:
            nonlocal followed
            result = await unit(tx)
            followed = await self._chains.follow(tx)
            return result

        result = await write(chained)
        if followed is not None:
            await self._consequences.followed(followed)
        return result
