"""The use cases about runs: run now, list, look at, cancel, retry."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.admit import collide
from core.engine.books import NoRoom
from core.engine.placeholders import NOBODY, BadPlaceholder, filled
from core.engine.stopping import want_stopped
from core.ledger.port import RunFilter, Transaction
from core.ledger.rows import AuditRow, Move, RunRow, ScheduleRow, dead_letter
from core.service import access
from core.service.desk import Desk
from core.service.draft import check_work
from core.service.edit import spec_of
from core.service.effects import Effects
from core.service.finding import LONGEST_PAGE, cursor_in, page_length
from core.service.making import BUSY, Making, takes_from_before, why_stopped
from core.service.policy import Mistakes, read_policy
from core.service.rehearsal import rehearsed
from core.service.render import run_view
from core.service.run_views import existing_run, run_views, visible_runs
from core.service.triggers import instant_in
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid, NotFound, QuotaExceeded
from schedule_zero.event import EventKind
from schedule_zero.instant import SECOND
from schedule_zero.run import RETRIABLE, TERMINAL, Run, RunCheck, RunState, SkipReason
from schedule_zero.views import RunPage

_encode: Final = msgspec.json.Encoder().encode
_CREATED: Final = {RunState.WAITING: EventKind.RUN_CREATED, RunState.FAILED: EventKind.RUN_FAILED}


class Runs:
    """Everything about runs that people ask for."""

    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

    async def run_now(self, actor: Actor, request: ask.RunSchedule) -> Run:
        """One run outside the rule: obeys quota and overlap, never moves the anchor, works while paused."""
        row = await self._runnable(actor, request.id)
        args = self._args(actor, row, request.args) if request.args or takes_from_before(row) else None
        return await self._create(actor, request, row, self._making.new(row, args))

    async def check(self, actor: Actor, request: ask.CheckRun) -> RunCheck:
        """What would become of a run now. Raises what ``run_now`` raises; the arguments are looked at anew, changed or not."""
        row = await self._runnable(actor, request.id)
        run = self._making.new(row, self._args(actor, row, request.args))
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
        asked = RunFilter(
            guild_id=request.guild_id, any_guild=request.any_guild, schedule_id=request.schedule_id,
            handler=request.handler, state=request.state, since=since,
        )  # fmt: skip
        wanted = await visible_runs(self._desk, actor, asked)
        rows = await self._desk.reader.runs.page(wanted, cursor_in(request.cursor, "run"), limit + 1)
        items = await run_views(self._desk, actor, rows[:limit])
        return RunPage(items=items, next=rows[limit - 1].id if len(rows) > limit else None)

    async def get(self, actor: Actor, request: ask.GetRun) -> Run:
        row, _ = await existing_run(self._desk, actor, request.id)
        return (await run_views(self._desk, actor, [row], with_args=True))[0]

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
            await tx.notes.audit([self._line(actor, Action.RUN_CANCEL, row.id, row, was=current.state)])
            if current.state is RunState.WAITING:
                await self._cancel_waiting(tx, effects, current)
                current = await tx.runs.get(row.id) or current
            else:
                effects.cancel.append(row.id)
                await want_stopped(tx, [row.id])
            return (await run_views(self._desk, actor, [current], tx))[0]

        return await self._desk.change(actor, request, Run, work)

    async def retry(self, actor: Actor, request: ask.RetryRun) -> Run:
        """A new run of the same schedule, as ``Making.again`` says; once for each run, whoever asks.

        Raises:
            Conflict: the run did not fail, was run again already, or would be skipped now; or its schedule is blocked or
                deleted.
            QuotaExceeded: a quota has no room for it, and its schedule does not wait.
        """
        old, row = await existing_run(self._desk, actor, request.id)
        if row is not None:
            access.require_action(actor, row)
        if old.state not in RETRIABLE:
            raise Conflict(f"This run {old.state.said}; only one that failed, was skipped or cancelled can be retried.")
        stopped = why_stopped(row, self._desk.clock.now())
        if row is None or stopped is not None:
            raise Conflict(f"The schedule of this run is {stopped}.")
        again = await self._making.again(self._desk.reader, row, old)
        return await self._create(actor, request, row, again, instead_of=old)

    async def _create(
        self, actor: Actor, request: ask.Request, row: ScheduleRow, run: RunRow, instead_of: RunRow | None = None
    ) -> Run:
        """``instead_of``: the run it is made for, which is no dead letter any more."""
        policy = read_policy(row.policy)

        async def work(tx: Transaction, effects: Effects) -> Run:
            if await tx.schedules.get(row.id) is None:  # its ticks, at whichever core, come before or behind
                raise NotFound(f"Schedule {row.id} was done long ago, and is gone now.")
            made = await tx.runs.by_occurrence(run.schedule_id, run.occurrence)
            if made is not None:  # looked for first: the ledger would refuse it only at the end of the transaction
                raise Conflict(f"This run was run again already: {made.id}; if that one failed too, retry that one.")
            fresh = msgspec.structs.replace(run)
            now = self._desk.clock.now()
            met = collide(policy, (await tx.runs.active([row.id])).get(row.id, ()), now)
            if met.skip and fresh.state is RunState.WAITING:
                fresh.state, fresh.reason, fresh.ended = RunState.SKIPPED, SkipReason.OVERLAP, now
            events, full = await self._making.charge(tx, fresh, policy, now)
            if instead_of is not None:
                _require_made(fresh, full, now)
            await tx.runs.insert([fresh])
            if row.follows:
                await tx.links.ran([row.id])
            if fresh.state is RunState.WAITING:
                await self._making.make_room(tx, effects, row, met)
            if instead_of is not None:
                await tx.dead.remove([instead_of.id])
            if fresh.state is RunState.FAILED:
                await tx.dead.add([dead_letter(fresh.id, fresh, now)])
            kind = _CREATED.get(fresh.state, EventKind.RUN_SKIPPED)
            facts = {"due": fresh.due, "actor": actor.id, "reason": fresh.reason}
            if fresh.error is not None:
                facts["error"] = fresh.error
            await tx.journal.append([self._desk.run_event(kind, row, fresh.id, facts), *events])
            action, target = (Action.SCHEDULE_RUN, row.id) if instead_of is None else (Action.RUN_RETRY, instead_of.id)
            await tx.notes.audit([self._line(actor, action, target, fresh)])
            if fresh.state is RunState.WAITING:
                effects.runs.append(fresh)
            return run_view(fresh, (), timezone=row.timezone)

        return await self._desk.change(actor, request, Run, work)

    def _line(
        self, actor: Actor, action: Action, target: str, run: RunRow, was: RunState | None = None
    ) -> AuditRow:  # fmt: skip
        """``was``: the state of a run that somebody stops; None: the run is new."""
        about = {"schedule": run.schedule_id}
        before = None if was is None else _encode({**about, "state": was}).decode()
        after = None if was is not None else _encode({**about, "run": run.id, "state": run.state}).decode()
        return self._desk.line(actor, action, target, run.guild_id, before, after)

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

    async def _cancel_waiting(self, tx: Transaction, effects: Effects, run: RunRow) -> None:
        now = self._desk.clock.now()
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=run.attempt, after=RunState.CANCELLED,
                  attempt=run.attempt, at=now, reason="cancelled", lost=run.lost, schedule_id=run.schedule_id)]
        )  # fmt: skip
        if run.attempt == 0:
            await self._desk.engine.entitler.give_back(tx, [run.charged])
        schedule = await tx.schedules.get(run.schedule_id)
        if schedule is not None:
            event = self._desk.run_event(EventKind.RUN_CANCELLED, schedule, run.id, {"reason": "cancelled"})
            await tx.journal.append([event])
        effects.withdrawn.append(run.id)


def _require_made(run: RunRow, full: NoRoom | None, now: int) -> None:
    """That a run takes the place of one that ended; else that one stays what it was, to be asked for again.

    Raises:
        QuotaExceeded: no quota has room for it.
        Conflict: another run of its schedule is in its way.
    """
    if full is not None:
        raise QuotaExceeded(
            f"This run cannot be run again now: {full.words}", scope=full.scope, limit=full.period.limit, used=full.used,
            allowed=full.period.allowed, retry_after=max(0, full.period.until - now) / SECOND if full.period.allowed else None,
        )  # fmt: skip
    if run.state is RunState.SKIPPED:
        raise Conflict(f"This run cannot be run again now: {BUSY}.")
