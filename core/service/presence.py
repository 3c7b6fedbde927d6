"""Presence: in which guilds the bot is. When it leaves one, what is scheduled there rests; when it comes back, just that
goes on.

Nothing is deleted. What was active is paused with a reason, and marked: a pause that a person made before is theirs and
stays, and so does one they make meanwhile, which says something else or has an end. One with an end rests, too, lest it
ends while nobody is there; its mark keeps the end, which holds again when the bot comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.engine.occurred import not_yet
from core.engine.resuming import Resumption, resumption
from core.ledger.port import ScheduleFilter, Transaction
from core.ledger.rows import EventRow, ScheduleRow
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.errands import Errand, Errands
from core.service.facts import GUILD
from core.service.finding import page_length
from core.service.guild_settings import document_of
from schedule_zero import requests as ask
from schedule_zero.actor import CORE, Actor
from schedule_zero.audit import Action
from schedule_zero.event import EventKind
from schedule_zero.run import RunState
from schedule_zero.views import Done, PresentGuilds

REASON: Final = "guild_left"
NOTE: Final = "The bot left this server."
PAGE: Final = 200
"""Schedules in one transaction."""
SLICE: Final = 10
"""Rules computed before others have their turn on the loop."""
NAMED: Final = 5
_NOTED: Final = ("present", "name")
PRESENCE_LEFT: Final = "resting:{}"
"""The kind of note that marks the schedules of a guild that rest because the bot left, by their ids."""
MOST_GUILDS: Final = 10_000
"""Guilds in one page: a shard has a quarter of that (Discord documentation, "Sharding")."""


class _Pause(msgspec.Struct, frozen=True):
    """A pause with an end that somebody made before the bot left."""

    until: int
    note: str | None = None


class Presence:
    """Hears from the bot where it is, and lets schedules rest and go on accordingly."""

    def __init__(self, desk: Desk, errands: Errands) -> None:
        self._desk = desk
        self._errands = errands
        errands.learn("leave", self._leave_on)
        errands.learn("return", self._return_on)

    async def note(self, actor: Actor, request: ask.NoteGuild) -> Done:
        """The bot is in a guild, or no longer. An event only when that is news."""
        access.require_operator(actor, request.guild_id)

        async def work(tx: Transaction, effects: Effects) -> Done:
            stored = document_of(await tx.notes.get(GUILD, request.guild_id))
            known = {name: stored[name] for name in _NOTED if name in stored}
            noted = {"present": request.present, "name": request.name or stored.get("name", "")}
            if known == noted:
                return Done()
            action, news = Action.GUILD_RENAME, noted
            if known.get("present") != request.present:
                action = Action.GUILD_JOIN if request.present else Action.GUILD_LEAVE
                news = noted | await self._moved(tx, effects, request, stored)
            after = {key: value for key, value in {**stored, **news}.items() if value is not None}
            await tx.notes.put(GUILD, {request.guild_id: msgspec.json.encode(after).decode()})
            effects.facts.append((GUILD, request.guild_id))
            was, is_now = (msgspec.json.encode(each).decode() for each in (known, noted))
            line = self._desk.line(actor, action, request.guild_id, request.guild_id, was if known else None, is_now)
            await tx.notes.audit([line])
            return Done()

        return await self._desk.change(actor, request, Done, work)

    async def present(self, actor: Actor, request: ask.ListPresentGuilds) -> PresentGuilds:
        """In which guilds of one shard the bot is, as far as it told."""
        access.require_service(actor)
        limit = page_length(request.limit, MOST_GUILDS)
        documents = await self._desk.reader.notes.all(GUILD)
        there = sorted(id for id, text in documents.items() if is_in_shard(id, request) and _is_present(text))
        behind = [id for id in there if request.cursor is None or id > request.cursor]
        return PresentGuilds(items=tuple(behind[:limit]), next=behind[limit - 1] if len(behind) > limit else None)

    async def _moved(
        self, tx: Transaction, effects: Effects, request: ask.NoteGuild, stored: dict[str, Any]
    ) -> dict[str, Any]:
        """The bot joined or left: its event, and what becomes of the schedules. What changes of the document."""
        now, guild_id = self._desk.clock.now(), request.guild_id
        back = request.present and stored.get("present") is False
        kind = EventKind.GUILD_JOINED if request.present else EventKind.GUILD_LEFT
        await tx.journal.append([EventRow(at=now, kind=kind, guild_id=guild_id)])
        standing = await self._errands.standing(tx, f"guild:{guild_id}")
        erasing = standing is not None and standing.what == "erase_guild"
        if not request.present and not erasing:
            errand = Errand(what="leave", subject=guild_id, since=now)
            left = await self._rest(tx, effects, errand)
            await (self._errands.end(tx, errand.key) if left is None else self._errands.begin(tx, left))
        elif back and not erasing:
            since = stored.get("left", now)
            await self._errands.begin(tx, Errand(what="return", subject=guild_id, since=since))
        effects.steps.append(self._errands.wake)
        return {"left": None if request.present else now}

    # leaving

    async def _leave_on(self, errand: Errand) -> Errand | None:
        async def work(tx: Transaction, effects: Effects) -> Errand | None:
            return await self._rest(tx, effects, errand)

        return await self._errands.step(errand, work)

    async def _rest(self, tx: Transaction, effects: Effects, errand: Errand) -> Errand | None:
        """Let a page of the guild's schedules rest."""
        wanted = ScheduleFilter(guild_id=errand.subject)
        ids = [row.id for row in await tx.schedules.page(wanted, errand.after, PAGE)]
        rows = await tx.schedules.get_many(ids)
        active = await tx.runs.active(ids)
        for id, row in rows.items():
            unused = [run for run in active.get(id, ()) if run.state is RunState.WAITING and run.attempt == 0]
            await self._desk.withdraw(tx, effects, row, unused, RunState.CANCELLED, REASON)
        now = self._desk.clock.now()
        resting = [
            msgspec.structs.replace(
                row,
                state="paused",
                next_due=None,
                paused_until=None,
                note=NOTE,
                revision=row.revision + 1,
                updated=now,
            )
            for row in rows.values()
            if row.state == "active" or row.paused_until is not None
        ]
        timed = [row for row in resting if rows[row.id].paused_until is not None]
        await tx.schedules.renew([row for row in resting if rows[row.id].paused_until is None])
        for row in timed:  # few: their end is written, too
            await tx.schedules.replace(row, expected=row.revision - 1)
        await tx.notes.put(_marks_of(errand.subject), {row.id: _mark_of(rows[row.id]) for row in resting})
        await self._desk.tell(tx, CORE, EventKind.SCHEDULE_PAUSED, resting, {"reason": REASON})
        effects.schedules.extend(resting)
        return None if len(ids) < PAGE else msgspec.structs.replace(errand, after=ids[-1])

    # coming back

    async def _return_on(self, errand: Errand) -> Errand | None:
        """A page of what rests goes on. Rules are computed before the transaction, which then takes those rows that are
        still as they were read."""
        reader = self._desk.reader
        marks = await reader.notes.all(_marks_of(errand.subject))
        marked = sorted(marks)[:PAGE]
        rows = await reader.schedules.get_many(marked)
        resting = [(row, _pause_in(marks[id])) for id, row in rows.items() if _rests(row)]
        found = await self._resumed(resting, errand.since)
        others = [id for id in marked if id not in rows or not _rests(rows[id])]

        async def work(tx: Transaction, effects: Effects) -> Errand | None:
            current = await tx.schedules.get_many([each.row.id for each in found])
            going = [
                each for each in found
                if each.row.id in current and current[each.row.id].revision == each.row.revision - 1
            ]  # fmt: skip
            await self._go_on(tx, effects, going)
            settled = [*others, *(each.row.id for each in going)]
            await tx.notes.put(_marks_of(errand.subject), dict.fromkeys(settled))
            if not marked:
                await self._returned(tx, effects, errand)
                return None
            return _counted(errand, going)

        return await self._errands.step(errand, work)

    async def _resumed(self, resting: Sequence[tuple[ScheduleRow, _Pause | None]], since: int) -> list[Resumption]:
        found: list[Resumption] = []
        for start in range(0, len(resting), SLICE):
            now = self._desk.clock.now()
            found += [self._gone_on(row, pause, now, since) for row, pause in resting[start : start + SLICE]]
            await asyncio.sleep(0)
        return found

    def _gone_on(self, row: ScheduleRow, pause: _Pause | None, now: int, since: int) -> Resumption:
        """How a schedule stands when the bot is back: paused as before, where that has its end still to come."""
        if pause is not None and pause.until > now:
            paused = msgspec.structs.replace(
                row, paused_until=pause.until, note=pause.note, revision=row.revision + 1, updated=now
            )
            return Resumption(paused, [], [])
        away_since = since if pause is None else max(since, pause.until)
        return resumption(row, self._desk.engine.book.terms, self._desk.ids, now, since=away_since)

    async def _go_on(self, tx: Transaction, effects: Effects, going: Sequence[Resumption]) -> None:
        await tx.schedules.renew([each.row for each in going if each.row.state == "active"])
        await tx.schedules.count_failures({each.row.id: 0 for each in going if each.row.state == "active"})
        for each in going:
            if each.row.state != "active":
                await tx.schedules.replace(each.row, expected=each.row.revision - 1)
        await tx.runs.insert(await not_yet(tx, [run for each in going for run in each.runs]))
        await tx.journal.append([event for each in going for event in each.events])
        effects.schedules.extend(each.row for each in going)

    async def _returned(self, tx: Transaction, effects: Effects, errand: Errand) -> None:
        """All of it goes on: one event that sums it up, if there was anything."""
        told = {"resumed": errand.resumed, "over": errand.over, "missed": errand.missed, "since": errand.since}
        if errand.resumed or errand.over:
            named = [{"schedule_id": id, "count": count} for id, count in errand.most]
            data = msgspec.json.encode({**told, "most": named}).decode()
            now = self._desk.clock.now()
            await tx.journal.append(
                [EventRow(at=now, kind=EventKind.GUILD_RETURNED, guild_id=errand.subject, data=data)]
            )
        after = msgspec.json.encode(told).decode()
        line = self._desk.line(CORE, Action.GUILD_RETURN, errand.subject, errand.subject, after=after)
        await tx.notes.audit([line])


