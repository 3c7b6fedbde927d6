"""What a recurrence rule wants within a day: fixed times, or the steps of one that counts in hours or minutes."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Final

import msgspec

from core.timing.grid import Numbers, grid
from core.timing.recurrence import Recurrence
from core.timing.rrule_days import MONDAY
from core.timing.strides import Strides
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, to_datetime

_EVERY_HOUR: Final = tuple(range(24))
_EVERY_MINUTE: Final = tuple(range(60))


def steps_within_the_day(rule: Recurrence) -> bool:
    """Whether a rule counts in hours or minutes."""
    return rule.freq in ("HOURLY", "MINUTELY")


def with_implied(rule: Recurrence, start: int) -> Recurrence:
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
    changes["byhour"] = rule.byhour or (_EVERY_HOUR if steps_within_the_day(rule) else (moment.hour,))
    changes["byminute"] = rule.byminute or (_EVERY_MINUTE if rule.freq == "MINUTELY" else (moment.minute,))
    changes["bysecond"] = rule.bysecond or (moment.second,)
    return msgspec.structs.replace(rule, **changes)


def times_of_day(rule: Recurrence) -> Numbers:
    """The times of every wanted day, of a rule that steps in days or more."""
    times = grid(rule.byhour, HOUR, _within(rule.byminute, rule))
    # The set that BYSETPOS chooses from is the same every day.
    return chosen(times, rule.bysetpos) if rule.freq == "DAILY" else times


class Steps:
    """The steps of a rule that counts in hours or minutes; they keep their distance from the start through all days."""

    __slots__ = ("_all_days", "_offsets", "_size", "_start", "_strides")

    def __init__(self, rule: Recurrence, start: int, weekdays: frozenset[int]) -> None:
        self._size = MINUTE if rule.freq == "MINUTELY" else HOUR
        self._start = start // self._size
        # The times within an hour (or, of a rule that steps in minutes, within a minute), the same for each of them.
        self._offsets = chosen(_within((0,) if rule.freq == "MINUTELY" else rule.byminute, rule), rule.bysetpos)
        self._strides = Strides(
            start=self._start,
            length=rule.interval,
            day=DAY // self._size,
            places=self._places(rule) if self._offsets else frozenset(),
            weekdays=weekdays,
            monday=MONDAY,
        )
        self._all_days = self._strides._replace(weekdays=frozenset())

    def ever(self) -> bool:
        """Whether the steps fall on wanted times of wanted weekdays at all."""
        return bool(self._strides.places) and self._strides.ever()

    def day_from(self, day: int) -> int:
        """The first day at or after this one that a step falls on."""
        return self._strides.day_from(day)

    def day_until(self, day: int) -> int:
        """The last day at or before this one that a step falls on."""
        return self._strides.day_until(day)

    def walls_on(self, day: int) -> Numbers:
        """All walls of a wanted day in order; those before the start are still among them."""
        units, interval, places = self._strides.day, self._strides.length, self._strides.places
        midnight = day * units
        first = (self._start - midnight) % interval
        fallen = [midnight + unit for unit in range(first, units, interval) if unit in places]
        return grid(fallen, self._size, self._offsets)

    def between(self, first: int, end: int, *, all_days: bool = False) -> int:
        """How many walls there are from one day on and before another, whatever the month.

        With ``all_days`` whatever the weekday as well.
        """
        strides = self._all_days if all_days else self._strides
        return strides.between(first * strides.day, end * strides.day) * len(self._offsets)

    def _places(self, rule: Recurrence) -> frozenset[int]:
        """The hours or minutes of a day on which the rule can fall at all, on one day or another.

        Steps of ``interval`` never leave the start's remainder modulo what interval and day have in common. Knowing that
        beforehand keeps searches short.
        """
        common = gcd(rule.interval, DAY // self._size)
        minutes = (0,) if rule.freq == "HOURLY" else rule.byminute
        return _aligned(rule.byhour, minutes, self._size // MINUTE, self._start % common, common)


def chosen(items: Numbers, positions: tuple[int, ...]) -> Numbers:
    """What BYSETPOS leaves of a sorted set."""
    if not positions:
        return items
    size = len(items)
    places = {p - 1 if p > 0 else size + p for p in positions if -size <= p <= size}
    return tuple(items[place] for place in sorted(places))


def _within(minutes: tuple[int, ...], rule: Recurrence) -> Numbers:
    return grid(minutes, MINUTE, tuple(second * SECOND for second in rule.bysecond))


@lru_cache(maxsize=256)
def _aligned(hours: tuple[int, ...], minutes: tuple[int, ...], size: int, rest: int, common: int) -> frozenset[int]:
    units = ((hour * 60 + minute) // size for hour in hours for minute in minutes)
    return frozenset(unit for unit in units if unit % common == rest)
