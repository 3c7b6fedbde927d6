"""What quotas count, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol

from core.ledger.rows import UsageKey


class UsageReads(Protocol):
    """Reading what calendar quotas have counted."""

    async def used(self, keys: Iterable[UsageKey]) -> dict[UsageKey, int]: ...


class UsageWrites(UsageReads, Protocol):
    """Charging and giving back."""

    def ask(self, keys: Iterable[UsageKey]) -> Awaitable[dict[UsageKey, int]]:
        """As ``used``, put together with the transaction's next question; await it when it is needed."""
        ...

    async def charge(self, amounts: Mapping[UsageKey, int]) -> None:
        """Add (or, negative, give back) to counters; none goes below zero."""
        ...

    async def purge(self, before_period: str) -> None:
        """Drop counters of periods that sort before this one."""
        ...
