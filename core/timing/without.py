"""Patterns and rules with single dates added to them or taken from them (``RDATE`` and ``EXDATE``)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.rule import LATEST, Rule, one_by_one
from core.timing.wall import Pattern

_ALL: Final = 1 << 40


class WithoutWalls:
    """A pattern without the walls that lie in some spans of them. A search passes each span once at most."""

    __slots__ = ("_ends", "_pattern", "_starts")

    def __init__(self, pattern: Pattern, spans: Iterable[tuple[int, int]]) -> None:
        """``spans`` are pairs of a first wall and the first one after it, in any order."""
        self._pattern = pattern
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def next_after(self, wall: int) -> int | None:
        while (found := self._pattern.next_after(wall)) is not None:
            place = bisect_right(self._starts, found) - 1
            if place < 0 or found >= self._ends[place]:
                return found
            wall = self._ends[place] - 1
        return None

    def upcoming(self, wall: int, n: int) -> list[int]:
        return one_by_one(self.next_after, wall, n)

    def last_until(self, wall: int) -> int | None:
        while (found := self._pattern.last_until(wall)) is not None:
            place = bisect_right(self._starts, found) - 1
            if place < 0 or found >= self._ends[place]:
                return found
            wall = self._starts[place] - 1
        return None

    def count_between(self, after: int, until: int, limit: int) -> int:
        spared = 0
        for place in range(bisect_right(self._ends, after + 1), bisect_right(self._starts, until)):
            low, high = max(self._starts[place] - 1, after), min(self._ends[place] - 1, until)
            spared += self._pattern.count_between(low, high, _ALL)
        return min(self._pattern.count_between(after, until, limit + spared) - spared, limit)


class WithInstants:
    """Another rule, with single instants added to it and others taken from it."""

    __slots__ = ("_added", "_excluded", "_rule", "recurring")

    def __init__(self, rule: Rule, added: Iterable[int], excluded: Iterable[int]) -> None:
        """Nothing that is added may be excluded, too."""
        self._rule = rule
        self._added = sorted({instant for instant in added if instant < LATEST})
        self._excluded = sorted(set(excluded))
        self.recurring = True

    @property
    def zone(self) -> ZoneInfo:
        return self._rule.zone

    @property
    def plain(self) -> bool:
        return self._rule.plain

    def nominal(self, due: int) -> int:
        return self._rule.nominal(due)

    def next_after(self, instant: int) -> int | None:
        due = self._rule.next_after(instant)
        while due is not None and self._is_excluded(due):
            due = self._rule.next_after(due)
        place = bisect_right(self._added, instant)
        if place == len(self._added):
            return due
        return self._added[place] if due is None else min(due, self._added[place])

    def upcoming(self, instant: int, n: int) -> list[int]:
        return one_by_one(self.next_after, instant, n)

    def last_until(self, instant: int) -> int | None:
        due = self._rule.last_until(instant)
        while due is not None and self._is_excluded(due):
            due = self._rule.last_until(due - 1)
        place = bisect_right(self._added, instant)
        if place == 0:
            return due
        return self._added[place - 1] if due is None else max(due, self._added[place - 1])

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        if after >= until:
            return 0
        own = self._rule.last_until
        more = sum(own(instant) != instant for instant in _between(self._added, after, until))
        fewer = sum(own(instant) == instant for instant in _between(self._excluded, after, until))
        return min(self._rule.count_between(after, until, limit + fewer) - fewer + more, limit)

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        return self._rule.notes(due, previous)

    def _is_excluded(self, due: int) -> bool:
        place = bisect_left(self._excluded, due)
        return place < len(self._excluded) and self._excluded[place] == due


def _between(instants: list[int], after: int, until: int) -> list[int]:
    return instants[bisect_right(instants, after) : bisect_right(instants, until)]
