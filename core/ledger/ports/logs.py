"""What runs say of themselves, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ledger.rows import Cut, LineRow, ToldRow


class LogReads(Protocol):
    """Reading what runs tell of themselves."""

    async def told(self, run_ids: Sequence[str]) -> dict[str, ToldRow]:
        """How far runs are and how much they logged; of those that told anything."""
        ...

    async def lines(self, run_id: str, after: int, limit: int) -> list[LineRow]:
        """The lines of a run behind the ``after``-th that was said, in order."""
        ...


class LogWrites(LogReads, Protocol):
    """Writing what runs tell. Never the reason why something else in the unit fails."""

    async def append(self, told: Sequence[ToldRow], lines: Sequence[LineRow], cuts: Sequence[Cut]) -> None:
        """Write what runs told, with their new lines; then let go of those that do not fit any more."""
        ...
