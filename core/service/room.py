"""Room: how many schedules there may be, checked in the transaction that makes one more."""

from __future__ import annotations

from core.ledger.port import ScheduleFilter, Transaction
from core.ledger.rows import ScheduleRow
from core.service.desk import Desk
from schedule_zero.actor import Actor
from schedule_zero.errors import QuotaExceeded
from schedule_zero.schedule import ScheduleState

_LIVE: tuple[ScheduleState, ...] = ("active", "paused", "blocked", "needs_owner", "pending")


class Room:
    """Keeps guilds, and people on their own, within the schedules their plan allows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def require(self, tx: Transaction, actor: Actor, row: ScheduleRow) -> None:
        """Raises QuotaExceeded when there is no room for this one more."""
        left = await self.left(tx, actor, row)
        if left is not None and left <= 0:
            raise self.full(actor, row)

    async def left(self, tx: Transaction, actor: Actor, row: ScheduleRow) -> int | None:
        """How many more the guild may have, or the person where there is no guild; None: any number."""
        limit = self._desk.quota(actor, row.guild_id).schedules
        if limit is None:
            return None
        if row.guild_id is not None:
            return limit - await tx.schedules.count(row.guild_id)
        for state in _LIVE:
            if limit > 0:
                wanted = ScheduleFilter(owner_id=row.owner_id, state=state)
                limit -= len(await tx.schedules.page(wanted, None, limit))
        return limit

    def full(self, actor: Actor, row: ScheduleRow) -> QuotaExceeded:
        """The refusal."""
        limit = self._desk.quota(actor, row.guild_id).schedules or 0
        who = "This server has" if row.guild_id is not None else "You have"
        return QuotaExceeded(
            f"{who} {limit:,} schedules, as many as the plan allows; delete one to make room.",
            scope=f"guild:{row.guild_id or '-'}", limit="schedules", used=limit, allowed=limit,
        )  # fmt: skip
