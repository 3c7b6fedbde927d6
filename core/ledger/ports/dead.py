"""Dead letters, as the core asks the store for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ledger.ports.runs import RunFilter
from core.ledger.rows import DeadRow


class DeadReads(Protocol):
    """Reading dead letters."""

    async def get_many(self, run_ids: Sequence[str]) -> dict[str, DeadRow]: ...
    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[DeadRow]: ...  # noqa: A002


class DeadWrites(DeadReads, Protocol):
    """Adding and removing dead letters. They go with their runs, too (``RunWrites.purge``)."""

    async def add(self, rows: Sequence[DeadRow]) -> None: ...
    async def remove(self, run_ids: Sequence[str]) -> None: ...
