"""Room: how many schedules there may be, checked in the transaction that makes one more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.ledger.port import ScheduleFilter, Transaction
from core.ledger.rows import ScheduleRow
from core.service.desk import Desk
from schedule_zero.actor import Actor
from schedule_zero.errors import QuotaExceeded
from schedule_zero.schedule import ScheduleState

GUILDS_KEPT: Final = 10_000
_LIVE: tuple[ScheduleState, ...] = ("active", "paused", "blocked", "needs_owner", "pending")


class Room:
    """Keeps guilds, and people on their own, within the schedules their plan allows.

    For a guild that was counted once, it is kept how many it has at most: whatever makes one more comes through here,
    and what makes one less is left out. As long as that is below the limit nobody has to count again.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._at_most: dict[str, int] = {}

    async def require(self, tx: Transaction, actor: Actor, row: ScheduleRow) -> None:
        """Take a place for this one more. Raises QuotaExceeded when there is none."""
        left = await self.left(tx, actor, row)
        if left is not None and left <= 0:
            raise self.full(actor, row)
        self.taken([row])

    async def left(self, tx: Transaction, actor: Actor, row: ScheduleRow, *, wanted: int = 1) -> int | None:
        """How many more the guild may have, or the person where there is no guild; None: any number.

        Where it is less than ``wanted`` it is exactly so many, else at least so many.
        """
        limit = self._desk.quota(actor, row.guild_id).schedules
        if limit is None:
            return None
        if row.guild_id is not None:
            return limit - await self._live(tx, row.guild_id, limit - wanted)
        for state in _LIVE:
            if limit > 0:
                theirs = ScheduleFilter(owner_id=row.owner_id, state=state)
                limit -= len(await tx.schedules.page(theirs, None, limit))
        return limit

    def taken(self, rows: Iterable[ScheduleRow]) -> None:
        """These are live now, or will be if the transaction succeeds."""
        for row in rows:
            if row.guild_id in self._at_most:
                self._at_most[row.guild_id] += 1

    def full(self, actor: Actor, row: ScheduleRow) -> QuotaExceeded:
        """The refusal."""
        limit = self._desk.quota(actor, row.guild_id).schedules or 0
        who = "This server has" if row.guild_id is not None else "You have"
        return QuotaExceeded(
            f"{who} {limit:,} schedules, as many as the plan allows; delete one to make room.",
            scope=f"guild:{row.guild_id or '-'}", limit="schedules", used=limit, allowed=limit,
        )  # fmt: skip

    async def _live(self, tx: Transaction, guild_id: str, enough: int) -> int:
        """How many schedules of a guild are live: at most so many, and exactly so many if it is more than ``enough``."""
        known = self._at_most.get(guild_id)
        if known is None or known > enough:
            if len(self._at_most) >= GUILDS_KEPT:
                self._at_most.clear()
            known = self._at_most[guild_id] = await tx.schedules.count(guild_id)
        return known
