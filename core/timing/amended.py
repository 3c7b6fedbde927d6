"""Amended: a rule with single due times skipped or moved, the series as it was.

A due time is known by its nominal instant, the one the rule itself means: so a time that was moved may be moved on, and is
never due twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from core.timing.clock import spell_minute
from core.timing.laid_around import LaidAround, due_of
from core.timing.rule import Rule


class Amended(LaidAround):
    """Another rule, but for a few due times."""

    __slots__ = ("_gone", "_moved", "_nominal")

    def __init__(self, rule: Rule, skipped: Collection[int], moved: Mapping[int, int]) -> None:
        """``skipped``: nominal instants that are not due; ``moved``: nominal instants, and when they are due instead."""
        super().__init__(rule)
        self._gone = {*skipped, *moved}
        self._moved = sorted(moved.values())
        self._nominal = {to: nominal for nominal, to in moved.items()}

    def next_after(self, instant: int) -> int | None:
        due = self._rule.next_after(instant)
        while due is not None and self._rule.nominal(due) in self._gone:
            due = self._rule.next_after(due)
        moved = next((to for to in self._moved if to > instant), None)
        return moved if due is None or (moved is not None and moved < due) else due

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
            was, is_now = spell_minute(nominal, self.zone), spell_minute(due, self.zone)
            notes: tuple[str, ...] = (f"moved from {was} to {is_now}",)
        else:
            notes = self._rule.notes(due, previous)
        skipped = self._gone - set(self._nominal.values())
        for gone in sorted(skipped):
            if previous is not None and previous < gone < due:
                notes = (*notes, f"{spell_minute(gone, self.zone)} is skipped")
        return notes

    def stands_at(self, inner: int) -> int | None:
        nominal = self._rule.nominal(inner)
        return inner if nominal not in self._gone else self._moved_to(nominal)

    def why_not(self, inner: int) -> tuple[str, str | None]:
        to = self._moved_to(self._rule.nominal(inner))
        return ("skipped" if to is None else f"moved to {spell_minute(to, self.zone)}", None)

    def _moved_to(self, nominal: int) -> int | None:
        return next((to for to, moved in self._nominal.items() if moved == nominal), None)

    def _own(self, instant: int) -> int | None:
        """The instant, if the rule is due then and nothing says otherwise."""
        if self._rule.last_until(instant) != instant or self._rule.nominal(instant) in self._gone:
            return None
        return instant

    def _left(self) -> list[int]:
        """Due times of the rule that are gone."""
        found = (due_of(self._rule, nominal) for nominal in self._gone)
        return [due for due in found if due is not None]
