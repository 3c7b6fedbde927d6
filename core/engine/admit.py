"""Admit: what a due schedule turns into. Pure decisions of the tick; the tick's transaction carries them out.

Due times that one tick finds behind it become one run and at most one ``missed`` row, whatever the outage lasted
(semantics, section 1). Overlap and catch-up look at the runs of the schedule that have not ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from core.engine.events import about_schedule
from core.engine.placeholders import without_parent
from core.engine.plan import Plan
from core.engine.routing import routing_of
from core.ledger.port import ActiveRun
from core.ledger.rows import Advance, EventRow, Move, RunRow, ScheduleRow
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import AGAIN, OPEN, RunState, SkipReason
from schedule_zero.schedule import Policy, ScheduleState

MISSED_COUNT_LIMIT: Final = 1_000_000
_encode: Final = msgspec.json.Encoder().encode
_ENDINGS: Final = {RunState.SKIPPED: EventKind.RUN_SKIPPED, RunState.CANCELLED: EventKind.RUN_CANCELLED}


class Firing(msgspec.Struct, gc=False):
    """A schedule that is due: the nominal due instant, and the next one after now.

    ``behind`` holds further due times the tick is late for, newest last, at most ``catchup_limit`` of them;
    ``swallowed`` is (first, last, count) of those before them.
    """

    plan: Plan
    due: int
    next_due: int | None
    behind: tuple[int, ...] = ()
    swallowed: tuple[int, int, int] | None = None


class Decision(msgspec.Struct, gc=False):
    """What becomes of one firing: new runs, what happens to older ones, and which of those under way shall stop.

    ``missed``: due times that came to nothing.
    """

    advance: Advance
    runs: Sequence[RunRow]
    moves: Sequence[Move] = ()
    cancel: Sequence[str] = ()
    missed: int = 0


class Collision(msgspec.Struct):
    """What overlap asks for: skip the new run, stop runs that are out, end runs that wait for another try."""

    skip: bool = False
    cancel: list[str] = []
    moves: list[Move] = []


MakeId = Callable[[], str]


def look(plan: Plan, due: int, now: int) -> Firing:
    """What is due of a schedule at ``now``, given its next due time: the only place that jumps over an outage."""
    rule, row = plan.rule, plan.row
    following = rule.next_after(due)
    if following is None or following > now:
        return _bounded(Firing(plan, due, following))
    keep = plan.terms.policy.catchup_limit if plan.terms.policy.catchup == "all" else 1
    newest: list[int] = []
    latest = rule.last_until(now)
    while latest is not None and latest > due and len(newest) < keep:
        newest.insert(0, latest)
        latest = rule.last_until(latest - 1)
    if latest is None or latest < due:
        latest = due
    if len(newest) < keep:  # everything from the first missed time on fits
        newest.insert(0, due)
        swallowed = None
    else:
        between = rule.count_between(due, latest, MISSED_COUNT_LIMIT) if latest > due else 0
        swallowed = (due, latest, 1 + between)
    remaining = None if row.count is None else max(0, row.count - row.fired)
    if remaining is not None:
        newest, swallowed = _within_count(newest, swallowed, remaining)
    return _bounded(Firing(plan, due, rule.next_after(now), tuple(newest), swallowed))


def _within_count(
    newest: list[int], swallowed: tuple[int, int, int] | None, remaining: int
) -> tuple[list[int], tuple[int, int, int] | None]:
    """A series of so many fires counts missed ones too, so an outage may use up what was left."""
    if swallowed is not None:
        first, last, count = swallowed
        if count >= remaining:
            return [], (first, last, remaining)
        return newest[: remaining - count], swallowed
    return newest[:remaining], None


def passed_over(firing: Firing) -> Firing:
    """The same, none of it to be done: every due time of it was missed."""
    dues = list(firing.behind) if firing.behind or firing.swallowed is not None else [firing.due]
    swallowed = _join(firing.swallowed, dues) if dues else firing.swallowed
    return Firing(firing.plan, firing.due, firing.next_due, (), swallowed)


def _bounded(firing: Firing) -> Firing:
    """No next due time once the count is used up."""
    row = firing.plan.row
    if row.count is not None and row.fired + _fires(firing) >= row.count:
        firing.next_due = None
    return firing


def _fires(firing: Firing) -> int:
    if not firing.behind and firing.swallowed is None:
        return 1
    return len(firing.behind) + (firing.swallowed[2] if firing.swallowed else 0)


def decide(firing: Firing, advance: Advance, now: int, active: Sequence[ActiveRun], make_id: MakeId) -> Decision:
    """Turn a firing, which steps its schedule forward so, into new runs and what they do to older ones of the schedule."""
    plan = firing.plan
    if not active and firing.swallowed is None and not firing.behind and _in_time(plan, firing.due, now):
        return Decision(advance, (_run_row(firing, firing.due, now, make_id()),))  # what nearly all are
    dues = firing.behind or ((firing.due,) if firing.swallowed is None else ())
    swallowed = firing.swallowed
    in_time = [due for due in dues if _in_time(plan, due, now)]
    late = [due for due in dues if not _in_time(plan, due, now)]
    if late:
        swallowed = _join(swallowed, late)
    runs: list[RunRow] = []
    if swallowed is not None:
        runs.append(missed_row(plan, swallowed, now, make_id()))
    runs += [_run_row(firing, due, now, make_id()) for due in in_time]
    decision = Decision(advance, runs, missed=0 if swallowed is None else swallowed[2])
    _make_room(decision, plan, now, active)
    return decision


def _in_time(plan: Plan, due: int, now: int) -> bool:
    window = plan.terms.catchup_window
    return window is None or now <= due + window


def advance_of(firing: Firing) -> Advance:
    """How a firing steps its schedule forward."""
    row = firing.plan.row
    newest = firing.behind[-1] if firing.behind else (firing.swallowed[1] if firing.swallowed else firing.due)
    state: ScheduleState = "active" if firing.next_due is not None or row.follows else "done"
    return Advance(row.id, row.revision, firing.due, firing.next_due, newest, row.fired + _fires(firing), state)


def _join(swallowed: tuple[int, int, int] | None, late: list[int]) -> tuple[int, int, int]:
    if swallowed is None:
        return late[0], late[-1], len(late)
    return swallowed[0], late[-1], swallowed[2] + len(late)


def _run_row(firing: Firing, due: int, now: int, id: str) -> RunRow:
    row, terms = firing.plan.row, firing.plan.terms
    most = terms.jitter
    if firing.next_due is not None:  # a run that starts after the next one is due would be superseded by it
        most = min(most, firing.next_due - due - 1)
    start = due + (_jitter(row.id, due, most) if most else 0)
    args, routing = without_parent(row.args) if row.follows else None, firing.plan.routing
    if args is not None:
        routing = routing_of(row, terms.policy, args)
    return RunRow(
        id=id, schedule_id=row.id, occurrence=f"t:{firing.plan.rule.nominal(due)}", guild_id=row.guild_id,
        handler=row.handler, method=row.method, priority=terms.priority, due=start,
        start_before=None if terms.catchup_window is None else start + terms.catchup_window,
        state=RunState.WAITING, attempt=0, not_before=start if start > now else None,
        args=args, result=None, reason=None, error=None, missed=None, created=now, ended=None, lost=0, line=line_of(terms.policy),
        routing=routing,
    )  # fmt: skip


def line_of(policy: Policy) -> int:
    """How many runs of a schedule may be under way at once; 0 for any number."""
    if policy.overlap == "allow":
        return 0
    return 1 if policy.overlap == "cancel_previous" or policy.catchup == "all" else policy.overlap_limit


def missed_row(plan: Plan, swallowed: tuple[int, int, int], now: int, id: str) -> RunRow:
    """The one row for due times that came to nothing: (first, last, count)."""
    row, (first, last, count) = plan.row, swallowed
    zone = plan.rule.zone
    missed = {"from": spell(first, zone), "to": spell(last, zone), "count": count}
    return RunRow(
        id=id, schedule_id=row.id, occurrence=f"t:{plan.rule.nominal(first)}", guild_id=row.guild_id, handler=row.handler,
        method=row.method, priority=plan.terms.priority, due=first, start_before=None, state=RunState.SKIPPED,
        attempt=0, not_before=None, args=None, result=None, reason=SkipReason.MISSED, error=None,
        missed=msgspec.json.encode(missed).decode(), created=now, ended=now, lost=0,
    )  # fmt: skip


def _jitter(id: str, due: int, most: int) -> int:
    """The same run gets the same shift whoever computes it, so a repeated tick repeats it."""
    digest = blake2b(f"{id}/{due}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (most + 1)


def _make_room(decision: Decision, plan: Plan, now: int, active: Sequence[ActiveRun]) -> None:
    """Apply catch-up and overlap against the runs that have not ended."""
    policy = plan.terms.policy
    fresh = [run for run in decision.runs if run.state is RunState.WAITING]
    if not fresh or not active:
        return
    collision = collide(policy, active, now)
    if collision.skip:  # and then it supersedes nobody
        for row in fresh:
            row.state, row.reason, row.ended = RunState.SKIPPED, SkipReason.OVERLAP, now
        return
    superseded = [  # what follows another run, or is run again for one, stands for that run alone
        run for run in active
        if run.state is RunState.WAITING and run.attempt == 0 and not run.occurrence.startswith(("c:", AGAIN))
    ]  # fmt: skip
    if policy.catchup == "all":
        superseded = superseded[: max(0, len(superseded) + len(fresh) - policy.catchup_limit)]
    elif policy.catchup != "once":
        superseded = []
    decision.cancel = collision.cancel
    decision.moves = [*collision.moves, *(_skip(run, now, SkipReason.SUPERSEDED) for run in superseded)]


def collide(policy: Policy, active: Sequence[ActiveRun], now: int) -> Collision:
    """What a new run meets in the runs of its schedule that have begun and not ended, by its ``overlap``."""
    begun = [run for run in active if run.state in OPEN or run.attempt > 0]
    if policy.overlap == "skip":
        return Collision(skip=len(begun) >= policy.overlap_limit)
    if policy.overlap != "cancel_previous":
        return Collision()
    return Collision(
        cancel=[run.id for run in begun if run.state in OPEN],
        moves=[_end(run, now, RunState.CANCELLED, "cancelled") for run in begun if run.state is RunState.WAITING],
    )


def _skip(run: ActiveRun, now: int, reason: SkipReason) -> Move:
    return _end(run, now, RunState.SKIPPED, reason)


def _end(run: ActiveRun, now: int, state: RunState, reason: str) -> Move:
    return Move(
        run_id=run.id, before=run.state, before_attempt=run.attempt, after=state, attempt=run.attempt, at=now,
        reason=reason, schedule_id=run.schedule_id,
    )  # fmt: skip


def events_of(decision: Decision, row: ScheduleRow, now: int) -> list[EventRow]:
    """The events of one decision, in order."""
    events = [
        about_schedule(
            row,
            EventKind.RUN_CREATED if run.state is RunState.WAITING else EventKind.RUN_SKIPPED,
            now,
            f'{{"due":{run.due}}}' if run.reason is None else _skipped_data(run),
            run_id=run.id,
        )
        for run in decision.runs
    ]
    events += [
        about_schedule(row, _ENDINGS[move.after], now, f'{{"reason":"{move.reason}"}}', run_id=move.run_id)
        for move in decision.moves
    ]
    if decision.advance.state == "done":
        events.append(about_schedule(row, EventKind.SCHEDULE_COMPLETED, now))
    return events


def _skipped_data(run: RunRow) -> str:
    missed = f',"missed":{run.missed}' if run.missed else ""
    error = f',"error":{_encode(run.error).decode()}' if run.error else ""
    return f'{{"due":{run.due},"reason":"{run.reason}"{missed}{error}}}'
