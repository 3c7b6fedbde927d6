"""Rules that begin or end: ``start`` and ``until`` of a schedule."""

from __future__ import annotations

from bisect import bisect_right
from zoneinfo import ZoneInfo

from core.timing.rule import Rule


class Bounded:
    """Another rule, due only from ``start`` to ``until``, both included."""

    __slots__ = ("_rule", "_start", "_until")

    def __init__(self, rule: Rule, start: int | None, until: int | None) -> None:
        self._rule = rule
        self._start = start
        self._until = until

    @property
    def zone(self) -> ZoneInfo:
        return self._rule.zone

    @property
    def recurring(self) -> bool:
        return self._rule.recurring

    @property
    def plain(self) -> bool:
        return self._rule.plain

    def next_after(self, instant: int) -> int | None:
        if self._start is not None:
            instant = max(instant, self._start - 1)
        due = self._rule.next_after(instant)
        return None if due is None or (self._until is not None and due > self._until) else due

    def upcoming(self, instant: int, n: int) -> list[int]:
        if self._start is not None:
            instant = max(instant, self._start - 1)
        dues = self._rule.upcoming(instant, n)
        return dues if self._until is None else dues[: bisect_right(dues, self._until)]

    def last_until(self, instant: int) -> int | None:
        if self._until is not None:
            instant = min(instant, self._until)
        due = self._rule.last_until(instant)
        return None if due is None or (self._start is not None and due < self._start) else due

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        after = after if self._start is None else max(after, self._start - 1)
        until = until if self._until is None else min(until, self._until)
        return self._rule.count_between(after, until, limit)

    def nominal(self, due: int) -> int:
        return self._rule.nominal(due)

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        return self._rule.notes(due, previous)
