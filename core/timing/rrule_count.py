"""Counting the walls of a recurrence rule: how many lie between two, and which is the last that COUNT leaves."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from core.timing.rrule_days import EPOCH_DAY, month_after
from core.timing.rrule_periods import ALL, Periods
from schedule_zero.instant import DAY

_FEW: Final = 16
"""Periods that are looked into one by one even where counting them at once is possible."""

Gaps = Callable[[int, int], Iterable[tuple[int, int]]]
"""The walls that no clock shows, between a first and a last wall: pairs of the first one and the first that is none."""


def count_between(periods: Periods, after: int, until: int, limit: int) -> int:
    """How many walls lie in (after, until] from the start on, at most ``limit``; with no regard to an end.

    The periods at both ends are looked into. Those between are counted without being expanded, so far as they are
    many and their days can be told by month or by week.
    """
    after = max(after, periods.start - 1)
    if until <= after:
        return 0
    first, last = periods.number(after // DAY), periods.number(until // DAY)
    if last - first <= _FEW:
        return min(sum(_in_period(periods, period, after, until) for period in range(first, last + 1)), limit)
    count = _in_period(periods, first, after, until) + _in_period(periods, last, after, until)
    return min(count + _whole(periods, first + 1, last, limit), limit)


def _in_period(periods: Periods, period: int, after: int, until: int) -> int:
    walls = periods.walls(period)
    return max(0, bisect_right(walls, until) - bisect_right(walls, after))


def _whole(periods: Periods, low: int, high: int, limit: int) -> int:
    """How many walls the periods from ``low`` on and before ``high`` have; some more than ``limit`` may be told."""
    first, end = periods.first_day(low), periods.first_day(high)
    if periods.steps is not None and periods.days.weekdays_only:
        return periods.steps.between(first, end)
    if periods.unit in ("DAILY", "WEEKLY") and periods.days.weekdays_only:
        around = 7 if periods.unit == "DAILY" else 1
        rounds, rest = divmod(high - low, around)
        sizes = [len(periods.expand(periods.first_day(low + number))) for number in range(around)]
        return sum(sizes) * rounds + sum(sizes[:rest])
    if periods.by_month:
        return _by_months(periods, first, end)
    count = 0
    for period in range(low, high):
        count += len(periods.expand(periods.first_day(period)))
        if count >= limit:
            break
    return count


def _by_months(periods: Periods, first: int, end: int) -> int:
    """How many walls the days from ``first`` on and before ``end`` have, for days that depend on their month."""
    moment, count = date.fromordinal(first + EPOCH_DAY).replace(day=1), 0
    while (begin := moment.toordinal() - EPOCH_DAY) < end:
        days = [begin + day for day in periods.days.of_month(moment)]
        days = days[bisect_left(days, first) : bisect_left(days, end)]
        count += _on_days(periods, days) if days else 0
        moment = month_after(moment)
    return count


def _on_days(periods: Periods, days: list[int]) -> int:
    """How many walls some wanted days of one month have."""
    steps = periods.steps
    if steps is None:
        on_step = [day for day in days if (day - periods.start_day) % periods.interval == 0]
        return len(on_step) * len(periods.expand(on_step[0])) if on_step else 0
    if periods.days.whole_months:  # the weekdays between them are told apart there
        return steps.between(days[0], days[-1] + 1)
    return sum(steps.between(day, day + 1, all_days=True) for day in days)


class Countdown:
    """COUNT: finds the wall that ends the rule, and counts no farther than is asked about."""

    __slots__ = ("_gaps", "_left", "_next", "_periods")

    def __init__(self, periods: Periods, count: int, gaps: Gaps | None) -> None:
        self._periods = periods
        self._left = count
        self._gaps = gaps
        self._next = 0

    def last_through(self, period: int) -> int | None:
        """The last wall that COUNT leaves, if it lies in this period or before; it is told once.

        The steps grow while the end is not reached, and what lies in a step is counted at once; the step that reaches it
        is halved until one period is left.
        """
        step, reached = 1, False
        while self._next <= period:
            step = min(step, period + 1 - self._next)
            if step == 1:
                last = self._last_in(self._next)
                if last is not None:
                    return last
            elif (passed := self._counted(self._next, self._next + step)) < self._left:
                self._left -= passed
            else:
                step, reached = step // 2, True
                continue
            self._next += step
            step = max(1, step // 2) if reached else step * 2
        return None

    def _last_in(self, period: int) -> int | None:
        """Count down in one period; the wall that ends the rule if it is one of them."""
        walls = self._periods.walls(period)
        place = bisect_left(walls, self._periods.start) if period == 0 else 0
        if place == len(walls):
            return None
        gaps = list(self._gaps(walls[place], walls[-1])) if self._gaps else []
        if gaps:
            return self._last_outside(gaps, [walls[at] for at in range(place, len(walls))])
        if self._left <= len(walls) - place:
            return walls[place + self._left - 1]
        self._left -= len(walls) - place
        return None

    def _last_outside(self, gaps: list[tuple[int, int]], walls: list[int]) -> int | None:
        """The same where clocks skip some of the walls."""
        for wall in walls:
            self._left -= not any(low <= wall < high for low, high in gaps)
            if not self._left:
                return wall
        return None

    def _counted(self, low: int, high: int) -> int:
        """How many walls COUNT counts in the periods from ``low`` on and before ``high``."""
        periods = self._periods
        first, after = periods.first_day(low) * DAY, periods.first_day(high) * DAY
        every = count_between(periods, first - 1, after - 1, ALL)
        if self._gaps is None:
            return every
        return every - sum(
            count_between(periods, max(low, first) - 1, min(high, after) - 1, ALL)
            for low, high in self._gaps(first, after)
        )
