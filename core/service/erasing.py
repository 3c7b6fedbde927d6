"""Erasing: all that is kept of a guild, or of a person, goes for good.

Nothing is asked of anybody's memory but the errand that says how far it is: first what is scheduled ends, then what ran
goes, then what was told, remembered and counted, a page in each transaction. Runs that are under way are stopped, and go
when they have ended. A guild's items outlive their author: they need a new owner, and its managers are told. What an
operator decided about a guild (its plan, its limits, that it is suspended) is not the guild's, and stays, as the lines
about it do, and what it used of its quotas; so does a ban. The audit keeps one line that it happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from core.engine.acquaintances import kept as acquaintances
from core.engine.dispatch import RATE
from core.engine.stopping import want_stopped, wanted_stopped
from core.governor.entitlement import UTC
from core.governor.measures import Stored
from core.governor.sends import is_of
from core.governor.verdict import scope_of_schedule
from core.ledger.port import Transaction, Whom
from core.ledger.ports.erasure import ERASED, Place
from core.ledger.rows import Move, ScheduleRow
from core.service import access
from core.service.bans import BAN, Bans, decode_mark
from core.service.clocks import change_clocks
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.errands import KIND, Errand, Errands, NotYet
from core.service.facts import CLOSINGS, GUILD, USER
from core.service.guild_settings import document_of, settings_in, shown
from core.service.keys import KEY, decode_key
from core.service.measures import MEASURES
from core.service.presence import PRESENCE_LEFT
from core.service.render import zone_or_utc
from core.service.rules import rules_change
from schedule_zero import requests as ask
from schedule_zero.actor import CORE, Actor
from schedule_zero.audit import Action
from schedule_zero.event import EventKind
from schedule_zero.instant import DAY, HOUR
from schedule_zero.run import RunState
from schedule_zero.views import Erasure

PAGE: Final = 200
"""Schedules, or runs, in one transaction."""
LINES: Final = 5000
"""Lines of the audit in one transaction."""
PATIENCE_S: Final = 10.0
"""For so long who asked is kept waiting; what takes longer goes on by itself."""
GRACE: Final = 7 * DAY
"""After so long what a guild wants erased when the bot leaves is erased."""
LOOK_EVERY: Final = HOUR
_MARKS: Final = "erasing"
_OTHERS_TOO: Final = (KIND, KEY, BAN)
_AGAIN_S: Final = 0.05

Phase = Callable[[Errand], Awaitable[Errand | None]]
"""A part of an erasure: the errand as it stands behind a page of it."""


class Erasing:
    """Erases, and says when that is done."""

    def __init__(self, desk: Desk, errands: Errands, bans: Bans) -> None:
        self._desk = desk
        self._errands = errands
        self._bans = bans
        self._looked: int | None = None
        scans: tuple[Phase, ...] = tuple(self._scan(place) for place in ("journal", "answers", "undos"))
        self._of_guild: tuple[Phase, ...] = (
            self._end_guilds_schedules, self._remove_guilds_runs, self._remove_guilds_schedules, *scans,
            self._remove_guilds_lines, self._finish_guild,
        )  # fmt: skip
        self._of_user: tuple[Phase, ...] = (
            self._end_own, self._remove_own_runs, self._scrub_runs, self._remove_own_schedules, *scans,
            self._forget_in_lines, self._finish_user,
        )  # fmt: skip
        errands.learn("erase_guild", self._guild_on)
        errands.learn("erase_user", self._user_on)
        errands.also(self.begin_overdue)

    # what is asked for

    async def guild(self, actor: Actor, request: ask.EraseGuild) -> Erasure:
        """Everything of a guild."""
        access.require_guild_erasure(actor, request.guild_id)
        who = f"user:{ERASED}" if actor.kind == "member" else actor.who
        finished = await self._carry_through(Errand(what="erase_guild", subject=request.guild_id, since=0, by=who))
        return Erasure(kind="guild", id=request.guild_id, finished=finished)

    async def user(self, actor: Actor, request: ask.EraseUser) -> Erasure:
        """Everything that is one person's own, and their name elsewhere."""
        access.require_oneself(actor, request.user_id)
        who = f"user:{ERASED}" if actor.kind == "member" else actor.who
        finished = await self._carry_through(Errand(what="erase_user", subject=request.user_id, since=0, by=who))
        return Erasure(kind="user", id=request.user_id, finished=finished)

    async def begin_overdue(self) -> None:
        """Begin to erase the guilds that the bot left a week ago, and that want it. Looks now and then."""
        now = self._desk.clock.now()
        if self._looked is not None and now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        for guild_id, text in (await self._desk.reader.notes.all(GUILD)).items():
            if _is_overdue(document_of(text), now):
                await self._begin(Errand(what="erase_guild", subject=guild_id, since=0), only_if_overdue=True)

    async def _carry_through(self, errand: Errand) -> bool:
        """Begin, unless it is under way already, and wait for the end; whether there was one in time."""
        await self._begin(errand)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._errands.see_through(errand.key):  # noqa: ASYNC110 - runs under way end first
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            self._errands.wake()
            return False
        return True

    async def _begin(self, errand: Errand, *, only_if_overdue: bool = False) -> None:
        now = self._desk.clock.now()

        async def work(tx: Transaction, effects: Effects) -> None:
            standing = await self._errands.standing(tx, errand.key)
            if standing is not None and standing.what == errand.what:
                return
            if errand.what == "erase_guild":
                document = document_of(await tx.notes.get(GUILD, errand.subject))
                if only_if_overdue and not _is_overdue(document, now):
                    return
                await self._forget_guild(tx, effects, errand.subject, document)
            await self._errands.begin(tx, msgspec.structs.replace(errand, since=now))

        await self._desk.carry_on(work)
        self._errands.wake()

    async def _forget_guild(self, tx: Transaction, effects: Effects, guild_id: str, document: dict[str, Any]) -> None:
        """What the guild has set goes first; that the bot is there, if it is, is no data of theirs and stays true."""
        there = msgspec.json.encode({"present": True}).decode() if document.get("present") else None
        await tx.notes.put(GUILD, {guild_id: there})
        await tx.notes.put(CLOSINGS, {guild_id: None})
        effects.facts += [(GUILD, guild_id), (CLOSINGS, guild_id)]
        was_at = zone_or_utc(shown(guild_id, settings_in(document)).timezone)
        await change_clocks(self._desk, tx, effects, guild_id, was_at, UTC, bounded=False)

    # how it goes on

    async def _guild_on(self, errand: Errand) -> Errand | None:
        return await self._of_guild[errand.phase](errand)

    async def _user_on(self, errand: Errand) -> Errand | None:
        return await self._of_user[errand.phase](errand)

    async def _step(
        self, errand: Errand, work: Callable[[Transaction, Effects], Awaitable[None]], after: str | None
    ) -> Errand | None:
        """One page; ``after``: where this part goes on, None: nowhere."""
        behind = _next_part(errand) if after is None else msgspec.structs.replace(errand, after=after)

        async def unit(tx: Transaction, effects: Effects) -> Errand | None:
            await work(tx, effects)
            return behind

        return await self._errands.step(errand, unit)

    async def _skip(self, errand: Errand) -> Errand | None:
        async def work(_tx: Transaction, _effects: Effects) -> None:
            return None

        return await self._step(errand, work, None)

    # a guild's

    async def _end_guilds_schedules(self, errand: Errand) -> Errand | None:
        ids = await self._desk.reader.erasure.schedules_of_guild(errand.subject, PAGE, standing=True)

        async def work(tx: Transaction, effects: Effects) -> None:
            await self._end_schedules(tx, effects, list((await tx.schedules.get_many(ids)).values()))

        return await self._step(errand, work, errand.after if ids else None)

    async def _remove_guilds_runs(self, errand: Errand) -> Errand | None:
        reader = self._desk.reader.erasure
        left = await reader.runs_of_guild(errand.subject, PAGE, ended=False)  # first: one may end between the two
        return await self._remove_runs(errand, await reader.runs_of_guild(errand.subject, PAGE, ended=True), left)

    async def _remove_guilds_schedules(self, errand: Errand) -> Errand | None:
        """Nothing was made since the first page but by what was under way then: if anything was, it all ends once more."""
        ids = await self._desk.reader.erasure.schedules_of_guild(errand.subject, PAGE, standing=False)

        async def work(tx: Transaction, _effects: Effects) -> Errand | None:
            rows = (await tx.schedules.get_many(ids)).values()
            if any(row.state != "deleted" for row in rows) or await _has_runs(tx, ids):
                return msgspec.structs.replace(errand, phase=0, after="")
            await tx.schedules.remove(ids)
            await tx.notes.put(RATE, {scope_of_schedule(id): None for id in ids})
            return errand if ids else _next_part(errand)

        return await self._errands.step(errand, work)

    async def _remove_guilds_lines(self, errand: Errand) -> Errand | None:
        left = await self._desk.reader.audit.erasable(errand.subject)

        async def work(tx: Transaction, _effects: Effects) -> None:
            await tx.audit.remove(errand.subject, LINES)

        return await self._step(errand, work, errand.after if left else None)

    async def _finish_guild(self, errand: Errand) -> Errand | None:
        guild_id, now = errand.subject, self._desk.clock.now()
        stored = map(decode_key, (await self._desk.reader.notes.all(KEY)).values())
        keys = [row for row in stored if guild_id in (row.guild_id, row.made_in)]
        known = await acquaintances(self._desk.reader.notes)
        others = {each.handler for each in known if each.guild_id != guild_id}

        async def work(tx: Transaction, effects: Effects) -> None:
            await tx.erasure.remove_small(Whom(guild_id), (*_OTHERS_TOO, GUILD, USER, MEASURES))
            await tx.erasure.remove_kind(PRESENCE_LEFT.format(guild_id))
            await self._forget_sends(tx, effects, Whom(guild_id))
            await tx.notes.put(KEY, {row.id: None for row in keys})
            effects.keys += [msgspec.structs.replace(row, revoked=now) for row in keys]
            await self._record(tx, errand, guild_id, Action.GUILD_ERASE, guild_id)

        theirs = {each.handler for each in known if each.guild_id == guild_id}
        self._desk.engine.reception.forget(theirs - others)
        return await self._last(errand, work)

    # a person's

    async def _end_own(self, errand: Errand) -> Errand | None:
        """Their reminders end; what is a guild's, or the operator's, loses its owner. What goes is marked by its id."""
        ids = await self._desk.reader.erasure.owned(errand.subject, PAGE)

        async def work(tx: Transaction, effects: Effects) -> None:
            rows = list((await tx.schedules.get_many(ids)).values())
            own = [row for row in rows if is_own(row)]
            others = [row for row in rows if not is_own(row)]
            marks = {row.id: "true" for row in own} | {row.id: "false" for row in others}
            await tx.notes.put(self._marks_of(errand), marks)
            await self._end_schedules(tx, effects, own, owner_id=ERASED)
            await self._orphan(tx, effects, others)

        return await self._step(errand, work, errand.after if ids else None)

    async def _remove_own_runs(self, errand: Errand) -> Errand | None:
        own, _ = await self._marked(errand)
        reader = self._desk.reader.erasure
        left = await reader.runs_of(own, PAGE, ended=False)  # first, as of a guild's
        return await self._remove_runs(errand, await reader.runs_of(own, PAGE, ended=True), left)

    async def _scrub_runs(self, errand: Errand) -> Errand | None:
        """Runs of what stays say nothing of them any more. ``after``: the schedule and the run behind which it goes on."""
        _, others = await self._marked(errand)
        schedule_id, _, run_id = errand.after.partition("/")
        waiting = [id for id in others if id >= schedule_id]
        if not waiting:
            return await self._skip(errand)
        found = await self._desk.reader.erasure.runs_behind(
            waiting[0], run_id if waiting[0] == schedule_id else "", PAGE
        )
        behind = f"{waiting[0]}/{found[-1]}" if found else (f"{waiting[1]}/" if len(waiting) > 1 else None)

        async def work(tx: Transaction, _effects: Effects) -> None:
            await tx.erasure.scrub_runs(Whom(errand.subject, person=True), found)

        return await self._step(errand, work, behind)

    async def _remove_own_schedules(self, errand: Errand) -> Errand | None:
        own, _ = await self._marked(errand)
        page = [id for id in own if id > errand.after][:PAGE]

        async def work(tx: Transaction, _effects: Effects) -> None:
            await tx.schedules.remove(page)
            await tx.notes.put(RATE, {scope_of_schedule(id): None for id in page})

        return await self._step(errand, work, page[-1] if page else None)

    async def _forget_in_lines(self, errand: Errand) -> Errand | None:
        above, newest = int(errand.after or 0), await self._desk.reader.audit.newest()
        upto = min(above + LINES, newest)

        async def work(tx: Transaction, _effects: Effects) -> None:
            await tx.audit.forget(errand.subject, above, upto)

        return await self._step(errand, work, str(upto) if upto < newest else None)

    async def _finish_user(self, errand: Errand) -> Errand | None:
        async def work(tx: Transaction, effects: Effects) -> None:
            whom = Whom(errand.subject, person=True)
            await self._forget_in_memory(tx, effects, whom)
            await tx.erasure.remove_small(whom, (*_OTHERS_TOO, GUILD, CLOSINGS, MEASURES))
            await tx.erasure.remove_kind(self._marks_of(errand))
            await self._forget_sends(tx, effects, whom)
            await tx.sessions.end_all(f"discord:{errand.subject}")
            effects.facts.append((USER, errand.subject))
            await self._record(tx, errand, None, Action.USER_ERASE, f"user:{ERASED}")

        return await self._last(errand, work)

    async def _forget_in_memory(self, tx: Transaction, effects: Effects, whom: Whom) -> None:
        """Where somebody is named in what is kept in memory, it says once this is committed what is stored then."""
        rules_change(self._desk, tx)
        now = self._desk.clock.now()
        for guild_id, text in _naming(whom, await tx.notes.all(MEASURES)):
            effects.steps.append(partial(self._desk.engine.measures.put, guild_id, _stored(text), now))
        for user_id, text in _naming(whom, await tx.notes.all(BAN)):
            effects.steps.append(partial(self._bans.follow, user_id, decode_mark(text)))
        effects.keys += [decode_key(text) for _, text in _naming(whom, await tx.notes.all(KEY))]

    # what both have

    async def _forget_sends(self, tx: Transaction, effects: Effects, whom: Whom) -> None:
        """How fast messages of theirs went where: what is stored of it, and once this is committed, what is in memory, too."""
        scopes = [scope for scope in await tx.notes.all(RATE) if is_of(scope, whom.id, person=whom.person)]
        await tx.notes.put(RATE, dict.fromkeys(scopes))
        effects.steps.append(partial(self._desk.engine.dispatcher.forget_rates, whom.id, person=whom.person))

    def _scan(self, place: Place) -> Phase:
        """Look a table through for what is left of somebody, a span at a time."""

        async def on(errand: Errand) -> Errand | None:
            whom = Whom(errand.subject)
            if errand.what == "erase_user":
                own, _ = await self._marked(errand)
                whom = Whom(errand.subject, person=True, schedules=tuple(own))
            found, end = await self._desk.reader.erasure.look_through(place, whom, errand.after)

            async def work(tx: Transaction, _effects: Effects) -> None:
                for start in range(0, len(found), PAGE):
                    await tx.erasure.remove(place, whom, found[start : start + PAGE])

            return await self._step(errand, work, end)

        return on

    async def _end_schedules(
        self, tx: Transaction, effects: Effects, rows: Sequence[ScheduleRow], owner_id: str | None = None
    ) -> None:
        """They are due no more, and the runs of them that have no attempt yet are cancelled. ``owner_id``: whose they are
        from now on."""
        now = self._desk.clock.now()
        for row in rows:
            await self._desk.cancel_waiting(tx, effects, row, "deleted")
            after = msgspec.structs.replace(
                row, state="deleted", next_due=None, paused_until=None, revision=row.revision + 1, updated=now,
                owner_id=owner_id or row.owner_id,
            )  # fmt: skip
            await tx.schedules.replace(after, expected=row.revision)
            effects.schedules.append(after)

    async def _orphan(self, tx: Transaction, effects: Effects, rows: Sequence[ScheduleRow]) -> None:
        """What outlives its owner needs another one; its managers are told."""
        now, waiting = self._desk.clock.now(), []
        for row in rows:
            after = msgspec.structs.replace(row, owner_id=ERASED, revision=row.revision + 1, updated=now)
            if row.state not in ("done", "deleted"):
                await self._desk.cancel_waiting(tx, effects, row, "needs_owner")
                after.state, after.next_due, after.paused_until, after.note = "needs_owner", None, None, _NO_OWNER
                waiting.append(after)
            await tx.schedules.replace(after, expected=row.revision)
            effects.schedules.append(after)
        told = {"reason": "needs_owner", "error": _NO_OWNER}
        await self._desk.tell(tx, CORE, EventKind.SCHEDULE_BLOCKED, waiting, told)

    async def _remove_runs(self, errand: Errand, ended: Sequence[str], left: Sequence[str]) -> Errand | None:
        """Remove runs that have ended; of those that are left, the ones that wait end now, the others are asked to stop."""
        if left and not ended:
            wanted = await wanted_stopped(self._desk.reader.notes)
            rows = (await self._desk.reader.runs.get_many(left)).values()
            if all(row.state is not RunState.WAITING and row.id in wanted for row in rows):
                raise NotYet

        async def work(tx: Transaction, effects: Effects) -> None:
            await tx.runs.remove(ended)
            rows = (await tx.runs.get_many(left)).values() if left else ()
            now, waiting = self._desk.clock.now(), [row for row in rows if row.state is RunState.WAITING]
            await tx.runs.move(
                [Move(run_id=row.id, before=row.state, before_attempt=row.attempt, after=RunState.CANCELLED,
                      attempt=row.attempt, at=now, reason="deleted", lost=row.lost, schedule_id=row.schedule_id)
                 for row in waiting]
            )  # fmt: skip
            effects.withdrawn += [row.id for row in waiting]
            under_way = [row.id for row in rows if row.state in (RunState.DISPATCHED, RunState.RUNNING)]
            await want_stopped(tx, under_way)
            effects.cancel += under_way

        return await self._step(errand, work, errand.after if ended or left else None)

    async def _last(self, errand: Errand, work: Callable[[Transaction, Effects], Awaitable[None]]) -> Errand | None:
        async def unit(tx: Transaction, effects: Effects) -> None:
            await work(tx, effects)

        done = await self._errands.step(errand, unit)
        await self._desk.ledger.clear_traces()
        return done

    async def _marked(self, errand: Errand) -> tuple[list[str], list[str]]:
        """The schedules that go, and those that stay without their owner, by id."""
        marks = sorted((await self._desk.reader.notes.all(self._marks_of(errand))).items())
        return [id for id, goes in marks if goes == "true"], [id for id, goes in marks if goes == "false"]

    def _marks_of(self, errand: Errand) -> str:
        return f"{_MARKS}:{errand.subject}"

    async def _record(self, tx: Transaction, errand: Errand, guild_id: str | None, action: Action, target: str) -> None:
        """That it happened, and nothing of what was."""
        await tx.notes.audit([self._desk.line(CORE, action, target, guild_id, by=errand.by)])


_NO_OWNER: Final = "its author had their data erased"
_stored: Final = msgspec.json.Decoder(Stored).decode
_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode


def is_own(row: ScheduleRow) -> bool:
    """Whether a schedule is its owner's alone, wherever it was made."""
    return access.is_reminder(_metadata(row.metadata))


async def _has_runs(tx: Transaction, schedule_ids: Sequence[str]) -> bool:
    for ended in (False, True):
        if await tx.erasure.runs_of(schedule_ids, 1, ended=ended):
            return True
    return False


def _naming(whom: Whom, notes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Notes in which somebody is named, as they are without their name."""
    return [(key, text.replace(whom.text, whom.instead)) for key, text in notes.items() if whom.text in text]


def _next_part(errand: Errand) -> Errand:
    return msgspec.structs.replace(errand, phase=errand.phase + 1, after="")


def _is_overdue(document: dict[str, Any], now: int) -> bool:
    """Whether the bot left a guild long enough ago, which wants its data erased then."""
    left, retention = document.get("left"), document.get("retention") or {}
    return bool(retention.get("delete_on_leave")) and isinstance(left, int) and now - left >= GRACE
