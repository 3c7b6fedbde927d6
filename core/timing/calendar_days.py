"""Which days of a month or a week the parts of a recurrence rule want (RFC 5545, 3.3.10)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=2048)  # months come in 28 forms, whatever the year
def days_of_month(
    bymonthday: tuple[int, ...], byday: tuple[tuple[int, int], ...], clamp: bool, form: tuple[int, int]
) -> tuple[int, ...]:
    """The wanted days of a month by its form (the weekday it begins with, and its length), counted from its first."""
    begins, length = form
    days = []
    for day in range(1, length + 1):
        weekday = (begins + day - 1) % 7
        ordinals = ((0, weekday), ((day + 6) // 7, weekday), (-((length - day) // 7) - 1, weekday))
        if byday and not any(ordinal in byday for ordinal in ordinals):
            continue
        if not bymonthday or month_day_wanted(bymonthday, clamp, day, length):
            days.append(day - 1)
    return tuple(days)


def month_day_wanted(wanted: tuple[int, ...], clamp: bool, day: int, length: int) -> bool:
    """Whether BYMONTHDAY wants a day of a month of some length; with ``clamp`` also for a later one that it lacks."""
    if day in wanted or day - length - 1 in wanted:
        return True
    return clamp and day == length and wanted[-1] > length


def month_range(year: int, month: int) -> range:
    """The days of a month, counted from 1970-01-01."""
    first = date(year, month, 1).toordinal() - _EPOCH_DAY
    return range(first, first + monthrange(year, month)[1])


def week_wanted(moment: date, wkst: int, byweekno: tuple[int, ...]) -> bool:
    """Whether the day lies in one of the numbered weeks; week 1 holds at least four days of its year."""
    middle = moment + timedelta(days=3 - (moment.weekday() - wkst) % 7)
    weeks = _weeks(middle.year, wkst)
    number = (middle.timetuple().tm_yday + 6) // 7
    return number in byweekno or number - weeks - 1 in byweekno


def _weeks(year: int, wkst: int) -> int:
    """How many numbered weeks a year has, for weeks that begin on ``wkst``."""
    last = date(year, 12, 31)
    middle = last + timedelta(days=3 - (last.weekday() - wkst) % 7)
    return ((middle if middle.year == year else middle - timedelta(days=7)).timetuple().tm_yday + 6) // 7
