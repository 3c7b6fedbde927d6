"""The use cases about schedules: create, read, list, change, delete, pause, resume."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.engine.janitor import resumed_row
from core.engine.plan import rule_of
from core.governor.settings import GovernorSettings
from core.ledger.port import NameTaken, ScheduleFilter, Transaction
from core.ledger.rows import Move, ScheduleRow
from core.service import access
from core.service.desk import Desk, Effects, with_undo
from core.service.draft import Draft, draft
from core.service.render import schedule_view
from core.service.times import Times, instant_in
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, FieldError, Invalid, QuotaExceeded, RevisionMismatch, ScheduleZeroError
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import RunState
from schedule_zero.schedule import Policy, Schedule, ScheduleSpec
from schedule_zero.views import (
    BatchItem,
    BatchView,
    PreviewView,
    SchedulePage,
    Suggestion,
    Suggestions,
    problem_details,
)

MOST_ITEMS: Final = 1000
LONGEST_PAGE: Final = 200
_FIXED: Final = {"guild_id", "owner_id"}
_RULE: Final = ("trigger", "timezone", "start", "until", "count")
_fields: Final = frozenset(ScheduleSpec.__struct_fields__)


class Schedules:
    """Everything about schedules that is one transaction."""

    def __init__(self, desk: Desk, governor: GovernorSettings, times: Times) -> None:
        self._desk = desk
        self._governor = governor
        self._times = times

    async def create(self, actor: Actor, request: ask.CreateSchedule) -> Schedule:
        made = await self._draft(actor, request.spec)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            return await self._save(tx, effects, actor, made)

        return await self._desk.change(actor, request, Schedule, work)

    async def create_batch(self, actor: Actor, request: ask.CreateSchedules) -> BatchView:
        """Each item by itself; the accepted ones in one transaction."""
        if not 1 <= len(request.items) <= MOST_ITEMS:
            raise Invalid(f"items: takes 1 to {MOST_ITEMS:,} schedules", (FieldError("items", "wrong number"),))
        drafts: list[Draft | ScheduleZeroError] = []
        for item in request.items:
            try:
                drafts.append(await self._draft(actor, msgspec.convert(item, ScheduleSpec)))
            except msgspec.ValidationError as error:
                drafts.append(Invalid(str(error), (FieldError("item", str(error)),)))
            except ScheduleZeroError as error:
                drafts.append(error)

        async def work(tx: Transaction, effects: Effects) -> BatchView:
            return await self._save_all(tx, effects, actor, drafts)

        return await self._desk.change(actor, request, BatchView, work)

    async def get(self, actor: Actor, request: ask.GetSchedule) -> Schedule:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(request.id), request.id)
        newest = await self._desk.reader.runs.newest([row.id])
        return schedule_view(row, now=self._desk.clock.now(), newest=newest.get(row.id))

    async def page(self, actor: Actor, request: ask.ListSchedules) -> SchedulePage:
        limit = max(1, min(request.limit, LONGEST_PAGE))
        wanted = ScheduleFilter(
            guild_id=request.guild_id, any_guild=request.any_guild, state=request.state, handler=request.handler,
            owner_id=request.owner_id, text=request.q, metadata=tuple(request.metadata.items()),
        )  # fmt: skip
        if actor.kind == "member" and request.owner_id != actor.id:
            wanted = msgspec.structs.replace(wanted, guild_id=actor.guild_id, any_guild=False)
            if actor.guild_id is None:
                wanted = msgspec.structs.replace(wanted, owner_id=actor.id)
        rows = await self._desk.reader.schedules.page(wanted, request.cursor, limit + 1)
        newest = await self._desk.reader.runs.newest([row.id for row in rows[:limit]])
        now = self._desk.clock.now()
        items = tuple(schedule_view(row, now=now, newest=newest.get(row.id)) for row in rows[:limit])
        return SchedulePage(items=items, next=rows[limit - 1].id if len(rows) > limit else None)

    async def patch(self, actor: Actor, request: ask.PatchSchedule) -> Schedule:
        before = await self._existing(actor, request.id, request.revision)
        unknown = sorted(set(request.changes) - _fields)
        fixed = sorted(set(request.changes) & _FIXED)
        if unknown or fixed:
            field, why = (unknown[0], "there is no such field") if unknown else (fixed[0], "cannot be changed")
            raise Invalid(f"{field}: {why}", (FieldError(field, why),))
        spec = _spec_of(before, request.changes)
        made = await self._draft(actor, spec, before=before)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._current(tx, before)
            after = _edited(made, current, self._desk.clock.now())
            return await self._replace(tx, effects, actor, current, after, EventKind.SCHEDULE_UPDATED,
                                       "schedule.update", {"changed": sorted(request.changes)})  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def delete(self, actor: Actor, request: ask.DeleteSchedule) -> Schedule:
        before = await self._existing(actor, request.id, request.revision)

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._current(tx, before)
            after = self._changed(current, state="deleted", next_due=None)
            await self._cancel_waiting(tx, effects, current, "deleted")
            return await self._replace(tx, effects, actor, current, after, EventKind.SCHEDULE_DELETED,
                                       "schedule.delete")  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def pause(self, actor: Actor, request: ask.PauseSchedule) -> Schedule:
        before = await self._existing(actor, request.id, None)
        if before.state not in ("active", "paused"):
            raise Conflict(f"This schedule is {before.state}; only an active one can be paused.")
        until = None
        if request.until is not None:
            until = instant_in(request.until, "until", 0)
            if until <= self._desk.clock.now():
                raise Invalid("until: lies in the past", (FieldError("until", "lies in the past"),))

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._current(tx, before)
            after = self._changed(current, state="paused", next_due=None, paused_until=until, note=request.note)
            await self._cancel_waiting(tx, effects, current, "paused")
            return await self._replace(tx, effects, actor, current, after, EventKind.SCHEDULE_PAUSED,
                                       "schedule.pause")  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def resume(self, actor: Actor, request: ask.ResumeSchedule) -> Schedule:
        before = await self._existing(actor, request.id, None)
        if before.state == "active":
            newest = await self._desk.reader.runs.newest([before.id])
            return schedule_view(before, now=self._desk.clock.now(), newest=newest.get(before.id))
        if before.state not in ("paused", "blocked", "needs_owner"):
            raise Conflict(f"This schedule is {before.state}; it cannot be resumed.")
        now = self._desk.clock.now()
        rule = rule_of(before, msgspec.json.decode(before.policy, type=Policy))

        async def work(tx: Transaction, effects: Effects) -> Schedule:
            current = await self._current(tx, before)
            after = resumed_row(current, rule.next_after, now)
            return await self._replace(tx, effects, actor, current, after, EventKind.SCHEDULE_RESUMED,
                                       "schedule.resume")  # fmt: skip

        return await self._desk.change(actor, request, Schedule, work)

    async def preview(self, actor: Actor, request: ask.PreviewSchedule) -> PreviewView:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(request.id), request.id)
        after = instant_in(request.after, "after", self._desk.clock.now())
        return self._times.preview_row(row, request.n, after)

    async def suggest(self, actor: Actor, request: ask.SuggestSchedules) -> Suggestions:
        """Schedules the actor may act on, by half-typed name, id or text."""
        wanted = ScheduleFilter(guild_id=request.guild_id, text=request.text.strip() or None)
        if request.reminders:
            wanted = ScheduleFilter(
                any_guild=True, owner_id=actor.id, text=wanted.text, metadata=(("kind", access.REMINDER),)
            )
        rows = await self._desk.reader.schedules.page(wanted, None, 100)
        kept = [row for row in rows if row.state not in ("deleted", "done") and _may_act(actor, row)][:25]
        return Suggestions(items=tuple(Suggestion(name=_label(row), value=row.id) for row in kept))

    async def _draft(self, actor: Actor, spec: ScheduleSpec, before: ScheduleRow | None = None) -> Draft:
        if before is None:
            access.require_create(actor, spec)
        owner_id = before.owner_id if before is not None else (spec.owner_id or actor.id)
        zone_owner = owner_id if spec.metadata.get("kind") == access.REMINDER or actor.kind == "member" else None
        given = spec.timezone or getattr(spec.trigger, "timezone", None)
        try:
            timezone = await self._desk.zone_for(given, spec.guild_id, zone_owner)
        except ValueError as error:
            message = getattr(error, "message", str(error))
            raise Invalid(f"timezone: {message}", (FieldError("timezone", message),)) from None
        now = self._desk.clock.now()
        return draft(
            spec, id=before.id if before is not None else self._desk.ids.make("sch", now), owner_id=owner_id,
            timezone=timezone, settings=await self._desk.guild_settings(spec.guild_id),
            quota=self._governor.quota_of(spec.guild_id), fleet=self._desk.engine.fleet, now=now, before=before,
        )  # fmt: skip

    async def _existing(self, actor: Actor, id: str, revision: int | None) -> ScheduleRow:
        row = access.require_schedule(actor, await self._desk.reader.schedules.get(id), id)
        access.require_change(actor, row)
        if row.state == "deleted":
            raise Conflict("This schedule is deleted; /undo or POST /undo brings it back for a while.")
        if revision is not None and revision != row.revision:
            raise RevisionMismatch(
                f"The schedule has changed: it is at revision {row.revision}, not {revision}; read it again."
            )
        return row

    async def _save(self, tx: Transaction, effects: Effects, actor: Actor, made: Draft) -> Schedule:
        await self._require_room(tx, made.row.guild_id, 1)
        try:
            await tx.schedules.insert([made.row])
        except NameTaken:
            raise _name_taken(made.row) from None
        undo = await self._desk.record(tx, actor, EventKind.SCHEDULE_CREATED, "schedule.create", None, made.row)
        effects.schedules.append(made.row)
        return with_undo(schedule_view(made.row, now=self._desk.clock.now(), rule=made.rule), undo)

    async def _save_all(
        self, tx: Transaction, effects: Effects, actor: Actor, drafts: list[Draft | ScheduleZeroError]
    ) -> BatchView:
        """Fill up to each guild's limit in order, refuse the rest, save the accepted with one statement a table."""
        room: dict[str | None, int | None] = {}
        names: set[tuple[str | None, str]] = set()
        items: list[BatchItem] = []
        accepted: list[Draft] = []
        for made in drafts:
            problem = made if isinstance(made, ScheduleZeroError) else await self._admit(tx, made, room, names)
            if problem is not None:
                items.append(BatchItem(status=problem.status, problem=problem_details(problem)))
            elif isinstance(made, Draft):
                accepted.append(made)
                items.append(BatchItem(status=201))
        if accepted:
            await tx.schedules.insert([made.row for made in accepted])
            undos = await self._desk.record_many(
                tx, actor, EventKind.SCHEDULE_CREATED, "schedule.create", [(None, made.row) for made in accepted]
            )
            now = self._desk.clock.now()
            views = iter([
                with_undo(schedule_view(made.row, now=now, rule=made.rule), undo)
                for made, undo in zip(accepted, undos, strict=True)
            ])  # fmt: skip
            for item in items:
                if item.status == 201:
                    item.schedule = next(views)
            effects.schedules.extend(made.row for made in accepted)
        return BatchView(items=tuple(items))

    async def _admit(
        self, tx: Transaction, made: Draft, room: dict[str | None, int | None], names: set[tuple[str | None, str]]
    ) -> ScheduleZeroError | None:
        row = made.row
        if row.guild_id not in room:
            limit = self._governor.quota_of(row.guild_id).schedules
            room[row.guild_id] = None if limit is None else limit - await tx.schedules.count(row.guild_id)
        left = room[row.guild_id]
        if left is not None and left <= 0:
            return self._full(row.guild_id)
        if row.name is not None:
            key = (row.guild_id, row.name)
            if key in names or await tx.schedules.by_name(*key) is not None:
                return _name_taken(row)
            names.add(key)
        if left is not None:
            room[row.guild_id] = left - 1
        return None

    async def _current(self, tx: Transaction, read: ScheduleRow) -> ScheduleRow:
        """The schedule as it is in this transaction: a tick may have moved its due time since it was read.

        Raises:
            RevisionMismatch: somebody changed its definition since it was read.
        """
        current = await tx.schedules.get(read.id)
        if current is None or current.revision != read.revision:
            raise RevisionMismatch("The schedule changed at the same moment; look at it again.")
        return current

    async def _replace(
        self, tx: Transaction, effects: Effects, actor: Actor, before: ScheduleRow, after: ScheduleRow, kind: str,
        action: str, data: dict[str, Any] | None = None,
    ) -> Schedule:  # fmt: skip
        """Write the new row over the one this transaction read, with all that belongs to a change."""
        try:
            await tx.schedules.replace(after, expected=before.revision)
        except NameTaken:
            raise _name_taken(after) from None
        undo = await self._desk.record(tx, actor, kind, action, before, after, data)
        effects.schedules.append(after)
        return with_undo(schedule_view(after, now=self._desk.clock.now()), undo)

    async def _cancel_waiting(self, tx: Transaction, effects: Effects, row: ScheduleRow, reason: str) -> None:
        """Pausing and deleting cancel the runs that have no attempt yet."""
        now = self._desk.clock.now()
        active = (await tx.runs.active([row.id])).get(row.id, [])
        unused = [run for run in active if run.state is RunState.WAITING and run.attempt == 0]
        if not unused:
            return
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=0, after=RunState.CANCELLED, attempt=0, at=now,
                  reason=reason) for run in unused]
        )  # fmt: skip
        await self._desk.engine.entitler.give_back(tx, [(row.guild_id, run.charged) for run in unused])
        await tx.journal.append(
            [self._desk.run_event(EventKind.RUN_CANCELLED, row, run.id, {"reason": reason}) for run in unused]
        )
        effects.withdrawn.extend(run.id for run in unused)

    async def _require_room(self, tx: Transaction, guild_id: str | None, more: int) -> None:
        limit = self._governor.quota_of(guild_id).schedules
        if limit is not None and await tx.schedules.count(guild_id) + more > limit:
            raise self._full(guild_id)

    def _full(self, guild_id: str | None) -> QuotaExceeded:
        limit = self._governor.quota_of(guild_id).schedules or 0
        return QuotaExceeded(
            f"This server has {limit:,} schedules, as many as its plan allows; delete one to make room.",
            scope=f"guild:{guild_id}", limit="schedules", used=limit, allowed=limit,
        )  # fmt: skip

    def _changed(self, row: ScheduleRow, **fields: Any) -> ScheduleRow:
        now = self._desk.clock.now()
        return msgspec.structs.replace(row, revision=row.revision + 1, updated=now, **fields)


