"""The days a cron expression wants, found by looking into a list of them.

Many expressions differ in their time of day only and share their days; the days of some five hundred at a time are
listed when somebody asks, so that the next one is found by bisection, whatever months, weekdays and marks say.
A day is a number, counted from 1970-01-01.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from cronsim.cronsim import CronSim, SpecItem

from core.timing.cron_field import Mark

_PAGE_BITS: Final = 9  # 2**9 days are seventeen months
_PAGES_KEPT: Final = 4
_PAGES_SEARCHED: Final = 50 * 366 >> _PAGE_BITS  # a Monday 29 February comes again after 40 years at the latest
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Days:
    """The days of some fields of a cron expression. Equal fields share one (``days_of``)."""

    __slots__ = ("_both", "_clamp", "_months", "_of_month", "_of_week", "_pages")

    def __init__(
        self, of_month: frozenset[SpecItem], months: tuple[int, ...], of_week: frozenset[SpecItem], *, both: bool,
        clamp: bool,
    ) -> None:  # fmt: skip
        self._of_month = of_month
        self._months = months
        self._of_week = of_week
        self._both = both
        self._clamp = clamp
        self._pages: dict[int, tuple[int, ...]] = {}

    def first_from(self, day: int) -> int | None:
        """The first wanted day at or after this one."""
        number = day >> _PAGE_BITS
        page = self._page(number)
        place = bisect_left(page, day)
        if place < len(page):
            return page[place]
        for following in range(number + 1, number + _PAGES_SEARCHED + 1):
            if page := self._page(following):
                return page[0]
        return None

    def last_until(self, day: int) -> int | None:
        """The last wanted day at or before this one."""
        number = day >> _PAGE_BITS
        page = self._page(number)
        place = bisect_right(page, day)
        if place:
            return page[place - 1]
        for earlier in range(number - 1, number - _PAGES_SEARCHED - 1, -1):
            if page := self._page(earlier):
                return page[-1]
        return None

    def count_between(self, first: int, end: int, limit: int) -> int:
        """How many wanted days there are from ``first`` on and before ``end``; some more than ``limit`` may be told."""
        count = 0
        for number in range(first >> _PAGE_BITS, ((end - 1) >> _PAGE_BITS) + 1):
            page = self._page(number)
            count += bisect_left(page, end) - bisect_left(page, first)
            if count >= limit:
                break
        return count

    def _page(self, number: int) -> tuple[int, ...]:
        page = self._pages.get(number)
        return self._list(number) if page is None else page

    def _list(self, number: int) -> tuple[int, ...]:
        begin, end = number << _PAGE_BITS, (number + 1) << _PAGE_BITS
        start = date.fromordinal(begin + _EPOCH_DAY)
        year, month, first = start.year, start.month, begin - start.day + 1
        found: list[int] = []
        while first < end:
            form = monthrange(year, month)
            if month in self._months:
                days = _days_of_month(self._of_month, self._of_week, self._both, self._clamp, form)
                found += [first + day - 1 for day in days]
            year, month, first = year + month // 12, month % 12 + 1, first + form[1]
        if len(self._pages) >= _PAGES_KEPT:
            self._pages.clear()
        page = self._pages[number] = tuple(found[bisect_left(found, begin) : bisect_left(found, end)])
        return page


@lru_cache(maxsize=512)
def days_of(
    of_month: frozenset[SpecItem], months: tuple[int, ...], of_week: frozenset[SpecItem], both: bool, clamp: bool
) -> Days:
    """The days of these fields, as ``core.timing.cron_field`` marks them.

    Args:
        of_month: days of the month.
        months: months.
        of_week: days of the week, 0 and 7 being Sunday.
        both: day of the month and day of the week must both match, else either will do.
        clamp: days 29 to 31 become the last day of shorter months.
    """
    return Days(of_month, months, of_week, both=both, clamp=clamp)


@lru_cache(maxsize=2048)  # months come in 28 forms, whatever the year
def _days_of_month(
    days: frozenset[SpecItem], weekdays: frozenset[SpecItem], both: bool, clamp: bool, form: tuple[int, int]
) -> tuple[int, ...]:
    """The wanted days of a month by its form: the weekday it begins with (Monday is 0), and its length."""
    first, length = form
    by_day = {item for item in days if isinstance(item, int) and 0 < item <= length}
    if CronSim.LAST in days or (clamp and any(isinstance(i, int) and i > length for i in days)):
        by_day.add(length)
    if CronSim.LAST_WEEKDAY in days:
        by_day.add(length - max(0, (first + length - 1) % 7 - 4))
    by_day.update(_marked(days, clamp, first, length))
    by_weekday = {day for day in range(1, length + 1) if _weekday_matches(weekdays, (first + day) % 7, day, length)}
    return tuple(sorted(by_day & by_weekday if both else by_day | by_weekday))


def _marked(days: frozenset[SpecItem], clamp: bool, first: int, length: int) -> Iterator[int]:
    """The days that ``15W``, ``L-3`` and ``L-3W`` mean in a month, as far as it has them."""
    for item in days:
        if not isinstance(item, tuple):
            continue
        mark, number = item
        day = length - number
        if mark == Mark.NEAREST_WEEKDAY:
            day = min(number, length) if clamp else number
        if 0 < day <= length:
            yield day if mark == Mark.BEFORE_LAST else _nearest_weekday(day, first, length)


def _nearest_weekday(day: int, first: int, length: int) -> int:
    """Saturday becomes the Friday before it and Sunday the Monday after it, or the other way round at the month's ends."""
    weekday = (first + day - 1) % 7
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


def _weekday_matches(weekdays: frozenset[SpecItem], weekday: int, day: int, length: int) -> bool:
    """Whether a day of the month is wanted; ``weekday`` counts from Sunday, and Sunday is 0 and 7."""
    for spelled in (weekday, 7) if weekday == 0 else (weekday,):
        if spelled in weekdays or (spelled, (day + 6) // 7) in weekdays:
            return True
        if day + 7 > length and (spelled, CronSim.LAST) in weekdays:
            return True
    return False
