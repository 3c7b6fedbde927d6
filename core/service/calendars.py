"""The use cases about what a guild keeps closed: calendars, active hours, blackouts.

A change is written into every schedule that heeds it, in the same transaction: from its commit on they are due by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final, TypeVar

import msgspec

from core.engine.plan import active_hours_of, calendar_of
from core.ledger.port import ScheduleFilter, Transaction
from core.ledger.rows import AuditRow, ScheduleRow
from core.service import access
from core.service.closings import Closings, StoredBlackout, closings_of, refreshed
from core.service.desk import CLOSINGS, Desk, Effects
from core.service.times import moment_in
from core.timing.clock import clock_of
from core.timing.compile import BadTrigger
from core.timing.exceptions import closed_days, open_hours
from core.timing.icalendar import days_in
from core.timing.rule import BadPattern
from core.timing.zones import zone
from schedule_zero import closings as views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, FieldError, Invalid, NotFound, QuotaExceeded
from schedule_zero.event import EventKind
from schedule_zero.instant import DAY, parse, spell
from schedule_zero.schedule import ActiveHours, Calendar
from schedule_zero.views import Suggestion, Suggestions

MOST_NAMED: Final = 50
MOST_BLACKOUTS: Final = 100
NEXT_DAYS: Final = 5
MOST_SUGGESTED: Final = 25
LONGEST_NAME: Final = 50
PAGE: Final = 500
TOGETHER: Final = 25
_EPOCH: Final = date(1970, 1, 1)
_encode: Final = msgspec.json.Encoder().encode

V = TypeVar("V")
Changed = Callable[[Closings], Closings]
Concerns = Callable[[ScheduleRow], bool]


class Calendars:
    """What guilds keep closed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # calendars

    async def calendars(self, actor: Actor, request: ask.ListCalendars) -> views.CalendarPage:
        access.require_guild(actor, request.guild_id, change=False)
        kept = await self._desk.closings(request.guild_id)
        counts = await self._used(request.guild_id)
        where = await self._zone(request.guild_id)
        names = sorted(kept.calendars)
        return views.CalendarPage(
            items=tuple(self._calendar(name, kept, counts.get(f"calendar:{name}", 0), where) for name in names)
        )

    async def calendar(self, actor: Actor, request: ask.GetCalendar) -> views.CalendarView:
        access.require_guild(actor, request.guild_id, change=False)
        kept = await self._desk.closings(request.guild_id)
        name = _there(request.name, kept.calendars, "calendar")
        counts = await self._used(request.guild_id)
        return self._calendar(name, kept, counts.get(f"calendar:{name}", 0), await self._zone(request.guild_id))

    async def put_calendar(self, actor: Actor, request: ask.PutCalendar) -> views.CalendarView:
        access.require_guild(actor, request.guild_id, change=True)
        name = _name(request.name)
        where = await self._zone(request.guild_id)
        calendar = await asyncio.to_thread(_read_calendar, request.calendar, where)

        def changed(kept: Closings) -> Closings:
            return msgspec.structs.replace(kept, calendars=_with(kept.calendars, name, calendar, "calendars"))

        def answer(kept: Closings, used: int) -> views.CalendarView:
            return self._calendar(name, kept, used, where)

        return await self._change(actor, request, views.CalendarView, changed, _heeds_calendar(name), answer)

    async def delete_calendar(self, actor: Actor, request: ask.DeleteCalendar) -> views.CalendarView:
        access.require_guild(actor, request.guild_id, change=True)
        where, name = await self._zone(request.guild_id), request.name
        before = await self._desk.closings(request.guild_id)

        def changed(kept: Closings) -> Closings:
            _there(name, kept.calendars, "calendar")
            return msgspec.structs.replace(kept, calendars=_without(kept.calendars, name))

        def answer(_: Closings, used: int) -> views.CalendarView:
            _require_unused(f"The calendar {name}", used)
            return self._calendar(_there(name, before.calendars, "calendar"), before, 0, where)

        return await self._change(actor, request, views.CalendarView, changed, _heeds_calendar(name), answer)

    def _calendar(self, name: str, kept: Closings, used: int, where: str) -> views.CalendarView:
        calendar = kept.calendars[name]
        coming = _next_days(calendar, where, self._desk.clock.now())
        return views.CalendarView(
            name=name, dates=calendar.dates, country=calendar.country, used_by=used, next_days=coming
        )

    # active hours

    async def hours_page(self, actor: Actor, request: ask.ListHours) -> views.HoursPage:
        access.require_guild(actor, request.guild_id, change=False)
        kept, counts = await self._desk.closings(request.guild_id), await self._used(request.guild_id)
        items = (_hours(name, kept.hours[name], counts.get(f"hours:{name}", 0)) for name in sorted(kept.hours))
        return views.HoursPage(items=tuple(items))

    async def hours(self, actor: Actor, request: ask.GetHours) -> views.HoursView:
        access.require_guild(actor, request.guild_id, change=False)
        kept = await self._desk.closings(request.guild_id)
        name = _there(request.name, kept.hours, "hours")
        return _hours(name, kept.hours[name], (await self._used(request.guild_id)).get(f"hours:{name}", 0))

    async def put_hours(self, actor: Actor, request: ask.PutHours) -> views.HoursView:
        access.require_guild(actor, request.guild_id, change=True)
        name = _name(request.name)
        hours = _read_hours(request.hours, await self._zone(request.guild_id))

        def changed(kept: Closings) -> Closings:
            return msgspec.structs.replace(kept, hours=_with(kept.hours, name, hours, "hours"))

        def answer(kept: Closings, used: int) -> views.HoursView:
            return _hours(name, kept.hours[name], used)

        return await self._change(actor, request, views.HoursView, changed, _heeds_hours(name), answer)

    async def delete_hours(self, actor: Actor, request: ask.DeleteHours) -> views.HoursView:
        access.require_guild(actor, request.guild_id, change=True)
        name, before = request.name, await self._desk.closings(request.guild_id)

        def changed(kept: Closings) -> Closings:
            _there(name, kept.hours, "hours")
            return msgspec.structs.replace(kept, hours=_without(kept.hours, name))

        def answer(_: Closings, used: int) -> views.HoursView:
            _require_unused(f"The hours {name}", used)
            return _hours(name, before.hours[_there(name, before.hours, "hours")], 0)

        return await self._change(actor, request, views.HoursView, changed, _heeds_hours(name), answer)

    # blackouts

    async def blackouts(self, actor: Actor, request: ask.ListBlackouts) -> views.BlackoutPage:
        access.require_guild(actor, request.guild_id, change=False)
        kept, now = await self._desk.closings(request.guild_id), self._desk.clock.now()
        where = await self._zone(request.guild_id)
        coming = sorted((item for item in kept.blackouts.items() if item[1].end > now), key=lambda item: item[1].begin)
        return views.BlackoutPage(items=tuple(_blackout(id, each, where) for id, each in coming))

    async def add_blackout(self, actor: Actor, request: ask.AddBlackout) -> views.BlackoutView:
        access.require_guild(actor, request.guild_id, change=True)
        where, now = await self._zone(request.guild_id), self._desk.clock.now()
        blackout = await self._read_blackout(request, where, now)
        id = self._desk.ids.make("blk", now)

        def changed(kept: Closings) -> Closings:
            left = {key: each for key, each in kept.blackouts.items() if each.end > now}
            if len(left) >= MOST_BLACKOUTS:
                raise _full("blackouts", MOST_BLACKOUTS)
            return msgspec.structs.replace(kept, blackouts=left | {id: blackout})

        def answer(kept: Closings, _: int) -> views.BlackoutView:
            return _blackout(id, kept.blackouts[id], where)

        return await self._change(actor, request, views.BlackoutView, changed, lambda _: True, answer)

    async def remove_blackout(self, actor: Actor, request: ask.RemoveBlackout) -> views.BlackoutView:
        access.require_guild(actor, request.guild_id, change=True)
        where, before = await self._zone(request.guild_id), await self._desk.closings(request.guild_id)

        def changed(kept: Closings) -> Closings:
            _there(request.id, kept.blackouts, "blackout")
            return msgspec.structs.replace(kept, blackouts=_without(kept.blackouts, request.id))

        def answer(_: Closings, __: int) -> views.BlackoutView:
            id = _there(request.id, before.blackouts, "blackout")
            return _blackout(id, before.blackouts[id], where)

        return await self._change(actor, request, views.BlackoutView, changed, lambda _: True, answer)

    async def _read_blackout(self, request: ask.AddBlackout, where: str, now: int) -> StoredBlackout:
        asked, settings = request.blackout, await self._desk.guild_settings(request.guild_id)
        end = moment_in(asked.end, "to", now=now, timezone=where, settings=settings)
        try:
            begin = parse(asked.begin)  # one that has begun is as good
        except (ValueError, OverflowError):
            begin = moment_in(asked.begin, "from", now=now, timezone=where, settings=settings)
        if begin >= end:
            raise _invalid("to", "must come after from")
        if end - begin > 366 * DAY:
            raise _invalid("to", "a blackout lasts a year at most; pause what shall rest for longer")
        return StoredBlackout(begin, end, asked.reason.strip(), asked.scope)

    async def suggest(self, actor: Actor, request: ask.SuggestClosings) -> Suggestions:
        """The names that contain the half-typed text, those that begin with it first."""
        access.require_guild(actor, request.guild_id, change=False)
        kept, wanted = await self._desk.closings(request.guild_id), request.text.strip().casefold()
        names = [
            name for name in (kept.calendars if request.kind == "calendar" else kept.hours) if wanted in name.casefold()
        ]
        names.sort(key=lambda name: (not name.casefold().startswith(wanted), name))
        return Suggestions(items=tuple(Suggestion(name=name, value=name) for name in names[:MOST_SUGGESTED]))

    # how a change reaches the schedules

    async def _change(
        self, actor: Actor, request: Any, kind: type[V], changed: Changed, concerns: Concerns,
        answer: Callable[[Closings, int], V],
    ) -> V:  # fmt: skip
        guild_id = request.guild_id

        async def work(tx: Transaction, effects: Effects) -> V:
            self._desk.closings_change(guild_id)
            old = await tx.notes.get(CLOSINGS, guild_id)
            kept = changed(closings_of(old))
            new = _encode(kept).decode()
            await tx.notes.put(CLOSINGS, {guild_id: new})
            effects.facts.append((CLOSINGS, guild_id))
            ids = [
                row.id for row in await _all_of(tx, guild_id) if row.state not in ("done", "deleted") and concerns(row)
            ]
            view = answer(kept, len(ids))
            now = self._desk.clock.now()
            await tx.notes.audit(
                [AuditRow(at=now, guild_id=guild_id, actor=f"{actor.kind}:{actor.id}", action="guild.closings",
                          target=guild_id, before=old, after=new)]
            )  # fmt: skip
            await self._bring_in(tx, effects, actor, ids, kept)
            return view

        return await self._desk.change(actor, request, kind, work)

    async def _bring_in(self, tx: Transaction, effects: Effects, actor: Actor, ids: list[str], kept: Closings) -> None:
        """Write what has changed into the schedules that heed it."""
        now = self._desk.clock.now()
        for start in range(0, len(ids), TOGETHER):
            changes = []
            for row in (await tx.schedules.get_many(ids[start : start + TOGETHER])).values():
                after = refreshed(row, kept, now)
                if after is not row:
                    await tx.schedules.replace(after, expected=row.revision)
                    changes.append((row, after))
            for kind, some in _by_kind(changes).items():
                await self._desk.record_many(tx, actor, kind, "schedule.closings", some, {"changed": ["closings"]})
            effects.schedules.extend(after for _, after in changes)
            await asyncio.sleep(0)  # to compile rules takes its time, and others are waiting

    async def _used(self, guild_id: str) -> dict[str, int]:
        """How many schedules heed each calendar and each of the hours."""
        counts: dict[str, int] = {}
        for row in await _all_of(self._desk.reader, guild_id):
            if row.state == "done":
                continue
            calendar, hours = calendar_of(row), active_hours_of(row)
            for key in (
                f"calendar:{calendar.name}" if calendar is not None and calendar.name else None,
                f"hours:{hours.name}" if hours is not None and hours.name else None,
            ):
                if key is not None:
                    counts[key] = counts.get(key, 0) + 1
        return counts

    async def _zone(self, guild_id: str) -> str:
        return (await self._desk.guild_settings(guild_id)).timezone


