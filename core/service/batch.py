"""Batches: up to a thousand schedules in one request, judged one by one, the accepted ones saved in one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from core.engine.fleet import Fleet
from core.ledger.port import NameTaken, Transaction
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.chaining import Chaining
from core.service.desk import Desk
from core.service.draft import Draft
from core.service.effects import Effects
from core.service.render import schedule_view
from core.service.room import Limit, Room, Tally, full
from core.service.shape import shaped
from core.timing.rule import Rule
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid, ScheduleZeroError
from schedule_zero.event import EventKind
from schedule_zero.schedule import Schedule, ScheduleSpec, UndoToken
from schedule_zero.trigger import Trigger
from schedule_zero.views import BatchItem, BatchView, problem_details

V = TypeVar("V")

MOST_ITEMS: Final = 1000
SLICE: Final = 25  # items drafted before others have their turn on the loop: about a millisecond


class Proposal(msgspec.Struct):
    """A schedule that may be saved, and what it is answered with; ``rule`` None: as its row says."""

    row: ScheduleRow
    trigger: Trigger | None
    rule: Rule | None
    fleet: Fleet
    view: Schedule | None = None
    undo: UndoToken | None = None

    def stands_as(self, row: ScheduleRow) -> None:
        """It is saved like this. What was rendered of another row is not shown."""
        if row is not self.row:
            self.row, self.rule, self.view = row, None, None

    def shown(self) -> Schedule:
        """What it is answered with."""
        if self.view is None:
            self.view = schedule_view(self.row, self.fleet, trigger=self.trigger, rule=self.rule)
        return self.view


Judged = Proposal | ScheduleZeroError


class Batches:
    """The use case of saving many schedules at once."""

    def __init__(
        self, desk: Desk, room: Room, draft: Callable[[Actor, ScheduleSpec], Awaitable[Draft]], chaining: Chaining
    ) -> None:
        self._desk = desk
        self._room = room
        self._chaining = chaining
        self._draft = draft

    async def create(self, actor: Actor, request: ask.CreateSchedules) -> BatchView:
        """Each item by itself; the accepted ones in one transaction."""
        if not 1 <= len(request.items) <= MOST_ITEMS:
            raise Invalid.at("items", f"takes 1 to {MOST_ITEMS:,} schedules, not {len(request.items):,}")
        judged: list[Judged] = []
        for some in _slices(request.items):
            judged += [await self._judge(actor, item) for item in some]
            await asyncio.sleep(0)

        if request.idempotency_key is not None:  # the answer is kept in the same transaction, so it comes first
            await _render(judged)
            return await self._saved(actor, request, judged, BatchView, _answer)
        rendering = asyncio.create_task(_render(judged), name="batch answer")  # while the store writes
        try:
            results = await self._saved(actor, request, judged, list[Judged], list)
            await rendering
        finally:
            rendering.cancel()
        return _answer(results)

    async def _saved(
        self, actor: Actor, request: ask.CreateSchedules, judged: Sequence[Judged], kind: type[V],
        answer: Callable[[Sequence[Judged]], V],
    ) -> V:  # fmt: skip
        async def save(tx: Transaction, effects: Effects) -> V:
            return answer(await self._save(tx, effects, actor, judged, look_up=False))

        async def look_and_save(tx: Transaction, effects: Effects) -> V:
            return answer(await self._save(tx, effects, actor, judged, look_up=True))

        try:
            return await self._desk.change(actor, request, kind, save)
        except NameTaken:  # nothing was written; which name it is, only asking for each one tells
            return await self._desk.change(actor, request, kind, look_and_save)

    async def _judge(self, actor: Actor, item: Any) -> Judged:
        try:
            made = await self._draft(actor, shaped(item, ScheduleSpec))
        except ScheduleZeroError as error:
            return error
        return Proposal(made.row, made.trigger, made.rule, self._desk.engine.fleet)

    async def _save(
        self, tx: Transaction, effects: Effects, actor: Actor, judged: Sequence[Judged], *, look_up: bool
    ) -> list[Judged]:
        """Save what is accepted with one statement a table. Raises NameTaken, here or at the end of the transaction."""
        admission = _Admission(self._room, tx, actor, judged, look_up=look_up)
        results = [
            each if isinstance(each, ScheduleZeroError) else (await admission.refusal(each.row) or each)
            for each in judged
        ]
        accepted = [each for each in results if isinstance(each, Proposal)]
        if accepted:
            rows = await self._desk.closed.all_as_closed(tx, [each.row for each in accepted])
            for each, row in zip(accepted, rows, strict=True):
                each.stands_as(row)
            results = [await self._linked(tx, each) if isinstance(each, Proposal) else each for each in results]
            accepted = [each for each in results if isinstance(each, Proposal)]
            rows = [each.row for each in accepted]
            await tx.schedules.insert([row for row in rows if not row.follows])
            undos = await self._desk.record_many(
                tx, actor, EventKind.SCHEDULE_CREATED, Action.SCHEDULE_CREATE, [(None, row) for row in rows]
            )
            for each, undo in zip(accepted, undos, strict=True):
                each.undo = undo
            self._room.taken(rows)
            effects.schedules.extend(rows)
        return results

    async def _linked(self, tx: Transaction, proposal: Proposal) -> Judged:
        """One that runs after others is saved at once, so that the next one's links are judged with it there."""
        if proposal.row.follows:
            try:
                await self._chaining.require(tx, proposal.row)
            except Invalid as error:
                return error
            await tx.schedules.insert([proposal.row])
        return proposal


