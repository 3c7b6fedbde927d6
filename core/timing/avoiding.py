"""Avoiding: a rule that is not due in closed times, and what becomes of what would have been due there.

``skip`` leaves it out; ``later`` makes it up when the closed stretch ends, once for all that fell into it; ``earlier`` does
so just before the stretch begins. Neither ever changes the order of due times, so every question is one about open
stretches and their borders.
"""

from __future__ import annotations

from typing import Final

from core.timing.clock import spell_minute
from core.timing.closures import Closures, Stretch
from core.timing.laid_around import LaidAround, moved_from, together
from core.timing.rule import EARLIEST, LATEST, Rule
from schedule_zero.schedule import OnClash

MOST_STRETCHES: Final = 4_000
"""Closed stretches a search crosses; a rule that is never due between so many never is."""


class Avoiding(LaidAround):
    """Another rule, kept out of what is closed."""

    __slots__ = ("_clash", "_closures")

    def __init__(self, rule: Rule, closures: Closures, clash: OnClash) -> None:
        super().__init__(rule)
        self._closures = closures
        self._clash = clash

    def next_after(self, instant: int) -> int | None:
        if self._clash == "later" and (stretch := self._closures.around(instant)) is not None:
            instant = stretch.begin - 1  # what fell into it is still to come
        due = self._rule.next_after(instant)
        for _ in range(MOST_STRETCHES):
            if due is None:
                return None
            stretch = self._closures.around(due)
            if stretch is None:
                return due
            if self._clash == "later":
                return stretch.end if stretch.end < LATEST else None
            if self._clash == "earlier" and stretch.begin > EARLIEST and stretch.begin - 1 > instant:
                return stretch.begin - 1
            due = self._rule.next_after(stretch.end - 1)
        return None

    def last_until(self, instant: int) -> int | None:
        if self._clash == "later" and (stretch := self._closures.around(instant)) is not None:
            instant = stretch.begin - 1  # what fell into it is not made up yet
        if self._clash == "earlier" and (stretch := self._closures.around(instant + 1)) is not None:
            if stretch.begin > EARLIEST and self._falls_into(stretch):
                return stretch.begin - 1
            instant = min(instant, stretch.begin - 1)
        due = self._rule.last_until(instant)
        for _ in range(MOST_STRETCHES):
            if due is None:
                return None
            stretch = self._closures.around(due)
            if stretch is None:
                return due
            if self._clash == "later":
                return stretch.end
            if self._clash == "earlier":
                return stretch.begin - 1 if stretch.begin > EARLIEST else None
            due = self._rule.last_until(stretch.begin - 1)
        return None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        """Counts open stretches, each at once."""
        count = 0
        due = self.next_after(after)
        for _ in range(MOST_STRETCHES):
            if due is None or due > until or count >= limit:
                break
            count += 1
            closing = self._closures.next_closing(due)
            last = min(until, closing - 1)
            if last > due:
                count += self._rule.count_between(due, last, limit)
                if self._clash == "earlier" and last == closing - 1 and self._made_up_before(closing):
                    count += 1
            due = self.next_after(max(due, last))
        return min(count, limit)

    def nominal(self, due: int) -> int:
        return self._rule.nominal(self._inner(due))

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """What the rule says, what this one stands for, and what was left out since the time before."""
        notes = self._rule.notes(self._inner(due), None if previous is None else self._inner(previous))
        if self._clash != "skip":
            return notes + self._stands_for(due)
        said = None if previous is None else self._left_out(previous, due)
        return notes if said is None else (*notes, said)

    def stands_at(self, inner: int) -> int | None:
        stretch = self._closures.around(inner)
        if stretch is None:
            return inner
        if self._clash == "later":
            return stretch.end if stretch.end < LATEST else None
        return stretch.begin - 1 if self._clash == "earlier" and stretch.begin > EARLIEST else None

    def why_not(self, inner: int) -> tuple[str, str | None]:
        return self._closures.why(inner), self._closures.moved_by(inner) if self._clash == "skip" else None

    def _stands_for(self, due: int) -> tuple[str, ...]:
        """Notes on what fell into the stretch that is made up for at a due time."""
        stretch, inner = self._made_up_at(due), self._inner(due)
        if stretch is None:
            return ()
        notes: tuple[str, ...] = ()
        others = self._rule.count_between(stretch.begin - 1, stretch.end - 1)
        first = self._rule.next_after(stretch.begin - 1)
        if inner != due:
            notes = (moved_from(inner, self._closures.why(inner), self.zone),)
            others -= 1
            first = self._rule.next_after(inner) if first == inner else first
        if others > 0 and first is not None:
            notes = (*notes, together(first, self._closures.why(first), others - 1, self.zone))
        return notes

    def _made_up_at(self, due: int) -> Stretch | None:
        """The closed stretch that ends or begins at a due time, so that what falls into it is made up for there."""
        if self._closures.around(due) is not None:
            return None
        return self._closures.around(due - 1 if self._clash == "later" else due + 1)

    def _left_out(self, previous: int, due: int) -> str | None:
        first = self._first_closed(previous, due)
        if first is None:
            return None
        count = self._rule.count_between(previous, due - 1) - self.count_between(previous, due - 1)
        why = self._closures.why(first)
        return f"{spell_minute(first, self.zone)} is {why}, and left out" + (
            f", with {count - 1} more before this one" if count > 1 else ""
        )

    def _first_closed(self, after: int, before: int) -> int | None:
        """The first due time of the rule inside that is left out between two instants."""
        for _ in range(MOST_STRETCHES):
            first = self._rule.next_after(after)
            if first is None or first >= before:
                return None
            if self._closures.around(first) is not None:
                return first
            after = self._closures.next_closing(first) - 1
        return None

    def _inner(self, due: int) -> int:
        """The due time of the rule inside that a due time stands for: itself, or the last that fell into the stretch
        behind it, or the first of the stretch before it."""
        if self._clash == "skip" or self._rule.last_until(due) == due or self._made_up_at(due) is None:
            return due
        inner = self._rule.last_until(due - 1) if self._clash == "later" else self._rule.next_after(due)
        return due if inner is None else inner

    def _falls_into(self, stretch: Stretch) -> bool:
        due = self._rule.next_after(stretch.begin - 1)
        return due is not None and due < stretch.end

    def _made_up_before(self, closing: int) -> bool:
        """Whether something is due just before a stretch only because of what falls into it."""
        stretch = self._closures.around(closing)
        return stretch is not None and self._rule.last_until(closing - 1) != closing - 1 and self._falls_into(stretch)