def _edited(made: Draft, current: ScheduleRow, now: int) -> ScheduleRow:
    """The new definition with what the ticks know. Due times of an unchanged rule stay due, also those behind now."""
    row = made.row
    same_rule = all(getattr(row, name) == getattr(current, name) for name in _RULE) and (
        msgspec.json.decode(row.policy)["dst"] == msgspec.json.decode(current.policy)["dst"]
    )
    state = "active" if current.state == "done" else current.state
    due = current.next_due if same_rule else made.rule.next_after(max(now, current.last_due or 0))
    return msgspec.structs.replace(
        row, state=state, paused_until=current.paused_until, note=current.note, last_due=current.last_due,
        fired=current.fired, failures=current.failures, next_due=(due or row.next_due) if state == "active" else None,
    )  # fmt: skip


def _name_taken(row: ScheduleRow) -> Conflict:
    return Conflict(f"There is a schedule named {row.name!r} already; choose another name.", field="name")


def _spec_of(row: ScheduleRow, changes: dict[str, Any]) -> ScheduleSpec:
    """The spec a row was made from, with changes over it; a trigger that stays keeps its stored form."""
    whole: dict[str, Any] = {
        "handler": row.handler, "method": row.method, "trigger": msgspec.json.decode(row.trigger),
        "guild_id": row.guild_id, "name": row.name, "args": msgspec.json.decode(row.args), "timezone": row.timezone,
        "start": None if row.start is None else spell(row.start),
        "until": None if row.until is None else spell(row.until), "count": row.count, "policy": msgspec.json.decode(row.policy),
        "metadata": msgspec.json.decode(row.metadata),
    }  # fmt: skip
    if "trigger" in changes:  # a new rule brings its own bounds
        whole["start"] = whole["until"] = whole["count"] = None
    policy = changes.get("policy", {})
    if isinstance(policy, dict):
        changes = {**changes, "policy": {**whole["policy"], **policy}}
    try:
        return msgspec.convert({**whole, **changes}, ScheduleSpec)
    except msgspec.ValidationError as error:
        place = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else "changes"
        raise Invalid(f"{place}: {error}", (FieldError(place, str(error)),)) from None


def _may_act(actor: Actor, row: ScheduleRow) -> bool:
    try:
        access.require_schedule(actor, row, row.id)
        access.require_change(actor, row)
    except ScheduleZeroError:
        return False
    return True


def _label(row: ScheduleRow) -> str:
    args = msgspec.json.decode(row.args)
    title = row.name or str(args.get("content", "")) or f"{row.handler}.{row.method}"
    text = f"{title.splitlines()[0] if title else row.id} · {row.words}"
    text = text if row.state == "active" else f"{text} · {row.state}"
    return text if len(text) <= 100 else text[:99] + "…"
