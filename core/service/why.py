"""Why: what a waiting run waits for, from wherever it waits."""

from __future__ import annotations

import msgspec

from core.governor.explain import why_of
from core.ledger.port import UsageReads
from core.ledger.rows import RunRow, ScheduleRow
from core.service.desk import Desk
from schedule_zero.instant import spell
from schedule_zero.run import RunState, SkipReason, Why
from schedule_zero.schedule import Policy


async def why_waiting(desk: Desk, reads: UsageReads, row: RunRow, schedule: ScheduleRow | None) -> Why | None:
    """The scope and limit that hold a run back, and until when; None when it only waits for its turn, or not at all."""
    if row.state is not RunState.WAITING:
        return None
    engine, now = desk.engine, desk.clock.now()
    if row.not_before is not None and row.not_before > now:
        if row.reason == SkipReason.QUOTA and row.guild_id is not None:
            return await _quota(desk, reads, row.guild_id, row.not_before)
        return _own_time(row, schedule, row.not_before)
    behind = engine.room.in_line(row.id)
    if behind is not None:
        return Why(scope=f"schedule:{row.schedule_id}", limit="overlap", used=behind[0], allowed=behind[1])
    wait = engine.queue.why(row.id)
    if wait is None:
        return None
    return msgspec.convert(why_of(wait, now=now, monotonic=desk.clock.monotonic()), Why)


def _own_time(row: RunRow, schedule: ScheduleRow | None, not_before: int) -> Why:
    """A run before its own time: between two tries, or shifted by its jitter."""
    limit, allowed = "due", 1
    if row.attempt and schedule is not None:
        limit, allowed = "retry", msgspec.json.decode(schedule.policy, type=Policy).retry.max_attempts
    return Why(
        scope=f"schedule:{row.schedule_id}", limit=limit, used=row.attempt, allowed=allowed, until=spell(not_before)
    )


async def _quota(desk: Desk, reads: UsageReads, guild_id: str, not_before: int) -> Why | None:
    """The calendar quota that sent a run to a later period."""
    standing = await desk.engine.entitler.standing(reads, guild_id, desk.clock.now())
    full = [(period, used) for period, used in standing if used >= period.allowed] or standing
    if not full:
        return None
    period, used = max(full, key=lambda each: each[0].until)
    return Why(
        scope=f"guild:{guild_id}", limit=period.limit, used=used, allowed=period.allowed, until=spell(not_before)
    )
