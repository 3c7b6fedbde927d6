"""Amended: a rule with single due times skipped or moved, the series as it was.

A due time is known by its nominal instant, the one the rule itself means: so a time that was moved may be moved on, and is
never due twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.rule import Rule, one_by_one
from schedule_zero.instant import spell

MOST_LOOKED_AT: Final = 24
"""Due times around a nominal instant among which the one is that stands for it."""


class Amended:
    """Another rule, but for a few due times."""

    __slots__ = ("_gone", "_moved", "_nominal", "_rule")

    plain = False

    def __init__(self, rule: Rule, skipped: Collection[int], moved: Mapping[int, int]) -> None:
        """``skipped``: nominal instants that are not due; ``moved``: nominal instants, and when they are due instead."""
        self._rule = rule
        self._gone = {*skipped, *moved}
        self._moved = sorted(moved.values())
        self._nominal = {to: nominal for nominal, to in moved.items()}

    @property
    def zone(self) -> ZoneInfo:
        return self._rule.zone

    @property
    def recurring(self) -> bool:
        return self._rule.recurring

    def next_after(self, instant: int) -> int | None:
        due = self._rule.next_after(instant)
        while due is not None and self._rule.nominal(due) in self._gone:
            due = self._rule.next_after(due)
        moved = next((to for to in self._moved if to > instant), None)
        return moved if due is None or (moved is not None and moved < due) else due

    def upcoming(self, instant: int, n: int) -> list[int]:
        return one_by_one(self.next_after, instant, n)

    def last_until(self, instant: int) -> int | None:
        due = self._rule.last_until(instant)
        while due is not None and self._rule.nominal(due) in self._gone:
            due = self._rule.last_until(due - 1)
        moved = next((to for to in reversed(self._moved) if to <= instant), None)
        return moved if due is None or (moved is not None and moved > due) else due

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        count = self._rule.count_between(after, until, limit + len(self._gone))
        count -= sum(after < due <= until for due in self._left())
        count += sum(after < to <= until and self._own(to) is None for to in self._moved)
        return min(count, limit)

    def nominal(self, due: int) -> int:
        moved = self._nominal.get(due)
        return self._rule.nominal(due) if moved is None else moved

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """What the rule says, where this one was moved from, and what is skipped since the time before."""
        nominal = self._nominal.get(due)
        if nominal is not None:
            notes: tuple[str, ...] = (f"moved from {spell(nominal, self.zone)[:16].replace('T', ' ')}",)
        else:
            notes = self._rule.notes(due, previous)
        skipped = self._gone - set(self._nominal.values())
        for gone in sorted(skipped):
            if previous is not None and previous < gone < due:
                notes = (*notes, f"{spell(gone, self.zone)[:16].replace('T', ' ')} is skipped")
        return notes

    def _own(self, instant: int) -> int | None:
        """The instant, if the rule is due then and nothing says otherwise."""
        if self._rule.last_until(instant) != instant or self._rule.nominal(instant) in self._gone:
            return None
        return instant

    def _left(self) -> list[int]:
        """Due times of the rule that are gone."""
        found = []
        for nominal in self._gone:
            due = self._due_of(nominal)
            if due is not None:
                found.append(due)
        return found

    def _due_of(self, nominal: int) -> int | None:
        """When the rule is due for this nominal instant; None where it no longer is."""
        if self._rule.last_until(nominal) == nominal and self._rule.nominal(nominal) == nominal:
            return nominal  # as nearly always
        before: int | None = nominal + 1
        after: int | None = nominal
        for _ in range(MOST_LOOKED_AT):
            before = None if before is None else self._rule.last_until(before - 1)
            if before is not None and self._rule.nominal(before) == nominal:
                return before
            after = None if after is None else self._rule.next_after(after)
            if after is not None and self._rule.nominal(after) == nominal:
                return after
        return None
