"""Chains: what follows a run that ends. Its children's runs are written in the transaction that ends it.

Whatever ends a run (an outcome, the tick, time, a person), it does so in a unit of the ledger, and ``chained`` lets every
unit end with ``follow``: there is no other way for a run to end, and so none to be forgotten. A child's run may itself be
over at once (skipped, or without arguments), and then its own children follow; saving has made sure that this ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from core.engine.admit import collide, line_of
from core.engine.blocking import block_failing
from core.engine.entitle import Entitler
from core.engine.events import about_schedule, facts
from core.engine.handover import Handing, Meaning
from core.engine.placeholders import (
    NOBODY,
    BadPlaceholder,
    Parent,
    Parents,
    filled_in,
    following,
    has_placeholders,
    names_parents,
)
from core.engine.plan import Terms, TermsBook
from core.engine.ports import Clock
from core.engine.routing import routing_of
from core.engine.stopping import want_stopped
from core.ledger.port import ActiveRun, Transaction
from core.ledger.rows import Ended, EventRow, LinkRow, Move, RunRow, ScheduleRow, dead_letter, links_of
from schedule_zero.event import EventKind
from schedule_zero.ids import IdMaker
from schedule_zero.instant import parse_duration
from schedule_zero.result import readable
from schedule_zero.run import DEAD, TERMINAL, RunState, SkipReason
from schedule_zero.schedule import After, AfterWhen, Policy

SATISFIES: Final[Mapping[AfterWhen, Collection[RunState]]] = {
    "success": frozenset({RunState.SUCCEEDED}),
    "failure": DEAD,
    "any": TERMINAL,
    "all": frozenset({RunState.SUCCEEDED}),
}
"""How a run has to end for what follows it. One that was cancelled or skipped did not show whether it can succeed."""

NO_ARGUMENTS: Final = "arguments"
"""The reason of a run that failed before its first attempt, because a placeholder stood for nothing."""

_KINDS: Final = {
    RunState.WAITING: EventKind.RUN_CREATED,
    RunState.SKIPPED: EventKind.RUN_SKIPPED,
    RunState.FAILED: EventKind.RUN_FAILED,
}


def occurrence_of(run_id: str) -> str:
    """The occurrence of what follows a run: of each child, one."""
    return f"c:{run_id}"


def parent_of(occurrence: str) -> str | None:
    """The run that one follows, by its occurrence; None where it follows none."""
    kind, _, run_id = occurrence.partition(":")
    return run_id if kind == "c" else None


class Followed(msgspec.Struct):
    """What followed in a transaction, for the engine once it is committed.

    Attributes:
        runs: new runs that wait; ``rows``: their schedules as they stood.
        withdrawn: runs that ended while they waited; ``cancel``: runs under way that shall stop.
        failing: schedules whose failures were counted; ``blocked``: those that had one too many.
    """

    runs: list[RunRow] = []
    rows: list[ScheduleRow] = []
    withdrawn: list[str] = []
    cancel: list[str] = []
    failing: list[str] = []
    blocked: list[ScheduleRow] = []

    def __bool__(self) -> bool:
        return bool(self.runs or self.withdrawn or self.cancel or self.failing)


class Call(msgspec.Struct):
    """A child that is to run: why, and whose runs it joins (schedule and run, in the order of its links)."""

    row: ScheduleRow
    link: After
    ended: Ended
    joined: list[LinkRow] = []


class Chains:
    """Writes what follows."""

    def __init__(
        self, *, clock: Clock, ids: IdMaker, terms: TermsBook, entitler: Entitler, handing: Handing
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ids = ids
        self._terms = terms
        self._entitler = entitler
        self._handing = handing

    async def follow(self, tx: Transaction) -> Followed | None:
        """Write what follows the runs that this unit has ended; None where nothing does, as nearly always."""
        if not tx.runs.ended or not await tx.links.any_parents():
            return None
        followed, place = Followed(), 0
        while place < len(tx.runs.ended):
            ended, place = await _placed(tx, tx.runs.ended[place:]), len(tx.runs.ended)
            parents = await tx.links.parents_among({each.schedule_id for each in ended if each.schedule_id})
            if parents:
                await self._after([each for each in ended if each.schedule_id in parents], tx, followed)
        if not followed:
            return None
        meaning = Meaning(followed.blocked, followed.runs, followed.withdrawn, followed.cancel)
        await self._handing.leave(tx, meaning, self._clock.now())
        return followed

    async def _after(self, ended: Sequence[Ended], tx: Transaction, followed: Followed) -> None:
        """One generation: the children of these."""
        below = await tx.links.below(sorted({each.schedule_id for each in ended if each.schedule_id}))
        rows = await tx.schedules.get_many(sorted({link.child for link in below}))
        calls = await self._called(tx, ended, below, rows)
        if not calls:
            return
        known = await tx.runs.by_occurrences([(call.row.id, occurrence_of(call.ended.run_id)) for call in calls])
        made = {(run.schedule_id, run.occurrence) for run in known}
        calls = [call for call in calls if (call.row.id, occurrence_of(call.ended.run_id)) not in made]
        left = await _left_by(tx, calls)
        active = await tx.runs.active(sorted({call.row.id for call in calls}))
        writing = Writing(self._clock.now(), left, active, followed)
        for call in calls:
            await self._write(tx, call, writing)
        await tx.runs.insert(writing.runs)
        failed = [run for run in writing.runs if run.state is RunState.FAILED]
        if failed:
            await tx.dead.add([dead_letter(run.id, run, writing.now) for run in failed])
        if writing.moves:
            await tx.runs.move(writing.moves)
        await want_stopped(tx, writing.cancel)
        await tx.journal.append(writing.events)

    async def _called(
        self, tx: Transaction, ended: Sequence[Ended], below: Sequence[LinkRow], rows: Mapping[str, ScheduleRow]
    ) -> list[Call]:
        """The children that are to run, in the order in which their parents ended. One that is stopped does not, but what it
        joins goes on: a success from before must not hide what came after."""
        calls: list[Call] = []
        joining = sorted(id for id, row in rows.items() if any(link.when == "all" for link in links_of(row)))
        joins = Joins(await tx.links.above(joining))
        children: dict[str | None, list[ScheduleRow]] = {}
        for link in below:
            if link.child in rows:
                children.setdefault(link.parent, []).append(rows[link.child])
        for each in ended:
            for row in children.get(each.schedule_id, ()):
                named = [link for link in links_of(row) if link.schedule == each.schedule_id]
                if any(link.when == "all" for link in named):
                    call = joins.end(row, each)
                else:
                    call = next((Call(row, link, each) for link in named if each.state in SATISFIES[link.when]), None)
                if call is not None and row.state == "active":
                    joins.ran(row.id)
                    calls.append(call)
        await tx.links.join(joins.changed())
        return calls

    async def _write(self, tx: Transaction, call: Call, writing: Writing) -> None:
        """Decide one child's run, with all that belongs to it."""
        row, now = call.row, writing.now
        if row.state != "active":  # blocked by the call before this one
            return
        terms = self._terms.of(row.policy)
        run = child_run(row, terms, call, now, self._ids.make("run", now))
        met = collide(terms.policy, writing.active.get(row.id, ()), now)
        if met.skip:
            run.state, run.reason, run.ended = RunState.SKIPPED, SkipReason.OVERLAP, now
        elif has_placeholders(row.args):
            fill_in(run, row, terms.policy, writing.parents_of(call), now)
        if run.state is RunState.WAITING:
            told, _ = await self._entitler.charge_one(tx, run, now, wait=terms.policy.on_quota == "wait")
            writing.events += told
            if run.not_before is not None and run.due > now:  # a quota may let it go sooner than its delay
                run.not_before = max(run.not_before, run.due)
        writing.note(run, row, call)
        if run.state is RunState.WAITING:
            writing.moves += met.moves
            writing.cancel += met.cancel
            writing.events += [
                about_schedule(row, EventKind.RUN_CANCELLED, now, facts({"reason": move.reason}), run_id=move.run_id)
                for move in met.moves
            ]
            writing.followed.withdrawn += [move.run_id for move in met.moves]
            writing.followed.cancel += met.cancel
        elif run.state is RunState.FAILED:
            await self._count_failure(tx, row, run, terms, writing)

    async def _count_failure(
        self, tx: Transaction, row: ScheduleRow, run: RunRow, terms: Terms, writing: Writing
    ) -> None:  # fmt: skip
        """A placeholder that stands for nothing does so again the next time: a lasting failure, and counted as one."""
        row.failures += 1
        writing.followed.failing.append(row.id)
        if row.failures < terms.policy.failure_threshold:
            await tx.schedules.count_failures({row.id: row.failures})
            return
        writing.followed.blocked.append(row)
        writing.events.append(
            await block_failing(tx, row, writing.now, run_id=run.id, reason=run.reason, error=run.error)
        )


