"""Resuming: how a schedule stands after a pause, and what of the pause has to be told. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from core.engine.admit import Decision, events_of, missed_row
from core.engine.blocking import block_uncomputable
from core.engine.events import about_schedule, facts
from core.engine.plan import Plan, TermsBook, rule_of
from core.ledger.rows import Advance, EventRow, RunRow, ScheduleRow
from core.timing.rule import EARLIEST
from schedule_zero.event import EventKind
from schedule_zero.ids import IdMaker

log = structlog.get_logger("schedule_zero.resuming")


class Resumption(msgspec.Struct):
    """What a pause that is over leaves: the schedule as it is from now on, and what is told of it.

    Attributes:
        missed: how many due times the pause took; counted only where it is asked for, else of what is over.
    """

    row: ScheduleRow
    runs: list[RunRow]
    events: list[EventRow]
    missed: int = 0


def resumption(
    row: ScheduleRow, terms: TermsBook, ids: IdMaker, now: int, *, ended: int | None = None, since: int | None = None
) -> Resumption:
    """A paused schedule goes on.

    Args:
        ended: when the pause was to end by itself; None: now.
        since: count the due times from this instant on as missed; the events say that somebody tells of them together.
    """
    try:
        book = terms.of(row.policy)
        plan = Plan(row, rule_of(row, book.policy), book)
        fresh = resumed_row(row, plan.rule.next_after, now, ended=ended)
    except Exception as error:  # any fault in one stored schedule must not end what serves them all
        log.exception("rule cannot be computed", schedule_id=row.id)
        blocked = msgspec.structs.replace(row)
        return Resumption(blocked, [], [block_uncomputable(blocked, str(error), now)])
    together = {} if since is None else {"together": True}
    resumed = about_schedule(row, EventKind.SCHEDULE_RESUMED, now, facts(together))
    missed = 0 if since is None else plan.rule.count_between(since, now)
    if fresh.state == "active":
        return Resumption(fresh, [], [resumed], missed)
    swallowed = _swallowed(plan, now)
    runs = [] if swallowed is None else [missed_row(plan, swallowed, now, ids.make("run", now))]
    last = row.last_due if swallowed is None else swallowed[1]
    end = Decision(Advance(row.id, row.revision, now, None, last or now, row.fired, "done"), runs)
    told = [_told_together(event) if together else event for event in events_of(end, row, now)]
    missed = missed if swallowed is None else swallowed[2]
    return Resumption(msgspec.structs.replace(fresh, last_due=last), runs, [resumed, *told], missed)


def _told_together(event: EventRow) -> EventRow:
    data = msgspec.json.decode(event.data, type=dict[str, object])
    return msgspec.structs.replace(event, data=facts({**data, "together": True}))


def _swallowed(plan: Plan, now: int) -> tuple[int, int, int] | None:
    """The due times a pause took from a schedule that has none left: first, last and how many. None: not one."""
    rule, row = plan.rule, plan.row
    since = row.last_due if row.last_due is not None else (row.created if rule.recurring else EARLIEST)
    first, last = rule.next_after(since), rule.last_until(now)
    if first is None or last is None or first > last:
        return None
    return first, last, 1 + rule.count_between(first, last)


def resumed_row(
    row: ScheduleRow, next_after: Callable[[int], int | None], now: int, *, ended: int | None = None
) -> ScheduleRow:
    """A schedule as it is after resuming: what was missed while it was paused is not made up for.

    Args:
        ended: when the pause was to end by itself; what is due from then on was not paused, only late. None: now.
    """
    due = next_after(max(now if ended is None else ended - 1, row.last_due or 0))
    return msgspec.structs.replace(
        row, state="active" if due is not None or row.follows else "done", next_due=due, paused_until=None, note=None, failures=0,
        revision=row.revision + 1, updated=now,
    )  # fmt: skip
