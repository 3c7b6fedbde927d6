"""Counting without walking: how many steps of one length fall on wanted places of a day or a week, and on which days."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import gcd
from typing import NamedTuple


class Strides(NamedTuple):
    """Steps ``start + k * length`` over numbered units, such as minutes, of which some places of each day are wanted."""

    start: int
    length: int
    day: int
    """Units in a day."""
    places: AbstractSet[int]
    """Wanted units of a day, of those that the steps meet on one day or another."""
    weekdays: AbstractSet[int]
    """Wanted weekdays; none named is all of them."""
    monday: int
    """The number of a day that is a Monday."""

    def ever(self) -> bool:
        """Whether any step falls on a wanted unit of a wanted weekday."""
        return self._wanted_in_a_round(gcd(self.length, self.day * 7 if self.weekdays else self.day)) > 0

    def day_from(self, day: int) -> int:
        """The first day at or after this one that a step falls on."""
        number = -((self.start - day * self.day) // self.length)
        return (self.start + number * self.length) // self.day

    def day_until(self, day: int) -> int:
        """The last day at or before this one that a step falls on."""
        number = ((day + 1) * self.day - 1 - self.start) // self.length
        return (self.start + number * self.length) // self.day

    def between(self, low: int, high: int) -> int:
        """How many steps lie on wanted units from ``low`` on and before ``high``.

        After so many steps the same places come again; those rounds are multiplied, and one part of a round at most is
        walked: 1,440 steps, with weekdays seven times as many.
        """
        first = -((self.start - low) // self.length)
        number = -((self.start - high) // self.length) - first
        around = self.day * 7 if self.weekdays else self.day
        common = gcd(self.length, around)
        rounds, rest = divmod(number, around // common)
        per_round = self._wanted_in_a_round(common) if rounds else 0
        if rest and not self.weekdays and len(self.places) * common == around:
            return rounds * per_round + rest
        begin = self.start + (first + number - rest) * self.length
        units = range(begin, begin + rest * self.length, self.length)
        day, places, weekdays, monday = self.day, self.places, self.weekdays, self.monday
        wanted = [unit // day for unit in units if unit % day in places]
        return rounds * per_round + (
            sum([(number - monday) % 7 in weekdays for number in wanted]) if weekdays else len(wanted)
        )

    def _wanted_in_a_round(self, common: int) -> int:
        if not self.weekdays:
            return len(self.places)
        days = [(self.monday + weekday) * self.day for weekday in self.weekdays]
        return sum((day + place - self.start) % common == 0 for day in days for place in self.places)
