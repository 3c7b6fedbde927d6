"""The use cases about schedules: create, read, change, delete, pause, resume."""

from __future__ import annotations

from typing import Any

from core.engine.resuming import resumed_row
from core.ledger.port import NameTaken, Transaction
from core.ledger.rows import RunRow, ScheduleRow
from core.service import access
from core.service.batch import name_taken
from core.service.chaining import Chaining
from core.service.changing import Changing, in_words, rule_to_follow
from core.service.desk import Desk, with_undo
from core.service.draft import Draft, draft
from core.service.edit import edited, require_fields, spec_of
from core.service.effects import Effects
from core.service.room import Room
from core.service.times import Times
from core.service.triggers import instant_in, moment_in
from core.timing.rule import Rule
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.schedule import Schedule, ScheduleSpec, UndoToken
from schedule_zero.views import PreviewView


class Schedules:
    """Everything about schedules that is one transaction."""

    def __init__(self, desk: Desk, room: Room, times: Times, chaining: Chaining) -> None:
        self._desk = desk
        self._room = room
        self._chaining = chaining
        self._times = times
        self._changing = Changing(desk)

    async def create(self, actor: Actor, request: ask.CreateSchedule) -> Schedule:
        made = await self.draft(actor, request.spec)
        # What can be done before the transaction is: all others wait for it.
        view = self._desk.view(made.row, trigger=made.trigger, rule=made.rule)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            row = await self._desk.closed.as_closed(tx, made.row)
            undo = await self._save(tx, effects, actor, row)
            return with_undo(view if row is made.row else self._desk.view(row), undo)

        return await self._desk.change(actor, request, Schedule, work)

    async def get(self, actor: Actor, request: ask.GetSchedule) -> Schedule:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(request.id), request.id)
        return self._desk.view(row, newest=await self._newest(row))

    async def patch(self, actor: Actor, request: ask.PatchSchedule) -> Schedule:
        before = await self._changing.existing(actor, request.id, request.revision)
        return await self.edit(actor, request, before, request.changes, Action.SCHEDULE_UPDATE)

    async def edit(
        self, actor: Actor, request: ask.Request, before: ScheduleRow, changes: dict[str, Any], action: Action
    ) -> Schedule:
        """Change fields of a schedule that was read. ``action``: what the audit line says."""
        access.require_action(actor, before)
        require_fields(changes)
        spec = spec_of(before, changes)
        access.require_edit(actor, before, spec)
        made = await self.draft(actor, spec, before=before)
        newest = await self._newest(before)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            self._chaining.begin(tx, made.row)
            current = await self._changing.current(tx, before)
            after = await self._desk.closed.as_closed(tx, edited(made, current, self._desk.clock.now()))
            if self._changing.is_same(current, after):
                return self._desk.view(current, newest=newest)
            if current.state == "done" and after.state != "done":
                await self._room.require(tx, actor, after)
            await self._chaining.require(tx, after, current)
            await self._chaining.leave_out(tx, effects, current, after)
            return await self._changing.replace(tx, effects, actor, current, after, EventKind.SCHEDULE_UPDATED,
                                       action, {"changed": sorted(changes)})  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def delete(self, actor: Actor, request: ask.DeleteSchedule) -> Schedule:
        before = await self._changing.existing(actor, request.id, request.revision)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._changing.current(tx, before)
            after = self._changing.changed(current, state="deleted", next_due=None)
            cancelled = await self._desk.cancel_waiting(tx, effects, current, "deleted")
            view = await self._changing.replace(tx, effects, actor, current, after, EventKind.SCHEDULE_DELETED,
                                       Action.SCHEDULE_DELETE)  # fmt: skip
            view.notes += cancelled
            return view

        return await self._desk.change(actor, request, Schedule, work)

    async def pause(self, actor: Actor, request: ask.PauseSchedule) -> Schedule:
        before = await self._changing.existing(actor, request.id, None)
        if before.state not in ("active", "paused"):
            raise Conflict(f"This schedule is {in_words(before.state)}; only an active one can be paused.")
        until = None
        if request.until is not None:
            if before.state == "paused":  # what was stopped by others would be set going again
                access.require_action(actor, before)
            settings = await self._desk.facts.guild_settings(before.guild_id)
            now = self._desk.clock.now()
            until = moment_in(request.until, "until", now=now, timezone=before.timezone, settings=settings)
        newest = await self._newest(before)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._changing.current(tx, before)
            after = self._changing.changed(
                current, state="paused", next_due=None, paused_until=until, note=request.note
            )
            if self._changing.is_same(current, after):
                return self._desk.view(current, newest=newest)
            cancelled = await self._desk.cancel_waiting(tx, effects, current, "paused")
            view = await self._changing.replace(tx, effects, actor, current, after, EventKind.SCHEDULE_PAUSED,
                                       Action.SCHEDULE_PAUSE)  # fmt: skip
            view.notes += cancelled
            return view

        return await self._desk.change(actor, request, Schedule, work)

    async def resume(self, actor: Actor, request: ask.ResumeSchedule) -> Schedule:
        before = await self._changing.existing(actor, request.id, None)
        access.require_action(actor, before)
        if before.state == "active":
            return self._desk.view(before, newest=await self._newest(before))
        if before.state not in ("paused", "blocked", "needs_owner"):
            raise Conflict(f"This schedule is {in_words(before.state)}; it cannot be resumed.")
        now = self._desk.clock.now()
        rule = rule_to_follow(before)
        if not before.follows and rule.next_after(max(now, before.last_due or 0)) is None:
            raise _nothing_left(before, rule, now)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._changing.current(tx, before)
            after = resumed_row(current, rule.next_after, now)
            if current.state == "needs_owner":
                after.owner_id = actor.id
            return await self._changing.replace(tx, effects, actor, current, after, EventKind.SCHEDULE_RESUMED,
                                       Action.SCHEDULE_RESUME)  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def preview(self, actor: Actor, request: ask.PreviewSchedule) -> PreviewView:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(request.id), request.id)
        after = instant_in(request.after, "after", self._desk.clock.now())
        return await self._times.preview_row(actor, row, request.n, after)

    async def draft(self, actor: Actor, spec: ScheduleSpec, before: ScheduleRow | None = None) -> Draft:
        """What is asked for, checked, as a row that can be saved. Raises what ``core.service.draft`` raises, and
        Forbidden."""
        if before is None:
            access.require_create(actor, spec)
        owner_id = before.owner_id if before is not None else (spec.owner_id or actor.id)
        own = access.is_reminder(spec.metadata) or actor.kind == "member"
        zone_owner = owner_id if own and access.knows_people(actor) else None
        field = "timezone" if spec.timezone else "trigger.timezone"
        given = spec.timezone or getattr(spec.trigger, "timezone", None)
        timezone = await self._desk.facts.zone_for(given, spec.guild_id, zone_owner, field=field)
        now = self._desk.clock.now()
        return draft(
            spec, id=before.id if before is not None else self._desk.ids.make("sch", now), owner_id=owner_id,
            timezone=timezone, settings=await self._desk.facts.guild_settings(spec.guild_id),
            closings=await self._desk.facts.closings(spec.guild_id),
            quota=self._desk.quota(actor, spec.guild_id), fleet=self._desk.engine.fleet, now=now, before=before,
            parents=await self._chaining.parents(actor, spec), manages=access.moderates(actor, spec.guild_id),
        )  # fmt: skip

    async def _newest(self, row: ScheduleRow) -> RunRow | None:
        """Its latest run."""
        return (await self._desk.reader.runs.newest([row.id])).get(row.id)

    async def _save(self, tx: Transaction, effects: Effects, actor: Actor, row: ScheduleRow) -> UndoToken:
        await self._room.require(tx, actor, row)
        await self._chaining.require(tx, row)
        try:
            await tx.schedules.insert([row])
        except NameTaken:
            raise name_taken(row) from None
        effects.schedules.append(row)
        return await self._desk.record(tx, actor, EventKind.SCHEDULE_CREATED, Action.SCHEDULE_CREATE, None, row)


def _nothing_left(row: ScheduleRow, rule: Rule, now: int) -> Conflict:
    """A schedule that would be over at once is not resumed: it would vanish without a word."""
    last = rule.last_until(now)
    when = "" if last is None else f", {spell(last, rule.zone)},"
    return Conflict(
        f"There is nothing left to resume: the last time of this schedule{when} passed while it was {in_words(row.state)}. Give it "
        "a new time, run it once now, or delete it."
    )
