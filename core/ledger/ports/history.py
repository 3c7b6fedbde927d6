"""How attempts went over time, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ledger.rows import HistoryRow


class HistoryReads(Protocol):
    """Reading how the attempts of handlers went."""

    async def since(self, at: int, handler: str | None = None) -> list[HistoryRow]:
        """What began at an instant or later, oldest first; of one handler, or of all."""
        ...

    async def oldest(self, span: int) -> int | None:
        """When the oldest row of that length began."""
        ...

    async def between(self, at: int, until: int) -> list[HistoryRow]:
        """What began at ``at`` or later, and before ``until``."""
        ...


class HistoryWrites(HistoryReads, Protocol):
    """Writing it."""

    async def put(self, rows: Sequence[HistoryRow]) -> None:
        """Write rows; one that is there is replaced."""
        ...

    async def drop(self, span: int, at: int, until: int) -> None:
        """Remove the rows of that length that began at ``at`` or later, and before ``until``."""
        ...

    async def purge(self, before: int, limit: int) -> None:
        """Remove some of what began before an instant."""
        ...
