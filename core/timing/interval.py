"""Intervals: fixed lengths counted in absolute time, months and years stepped on the calendar of the wall."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime
from functools import lru_cache
from math import gcd
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.rule import EARLIEST, LATEST, BadPattern, one_by_one
from schedule_zero.instant import SECOND, from_datetime, parse_duration, to_datetime

_MONTHS: Final = re.compile(r"^P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?$")
_LONGEST_MONTHS: Final = 1200
_STEPS: Final = 200
"""Steps tried for a day that exists: a 29 February every 100 years comes back after four."""


class IntervalRule:
    """Due at ``first`` and every ``every`` microseconds after it, whatever the clocks on the walls do."""

    __slots__ = ("_every", "_first", "recurring", "zone")

    plain = True

    def __init__(self, first: int, every: int, zone: ZoneInfo) -> None:
        self._first = first
        self._every = every
        self.zone = zone
        self.recurring = True

    def next_after(self, instant: int) -> int | None:
        due = self._first
        if instant >= due:
            due = instant + self._every - (instant - due) % self._every
        return due if due < LATEST else None

    def upcoming(self, instant: int, n: int) -> list[int]:
        due = self.next_after(instant)
        return [] if due is None else list(range(due, min(due + n * self._every, LATEST), self._every))

    def last_until(self, instant: int) -> int | None:
        instant = min(instant, LATEST - 1)
        if instant < self._first:
            return None
        return instant - (instant - self._first) % self._every

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        low = max(after, self._first - 1, EARLIEST)
        high = min(until, LATEST - 1)
        if high <= low:
            return 0
        count = (high - self._first) // self._every - (low - self._first) // self._every
        return min(count, limit)

    def nominal(self, due: int) -> int:
        return due

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """Nothing: absolute time knows no clock change."""
        return ()


class MonthsPattern:
    """Every so many months from an anchor wall, on the anchor's day of the month.

    Where a month has no such day: ``clamp`` takes its last day, ``skip`` leaves the month out, ``last`` is ``clamp``
    and keeps an anchor that is the last day of its month on the last day of every month. Every due time is counted
    from the anchor, so that the 31st comes back after February.
    """

    __slots__ = ("_anchor", "_at_end", "_first_step", "_month_end", "_months")

    def __init__(self, anchor: int, months: int, month_end: str, *, with_anchor: bool) -> None:
        self._anchor = to_datetime(anchor)
        self._months = months
        self._month_end = month_end
        self._at_end = month_end == "last" and self._anchor.day == _length(self._anchor)
        self._first_step = 0 if with_anchor else 1

    def next_after(self, wall: int) -> int | None:
        step = max(self._first_step, self._step_of(wall))
        for number in range(step, step + _STEPS):
            found = self._at(number)
            if found is not None and found > wall:
                return found
        return None

    def upcoming(self, wall: int, n: int) -> list[int]:
        return one_by_one(self.next_after, wall, n)

    def last_until(self, wall: int) -> int | None:
        step = self._step_of(wall) + 1
        for number in range(step, max(self._first_step, step - _STEPS) - 1, -1):
            found = self._at(number)
            if found is not None and found <= wall:
                return found
        return None

    def count_between(self, after: int, until: int, limit: int) -> int:
        first, last = max(self._first_step, self._steps_until(after)), self._steps_until(until)
        if last <= first:
            return 0
        if self._month_end != "skip" or self._anchor.day <= 28:
            return min(last - first, limit)
        return min(last - first - self._left_out(first, last), limit)

    def _steps_until(self, wall: int) -> int:
        """The number of the first step whose day, or what stands for it, comes after the wall."""
        step = self._step_of(wall)
        return step + ((found := self._settled(step)) is not None and found <= wall)

    def _left_out(self, first: int, end: int) -> int:
        """How many steps from ``first`` on and before ``end`` fall on months without the day.

        The months of the year come around with the steps; only those on February, once a year at most, are looked at.
        """
        around = 12 // gcd(12, self._months)
        count = 0
        for step in range(first, min(end, first + around)):
            year, month = self._month_of(step)
            if month == 2:
                following = range(step, end, around)
                count += sum(monthrange(self._month_of(other)[0], 2)[1] < self._anchor.day for other in following)
            elif monthrange(year, month)[1] < self._anchor.day:
                count += len(range(step, end, around))
        return count

    def _step_of(self, wall: int) -> int:
        moment = to_datetime(wall)
        return ((moment.year - self._anchor.year) * 12 + moment.month - self._anchor.month) // self._months

    def _month_of(self, step: int) -> tuple[int, int]:
        year, month = divmod(self._anchor.year * 12 + self._anchor.month - 1 + step * self._months, 12)
        return year, month + 1

    def _at(self, step: int) -> int | None:
        """The wall of one step; None where its month has no such day and ``skip`` holds, or beyond the calendar."""
        year, month = self._month_of(step)
        if year <= 2300 and self._month_end == "skip" and self._anchor.day > monthrange(year, month)[1]:
            return None
        return self._settled(step)

    def _settled(self, step: int) -> int | None:
        """The wall of one step, on the last day of its month where that has no such day; None beyond the calendar."""
        year, month = self._month_of(step)
        if year > 2300:
            return None
        length = monthrange(year, month)[1]
        day = length if self._at_end else min(self._anchor.day, length)
        return from_datetime(self._anchor.replace(year=year, month=month, day=day))


@lru_cache(maxsize=2048)  # to be compiled and said, a length is read twice
def read_every(text: str) -> tuple[int, int]:
    """Read an interval's length into (months, microseconds); one of the two is zero.

    Raises:
        BadPattern: no ISO 8601 duration, months or years mixed with smaller units, nothing at all, or a century.
    """
    match = _MONTHS.match(text)
    if match is not None:
        months = int(match[1] or 0) * 12 + int(match[2] or 0)
        if not 0 < months <= _LONGEST_MONTHS:
            raise BadPattern(f"{text!r} must be more than nothing and at most a hundred years")
        return months, 0
    if re.match(r"^P[^T]*[YM]", text):
        raise BadPattern(f"{text!r} mixes months or years with smaller units; take one of them")
    try:
        every = parse_duration(text)
    except ValueError as why:
        raise BadPattern(str(why)) from why
    if every < SECOND:
        raise BadPattern(f"{text!r} is shorter than one second")
    return 0, every


def _length(moment: datetime) -> int:
    return monthrange(moment.year, moment.month)[1]
