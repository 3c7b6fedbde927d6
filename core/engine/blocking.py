"""Blocking: a schedule that cannot go on, or fails again and again, is stopped until somebody looks at it. Never deleted.

Whoever calls writes the row and the event in one transaction.
"""

from __future__ import annotations

from typing import Literal

from core.engine.events import about_schedule, facts
from core.ledger.port import Transaction
from core.ledger.rows import EventRow, ScheduleRow
from schedule_zero.event import EventKind

Blocked = Literal["blocked", "needs_owner"]


def block_uncomputable(row: ScheduleRow, error: str, now: int) -> EventRow:
    """Its rule cannot be computed. Changes the row, which is yet to be written; the event that tells of it."""
    _block(row, "blocked", error, now)
    return about_schedule(row, EventKind.SCHEDULE_BLOCKED, now, facts({"reason": "trigger", "error": error}))


async def block_failing(
    tx: Transaction, row: ScheduleRow, now: int, *, run_id: str, reason: str | None, error: str | None,
    state: Blocked = "blocked",
) -> EventRow:  # fmt: skip
    """It had one lasting failure too many. Changes the row and writes it; the event that tells of it."""
    _block(row, state, error, now)
    await tx.schedules.replace(row, expected=row.revision - 1)
    told = facts({"failures": row.failures, "reason": reason, "error": error})
    return about_schedule(row, EventKind.SCHEDULE_BLOCKED, now, told, run_id=run_id)


def _block(row: ScheduleRow, state: Blocked, note: str | None, now: int) -> None:
    row.state, row.note, row.next_due, row.paused_until = state, note, None, None
    row.revision, row.updated = row.revision + 1, now