class Joins:
    """What the joining links of some children have, and what becomes of it as parents end, one after the other."""

    def __init__(self, links: Sequence[LinkRow]) -> None:
        self._links: dict[str, dict[str, LinkRow]] = {}
        for link in links:
            self._links.setdefault(link.child, {})[link.parent] = link
        self._changed: dict[tuple[str, str], LinkRow] = {}

    def end(self, row: ScheduleRow, ended: Ended) -> Call | None:
        """A parent ended. The child is to run when the latest end of each, since its own last run, was a success."""
        have = self._links.get(row.id, {})
        link = have.get(ended.schedule_id or "")
        if link is None:
            return None
        link.run_id, link.state, link.fresh = ended.run_id, ended.state, 1
        self._changed[link.parent, link.child] = link
        joining = [each for each in links_of(row) if each.when == "all"]
        joined = [have[each.schedule] for each in joining if each.schedule in have]
        if len(joined) < len(joining) or not all(each.fresh and each.state in SATISFIES["all"] for each in joined):
            return None
        cause = next(each for each in joining if each.schedule == ended.schedule_id)
        return Call(row, cause, ended, [msgspec.structs.replace(each) for each in joined])

    def ran(self, child: str) -> None:
        """The child is to run: what it has joined, or not, counts no more."""
        for link in self._links.get(child, {}).values():
            if link.fresh:
                link.fresh = 0
                self._changed[link.parent, link.child] = link

    def changed(self) -> list[LinkRow]:
        """The links to be written."""
        return list(self._changed.values())


