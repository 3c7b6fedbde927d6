"""RFC 5545 recurrence rules as patterns on the wall.

A rule is expanded period by period, and a question about any time jumps straight to its period. A search ends where the
calendar has come around or rules are no longer asked, so that a rule which never comes, or whose INTERVAL is absurd,
costs little more than one that does; and the times of a period are searched without being listed where they are many.

What days a rule wants is told by ``rrule_days``, what within a day by ``rrule_times``; ``rrule_periods`` puts them
together period by period, and ``rrule_count`` counts.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from core.timing.recurrence import Recurrence
from core.timing.rrule_count import Countdown, Gaps, count_between
from core.timing.rrule_days import LAST_DAY
from core.timing.rrule_periods import ALL, Periods
from core.timing.rule import one_by_one
from schedule_zero.instant import DAY

_PERIODS_SEARCHED: Final = {"YEARLY": 56, "MONTHLY": 672, "WEEKLY": 2_922, "DAILY": ALL}
"""Twice 28 years: so long the calendar takes to begin anew, and once more because it leaps over 2100. Days are passed by
in larger steps, to the end of the time in which rules are asked."""
_NEVER: Final = -(1 << 62)


class RRulePattern:
    """The walls of a recurrence rule that starts at a wall."""

    __slots__ = ("_countdown", "_end", "_periods")

    def __init__(self, rule: Recurrence, start: int, *, clamp: bool) -> None:
        self._periods = Periods(rule, start, clamp=clamp)
        self._end = LAST_DAY * DAY if self._periods.ever else _NEVER
        self._countdown: Countdown | None = None

    @property
    def hour_by_hour(self) -> bool:
        """The rule steps in hours or minutes and so follows the clock instead of naming local times."""
        return self._periods.steps is not None

    @property
    def clamps(self) -> bool:
        """Whether the rule takes the last day of months that lack one it names."""
        return self._periods.days.clamps

    def end_with(self, wall: int) -> None:
        """Let this be the last wall that may be wanted (UNTIL)."""
        self._end = min(wall, self._end)

    def end_after(self, count: int, gaps: Gaps | None) -> None:
        """Let the rule end with its ``count``-th wall (COUNT), not counting walls that lie in ``gaps``."""
        self._countdown = Countdown(self._periods, count, gaps)

    def next_after(self, wall: int) -> int | None:
        periods = self._periods
        wall = max(wall, periods.start - 1)
        number = periods.number(wall // DAY)
        period, beyond = number, number + _PERIODS_SEARCHED[periods.unit]
        while period < beyond and (first := periods.first_day(period) * DAY) <= self._end:
            if first > self._end_through(period):
                return None
            walls = periods.walls(period)
            place = bisect_right(walls, wall)
            if place < len(walls):
                return walls[place] if walls[place] <= self._end else None
            period = periods.following(period)
        return None

    def upcoming(self, wall: int, n: int) -> list[int]:
        return one_by_one(self.next_after, wall, n)

    def last_until(self, wall: int) -> int | None:
        periods = self._periods
        wall = min(wall, self._end_through(periods.number(wall // DAY)))
        number = periods.number(wall // DAY)
        period, beyond = number, max(-1, number - _PERIODS_SEARCHED[periods.unit])
        while period > beyond:
            walls = periods.walls(period)
            place = bisect_right(walls, wall)
            if place and walls[place - 1] >= periods.start:
                return walls[place - 1]
            period = periods.preceding(period)
        return None

    def count_between(self, after: int, until: int, limit: int) -> int:
        end = self._end_through(self._periods.number(until // DAY))
        return count_between(self._periods, after, min(until, end), limit)

    def _end_through(self, period: int) -> int:
        """The last wall that may be wanted, as far as the walls of this period and those before it tell."""
        if self._countdown is not None and (last := self._countdown.last_through(period)) is not None:
            self._end, self._countdown = last, None
        return self._end
