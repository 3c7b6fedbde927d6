"""Which days a recurrence rule wants, whatever steps lead to them. Days are counted from 1970-01-01."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from datetime import date, timedelta
from typing import Final

from core.timing.calendar_days import days_of_month, month_day_wanted, month_range, week_wanted
from core.timing.recurrence import Recurrence
from core.timing.rule import LATEST
from schedule_zero.instant import DAY

EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
LAST_DAY: Final = LATEST // DAY
MONDAY: Final = -3
"""1969-12-29."""
_EVERY_MONTH: Final = tuple(range(1, 13))


class WantedDays:
    """The days that the BY parts of a rule agree on; what it leaves to its start must be written out in it."""

    __slots__ = ("_clamp", "_r", "_years", "clamps", "weekdays", "weekdays_only", "whole_months")

    def __init__(self, rule: Recurrence, *, clamp: bool) -> None:
        self._r = rule
        self._clamp = clamp
        self.clamps = clamp and max(rule.bymonthday, default=0) > 28 and -1 not in rule.bymonthday
        """Some months lack a day that the rule names, and have their last one taken for it."""
        self._years: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.weekdays = None if any(n for n, _ in rule.byday) else frozenset(weekday for _, weekday in rule.byday)
        """None where they have numbers that only a month or a year can tell; none named is all of them."""
        parts = (rule.bymonth, rule.bymonthday, rule.byyearday, rule.byweekno)
        self.weekdays_only = self.weekdays is not None and not any(parts)
        """Nothing but the weekday matters."""
        self.whole_months = not (rule.bymonthday or rule.byyearday)
        """Of a rule that steps within the day: a month it wants it wants whole, but for weekdays."""

    def wanted(self, day: int) -> bool:
        r = self._r
        if self.weekdays and (day - MONDAY) % 7 not in self.weekdays:
            return False
        if self.weekdays_only:
            return True
        moment = date.fromordinal(day + EPOCH_DAY)
        if r.bymonth and moment.month not in r.bymonth:
            return False
        if r.bymonthday and not self._month_day_wanted(moment):
            return False
        if r.byday and self.weekdays is None and not self._weekday_wanted(moment):
            return False
        if r.byyearday:
            number, length = moment.timetuple().tm_yday, date(moment.year, 12, 31).timetuple().tm_yday
            if number not in r.byyearday and number - length - 1 not in r.byyearday:
                return False
        return not r.byweekno or week_wanted(moment, r.wkst, r.byweekno)

    def of_month(self, first: date) -> tuple[int, ...]:
        """The wanted days of the month that begins with ``first``, counted from it."""
        r = self._r
        if r.bymonth and first.month not in r.bymonth:
            return ()
        form = first.weekday(), monthrange(first.year, first.month)[1]
        days = days_of_month(r.bymonthday, r.byday, self._clamp, form)
        if not r.byyearday:
            return days
        number, length = first.timetuple().tm_yday, 365 + isleap(first.year)
        return tuple(day for day in days if number + day in r.byyearday or number + day - length - 1 in r.byyearday)

    def of_year(self, year: int) -> tuple[int, ...]:
        """The wanted days of a year, counted from its first. Years come in 28 forms, numbers of weeks included."""
        first = date(year, 1, 1)
        form = (first.weekday(), isleap(year - 1), isleap(year), isleap(year + 1))
        known = self._years.get(form)
        if known is None:
            spans = (month_range(year, month) for month in self._r.bymonth or _EVERY_MONTH)
            begin = first.toordinal() - EPOCH_DAY
            known = self._years[form] = tuple([day - begin for span in spans for day in span if self.wanted(day)])
        return known

    def first_from(self, day: int) -> int:
        """The first day at or after this one that its month wants; beyond all that are asked about if there is none."""
        moment = date.fromordinal(min(day, LAST_DAY) + EPOCH_DAY).replace(day=1)
        while (begin := moment.toordinal() - EPOCH_DAY) <= LAST_DAY:
            days = self.of_month(moment)
            place = bisect_left(days, day - begin)
            if place < len(days):
                return begin + days[place]
            moment = month_after(moment)
        return begin

    def last_until(self, day: int, least: int) -> int:
        """The last day at or before this one that its month wants; one before ``least`` if there is none."""
        while day >= least:
            moment = date.fromordinal(day + EPOCH_DAY).replace(day=1)
            begin, days = moment.toordinal() - EPOCH_DAY, self.of_month(moment)
            place = bisect_right(days, day - begin)
            if place:
                return begin + days[place - 1]
            day = begin - 1
        return day

    def _month_day_wanted(self, moment: date) -> bool:
        length = monthrange(moment.year, moment.month)[1]
        return month_day_wanted(self._r.bymonthday, self._clamp, moment.day, length)

    def _weekday_wanted(self, moment: date) -> bool:
        weekday, byday = moment.weekday(), self._r.byday
        if (0, weekday) in byday:
            return True
        if self._r.freq == "YEARLY" and not self._r.bymonth:
            day, length = moment.timetuple().tm_yday, date(moment.year, 12, 31).timetuple().tm_yday
        else:
            day, length = moment.day, monthrange(moment.year, moment.month)[1]
        return ((day + 6) // 7, weekday) in byday or (-((length - day) // 7) - 1, weekday) in byday


def month_after(first: date) -> date:
    """The first day of the month after the one that begins with ``first``."""
    return (first + timedelta(days=31)).replace(day=1)
