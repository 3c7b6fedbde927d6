"""Exceptions: what keeps a schedule from being due although its trigger is: calendar, hours, blackouts, single times.

They are laid around a trigger's rule in one order. Days off come first, since they move a time to another day; then hours,
which never move one onto a day off; then blackouts; and last what somebody decided about a single time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from core.timing.amended import Amended
from core.timing.avoiding import Avoiding
from core.timing.calendars import MOST_DATES, ClosedDays, Days
from core.timing.closures import Blackouts, Closure, Closures
from core.timing.compile import BadTrigger
from core.timing.hours import MOST_WINDOWS, Hours
from core.timing.rolling import Rolling
from core.timing.rule import BadPattern, Rule
from core.timing.zones import zone
from schedule_zero.schedule import ActiveHours, Calendar, OnClash


class Exceptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored beside calendar and hours. All instants are microseconds.

    Attributes:
        skipped: nominal instants that are not due.
        moved: nominal instants as text (JSON knows no other keys), and when they are due instead.
        blackouts: (begin, end, reason) of those of the guild that concern this schedule.
    """

    skipped: tuple[int, ...] = ()
    moved: dict[str, int] = {}
    blackouts: tuple[tuple[int, int, str], ...] = ()

    def moves(self) -> dict[int, int]:
        """``moved`` with instants as keys."""
        return {int(nominal): to for nominal, to in self.moved.items()}


NONE = Exceptions()


def excepted(
    rule: Rule, *, calendar: Calendar | None, active_hours: ActiveHours | None, exceptions: Exceptions = NONE
) -> Rule:
    """A trigger's rule with all that is laid around it. Calendar and hours are whole here: a name alone closes nothing.

    Raises:
        BadTrigger: a day, a window, a country or a zone cannot be read; names the field.
    """
    days: list[Closure] = []
    if calendar is not None:
        days = [closed_days(calendar, rule.zone)]
        closed = Closures(days)
        if calendar.on_clash == "skip":
            rule = Avoiding(rule, closed, "skip")
        else:
            rule = Rolling(rule, closed, later=calendar.on_clash == "later")
    if active_hours is not None:
        rule = Avoiding(rule, Closures([open_hours(active_hours, rule.zone), *days]), active_hours.outside)
    if exceptions.blackouts:
        # A series has other times; what is due but once is made up for.
        clash: OnClash = "skip" if rule.recurring else "later"
        rule = Avoiding(rule, Closures([Blackouts(exceptions.blackouts)]), clash)
    return amended(rule, exceptions.skipped, exceptions.moves())


def amended(rule: Rule, skipped: Sequence[int], moved: Mapping[int, int]) -> Rule:
    """A rule with single due times skipped or moved."""
    return Amended(rule, skipped, moved) if skipped or moved else rule


def closed_days(calendar: Calendar, place: ZoneInfo) -> ClosedDays:
    """The days of a calendar. Raises BadTrigger."""
    try:
        if len(calendar.dates) > MOST_DATES:
            raise BadPattern(f"a calendar has at most {MOST_DATES:,} days of its own")
        return ClosedDays(_days(calendar.dates, calendar.country), place)
    except BadPattern as why:
        raise BadTrigger("calendar", str(why)) from why


@lru_cache(maxsize=256)  # a thousand schedules may heed one calendar
def _days(dates: tuple[str, ...], country: str | None) -> Days:
    return Days(dates, country)


def open_hours(hours: ActiveHours, place: ZoneInfo) -> Hours:
    """The windows of active hours, in their own zone if they have one. Raises BadTrigger."""
    try:
        if len(hours.windows) > MOST_WINDOWS:
            raise BadPattern(f"there are at most {MOST_WINDOWS} windows")
        return Hours(hours.windows, place if hours.timezone is None else zone(hours.timezone))
    except ValueError as why:
        raise BadTrigger("active_hours", str(why)) from why
