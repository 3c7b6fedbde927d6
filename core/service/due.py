"""When a schedule is due next after something about it has changed. Pure."""

from __future__ import annotations

from core.ledger.rows import ScheduleRow
from core.timing.rule import Rule


def next_due(row: ScheduleRow, rule: Rule, now: int) -> int | None:
    """The next due time of a schedule by another rule. One behind now stays due if the rule has it as well."""
    pending = row.next_due
    if pending is not None and pending <= now and rule.next_after(pending - 1) == pending:
        return pending
    return rule.next_after(max(now, row.last_due or 0))