class Writing:
    """What one generation of children comes to."""

    def __init__(
        self, now: int, left: Mapping[str, Parent], active: Mapping[str, Sequence[ActiveRun]],
        followed: Followed,
    ) -> None:  # fmt: skip
        """``left``: what each run of the parents left."""
        self.now = now
        self.active = active
        self.followed = followed
        self._left = left
        self.runs: list[RunRow] = []
        self.moves: list[Move] = []
        self.cancel: list[str] = []
        self.events: list[EventRow] = []

    def parents_of(self, call: Call) -> Parents:
        """The runs that a child's run follows."""
        joined = [self._left[run_id] for run_id in _joined(call) if run_id in self._left]
        return following(self._left.get(call.ended.run_id), joined)

    def note(self, run: RunRow, row: ScheduleRow, call: Call) -> None:
        """This is the child's run."""
        self.runs.append(run)
        if run.state is RunState.WAITING:
            self.followed.runs.append(run)
            self.followed.rows.append(row)
        told: dict[str, object] = {"due": run.due, "parent": call.ended.run_id}
        if run.reason is not None:
            told["reason"] = run.reason
        if run.state is RunState.FAILED:
            told |= {"cause": "lasting", "error": run.error}
        self.events.append(about_schedule(row, _KINDS[run.state], self.now, facts(told), run_id=run.id))