class _Admission:
    """Who of a batch may come in, in the order asked: up to each limit, and nobody under a name that is taken.

    Names are looked up only when one of them is known to be taken: for a thousand it would be a thousand questions.
    """

    def __init__(self, room: Room, tx: Transaction, actor: Actor, judged: Sequence[Judged], *, look_up: bool) -> None:
        self._room = room
        self._tx = tx
        self._actor = actor
        self._look_up = look_up
        self._limits: dict[tuple[str | None, str, str], list[Limit]] = {}
        rows = (each.row for each in judged if isinstance(each, Proposal))
        self._wanted = Counter(limit.tally for row in rows for limit in self._limits_on(row))
        self._left: dict[Tally, int] = {}
        self._names: set[tuple[str | None, str]] = set()

    async def refusal(self, row: ScheduleRow) -> ScheduleZeroError | None:
        """Why this one may not come in; None, and its place and name are taken, if it may."""
        limits = self._limits_on(row)
        for limit in limits:
            left = await self._places(limit)
            if left <= 0:
                return full(limit, limit.allowed - left)
        if row.name is not None:
            key = (row.guild_id, row.name)
            if key in self._names or (self._look_up and await self._tx.schedules.by_name(*key) is not None):
                return name_taken(row)
            self._names.add(key)
        for limit in limits:
            self._left[limit.tally] -= 1
        return None

    def _limits_on(self, row: ScheduleRow) -> list[Limit]:
        """The schedules of a batch are mostly alike in what they count for: only reminders say it in their metadata."""
        alike = row.guild_id, row.owner_id, row.metadata if access.REMINDER in row.metadata else ""
        if alike not in self._limits:
            self._limits[alike] = self._room.limits(self._actor, row)
        return self._limits[alike]

    async def _places(self, limit: Limit) -> int:
        """How many more there may be, asked once for the whole batch."""
        tally = limit.tally
        if tally not in self._left:
            self._left[tally] = await self._room.left(self._tx, limit, wanted=self._wanted[tally])
        return self._left[tally]


def _slices(items: Sequence[V]) -> Iterator[Sequence[V]]:
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))


async def _render(judged: Sequence[Judged]) -> None:
    """Make the views of what may be saved."""
    for some in _slices(judged):
        for each in some:
            if isinstance(each, Proposal):
                each.shown()
        await asyncio.sleep(0)


def _answer(results: Sequence[Judged]) -> BatchView:
    return BatchView(items=tuple(map(_item, results)))


def _item(result: Judged) -> BatchItem:
    if isinstance(result, Proposal):
        view = result.shown()
        view.undo = result.undo
        return BatchItem(status=201, schedule=view)
    return BatchItem(status=result.status, problem=problem_details(result))


def name_taken(row: ScheduleRow) -> Conflict:
    """The refusal of a name that another schedule has."""
    return Conflict(f"There is a schedule named {row.name!r} already; choose another name.", field="name")
