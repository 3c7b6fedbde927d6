"""The use cases about runs: run now, list, look at, cancel, retry."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.admit import collide, line_of
from core.engine.plan import PRIORITIES
from core.engine.routing import write_routing
from core.engine.stopping import want_stopped, wanted_stopped
from core.ledger.port import RunFilter, Transaction
from core.ledger.rows import EventRow, Move, RunRow, ScheduleRow
from core.service import access
from core.service.changing import in_words
from core.service.desk import Desk, Effects
from core.service.draft import check_work
from core.service.edit import spec_of
from core.service.finding import LONGEST_PAGE, cursor_in, page_length
from core.service.policy import Mistakes
from core.service.render import run_view
from core.service.times import instant_in
from core.service.why import elsewhere_of, why_waiting
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict
from schedule_zero.event import EventKind
from schedule_zero.run import OPEN, TERMINAL, Run, RunState, SkipReason
from schedule_zero.schedule import Policy
from schedule_zero.views import RunPage

_RETRIABLE: Final = TERMINAL - {RunState.SUCCEEDED}


class Runs:
    """Everything about runs that people ask for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run_now(self, actor: Actor, request: ask.RunSchedule) -> Run:
        """One run outside the rule: obeys quota and overlap, never moves the anchor, works while paused."""
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(request.id), request.id)
        access.require_action(actor, row)
        if row.state == "deleted":
            raise Conflict("This schedule is deleted; bring it back first, then it can run.")
        if row.state in ("blocked", "needs_owner"):
            raise Conflict(f"This schedule is {in_words(row.state)}; resume it first, then it can run.")
        args = self._args(actor, row, request.args) if request.args else None
        return await self._create(actor, request, row, self._new_run(row, args))

    async def page(self, actor: Actor, request: ask.ListRuns) -> RunPage:
        """A page of what the actor may see."""
        limit = page_length(request.limit, LONGEST_PAGE)
        since = instant_in(request.since, "since", 0) if request.since else None
        wanted = RunFilter(
            guild_id=request.guild_id, any_guild=request.any_guild or request.schedule_id is not None,
            schedule_id=request.schedule_id, state=request.state, since=since,
        )  # fmt: skip
        if request.schedule_id is not None:
            schedule = await self._desk.reader.schedules.get(request.schedule_id)
            access.require_schedule(actor, schedule, request.schedule_id)
        else:
            wanted = access.visible_runs(actor, wanted)
        rows = await self._desk.reader.runs.page(wanted, cursor_in(request.cursor, "run"), limit + 1)
        return RunPage(
            items=await self._views(actor, rows[:limit]), next=rows[limit - 1].id if len(rows) > limit else None
        )

    async def get(self, actor: Actor, request: ask.GetRun) -> Run:
        row, _ = await self._existing(actor, request.id)
        return (await self._views(actor, [row]))[0]

    async def cancel(self, actor: Actor, request: ask.CancelRun) -> Run:
        """A waiting run is cancelled at once; one under way is asked to stop and ends when it does."""
        row, schedule = await self._existing(actor, request.id)
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
                return (await self._views(actor, [current], tx))[0]
            await self._cancel_waiting(tx, effects, current)
            return (await self._views(actor, [await tx.runs.get(row.id) or current], tx))[0]

        return await self._desk.change(actor, request, Run, work)

    async def retry(self, actor: Actor, request: ask.RetryRun) -> Run:
        """A new run of the same schedule, with the arguments the old one had; once for each run, whoever asks.

        Raises:
            Conflict: the run did not fail, or was run again already.
        """
        old, row = await self._existing(actor, request.id)
        if row is not None:
            access.require_action(actor, row)
        if old.state not in _RETRIABLE:
            raise Conflict(f"This run {old.state.said}; only one that failed, was skipped or cancelled can be retried.")
        if row is None or row.state == "deleted":
            raise Conflict("The schedule of this run is deleted; bring it back first.")
        again = msgspec.structs.replace(self._new_run(row, old.args), occurrence=f"m:again:{old.id}")
        return await self._create(actor, request, row, again)

    async def _create(self, actor: Actor, request: ask.Request, row: ScheduleRow, run: RunRow) -> Run:
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
            if met.skip:
                fresh.state, fresh.reason, fresh.ended = RunState.SKIPPED, SkipReason.OVERLAP, now
            events = await self._charge(tx, fresh, policy, now)
            await tx.runs.insert([fresh])
            await tx.runs.move(met.moves)
            kind = EventKind.RUN_CREATED if fresh.state is RunState.WAITING else EventKind.RUN_SKIPPED
            facts = {"due": fresh.due, "actor": actor.id, "reason": fresh.reason}
            stopped = [self._desk.run_event(EventKind.RUN_CANCELLED, row, move.run_id, {"reason": move.reason})
                       for move in met.moves]  # fmt: skip
            await tx.journal.append([self._desk.run_event(kind, row, fresh.id, facts), *events, *stopped])
            if fresh.state is RunState.WAITING:
                effects.runs.append(fresh)
            effects.cancel.extend(met.cancel)
            await want_stopped(tx, met.cancel)
            effects.withdrawn.extend(move.run_id for move in met.moves)
            return run_view(fresh, (), timezone=row.timezone)

        return await self._desk.change(actor, request, Run, work)

    async def _charge(self, tx: Transaction, run: RunRow, policy: Policy, now: int) -> list[EventRow]:
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
            missed=None, created=now, ended=None, lost=0, line=line_of(policy),
            routing=write_routing(policy, schedule_id=row.id, guild_id=row.guild_id, owner_id=row.owner_id,
                                  args=row.args if args is None else args),
        )  # fmt: skip

    def _args(self, actor: Actor, row: ScheduleRow, changes: dict[str, Any]) -> str:
        """The schedule's arguments with some replaced for one run: judged as if the schedule were changed to them."""
        spec = spec_of(row, {"args": {**msgspec.json.decode(row.args), **changes}})
        access.require_edit(actor, row, spec)
        args = msgspec.json.encode(spec.args).decode()
        mistakes = Mistakes()
        check_work(spec, args, self._desk.engine.fleet, self._desk.quota(actor, row.guild_id), mistakes)
        mistakes.raise_any()
        return args

    async def _existing(self, actor: Actor, id: str) -> tuple[RunRow, ScheduleRow | None]:
        """The run and its schedule, if the actor may know of them. Raises NotFound."""
        row = await self._desk.reader.runs.get(id)
        schedule = None if row is None else await self._desk.reader.schedules.get(row.schedule_id)
        return access.require_run(actor, row, schedule, id), schedule

    async def _cancel_waiting(self, tx: Transaction, effects: Effects, run: RunRow) -> None:
        now = self._desk.clock.now()
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=run.attempt, after=RunState.CANCELLED,
                  attempt=run.attempt, at=now, reason="cancelled", lost=run.lost)]
        )  # fmt: skip
        if run.attempt == 0:
            await self._desk.engine.entitler.give_back(tx, [(run.guild_id, run.charged)])
        schedule = await tx.schedules.get(run.schedule_id)
        if schedule is not None:
            event = self._desk.run_event(EventKind.RUN_CANCELLED, schedule, run.id, {"reason": "cancelled"})
            await tx.journal.append([event])
        effects.withdrawn.append(run.id)

    async def _views(self, actor: Actor, rows: list[RunRow], tx: Transaction | None = None) -> tuple[Run, ...]:
        source = self._desk.reader if tx is None else tx
        attempts = await source.runs.attempts([row.id for row in rows])
        schedules = await source.schedules.get_many(list({row.schedule_id for row in rows}))
        elsewhere = await elsewhere_of(self._desk, source, rows)
        stopping = await wanted_stopped(source.notes) if any(row.state in OPEN for row in rows) else set()
        views = []
        for row in rows:
            schedule = schedules.get(row.schedule_id)
            flight = self._desk.engine.flights.current(row.id)
            views.append(
                run_view(
                    row, attempts.get(row.id, ()), timezone=schedule.timezone if schedule else "UTC",
                    why=await why_waiting(self._desk, actor, source, row, schedule, elsewhere),
                    progress=flight.fraction if flight is not None else None,
                    cancelling=row.state in OPEN and row.id in stopping,
                )
            )  # fmt: skip
        return tuple(views)