def is_in_shard(guild_id: str, asked: ask.ListPresentGuilds) -> bool:
    """Whether a guild's events go to that shard (Discord documentation, "Sharding")."""
    return guild_id.isdecimal() and (int(guild_id) >> 22) % asked.shards == asked.shard


def _is_present(text: str) -> bool:
    return document_of(text).get("present") is True


def _marks_of(guild_id: str) -> str:
    return PRESENCE_LEFT.format(guild_id)


def _mark_of(row: ScheduleRow) -> str:
    """What is kept of a schedule as it was."""
    if row.paused_until is None:
        return "true"
    return msgspec.json.encode(_Pause(row.paused_until, row.note)).decode()


def _pause_in(mark: str) -> _Pause | None:
    return None if mark == "true" else msgspec.json.decode(mark, type=_Pause)


def _rests(row: ScheduleRow) -> bool:
    """Whether it is paused, and by nobody else."""
    return row.state == "paused" and row.note == NOTE and row.paused_until is None


def _counted(errand: Errand, going: Sequence[Resumption]) -> Errand:
    over = sum(each.row.state == "done" for each in going)
    resumed = sum(each.row.state == "active" for each in going)
    missed = [(each.row.id, each.missed) for each in going if each.missed]
    most = sorted((*errand.most, *missed), key=lambda pair: -pair[1])[:NAMED]
    return msgspec.structs.replace(
        errand, resumed=errand.resumed + resumed, over=errand.over + over,
        missed=errand.missed + sum(count for _, count in missed), most=tuple(most),
    )  # fmt: skip
