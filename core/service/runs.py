"""The use cases about runs: run now, list, look at, cancel, retry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.engine.admit import AGAIN, Collision, collide, line_of
from core.engine.chains import fill_in, left_by, links_of, occurrence_of, parent_of
from core.engine.placeholders import (
    NOBODY,
    BadPlaceholder,
    Parent,
    Parents,
    filled,
    has_placeholders,
    names_parents,
)
from core.engine.plan import PRIORITIES
from core.engine.routing import write_routing
from core.engine.run_log import MILLION
from core.engine.stopping import want_stopped, wanted_stopped
from core.ledger.port import Reader, RunFilter, Transaction
from core.ledger.rows import EventRow, Move, RunRow, ScheduleRow, ToldRow, dead_letter
from core.service import access
from core.service.changing import in_words
from core.service.desk import UNDO_FOR, Desk, Effects
from core.service.draft import check_work
from core.service.edit import spec_of
from core.service.finding import LONGEST_PAGE, cursor_in, page_length
from core.service.policy import Mistakes
from core.service.rehearsal import rehearsed
from core.service.render import run_view
from core.service.times import instant_in
from core.service.why import elsewhere_of, why_waiting
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Invalid
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import OPEN, TERMINAL, Progress, Run, RunCheck, RunState, SkipReason
from schedule_zero.schedule import Policy
from schedule_zero.views import RunPage

BUSY: Final = "another run of its schedule is under way, and its overlap is skip; run it again when that has ended"
USED_UP: Final = "this server's quota of runs is used up, and its schedule does not wait"
MOST_BETWEEN: Final = 100
"""So many runs of a parent are looked through for the one that a run joined."""
_RETRIABLE: Final = TERMINAL - {RunState.SUCCEEDED}
_CREATED: Final = {RunState.WAITING: EventKind.RUN_CREATED, RunState.FAILED: EventKind.RUN_FAILED}


def _takes(row: ScheduleRow) -> bool:
    """Whether a schedule's arguments take something from a run before."""
    return row.follows and has_placeholders(row.args)


def why_stopped(row: ScheduleRow | None, now: int) -> str | None:
    """Why nothing of a schedule may be run, by hand either, and what to do, to go on from "it is"; None if it may.

    Args:
        row: None where it was deleted so long ago that nothing is left of it.
        now: microseconds since the epoch.
    """
    if row is not None and row.state in ("blocked", "needs_owner"):
        return f"{in_words(row.state)}; resume it first"
    if row is not None and row.state != "deleted":
        return None
    until = 0 if row is None else row.updated + UNDO_FOR
    if until <= now:
        return "deleted, and it is too late to bring it back"
    return f"deleted; bring it back first: its deletion can be undone until {spell(until)}, with the token it gave"


