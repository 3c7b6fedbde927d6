"""Closings: what a guild keeps under a name for its schedules to heed: calendars, active hours; and its blackouts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from schedule_zero.bounds import Line, Word
from schedule_zero.schedule import DayList, WindowList

BlackoutScope = Literal["all", "messages", "jobs"]
Named = Literal["calendar", "hours"]
"""What a guild keeps under a name."""
Ics = Annotated[str, msgspec.Meta(max_length=500_000, description="an iCalendar file of at most 500,000 characters")]


class CalendarDays(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What makes up a guild's calendar: days as in ``Calendar``, a country's holidays, the all-day events of an
    iCalendar file (RFC 5545)."""

    dates: DayList = ()
    country: Word | None = None
    ics: Ics | None = None


class HoursWindows(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What makes up a guild's named hours: windows of the week, read on the clock of ``timezone`` or of each schedule."""

    windows: WindowList
    timezone: Word | None = None


class NewBlackout(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}
):
    """A stretch of time in which a guild wants nothing done; ``from`` and ``to`` are instants or text about time."""

    begin: Line
    end: Line
    reason: Line = ""
    scope: BlackoutScope = "all"


class CalendarView(msgspec.Struct, kw_only=True):
    """A guild's calendar. ``used_by``: how many schedules heed it; ``next_days``: its next closed days, with their names;
    ``revision``: another number once it is made up otherwise."""

    name: str
    dates: tuple[str, ...]
    country: str | None
    used_by: int
    revision: int
    next_days: tuple[str, ...] = ()


class CalendarPage(msgspec.Struct, kw_only=True):
    """All calendars of a guild, by name."""

    items: tuple[CalendarView, ...]
    next: str | None = None


class HoursView(msgspec.Struct, kw_only=True):
    """A guild's named hours. ``used_by``: how many schedules heed them; ``revision`` as of a calendar."""

    name: str
    windows: tuple[str, ...]
    timezone: str | None
    used_by: int
    revision: int


class HoursPage(msgspec.Struct, kw_only=True):
    """All named hours of a guild, by name."""

    items: tuple[HoursView, ...]
    next: str | None = None


class BlackoutView(msgspec.Struct, kw_only=True, rename={"begin": "from", "end": "to"}):
    """A blackout of a guild, in the guild's zone."""

    id: str
    begin: str
    end: str
    reason: str
    scope: BlackoutScope


class BlackoutPage(msgspec.Struct, kw_only=True):
    """The blackouts of a guild that are not over, soonest first."""

    items: tuple[BlackoutView, ...]
    next: str | None = None