async def _all_of(reading: Any, guild_id: str) -> list[ScheduleRow]:
    """Every schedule of a guild that is not deleted."""
    found: list[ScheduleRow] = []
    wanted, after = ScheduleFilter(guild_id=guild_id), None
    while True:
        page = await reading.schedules.page(wanted, after, PAGE)
        found += page
        if len(page) < PAGE:
            return found
        after = page[-1].id


def _by_kind(
    changes: list[tuple[ScheduleRow, ScheduleRow]],
) -> dict[str, list[tuple[ScheduleRow | None, ScheduleRow]]]:
    found: dict[str, list[tuple[ScheduleRow | None, ScheduleRow]]] = {}
    for before, after in changes:
        blocked = after.state == "blocked" and before.state != "blocked"
        kind = EventKind.SCHEDULE_BLOCKED if blocked else EventKind.SCHEDULE_UPDATED
        found.setdefault(kind, []).append((before, after))
    return found


def _heeds_calendar(name: str) -> Concerns:
    def concerns(row: ScheduleRow) -> bool:
        calendar = calendar_of(row)
        return calendar is not None and calendar.name == name

    return concerns


def _heeds_hours(name: str) -> Concerns:
    def concerns(row: ScheduleRow) -> bool:
        hours = active_hours_of(row)
        return hours is not None and hours.name == name

    return concerns


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME or "/" in name or not name.isprintable():
        raise _invalid("name", f"must have 1 to {LONGEST_NAME} printable characters, and no slash")
    return name