class Runs:
    """Everything about runs that people ask for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run_now(self, actor: Actor, request: ask.RunSchedule) -> Run:
        """One run outside the rule: obeys quota and overlap, never moves the anchor, works while paused."""
        row = await self._runnable(actor, request.id)
        args = self._args(actor, row, request.args) if request.args or _takes(row) else None
        return await self._create(actor, request, row, self._new_run(row, args))

    async def check(self, actor: Actor, request: ask.CheckRun) -> RunCheck:
        """What would become of a run now. Raises what ``run_now`` raises; the arguments are looked at anew, changed or not."""
        row = await self._runnable(actor, request.id)
        run = self._new_run(row, self._args(actor, row, request.args))
        return await rehearsed(self._desk, actor, run, row)

    async def _runnable(self, actor: Actor, id: str) -> ScheduleRow:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(id), id)
        access.require_action(actor, row)
        stopped = why_stopped(row, self._desk.clock.now())
        if stopped is not None:
            raise Conflict(f"This schedule is {stopped}.")
        return row

    async def page(self, actor: Actor, request: ask.ListRuns) -> RunPage:
        """A page of what the actor may see."""
        limit = page_length(request.limit, LONGEST_PAGE)
        since = instant_in(request.since, "since", 0) if request.since else None
        wanted = RunFilter(
            guild_id=request.guild_id, any_guild=request.any_guild or request.schedule_id is not None,
            schedule_id=request.schedule_id, handler=request.handler, state=request.state, since=since,
        )  # fmt: skip
        if request.schedule_id is not None:
            schedule = await self._desk.reader.schedules.get(request.schedule_id)
            access.require_schedule(actor, schedule, request.schedule_id)
        else:
            wanted = access.visible_runs(actor, wanted)
        rows = await self._desk.reader.runs.page(wanted, cursor_in(request.cursor, "run"), limit + 1)
        return RunPage(
            items=await self.views(actor, rows[:limit]), next=rows[limit - 1].id if len(rows) > limit else None
        )

    async def get(self, actor: Actor, request: ask.GetRun) -> Run:
        row, _ = await existing_run(self._desk, actor, request.id)
        return (await self.views(actor, [row], with_args=True))[0]

    async def cancel(self, actor: Actor, request: ask.CancelRun) -> Run:
        """A waiting run is cancelled at once; one under way is asked to stop and ends when it does."""
        row, schedule = await existing_run(self._desk, actor, request.id)
        if schedule is not None:
            access.require_change(actor, schedule)

        async def work(tx: Transaction, effects: Effects) -> Run:
            current = await tx.runs.get(row.id)
            if current is None or current.state in TERMINAL:
                state = row.state if current is None else current.state
                raise Conflict(f"This run has ended ({state}); there is nothing to cancel.")
            if current.state is not RunState.WAITING:
                effects.cancel.append(row.id)
                await want_stopped(tx, [row.id])
                return (await self.views(actor, [current], tx))[0]
            await self._cancel_waiting(tx, effects, current)
            return (await self.views(actor, [await tx.runs.get(row.id) or current], tx))[0]

        return await self._desk.change(actor, request, Run, work)

    async def retry(self, actor: Actor, request: ask.RetryRun) -> Run:
        """A new run of the same schedule, as ``again`` says; once for each run, whoever asks.

        Raises:
            Conflict: the run did not fail, was run again already, or would be skipped now; or its schedule is blocked or
                deleted.
        """
        old, row = await existing_run(self._desk, actor, request.id)
        if row is not None:
            access.require_action(actor, row)
        if old.state not in _RETRIABLE:
            raise Conflict(f"This run {old.state.said}; only one that failed, was skipped or cancelled can be retried.")
        stopped = why_stopped(row, self._desk.clock.now())
        if row is None or stopped is not None:
            raise Conflict(f"The schedule of this run is {stopped}.")
        again = await self.again(self._desk.reader, row, old)
        return await self._create(actor, request, row, again, instead_of=old)

    async def again(self, source: Reader | Transaction, row: ScheduleRow, old: RunRow) -> RunRow:
        """A run that takes the place of one that ended. It takes the schedule's arguments as they are by then, mended
        perhaps; only where the old one was started with arguments of its own, it keeps those. One whose arguments cannot
        be filled in has failed.

        Args:
            source: of what it followed; inside a unit its transaction, for a unit must not wait for anything else.
        """
        run = self._new_run(row, old.args if old.own_args else None)
        run.occurrence = AGAIN + old.id
        if run.args is None and _takes(row):
            await self._fill_in(source, run, row, old)
        return run

    async def _create(
        self, actor: Actor, request: ask.Request, row: ScheduleRow, run: RunRow, instead_of: RunRow | None = None
    ) -> Run:
        """``instead_of``: the run it is made for, which is no dead letter any more."""
        policy = msgspec.json.decode(row.policy, type=Policy)

        async def work(tx: Transaction, effects: Effects) -> Run:
            if self._desk.shared:
                await tx.schedules.get(row.id)  # its ticks, at whichever core, come before or behind
            made = await tx.runs.by_occurrence(run.schedule_id, run.occurrence)
            if made is not None:  # looked for first: the ledger would refuse it only at the end of the transaction
                raise Conflict(f"This run was run again already: {made.id}; if that one failed too, retry that one.")
            fresh = msgspec.structs.replace(run)
            now = self._desk.clock.now()
            met = collide(policy, (await tx.runs.active([row.id])).get(row.id, ()), now)
            if met.skip and fresh.state is RunState.WAITING:
                fresh.state, fresh.reason, fresh.ended = RunState.SKIPPED, SkipReason.OVERLAP, now
            events = await self.charge(tx, fresh, policy, now)
            if (
                instead_of is not None and fresh.state is RunState.SKIPPED
            ):  # it stays what it was, to be asked for again
                raise Conflict(f"This run cannot be run again now: {BUSY if met.skip else USED_UP}.")
            await tx.runs.insert([fresh])
            if row.follows:
                await tx.links.ran([row.id])
            if fresh.state is RunState.WAITING:
                await self.make_room(tx, effects, row, met)
            if instead_of is not None:
                await tx.dead.remove([instead_of.id])
            if fresh.state is RunState.FAILED:
                await tx.dead.add([dead_letter(fresh.id, fresh, now)])
            kind = _CREATED.get(fresh.state, EventKind.RUN_SKIPPED)
            facts = {"due": fresh.due, "actor": actor.id, "reason": fresh.reason}
            if fresh.error is not None:
                facts["error"] = fresh.error
            await tx.journal.append([self._desk.run_event(kind, row, fresh.id, facts), *events])
            if fresh.state is RunState.WAITING:
                effects.runs.append(fresh)
            return run_view(fresh, (), timezone=row.timezone)

        return await self._desk.change(actor, request, Run, work)

    async def make_room(self, tx: Transaction, effects: Effects, row: ScheduleRow, met: Collision) -> None:
        """Stop the runs of a schedule that a new one is to replace."""
        await tx.runs.move(met.moves)
        await tx.journal.append(
            [
                self._desk.run_event(EventKind.RUN_CANCELLED, row, move.run_id, {"reason": move.reason})
                for move in met.moves
            ]
        )
        effects.cancel.extend(met.cancel)
        await want_stopped(tx, met.cancel)
        effects.withdrawn.extend(move.run_id for move in met.moves)

    async def charge(self, tx: Transaction, run: RunRow, policy: Policy, now: int) -> list[EventRow]:
        """Charge a run to its guild's quotas: it may have to wait, or be skipped. Returns what is to be told."""
        if run.state is not RunState.WAITING:
            return []
        wait = policy.on_quota == "wait"
        return (await self._desk.engine.entitler.charge_one(tx, run, now, wait=wait)).events

    def _new_run(self, row: ScheduleRow, args: str | None) -> RunRow:
        now = self._desk.clock.now()
        id = self._desk.ids.make("run", now)
        policy = msgspec.json.decode(row.policy, type=Policy)
        return RunRow(
            id=id, schedule_id=row.id, occurrence=f"m:{id}", guild_id=row.guild_id, handler=row.handler,
            method=row.method, priority=PRIORITIES[policy.priority], due=now, start_before=None,
            state=RunState.WAITING, attempt=0, not_before=None, args=args, result=None, reason=None, error=None,
            missed=None, created=now, ended=None, lost=0, line=line_of(policy), own_args=None if args is None else 1,
            routing=write_routing(policy, schedule_id=row.id, guild_id=row.guild_id, owner_id=row.owner_id,
                                  args=row.args if args is None else args),
        )  # fmt: skip

    def _args(self, actor: Actor, row: ScheduleRow, changes: dict[str, Any]) -> str:
        """The schedule's arguments with some replaced for one run: judged as if the schedule were changed to them."""
        merged = {**msgspec.json.decode(row.args), **changes}
        if row.follows:
            try:
                merged = filled(merged, NOBODY)
            except BadPlaceholder as error:
                raise Invalid.at(error.place, f"{error.message}; give a value for this run") from None
        spec = spec_of(row, {"args": merged})
        access.require_edit(actor, row, spec)
        args = msgspec.json.encode(spec.args).decode()
        mistakes = Mistakes()
        check_work(spec, args, self._desk.engine.fleet, self._desk.quota(actor, row.guild_id), mistakes)
        mistakes.raise_any()
        return args

    async def _fill_in(self, source: Reader | Transaction, run: RunRow, row: ScheduleRow, old: RunRow) -> None:
        """The arguments of a run that is run again, with what the run it followed left."""
        policy = msgspec.json.decode(row.policy, type=Policy)
        first = await self._first_of(source, old)
        followed = None if first is None else parent_of(first.occurrence)
        cause = None if followed is None else await source.runs.get(followed)
        if first is None or cause is None:
            fill_in(run, row, policy, NOBODY, run.created)
            return
        parents = [cause, *await self._joined(source, row, first, cause)]
        rows = await source.schedules.get_many(sorted({each.schedule_id for each in parents}))
        named: dict[str, Parent] = {}
        for each in parents:
            left, schedule = left_by(each), rows.get(each.schedule_id)
            named[each.schedule_id] = left
            if schedule is not None and schedule.name is not None:
                named.setdefault(schedule.name, left)
        fill_in(run, row, policy, Parents(named[cause.schedule_id], named), run.created)

    async def _first_of(self, source: Reader | Transaction, run: RunRow | None) -> RunRow | None:
        """The run for which one was run again, or those before it were."""
        while run is not None and run.occurrence.startswith(AGAIN):
            run = await source.runs.get(run.occurrence.removeprefix(AGAIN))
        return run

    async def _joined(
        self, source: Reader | Transaction, row: ScheduleRow, run: RunRow, cause: RunRow
    ) -> list[RunRow]:  # fmt: skip
        """The other runs that one joined with the run that caused it: of each parent the success that had ended last."""
        joining = [link.schedule for link in links_of(row) if link.when == "all"]
        if cause.schedule_id not in joining or not names_parents(row.args):
            return []
        found: list[RunRow] = []
        for parent in joining:
            if parent == cause.schedule_id:
                continue
            succeeded = RunFilter(any_guild=True, schedule_id=parent, state=RunState.SUCCEEDED)
            before = await source.runs.page(succeeded, run.id, MOST_BETWEEN)
            ended = [each for each in before if each.ended is not None and each.ended <= run.created]
            found += sorted(ended, key=lambda each: each.ended or 0)[-1:]
        return found

    async def _children(self, source: Reader | Transaction, rows: Sequence[RunRow]) -> dict[str, list[str]]:
        """The runs that follow each of these, of schedules that run after theirs."""
        below = await source.links.below(sorted({row.schedule_id for row in rows}))
        followers: dict[str, list[str]] = {}
        for link in below:
            followers.setdefault(link.parent, []).append(link.child)
        keys = [(child, occurrence_of(row.id)) for row in rows for child in followers.get(row.schedule_id, ())]
        found: dict[str, list[str]] = {}
        for run in await source.runs.by_occurrences(keys):
            found.setdefault(parent_of(run.occurrence) or "", []).append(run.id)
        return found

    async def _cancel_waiting(self, tx: Transaction, effects: Effects, run: RunRow) -> None:
        now = self._desk.clock.now()
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=run.attempt, after=RunState.CANCELLED,
                  attempt=run.attempt, at=now, reason="cancelled", lost=run.lost, schedule_id=run.schedule_id)]
        )  # fmt: skip
        if run.attempt == 0:
            await self._desk.engine.entitler.give_back(tx, [(run.guild_id, run.charged)])
        schedule = await tx.schedules.get(run.schedule_id)
        if schedule is not None:
            event = self._desk.run_event(EventKind.RUN_CANCELLED, schedule, run.id, {"reason": "cancelled"})
            await tx.journal.append([event])
        effects.withdrawn.append(run.id)

    async def views(
        self, actor: Actor, rows: Sequence[RunRow], tx: Transaction | None = None, *, with_args: bool = False
    ) -> tuple[Run, ...]:
        """Runs as answered. ``tx``: as they are in this transaction."""
        source = self._desk.reader if tx is None else tx
        attempts = await source.runs.attempts([row.id for row in rows])
        schedules = await source.schedules.get_many(list({row.schedule_id for row in rows}))
        elsewhere = await elsewhere_of(self._desk, source, rows)
        under_way = [row.id for row in rows if row.state in OPEN]
        stopping = await wanted_stopped(source.notes) if under_way else set()
        told = await source.logs.told(under_way) if under_way else {}
        children = await self._children(source, rows)
        views = []
        for row in rows:
            schedule = schedules.get(row.schedule_id)
            views.append(
                run_view(
                    row, attempts.get(row.id, ()), timezone=schedule.timezone if schedule else "UTC",
                    why=await why_waiting(self._desk, actor, source, row, schedule, elsewhere),
                    progress=self._progress(row, told.get(row.id)), cancelling=row.state in OPEN and row.id in stopping,
                    children=children.get(row.id, ()), with_args=with_args,
                )
            )  # fmt: skip
        return tuple(views)

    def _progress(self, row: RunRow, told: ToldRow | None) -> Progress | None:
        """What the attempt under way told last: as it is here, or as the core that hears it wrote it."""
        flight = self._desk.engine.flights.get(row.id, row.attempt)
        if row.state in OPEN and flight is not None and flight.fraction is not None:
            return Progress(fraction=flight.fraction, note=flight.note)
        if told is None or told.attempt != row.attempt or told.fraction is None:
            return None
        return Progress(fraction=told.fraction / MILLION, note=told.note)


async def existing_run(desk: Desk, actor: Actor, id: str) -> tuple[RunRow, ScheduleRow | None]:
    """The run and its schedule, if the actor may know of them. Raises NotFound."""
    row = await desk.reader.runs.get(id)
    schedule = None if row is None else await desk.reader.schedules.get(row.schedule_id)
    return access.require_run(actor, row, schedule, id), schedule
