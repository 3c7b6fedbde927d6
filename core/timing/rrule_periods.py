"""The periods of a recurrence rule (years, months, weeks or days), by number from the start's, and the walls of each.

Hours and minutes are expanded within their day. Which period a day lies in is arithmetic, and days that no step falls
on or no month wants are passed by.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from core.timing.grid import Numbers, grid
from core.timing.recurrence import Recurrence
from core.timing.rrule_days import EPOCH_DAY, LAST_DAY, MONDAY, WantedDays
from core.timing.rrule_times import Steps, chosen, steps_within_the_day, times_of_day, with_implied
from schedule_zero.instant import DAY

ALL: Final = 1 << 40
"""More periods or walls than there are in the time in which rules are asked."""
_KEPT: Final = 4


class Periods:
    """What a rule gives from period to period; with no regard to COUNT or UNTIL."""

    __slots__ = (
        "_index_of_start",
        "_kept",
        "_positions",
        "_times",
        "_week",
        "by_month",
        "days",
        "ever",
        "interval",
        "start",
        "start_day",
        "steps",
        "unit",
    )

    def __init__(self, rule: Recurrence, start: int, *, clamp: bool) -> None:
        rule = with_implied(rule, start)
        within = steps_within_the_day(rule)
        self.start, self.start_day = start, start // DAY
        self.unit = "DAILY" if within else rule.freq
        self.interval = 1 if within else rule.interval
        self.days = WantedDays(rule, clamp=clamp)
        self.steps = Steps(rule, start, self.days.weekdays or frozenset()) if within else None
        self.by_month = self.unit == "DAILY" and not self.days.weekdays_only
        """Days are told by what their month wants."""
        self._times: Numbers = () if within else times_of_day(rule)
        self._positions = () if self.unit == "DAILY" else rule.bysetpos
        self._week = MONDAY + rule.wkst
        self._index_of_start = self._index(self.start_day)
        self._kept: dict[int, Numbers] = {}
        self.ever = self._ever()
        """False where the steps fall on no wanted time or weekday, whatever months and days of them are wanted."""

    def number(self, day: int) -> int:
        """The number of the last period that begins at or before the day; 0 before the start."""
        day = min(max(day, self.start_day), LAST_DAY)
        return (self._index(day) - self._index_of_start) // self.interval

    def first_day(self, period: int) -> int:
        """The day a period begins with; beyond all that are asked about if the calendar ends before it."""
        index = self._index_of_start + period * self.interval
        if self.unit == "DAILY":
            return index
        if self.unit == "WEEKLY":
            return index * 7 + self._week
        year, month = (index, 0) if self.unit == "YEARLY" else divmod(index, 12)
        return LAST_DAY + 1 if year > 2200 else date(year, month + 1, 1).toordinal() - EPOCH_DAY

    def walls(self, period: int) -> Numbers:
        """All walls of one period in order; those before the start are still among them."""
        known = self._kept.get(period)
        if known is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            known = self._kept[period] = self.expand(self.first_day(period))
        return known

    def expand(self, first: int) -> Numbers:
        """The walls of the period that begins with a day."""
        days = self._wanted_days(first) if self.ever else ()
        if not days:
            return ()
        if self.steps is not None:
            return self.steps.walls_on(days[0])
        return chosen(grid(days, DAY, self._times), self._positions)

    def following(self, period: int) -> int:
        """The next period, or the next day that may have a wall, so far as its month or the steps within it tell."""
        if self.unit != "DAILY":
            return period + 1
        day = self.first_day(period + 1)
        while day <= LAST_DAY:
            met = day if self.steps is None else self.steps.day_from(day)
            day = self.days.first_from(met) if self.by_month else met
            if day == met or self.steps is None:
                return -((self.start_day - day) // self.interval)
        return ALL

    def preceding(self, period: int) -> int:
        """The period before, or the day before that may have a wall; -1 where there is none."""
        if self.unit != "DAILY":
            return period - 1
        day = self.first_day(period) - 1
        while day >= self.start_day:
            met = day if self.steps is None else self.steps.day_until(day)
            day = self.days.last_until(met, self.start_day) if self.by_month else met
            if day == met or self.steps is None:
                return (day - self.start_day) // self.interval
        return -1

    def _index(self, day: int) -> int:
        """The number of a day, or of its week, month or year, with the same zero for all rules of one unit."""
        if self.unit == "DAILY":
            return day
        if self.unit == "WEEKLY":
            return (day - self._week) // 7
        moment = date.fromordinal(day + EPOCH_DAY)
        return moment.year if self.unit == "YEARLY" else moment.year * 12 + moment.month - 1

    def _wanted_days(self, first: int) -> list[int]:
        """The wanted days of the period that begins with ``first``."""
        if self.unit == "DAILY":
            return [first] if self.days.wanted(first) else []
        if self.unit == "WEEKLY":
            return [day for day in range(first, first + 7) if self.days.wanted(day)]
        moment = date.fromordinal(first + EPOCH_DAY)
        found = self.days.of_month(moment) if self.unit == "MONTHLY" else self.days.of_year(moment.year)
        return [first + day for day in found]

    def _ever(self) -> bool:
        if self.steps is not None:
            return self.steps.ever()
        if self.unit != "DAILY":
            return True
        weekdays, weekday = self.days.weekdays, (self.start_day - MONDAY) % 7
        return len(self._times) > 0 and (not weekdays or self.interval % 7 > 0 or weekday in weekdays)
