"""RFC 5545 recurrence rules as patterns on the wall.

A rule is expanded period by period (year, month, week or day; hours and minutes within their day), and a question
about any time jumps straight to its period: the number of periods since the start is arithmetic. Every search counts
its periods, so that a rule which never comes, or whose INTERVAL is absurd, costs no more than one that does.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from math import gcd
from typing import Final

import msgspec

from core.timing.recurrence import Recurrence
from core.timing.rule import LATEST
from schedule_zero.instant import DAY, SECOND, to_datetime

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = LATEST // DAY
_FIRST_DAY: Final = date(1890, 1, 1).toordinal() - _EPOCH_DAY
_MONDAY: Final = -3  # 1969-12-29, in days since 1970-01-01
_PERIODS_SEARCHED: Final = {"YEARLY": 400, "MONTHLY": 1_200, "WEEKLY": 5_300, "DAILY": 15_000}
_KEPT: Final = 4
_DAY_SECONDS: Final = 86_400
_EVERY_HOUR: Final = tuple(range(24))
_EVERY_MINUTE: Final = tuple(range(60))


class RRulePattern:
    """The walls of a recurrence rule that starts at a wall."""

    __slots__ = (
        "_by_day",
        "_clamp",
        "_end",
        "_kept",
        "_period",
        "_r",
        "_start",
        "_start_day",
        "_step",
        "_times",
        "_units",
    )

    def __init__(self, rule: Recurrence, start: int, *, clamp: bool) -> None:
        self._r = _with_implied(rule, start)
        self._start = start
        self._start_day = start // DAY
        self._clamp = clamp
        self._by_day = rule.freq in ("HOURLY", "MINUTELY")
        self._units = _units_of_day(self._r, start) if self._by_day else frozenset()
        self._period = "DAILY" if self._by_day else rule.freq
        self._step = 1 if self._by_day else rule.interval
        self._times = tuple(
            hour * 3600 + minute * 60 + second
            for hour, minute, second in product(self._r.byhour, self._r.byminute, self._r.bysecond)
        )
        self._kept: dict[int, tuple[int, ...]] = {}
        self._end = _LAST_DAY * DAY

    @property
    def hour_by_hour(self) -> bool:
        """The rule steps in hours or minutes and so follows the clock instead of naming local times."""
        return self._by_day

    def end_with(self, wall: int) -> None:
        """Let this be the last wall that may be wanted (UNTIL)."""
        self._end = wall

    def end_after(self, count: int, counted: Callable[[int], bool]) -> None:
        """Let the rule end with its ``count``-th wall (COUNT) of those that are to be ``counted``."""
        wall = self._start - 1
        while count and (following := self.next_after(wall)) is not None:
            wall = following
            count -= counted(wall)
        self._end = wall

    def next_after(self, wall: int) -> int | None:
        wall = max(wall, self._start - 1)
        number = self._number(wall // DAY)
        for period in range(number, number + _PERIODS_SEARCHED[self._period]):
            if self._first_day(period) * DAY > self._end:
                return None
            walls = self._walls(period)
            place = bisect_right(walls, wall)
            if place < len(walls):
                return walls[place] if walls[place] <= self._end else None
        return None

    def last_until(self, wall: int) -> int | None:
        wall = min(wall, self._end)
        number = self._number(wall // DAY)
        for period in range(number, max(-1, number - _PERIODS_SEARCHED[self._period]), -1):
            walls = self._walls(period)
            place = bisect_right(walls, wall)
            if place and walls[place - 1] >= self._start:
                return walls[place - 1]
        return None

    def count_between(self, after: int, until: int, limit: int) -> int:
        after, until = max(after, self._start - 1), min(until, self._end)
        count = 0
        for period in range(self._number(after // DAY), self._number(until // DAY) + 1):
            walls = self._walls(period)
            count += max(0, bisect_right(walls, until) - bisect_right(walls, after))
            if count >= limit:
                return limit
        return count

    def _number(self, day: int) -> int:
        """The number, counted from the start's period, of the last period that begins at or before the day."""
        day = min(max(day, _FIRST_DAY), _LAST_DAY)
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

    def _walls(self, period: int) -> tuple[int, ...]:
        """All walls of one period in order; those before the start are still among them."""
        known = self._kept.get(period)
        if known is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            known = self._kept[period] = tuple(self._expand(self._first_day(period)))
        return known

    def _expand(self, first: int) -> Iterator[int]:
        if self._by_day and not self._units:
            return
        days = [day for day in range(first, first + self._length(first)) if self._wanted(day)]
        if not days:
            return
        if self._by_day:
            yield from (days[0] * DAY + second * SECOND for second in self._times_within(days[0]))
            return
        walls = [(day * _DAY_SECONDS + second) * SECOND for day in days for second in self._times]
        yield from _chosen(walls, self._r.bysetpos)

    def _length(self, first: int) -> int:
        if self._period == "DAILY":
            return 1
        if self._period == "WEEKLY":
            return 7
        moment = date.fromordinal(first + _EPOCH_DAY)
        if self._period == "YEARLY":
            return date(moment.year, 12, 31).timetuple().tm_yday
        return monthrange(moment.year, moment.month)[1]

    def _times_within(self, day: int) -> Iterator[int]:
        """Seconds of one day for rules that step in hours or minutes, aligned to the start."""
        r, size = self._r, _unit_seconds(self._r)
        units = _DAY_SECONDS // size
        first = (self._start // (size * SECOND) - day * units) % r.interval
        minutes = r.byminute if r.freq == "HOURLY" else (0,)
        for unit in range(first, units, r.interval):
            if unit in self._units:
                seconds = [unit * size + minute * 60 + second for minute in minutes for second in r.bysecond]
                yield from _chosen(seconds, r.bysetpos)

    def _wanted(self, day: int) -> bool:
        r = self._r
        moment = date.fromordinal(day + _EPOCH_DAY)
        if r.bymonth and moment.month not in r.bymonth:
            return False
        if r.bymonthday and not self._month_day_wanted(moment):
            return False
        if r.byday and not self._weekday_wanted(moment):
            return False
        if r.byyearday:
            number, length = moment.timetuple().tm_yday, date(moment.year, 12, 31).timetuple().tm_yday
            if number not in r.byyearday and number - length - 1 not in r.byyearday:
                return False
        return not r.byweekno or _week_wanted(moment, r.wkst, r.byweekno)

    def _month_day_wanted(self, moment: date) -> bool:
        length = monthrange(moment.year, moment.month)[1]
        wanted = self._r.bymonthday
        if moment.day in wanted or moment.day - length - 1 in wanted:
            return True
        return self._clamp and moment.day == length and wanted[-1] > length

    def _weekday_wanted(self, moment: date) -> bool:
        weekday, byday = moment.weekday(), self._r.byday
        if (0, weekday) in byday:
            return True
        if self._r.freq == "YEARLY" and not self._r.bymonth:
            day, length = moment.timetuple().tm_yday, date(moment.year, 12, 31).timetuple().tm_yday
        else:
            day, length = moment.day, monthrange(moment.year, moment.month)[1]
        return ((day + 6) // 7, weekday) in byday or (-((length - day) // 7) - 1, weekday) in byday


def _unit_seconds(rule: Recurrence) -> int:
    return 3600 if rule.freq == "HOURLY" else 60


def _units_of_day(rule: Recurrence, start: int) -> frozenset[int]:
    """The hours or minutes of a day on which a rule that steps in them can fall at all, on one day or another.

    Steps of ``interval`` never leave the start's remainder modulo what interval and day have in common; and
    BYSETPOS may choose none of the seconds of a unit. Knowing both beforehand keeps searches short.
    """
    size = _unit_seconds(rule)
    per_unit = len(rule.bysecond) * (len(rule.byminute) if rule.freq == "HOURLY" else 1)
    if not _chosen(list(range(per_unit)), rule.bysetpos):
        return frozenset()
    common = gcd(rule.interval, _DAY_SECONDS // size)
    minutes = _EVERY_HOUR[:1] if rule.freq == "HOURLY" else rule.byminute
    return _aligned(rule.byhour, minutes, size, start // (size * SECOND) % common, common)


@lru_cache(maxsize=256)
def _aligned(hours: tuple[int, ...], minutes: tuple[int, ...], size: int, rest: int, common: int) -> frozenset[int]:
    units = ((hour * 60 + minute) * 60 // size for hour in hours for minute in minutes)
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


def _chosen(items: list[int], positions: tuple[int, ...]) -> list[int]:
    """What BYSETPOS leaves of a sorted set."""
    if not positions:
        return items
    size = len(items)
    places = {p - 1 if p > 0 else size + p for p in positions if -size <= p <= size}
    return [items[place] for place in sorted(places)]


def _week_wanted(moment: date, wkst: int, byweekno: tuple[int, ...]) -> bool:
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