def _there(name: str, kept: dict[str, Any], what: str) -> str:
    if name not in kept:
        known = f"there are {', '.join(sorted(kept))}" if kept else "this server has none"
        raise NotFound(f"There is no {what} {name!r} here; {known}.")
    return name


def _with(kept: dict[str, V], name: str, value: V, what: str) -> dict[str, V]:
    if name not in kept and len(kept) >= MOST_NAMED:
        raise _full(what, MOST_NAMED)
    return kept | {name: value}


def _without(kept: dict[str, V], name: str) -> dict[str, V]:
    return {key: value for key, value in kept.items() if key != name}


def _full(what: str, most: int) -> QuotaExceeded:
    return QuotaExceeded(
        f"This server has {most} {what} already, which is all it may have; remove one first.", scope="guild",
        limit=what, used=most, allowed=most,
    )  # fmt: skip


def _require_unused(what: str, used: int) -> None:
    if used:
        schedules = "1 schedule heeds" if used == 1 else f"{used} schedules heed"
        raise Conflict(f"{what} cannot go: {schedules} it. Change or delete those first.")


def _read_calendar(asked: views.CalendarDays, where: str) -> Calendar:
    """The calendar, its days looked at. Raises Invalid."""
    try:
        dates = asked.dates if asked.ics is None else (*asked.dates, *days_in(asked.ics))
        calendar = Calendar(dates=tuple(dict.fromkeys(dates)), country=asked.country)
        closed_days(calendar, zone(where))
    except BadTrigger as why:
        raise _invalid("calendar", why.message) from None
    except BadPattern as why:
        raise _invalid("ics", str(why)) from None
    if not calendar.dates and calendar.country is None:
        raise _invalid("calendar", "needs at least one day, a country or an iCalendar file")
    return calendar


