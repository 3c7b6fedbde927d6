"""Closed: what a guild keeps closed (calendars, hours, blackouts), for rows that were drafted before it may have changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.engine.engine import Engine
from core.ledger.port import Transaction
from core.ledger.rows import ScheduleRow
from core.service.closings import closings_of, refreshed
from core.service.facts import CLOSINGS


class Closed:
    """Looks again, inside the transaction that writes them, at rows that were drafted outside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._unsteady: set[str] = set()

    def changes(self, guild_id: str) -> None:
        """What a guild keeps closed changes in this transaction: what was drafted before is looked at again."""
        self._unsteady.add(guild_id)

    async def as_closed(self, tx: Transaction, row: ScheduleRow, *, of_old: bool = False) -> ScheduleRow:
        """A drafted row by what its guild keeps closed now, where that may have changed since it was read. ``of_old``: it
        may have been read before this process started."""
        if not (of_old or self._may_have_closed(row)):
            return row
        return (await self._refreshed(tx, [row]))[0]

    async def all_as_closed(self, tx: Transaction, rows: Sequence[ScheduleRow]) -> list[ScheduleRow]:
        """The same of many, in their order."""
        return await self._refreshed(tx, rows) if any(map(self._may_have_closed, rows)) else list(rows)

    def _may_have_closed(self, row: ScheduleRow) -> bool:
        return row.guild_id is not None and (self._engine.territory.shared or row.guild_id in self._unsteady)

    async def _refreshed(self, tx: Transaction, rows: Sequence[ScheduleRow]) -> list[ScheduleRow]:
        """Rows by what their guilds keep closed now, each guild asked for once. What stays as it is stays the same row."""
        guilds = {row.guild_id for row in rows if row.guild_id is not None}
        kept = {guild: closings_of(await tx.notes.get(CLOSINGS, guild)) for guild in guilds}
        now = self._engine.clock.now()
        found: list[ScheduleRow] = []
        for row in rows:
            after = row if row.guild_id is None else refreshed(row, kept[row.guild_id], now)
            found.append(row if after is row else msgspec.structs.replace(after, revision=row.revision))
        return found