def child_run(row: ScheduleRow, terms: Terms, call: Call, now: int, id: str) -> RunRow:
    """The run of a child, as it is before anything stands in its way."""
    due = now + parse_duration(call.link.delay)
    window = terms.catchup_window
    return RunRow(
        id=id, schedule_id=row.id, occurrence=occurrence_of(call.ended.run_id), guild_id=row.guild_id,
        handler=row.handler, method=row.method, priority=terms.priority, due=due,
        start_before=None if window is None else due + window, state=RunState.WAITING, attempt=0,
        not_before=due if due > now else None, args=None, result=None, reason=None, error=None, missed=None,
        created=now, ended=None, lost=0, line=line_of(terms.policy), routing=routing_of(row, terms.policy),
    )  # fmt: skip


def fill_in(run: RunRow, row: ScheduleRow, policy: Policy, parents: Parents, now: int) -> None:
    """Give a run the arguments of its schedule, filled in, and what it wants by these; where one stands for nothing, the run
    has failed."""
    try:
        run.args = filled_in(row.args, parents)
    except BadPlaceholder as error:
        run.state, run.reason, run.ended = RunState.FAILED, NO_ARGUMENTS, now
        run.error = f"{error.place}: {error.message}"
    else:
        run.routing = routing_of(row, policy, run.args)


async def filled_late(tx: Transaction, run: RunRow) -> str | None:
    """The arguments of a run that is about to begin and has none of its own, where its schedule's hold placeholders by now:
    they were given these while it waited. None: there is nothing to be filled in.

    Raises:
        BadPlaceholder: one stands for nothing.
    """
    row = await tx.schedules.get(run.schedule_id)
    if row is None or not row.follows or not has_placeholders(row.args):
        return None
    followed = parent_of(run.occurrence)
    parent = None if followed is None else await tx.runs.get(followed)
    if parent is None:
        return filled_in(row.args, NOBODY)
    left = left_by(parent, await tx.schedules.get(parent.schedule_id))
    return filled_in(row.args, following(left))


def left_by(run: RunRow, schedule: ScheduleRow | None) -> Parent:
    """What a run that ended leaves. ``schedule``: of which it was one; None where nobody names it, or it is gone."""
    result = None if run.result is None else readable(run.result)
    name = None if schedule is None else schedule.name
    return Parent(run.id, str(run.state), run.due, result, run.error, run.schedule_id, name)


def _joined(call: Call) -> list[str]:
    """The runs that a child's run joins, where it joins any."""
    return [link.run_id for link in call.joined if link.run_id is not None]


async def _placed(tx: Transaction, ended: Sequence[Ended]) -> list[Ended]:
    """Runs that ended, each with its schedule."""
    unknown = [each.run_id for each in ended if each.schedule_id is None]
    rows = await tx.runs.get_many(unknown) if unknown else {}
    return [
        each if each.schedule_id is not None else Ended(each.run_id, rows[each.run_id].schedule_id, each.state)
        for each in ended
        if each.schedule_id is not None or each.run_id in rows
    ]


async def _left_by(tx: Transaction, calls: Sequence[Call]) -> dict[str, Parent]:
    """What the parents' runs left, by run; only where somebody wants it."""
    filling = [call for call in calls if has_placeholders(call.row.args)]
    if not filling:
        return {}
    runs = await tx.runs.get_many(sorted({id for call in filling for id in (call.ended.run_id, *_joined(call))}))
    rows: Mapping[str, ScheduleRow] = {}
    if any(names_parents(call.row.args) for call in filling):
        rows = await tx.schedules.get_many(sorted({run.schedule_id for run in runs.values()}))
    return {id: left_by(run, rows.get(run.schedule_id)) for id, run in runs.items()}