def _read_hours(asked: views.HoursWindows, where: str) -> ActiveHours:
    hours = ActiveHours(windows=asked.windows, timezone=asked.timezone)
    try:
        open_hours(hours, zone(where))
    except BadTrigger as why:
        raise _invalid("hours", why.message) from None
    return hours


def _next_days(calendar: Calendar, where: str, now: int) -> tuple[str, ...]:
    clock, days = clock_of(zone(where)), closed_days(calendar, zone(where))
    found: list[str] = []
    place = now
    while len(found) < NEXT_DAYS:
        stretch = days.around(place)
        if stretch is None:
            closing = days.next_closing(place)
            stretch = days.around(closing)
            if stretch is None:
                break
            place = closing
        day = clock.highest(place) // DAY
        found.append(f"{(_EPOCH + timedelta(days=day)).isoformat()} {days.why(place)}")
        place = clock.first((day + 1) * DAY)
    return tuple(found)


def _hours(name: str, hours: ActiveHours, used: int) -> views.HoursView:
    return views.HoursView(name=name, windows=hours.windows, timezone=hours.timezone, used_by=used)


def _blackout(id: str, each: StoredBlackout, where: str) -> views.BlackoutView:
    place = zone(where)
    return views.BlackoutView(
        id=id, begin=spell(each.begin, place), end=spell(each.end, place), reason=each.reason, scope=each.scope
    )


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", (FieldError(field, message),))
