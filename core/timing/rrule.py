"""RFC 5545 recurrence rules as patterns on the wall.

A rule is expanded period by period (year, month, week or day; hours and minutes within their day), and a question
about any time jumps straight to its period: the number of periods since the start is arithmetic. A search passes days
by that no step falls on or no month wants, and ends where the calendar has come around or rules are no longer asked, so
that a rule which never comes, or whose INTERVAL is absurd, costs little more than one that does; and the times of a
period are searched without being listed where they are many.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import lru_cache
from math import gcd
from typing import Final

import msgspec

from core.timing.calendar_days import days_of_month, month_day_wanted, month_range, week_wanted
from core.timing.grid import Numbers, grid
from core.timing.recurrence import Recurrence
from core.timing.rule import LATEST, one_by_one
from core.timing.strides import Strides
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, to_datetime

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = LATEST // DAY
_MONDAY: Final = -3  # 1969-12-29, in days since 1970-01-01
_ALL: Final = 1 << 40
_PERIODS_SEARCHED: Final = {"YEARLY": 56, "MONTHLY": 672, "WEEKLY": 2_922, "DAILY": _ALL}
"""Twice 28 years: so long the calendar takes to begin anew, and once more because it leaps over 2100. Days are passed by
in larger steps, to the end of the time in which rules are asked."""
_KEPT: Final = 4
_FEW: Final = 16
"""Periods that are looked into one by one even where counting them at once is possible."""
_NEVER: Final = -(1 << 62)
_EVERY_MONTH: Final = tuple(range(1, 13))
_EVERY_HOUR: Final = tuple(range(24))
_EVERY_MINUTE: Final = tuple(range(60))

Gaps = Callable[[int, int], Iterable[tuple[int, int]]]
"""The walls that no clock shows, between a first and a last wall: pairs of the first one and the first that is none."""


class RRulePattern:
    """The walls of a recurrence rule that starts at a wall."""

    __slots__ = (
        "_by_day",
        "_by_month",
        "_clamp",
        "_end",
        "_gaps",
        "_kept",
        "_left",
        "_never",
        "_next_counted",
        "_offsets",
        "_period",
        "_r",
        "_start",
        "_start_day",
        "_step",
        "_strides",
        "_times",
        "_units",
        "_weekdays",
        "_weekdays_only",
        "_years",
    )

    def __init__(self, rule: Recurrence, start: int, *, clamp: bool) -> None:
        self._r = _with_implied(rule, start)
        self._start = start
        self._start_day = start // DAY
        self._clamp = clamp
        self._by_day = rule.freq in ("HOURLY", "MINUTELY")
        self._offsets = _offsets(self._r)
        self._units = _units_of_day(self._r, start) if self._by_day and self._offsets else frozenset()
        self._period = "DAILY" if self._by_day else rule.freq
        self._step = 1 if self._by_day else rule.interval
        self._times: Numbers = () if self._by_day else grid(self._r.byhour, HOUR, self._offsets)
        if rule.freq == "DAILY":  # the set that BYSETPOS chooses from is the same every day
            self._times = _chosen(self._times, rule.bysetpos)
        self._weekdays = (
            None if any(n for n, _ in self._r.byday) else frozenset(weekday for _, weekday in self._r.byday)
        )
        parts = (self._r.bymonth, self._r.bymonthday, self._r.byyearday, self._r.byweekno)
        self._weekdays_only = self._weekdays is not None and not any(parts)
        self._by_month = self._period == "DAILY" and not self._weekdays_only
        self._kept: dict[int, Numbers] = {}
        self._years: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._strides = Strides(
            start=start // _unit(rule),
            length=rule.interval,
            day=DAY // _unit(rule),
            places=self._units,
            weekdays=self._weekdays or frozenset(),
            monday=_MONDAY,
        )
        self._never = not self._ever()
        self._end = _NEVER if self._never else _LAST_DAY * DAY
        self._left = self._next_counted = 0
        self._gaps: Gaps | None = None

    @property
    def hour_by_hour(self) -> bool:
        """The rule steps in hours or minutes and so follows the clock instead of naming local times."""
        return self._by_day

    def end_with(self, wall: int) -> None:
        """Let this be the last wall that may be wanted (UNTIL)."""
        self._end = min(wall, self._end)

    def end_after(self, count: int, gaps: Gaps | None) -> None:
        """Let the rule end with its ``count``-th wall (COUNT), not counting walls that lie in ``gaps``."""
        self._left, self._gaps = count, gaps

    def _ever(self) -> bool:
        """Whether the steps fall on wanted times and weekdays at all, whatever months and days of them are wanted."""
        if self._by_day:
            return bool(self._units) and self._strides.ever()
        if self._r.freq != "DAILY":
            return True
        weekday = (self._start_day - _MONDAY) % 7
        return len(self._times) > 0 and (not self._weekdays or self._step % 7 > 0 or weekday in self._weekdays)

    def _count_through(self, period: int) -> None:
        """Count down to the end (COUNT) as far as this period, and no farther than is asked about.

        The steps grow while the end is not reached, and what lies in a step is counted at once; the step that reaches it
        is halved until one period is left.
        """
        step, reached = 1, False
        while self._left and self._next_counted <= period:
            step = min(step, period + 1 - self._next_counted)
            if step == 1:
                self._count_in(self._next_counted)
            elif (passed := self._counted_in(self._next_counted, self._next_counted + step)) < self._left:
                self._left -= passed
            else:
                step, reached = step // 2, True
                continue
            self._next_counted += step
            step = max(1, step // 2) if reached else step * 2

    def _count_in(self, period: int) -> None:
        """Count down in one period, whose wall it is that ends the rule if there are enough."""
        walls = self._walls(period)
        place = bisect_left(walls, self._start) if period == 0 else 0
        if place == len(walls):
            return
        gaps = list(self._gaps(walls[place], walls[-1])) if self._gaps else []
        if not gaps:
            if self._left <= len(walls) - place:
                self._end = walls[place + self._left - 1]
            self._left = max(0, self._left - len(walls) + place)
            return
        for at in range(place, len(walls)):
            self._left -= not any(low <= walls[at] < high for low, high in gaps)
            if not self._left:
                self._end = walls[at]
                return

    def _counted_in(self, low: int, high: int) -> int:
        """How many walls of some whole periods COUNT counts."""
        first, after = self._first_day(low) * DAY, self._first_day(high) * DAY
        if self._gaps is None:
            return self._between(first - 1, after - 1, _ALL)
        missing = sum(
            self._between(max(low, first) - 1, min(high, after) - 1, _ALL) for low, high in self._gaps(first, after)
        )
        return self._between(first - 1, after - 1, _ALL) - missing

    def next_after(self, wall: int) -> int | None:
        wall = max(wall, self._start - 1)
        number = self._number(wall // DAY)
        period, beyond = number, number + _PERIODS_SEARCHED[self._period]
        while period < beyond and (first := self._first_day(period) * DAY) <= self._end:
            self._count_through(period)
            if first > self._end:
                return None
            walls = self._walls(period)
            place = bisect_right(walls, wall)
            if place < len(walls):
                return walls[place] if walls[place] <= self._end else None
            period = self._following(period)
        return None

    def upcoming(self, wall: int, n: int) -> list[int]:
        return one_by_one(self.next_after, wall, n)

    def last_until(self, wall: int) -> int | None:
        self._count_through(self._number(wall // DAY))
        wall = min(wall, self._end)
        number = self._number(wall // DAY)
        period, beyond = number, max(-1, number - _PERIODS_SEARCHED[self._period])
        while period > beyond:
            walls = self._walls(period)
            place = bisect_right(walls, wall)
            if place and walls[place - 1] >= self._start:
                return walls[place - 1]
            period = self._preceding(period)
        return None

    def _following(self, period: int) -> int:
        """The next period, or the next day that may have a wall, so far as its month or the steps within it tell."""
        if self._period != "DAILY":
            return period + 1
        day = self._first_day(period + 1)
        while day <= _LAST_DAY:
            met = self._strides.day_from(day) if self._by_day else day
            day = self._wanted_from(met) if self._by_month else met
            if day == met or not self._by_day:
                return -((self._start_day - day) // self._step)
        return _ALL

    def _preceding(self, period: int) -> int:
        """The period before, or the day before that may have a wall; -1 where there is none."""
        if self._period != "DAILY":
            return period - 1
        day = self._first_day(period) - 1
        while day >= self._start_day:
            met = self._strides.day_until(day) if self._by_day else day
            day = self._wanted_until(met) if self._by_month else met
            if day == met or not self._by_day:
                return (day - self._start_day) // self._step
        return -1

    def _wanted_from(self, day: int) -> int:
        """The first day at or after this one that its month wants; beyond all that are asked about if there is none."""
        moment = date.fromordinal(min(day, _LAST_DAY) + _EPOCH_DAY).replace(day=1)
        while (begin := moment.toordinal() - _EPOCH_DAY) <= _LAST_DAY:
            days = self._days_in(moment)
            place = bisect_left(days, day - begin)
            if place < len(days):
                return begin + days[place]
            moment = (moment + timedelta(days=31)).replace(day=1)
        return begin

    def _wanted_until(self, day: int) -> int:
        """The last day at or before this one that its month wants; one before the start if there is none."""
        while day >= self._start_day:
            moment = date.fromordinal(day + _EPOCH_DAY).replace(day=1)
            begin, days = moment.toordinal() - _EPOCH_DAY, self._days_in(moment)
            place = bisect_right(days, day - begin)
            if place:
                return begin + days[place - 1]
            day = begin - 1
        return day

    def count_between(self, after: int, until: int, limit: int) -> int:
        self._count_through(self._number(until // DAY))
        return self._between(after, min(until, self._end), limit)

    def _between(self, after: int, until: int, limit: int) -> int:
        """How many walls lie in (after, until] from the start on, at most ``limit``; with no regard to an end.

        The periods at both ends are looked into. Those between are counted without being expanded, so far as they are
        many and their days can be told by month or by week.
        """
        after = max(after, self._start - 1)
        if until <= after:
            return 0
        first, last = self._number(after // DAY), self._number(until // DAY)
        if last - first <= _FEW:
            return min(sum(self._in_period(period, after, until) for period in range(first, last + 1)), limit)
        count = self._in_period(first, after, until) + self._in_period(last, after, until)
        return min(count + self._whole(first + 1, last, limit), limit)

    def _in_period(self, period: int, after: int, until: int) -> int:
        walls = self._walls(period)
        return max(0, bisect_right(walls, until) - bisect_right(walls, after))

    def _whole(self, low: int, high: int, limit: int) -> int:
        """How many walls the periods from ``low`` on and before ``high`` have; some more than ``limit`` may be told."""
        first, end = self._first_day(low), self._first_day(high)
        if self._by_day and self._weekdays_only:
            return self._on_days(first, end, self._strides)
        if self._period in ("DAILY", "WEEKLY") and self._weekdays_only:
            around = 7 if self._period == "DAILY" else 1
            rounds, rest = divmod(high - low, around)
            sizes = [len(self._expand(self._first_day(low + number))) for number in range(around)]
            return sum(sizes) * rounds + sum(sizes[:rest])
        if self._by_month:
            return self._by_months(first, end)
        count = 0
        for period in range(low, high):
            count += len(self._expand(self._first_day(period)))
            if count >= limit:
                break
        return count

    def _by_months(self, first: int, end: int) -> int:
        """How many walls the days from ``first`` on and before ``end`` have, for days that depend on their month."""
        moment, count = date.fromordinal(first + _EPOCH_DAY).replace(day=1), 0
        every_day = self._strides._replace(weekdays=frozenset())
        while (begin := moment.toordinal() - _EPOCH_DAY) < end:
            days = [begin + day for day in self._days_in(moment)]
            days = days[bisect_left(days, first) : bisect_left(days, end)]
            if not days:
                pass
            elif not self._by_day:
                on_time = [day for day in days if (day - self._start_day) % self._step == 0]
                count += len(on_time) * len(self._expand(on_time[0])) if on_time else 0
            elif not (self._r.bymonthday or self._r.byyearday):
                count += self._on_days(
                    days[0], days[-1] + 1, self._strides
                )  # weekdays between them are told apart there
            else:
                count += sum(self._on_days(day, day + 1, every_day) for day in days)
            moment = (moment + timedelta(days=31)).replace(day=1)
        return count

    def _on_days(self, first: int, end: int, strides: Strides) -> int:
        """How many walls a rule that steps within the day has from one day on and before another, whatever the month."""
        return strides.between(first * strides.day, end * strides.day) * len(self._offsets)

    def _days_in(self, first: date) -> tuple[int, ...]:
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

    def _number(self, day: int) -> int:
        """The number, counted from the start's period, of the last period that begins at or before the day; 0 before it."""
        day = min(max(day, self._start_day), _LAST_DAY)
        return (self._index(day) - self._index(self._start_day)) // self._step

    def _index(self, day: int) -> int:
        if self._period == "DAILY":
            return day
        if self._period == "WEEKLY":
            return (day - _MONDAY - self._r.wkst) // 7
        moment = date.fromordinal(day + _EPOCH_DAY)
        return moment.year if self._period == "YEARLY" else moment.year * 12 + moment.month - 1

    def _first_day(self, period: int) -> int:
        index = self._index(self._start_day) + period * self._step
        if self._period == "DAILY":
            return index
        if self._period == "WEEKLY":
            return index * 7 + _MONDAY + self._r.wkst
        year, month = (index, 0) if self._period == "YEARLY" else divmod(index, 12)
        return _LAST_DAY + 1 if year > 2200 else date(year, month + 1, 1).toordinal() - _EPOCH_DAY

    def _walls(self, period: int) -> Numbers:
        """All walls of one period in order; those before the start are still among them."""
        known = self._kept.get(period)
        if known is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            known = self._kept[period] = self._expand(self._first_day(period))
        return known

    def _expand(self, first: int) -> Numbers:
        if self._never:
            return ()
        days = self._wanted_days(first)
        if not days:
            return ()
        if self._by_day:
            return grid(self._units_on(days[0]), _unit(self._r), self._offsets)
        walls = grid(days, DAY, self._times)
        return walls if self._period == "DAILY" else _chosen(walls, self._r.bysetpos)

    def _wanted_days(self, first: int) -> list[int]:
        """The wanted days of the period that begins with ``first``."""
        if self._period == "DAILY":
            return [first] if self._wanted(first) else []
        if self._period == "WEEKLY":
            return [day for day in range(first, first + 7) if self._wanted(day)]
        moment = date.fromordinal(first + _EPOCH_DAY)
        if self._period == "MONTHLY":
            return [first + day for day in self._days_in(moment)]
        return [first + day for day in self._days_in_year(moment.year)]

    def _days_in_year(self, year: int) -> tuple[int, ...]:
        """The wanted days of a year, counted from its first. Years come in 28 forms, numbers of weeks included."""
        first = date(year, 1, 1)
        form = (first.weekday(), isleap(year - 1), isleap(year), isleap(year + 1))
        known = self._years.get(form)
        if known is None:
            spans = (month_range(year, month) for month in self._r.bymonth or _EVERY_MONTH)
            begin = first.toordinal() - _EPOCH_DAY
            known = self._years[form] = tuple([day - begin for span in spans for day in span if self._wanted(day)])
        return known

    def _units_on(self, day: int) -> list[int]:
        """The hours or minutes, counted from 1970, that fall on a day; they keep their distance from the start."""
        size, interval = _unit(self._r), self._r.interval
        midnight = day * (DAY // size)
        first = (self._start // size - midnight) % interval
        return [midnight + unit for unit in range(first, DAY // size, interval) if unit in self._units]

    def _wanted(self, day: int) -> bool:
        r = self._r
        if self._weekdays and (day - _MONDAY) % 7 not in self._weekdays:
            return False
        if self._weekdays_only:
            return True
        moment = date.fromordinal(day + _EPOCH_DAY)
        if r.bymonth and moment.month not in r.bymonth:
            return False
        if r.bymonthday and not self._month_day_wanted(moment):
            return False
        if r.byday and self._weekdays is None and not self._weekday_wanted(moment):
            return False
        if r.byyearday:
            number, length = moment.timetuple().tm_yday, date(moment.year, 12, 31).timetuple().tm_yday
            if number not in r.byyearday and number - length - 1 not in r.byyearday:
                return False
        return not r.byweekno or week_wanted(moment, r.wkst, r.byweekno)

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


def _unit(rule: Recurrence) -> int:
    """What a rule that steps within a day steps in."""
    return MINUTE if rule.freq == "MINUTELY" else HOUR


def _offsets(rule: Recurrence) -> Numbers:
    """The times within an hour (or, of a rule that steps in minutes, within a minute), the same for each of them."""
    minutes = (0,) if rule.freq == "MINUTELY" else rule.byminute
    times = grid(minutes, MINUTE, tuple(second * SECOND for second in rule.bysecond))
    return _chosen(times, rule.bysetpos) if rule.freq in ("HOURLY", "MINUTELY") else times


def _units_of_day(rule: Recurrence, start: int) -> frozenset[int]:
    """The hours or minutes of a day on which a rule that steps in them can fall at all, on one day or another.

    Steps of ``interval`` never leave the start's remainder modulo what interval and day have in common. Knowing that
    beforehand keeps searches short.
    """
    size = _unit(rule)
    common = gcd(rule.interval, DAY // size)
    minutes = _EVERY_HOUR[:1] if rule.freq == "HOURLY" else rule.byminute
    return _aligned(rule.byhour, minutes, size // MINUTE, start // size % common, common)


@lru_cache(maxsize=256)
def _aligned(hours: tuple[int, ...], minutes: tuple[int, ...], size: int, rest: int, common: int) -> frozenset[int]:
    units = ((hour * 60 + minute) // size for hour in hours for minute in minutes)
    return frozenset(unit for unit in units if unit % common == rest)


def _with_implied(rule: Recurrence, start: int) -> Recurrence:
    """The rule with the parts it leaves to its start written out (RFC 5545, 3.3.10, last paragraphs)."""
    moment = to_datetime(start)
    changes: dict[str, tuple[object, ...]] = {}
    if not (rule.byweekno or rule.byyearday or rule.bymonthday or rule.byday):
        if rule.freq == "YEARLY":
            changes["bymonthday"] = (moment.day,)
            changes["bymonth"] = rule.bymonth or (moment.month,)
        elif rule.freq == "MONTHLY":
            changes["bymonthday"] = (moment.day,)
        elif rule.freq == "WEEKLY":
            changes["byday"] = ((0, moment.weekday()),)
    elif rule.byweekno and not (rule.byday or rule.bymonthday or rule.byyearday):
        changes["byday"] = ((0, moment.weekday()),)
    every_hour = rule.freq in ("HOURLY", "MINUTELY")
    changes["byhour"] = rule.byhour or (_EVERY_HOUR if every_hour else (moment.hour,))
    changes["byminute"] = rule.byminute or (_EVERY_MINUTE if rule.freq == "MINUTELY" else (moment.minute,))
    changes["bysecond"] = rule.bysecond or (moment.second,)
    return msgspec.structs.replace(rule, **changes)


def _chosen(items: Numbers, positions: tuple[int, ...]) -> Numbers:
    """What BYSETPOS leaves of a sorted set."""
    if not positions:
        return items
    size = len(items)
    places = {p - 1 if p > 0 else size + p for p in positions if -size <= p <= size}
    return tuple(items[place] for place in sorted(places))
