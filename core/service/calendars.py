"""The use cases about a guild's calendars: days on which the schedules that heed them are not due."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Final

import msgspec
import structlog

from core.service.closing_changes import (
    ClosingChanges,
    Named,
    name_in,
    put,
    require_revision,
    revision_of,
    there,
    without,
)
from core.service.closings import Closings
from core.service.desk import Desk
from core.timing.clock import clock_of
from core.timing.compile import BadTrigger
from core.timing.exceptions import closed_days
from core.timing.icalendar import days_in
from core.timing.rule import BadPattern
from core.timing.zones import zone
from schedule_zero import closings as views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY
from schedule_zero.schedule import Calendar
from schedule_zero.views import Suggestion, Suggestions

log = structlog.get_logger("schedule_zero.calendars")

NEXT_DAYS: Final = 5
MOST_SUGGESTED: Final = 25
_EPOCH: Final = date(1970, 1, 1)


class Calendars:
    """A guild's calendars by name."""

    def __init__(self, desk: Desk, changes: ClosingChanges) -> None:
        self._desk = desk
        self._changes = changes

    async def page(self, actor: Actor, request: ask.ListCalendars) -> views.CalendarPage:
        kept = await self._changes.kept(actor, request.guild_id)
        users, where = await self._changes.users(request.guild_id), await self._changes.zone(request.guild_id)
        return views.CalendarPage(
            items=tuple(
                self._view(name, kept.calendars[name], users[Named("calendar", name)], where)
                for name in sorted(kept.calendars)
            )
        )

    async def get(self, actor: Actor, request: ask.GetCalendar) -> views.CalendarView:
        kept, name = await self._changes.kept(actor, request.guild_id), request.name
        calendar = there(name, kept.calendars, "calendar")
        users = await self._changes.users(request.guild_id)
        return self._view(name, calendar, users[Named("calendar", name)], await self._changes.zone(request.guild_id))

    async def put(self, actor: Actor, request: ask.PutCalendar) -> views.CalendarView:
        name, where = name_in(request.name), await self._changes.zone(request.guild_id)
        calendar = await asyncio.to_thread(_read, request.calendar, where, self._desk.clock.now())

        def changed(kept: Closings) -> Closings:
            known = kept.calendars.get(name)
            require_revision(f"The calendar {name} changed since it was", known, calendar, request.revision)
            return msgspec.structs.replace(kept, calendars=put(kept.calendars, name, calendar, "calendars"))

        def answer(_before: Closings, _kept: Closings, used: int) -> views.CalendarView:
            return self._view(name, calendar, used, where)

        about = Named("calendar", name)
        return await self._changes.make(
            actor, request, views.CalendarView, changed, about, answer, action=Action.CALENDAR_PUT, target=name
        )

    async def delete(self, actor: Actor, request: ask.DeleteCalendar) -> views.CalendarView:
        name, where = request.name, await self._changes.zone(request.guild_id)

        def changed(kept: Closings) -> Closings:
            there(name, kept.calendars, "calendar")
            return msgspec.structs.replace(kept, calendars=without(kept.calendars, name))

        def answer(before: Closings, _kept: Closings, _used: int) -> views.CalendarView:
            return self._view(name, before.calendars[name], 0, where)

        about = Named("calendar", name)
        return await self._changes.make(
            actor, request, views.CalendarView, changed, about, answer, action=Action.CALENDAR_DELETE, target=name,
            goes=f"The calendar {name}",
        )  # fmt: skip

    async def suggest(self, actor: Actor, request: ask.SuggestClosings) -> Suggestions:
        """The names of calendars or hours that contain the half-typed text, those that begin with it first."""
        kept, wanted = await self._changes.kept(actor, request.guild_id), request.text.strip().casefold()
        known = kept.calendars if request.kind == "calendar" else kept.hours
        names = [name for name in known if wanted in name.casefold()]
        names.sort(key=lambda name: (not name.casefold().startswith(wanted), name))
        return Suggestions(items=tuple(Suggestion(name=name, value=name) for name in names[:MOST_SUGGESTED]))

    def _view(self, name: str, calendar: Calendar, used: int, where: str) -> views.CalendarView:
        coming = _next_days(calendar, where, self._desk.clock.now())
        return views.CalendarView(
            name=name, dates=calendar.dates, country=calendar.country, used_by=used, next_days=coming,
            revision=revision_of(calendar),
        )  # fmt: skip


def _read(asked: views.CalendarDays, where: str, now: int) -> Calendar:
    """The calendar, its days looked at. Raises Invalid."""
    try:
        dates = asked.dates if asked.ics is None else (*asked.dates, *days_in(asked.ics, now=now))
        calendar = Calendar(dates=tuple(dict.fromkeys(dates)), country=asked.country)
        closed_days(calendar, zone(where))
    except BadTrigger as why:
        raise Invalid.at("calendar", why.message) from None
    except BadPattern as why:
        raise Invalid.at("ics", str(why)) from None
    if not calendar.dates and calendar.country is None:
        raise Invalid.at("calendar", "needs at least one day, a country or an iCalendar file")
    return calendar


def _next_days(calendar: Calendar, where: str, now: int) -> tuple[str, ...]:
    """None where a stored day cannot be read: the calendar is there to be put right."""
    try:
        clock, days = clock_of(zone(where)), closed_days(calendar, zone(where))
    except BadTrigger as why:
        log.warning("the next days of a stored calendar cannot be told", error=why.message)
        return ()
    found: list[str] = []
    place = now
    while len(found) < NEXT_DAYS:
        if days.around(place) is None:
            place = days.next_closing(place)
            if days.around(place) is None:
                break
        day = clock.highest(place) // DAY
        found.append(f"{(_EPOCH + timedelta(days=day)).isoformat()} {days.why(place)}")
        place = clock.first((day + 1) * DAY)
    return tuple(found)
