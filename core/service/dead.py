"""The use cases about dead letters: list what failed for good, run it again, or drop it.

Each letter is judged by itself and all that are run again are made in one transaction. Asking again does no harm: what is
no dead letter any more is ``gone``. What may not be run again now stays a dead letter, and the answer says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.engine.admit import Collision, collide
from core.ledger.port import RunFilter, Transaction
from core.ledger.rows import AuditRow, DeadRow, EventRow, RunRow, ScheduleRow
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.finding import LONGEST_PAGE, cursor_in, page_length
from core.service.making import BUSY, Making, why_stopped
from core.service.measures import in_whose_name
from core.service.policy import read_policy
from core.service.run_views import run_views, visible_runs
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Forbidden, Invalid, NotFound
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import RunState
from schedule_zero.views import DeadChange, DeadFate, DeadLetter, DeadPage

MOST: Final = 200
_encode: Final = msgspec.json.Encoder().encode


class _Found(msgspec.Struct):
    """Dead letters that were asked for, with their runs and schedules as they are; ``next``: the cursor of more."""

    ids: Sequence[str]
    letters: Mapping[str, DeadRow]
    runs: Mapping[str, RunRow]
    schedules: Mapping[str, ScheduleRow]
    next: str | None = None


class DeadLetters:
    """Everything about dead letters that people ask for."""

    def __init__(self, desk: Desk, making: Making) -> None:
        self._desk = desk
        self._making = making

    async def page(self, actor: Actor, request: ask.ListDead) -> DeadPage:
        """A page of what the actor may see."""
        limit = page_length(request.limit, LONGEST_PAGE)
        wanted = await self._visible(actor, request, any_guild=request.any_guild)
        found = await self._desk.reader.dead.page(wanted, cursor_in(request.cursor, "run"), limit + 1)
        rows = {row.run_id: row for row in found[:limit]}
        runs = await self._desk.reader.runs.get_many(list(rows))
        there = [runs[id] for id in rows if id in runs]
        views = await run_views(self._desk, actor, there)
        return DeadPage(
            items=tuple(DeadLetter(at=spell(rows[view.id].at), run=view) for view in views),
            next=found[limit - 1].run_id if len(found) > limit else None,
        )

    async def replay(self, actor: Actor, request: ask.ReplayDead) -> DeadChange:
        """Run them again, each as ``/retry`` would."""
        wanted = await self._wanted(actor, request)

        async def work(tx: Transaction, effects: Effects) -> DeadChange:
            found = await self._find(tx, request, wanted)
            by = in_whose_name(actor, request.by)
            replaying = _Replaying(self._desk, self._making, tx, effects, actor, by, found)
            return DeadChange(items=tuple(await replaying.all()), next=found.next)

        return await self._desk.change(actor, request, DeadChange, work)

    async def drop(self, actor: Actor, request: ask.DropDead) -> DeadChange:
        """Forget them."""
        wanted = await self._wanted(actor, request)

        async def work(tx: Transaction, _effects: Effects) -> DeadChange:
            found = await self._find(tx, request, wanted)
            fates = [_judged(actor, id, found) or DeadFate(id=id, fate="dropped") for id in found.ids]
            dropped = [fate.id for fate in fates if fate.fate == "dropped"]
            await tx.dead.remove(dropped)
            await tx.notes.audit([_line(self._desk, actor, Action.DEAD_DROP, found.letters[id]) for id in dropped])
            return DeadChange(items=tuple(fates), next=found.next)

        return await self._desk.change(actor, request, DeadChange, work)

    async def _visible(
        self, actor: Actor, request: ask.ListDead | ask.ReplayDead | ask.DropDead, *, any_guild: bool
    ) -> RunFilter:
        """The filter of a request, narrowed to what the actor may see. Raises NotFound."""
        asked = RunFilter(
            guild_id=request.guild_id, any_guild=any_guild, schedule_id=request.schedule_id, handler=request.handler
        )
        return await visible_runs(self._desk, actor, asked)

    async def _wanted(self, actor: Actor, request: ask.ReplayDead | ask.DropDead) -> RunFilter:
        """What shall be changed: what is named, or what a filter finds. Raises Invalid unless it is one of both."""
        narrowed = any((request.guild_id, request.handler, request.schedule_id))
        if bool(request.ids) == narrowed:
            message = "name dead letters by their runs, or a guild_id, handler or schedule_id whose all are meant"
            raise Invalid.at("ids", f"{message}; both exclude each other" if narrowed else message)
        return await self._visible(actor, request, any_guild=request.guild_id is None)

    async def _find(self, tx: Transaction, request: ask.ReplayDead | ask.DropDead, wanted: RunFilter) -> _Found:
        if request.ids:
            letters = await tx.dead.get_many(request.ids)
            found = _Found(list(dict.fromkeys(request.ids)), letters, {}, {})
        else:
            page = await tx.dead.page(wanted, cursor_in(request.cursor, "run"), MOST + 1)
            letters = {row.run_id: row for row in page[:MOST]}
            found = _Found(list(letters), letters, {}, {}, page[MOST - 1].run_id if len(page) > MOST else None)
        found.runs = await tx.runs.get_many(list(letters))
        found.schedules = await tx.schedules.get_many(sorted({row.schedule_id for row in letters.values()}))
        return found


class _Replaying:
    """Dead letters on their way to new runs, inside one transaction."""

    def __init__(
        self, desk: Desk, making: Making, tx: Transaction, effects: Effects, actor: Actor, by: str, found: _Found
    ) -> None:  # fmt: skip
        """``by``: who is noted."""
        self._desk = desk
        self._making = making
        self._tx = tx
        self._effects = effects
        self._actor = actor
        self._by = by
        self._found = found
        self._now = desk.clock.now()
        self._fresh: list[RunRow] = []
        self._events: list[EventRow] = []
        self._lines: list[AuditRow] = []
        self._met: dict[str, Collision] = {}

    async def all(self) -> list[DeadFate]:
        """What becomes of each, in the order they were asked for."""
        found, tx = self._found, self._tx
        fates = {id: _judged(self._actor, id, found, acts_at=self._now) for id in found.ids}
        going = [id for id in sorted(fates) if fates[id] is None]  # the oldest first
        active = await tx.runs.active(sorted({found.letters[id].schedule_id for id in going}))
        for id in going:
            row = found.schedules[found.letters[id].schedule_id]
            if row.id not in self._met:
                self._met[row.id] = collide(read_policy(row.policy), active.get(row.id, ()), self._now)
            fates[id] = await self._one(found.runs[id], row)
        await tx.runs.insert(self._fresh)
        for schedule_id in sorted({run.schedule_id for run in self._fresh}):
            await self._making.make_room(tx, self._effects, found.schedules[schedule_id], self._met[schedule_id])
        await tx.dead.remove([id for id, fate in fates.items() if fate is not None and fate.fate == "replayed"])
        await tx.notes.audit(self._lines)
        await tx.journal.append(self._events)
        self._effects.runs.extend(self._fresh)
        return [fate for fate in fates.values() if fate is not None]

    async def _one(self, old: RunRow, row: ScheduleRow) -> DeadFate:
        if self._met[row.id].skip:
            return DeadFate(id=old.id, fate="refused", why=BUSY)
        run = await self._making.again(self._tx, row, old)
        if run.state is RunState.FAILED:
            return DeadFate(id=old.id, fate="refused", why=run.error)
        told, full = await self._making.charge(self._tx, run, read_policy(row.policy), self._now)
        if full is not None:
            return DeadFate(id=old.id, fate="refused", why=full.words)
        self._fresh.append(run)
        facts = {"due": run.due, "actor": self._actor.id, "reason": run.reason}
        self._events += [self._desk.run_event(EventKind.RUN_CREATED, row, run.id, facts), *told]
        letter = self._found.letters[old.id]
        self._lines.append(_line(self._desk, self._actor, Action.DEAD_REPLAY, letter, run.id, by=self._by))
        return DeadFate(id=old.id, fate="replayed", run=run.id)


def _judged(actor: Actor, id: str, found: _Found, *, acts_at: int | None = None) -> DeadFate | None:
    """Why nothing becomes of a dead letter; None where something does. ``acts_at``: its schedule shall act by it, then."""
    letter, run = found.letters.get(id), found.runs.get(id)
    if letter is None or run is None:
        return DeadFate(id=id, fate="gone")
    row = found.schedules.get(letter.schedule_id)
    try:
        access.require_run(actor, run, row, id)
        if row is not None:
            (access.require_change if acts_at is None else access.require_action)(actor, row)
    except NotFound:
        return DeadFate(id=id, fate="gone")
    except Forbidden as error:
        return DeadFate(id=id, fate="refused", why=error.sentence)
    stopped = None if acts_at is None else why_stopped(row, acts_at)
    return None if stopped is None else DeadFate(id=id, fate="refused", why=f"its schedule is {stopped}")


def _line(
    desk: Desk, actor: Actor, action: Action, letter: DeadRow, run_id: str | None = None, *, by: str | None = None
) -> AuditRow:  # fmt: skip
    after = None if run_id is None else _encode({"run": run_id}).decode()
    return desk.line(actor, action, letter.run_id, letter.guild_id, _encode(letter).decode(), after, by=by)
