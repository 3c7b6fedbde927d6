"""Requests about closings: a guild's calendars, active hours and blackouts."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Text, Word
from schedule_zero.closings import CalendarDays, HoursWindows, Named, NewBlackout


class ListCalendars(BaseRequest, tag="calendar.list", frozen=True):
    """Answers CalendarPage."""

    guild_id: Id


class GetCalendar(BaseRequest, tag="calendar.get", frozen=True):
    """Answers CalendarView."""

    guild_id: Id
    name: Word


class PutCalendar(BaseRequest, tag="calendar.put", frozen=True):
    """Answers CalendarView. Whoever heeds it is due accordingly from now on. ``revision``: only if it is at that one; 0:
    only if there is none of that name."""

    guild_id: Id
    name: Word
    calendar: CalendarDays
    revision: int | None = None


class DeleteCalendar(BaseRequest, tag="calendar.delete", frozen=True):
    """Answers CalendarView as it was. One that schedules heed stays."""

    guild_id: Id
    name: Word


class ListHours(BaseRequest, tag="hours.list", frozen=True):
    """Answers HoursPage."""

    guild_id: Id


class GetHours(BaseRequest, tag="hours.get", frozen=True):
    """Answers HoursView."""

    guild_id: Id
    name: Word


class PutHours(BaseRequest, tag="hours.put", frozen=True):
    """Answers HoursView. Whoever heeds them is due accordingly from now on. ``revision`` as of a calendar."""

    guild_id: Id
    name: Word
    hours: HoursWindows
    revision: int | None = None


class DeleteHours(BaseRequest, tag="hours.delete", frozen=True):
    """Answers HoursView as it was. Hours that schedules heed stay."""

    guild_id: Id
    name: Word


class ListBlackouts(BaseRequest, tag="blackout.list", frozen=True):
    """Answers BlackoutPage."""

    guild_id: Id


class AddBlackout(BaseRequest, tag="blackout.add", frozen=True):
    """Answers BlackoutView. No series of the guild is due in it; what is due but once is made up for when it ends."""

    guild_id: Id
    blackout: NewBlackout


class RemoveBlackout(BaseRequest, tag="blackout.remove", frozen=True):
    """Answers BlackoutView as it was."""

    guild_id: Id
    id: Id


class SuggestClosings(BaseRequest, tag="closing.suggest", frozen=True):
    """Answers Suggestions of a guild's calendars or hours, by half-typed name."""

    guild_id: Id
    kind: Named
    text: Text
