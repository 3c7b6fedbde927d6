"""Rolling: a rule whose due times on a calendar's closed days move to an open day, at the same time of day.

``later`` moves them to the first open day after, ``earlier`` to the last one before. Times that fall together are one. Of
what a rule wants on one closed day only the first few move: nobody makes up every minute of a holiday.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from core.timing.clock import clock_of
from core.timing.closures import Closures, Stretch
from core.timing.laid_around import LaidAround, moved_from, together
from core.timing.rule import EARLIEST, LATEST, Rule
from schedule_zero.instant import DAY

MOST_MOVED: Final = 24
"""Due times of one closed day that are moved."""
MOST_MOVED_TOGETHER: Final = 240
"""Due times of one closed stretch that are moved, whatever its length."""
MOST_DAYS: Final = 4_000
"""Days a search looks into, one after the other."""


class Moved(NamedTuple):
    """A due time, and the one of the rule inside that it stands for."""

    due: int
    inner: int


class Rolling(LaidAround):
    """Another rule, moved off closed days."""

    __slots__ = ("_clock", "_closed", "_last", "_later")

    def __init__(self, rule: Rule, closed: Closures, *, later: bool) -> None:
        """``closed``: whole days."""
        super().__init__(rule)
        self._closed = closed
        self._later = later
        self._clock = clock_of(rule.zone)
        self._last: tuple[int | None, tuple[Moved, ...]] = (None, ())  # one question after the other is about one day

    def next_after(self, instant: int) -> int | None:
        day: int | None = self._open_from(self._day(instant))
        for _ in range(MOST_DAYS):
            if day is None:
                return None
            begin, end = self._clock.first(day * DAY), self._clock.first((day + 1) * DAY)
            moved = [each.due for each in self._moved_to(day) if each.due > instant]
            own = self._rule.next_after(max(instant, begin - 1))
            if own is not None and own < end:
                return min([own, *moved])
            if moved:
                return min(moved)
            day = None if own is None else self._target(own, after=day)
        return None

    def last_until(self, instant: int) -> int | None:
        day: int | None = self._open_until(self._day(instant))
        for _ in range(MOST_DAYS):
            if day is None:
                return None
            begin, end = self._clock.first(day * DAY), self._clock.first((day + 1) * DAY)
            moved = [each.due for each in self._moved_to(day) if each.due <= instant]
            own = self._rule.last_until(min(instant, end - 1))
            if own is not None and own >= begin:
                return max([own, *moved])
            if moved:
                return max(moved)
            day = None if own is None else self._target(own, before=day)
        return None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        """Counts open stretches each at once, and what was moved to their borders."""
        count, place = 0, after
        ends = (self._open_from(self._day(after)), self._open_until(self._day(until)))
        targets = {day for day in ends if day is not None}
        for _ in range(MOST_DAYS):
            if place >= until or count >= limit:
                break
            stretch = self._closed.around(place + 1)
            if stretch is None:
                last = min(until, self._closed.next_closing(place) - 1)
                count += self._rule.count_between(place, last, limit)
                place = last
            else:
                target = self._border(stretch.begin, stretch.end)
                targets.update(() if target is None else (target,))
                place = stretch.end - 1
        moved = {each.due for day in targets for each in self._moved_to(day)}
        count += sum(after < due <= until and self._rule.last_until(due) != due for due in moved)
        return min(count, limit)

    def nominal(self, due: int) -> int:
        return self._rule.nominal(self._inner(due))

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """What the rule says, what this one stands for, and at the last that was moved how many are not made up for."""
        inner, day = self._inner(due), self._day(due)
        notes = self._rule.notes(inner, None if previous is None else self._inner(previous))
        moved = self._moved_to(day)
        if inner != due:
            notes = (*notes, moved_from(inner, self._closed.why(inner), self.zone))
        others = [each.inner for each in moved if each.due == due and each.inner != inner]
        if others:
            notes = (*notes, together(others[0], self._closed.why(others[0]), len(others) - 1, self.zone))
        if moved and due == max(each.due for each in moved) and (lost := self._fell_off(day) - len(moved)) > 0:
            notes = (*notes, f"{lost} more of the closed days beside it are left out")
        return notes

    def stands_at(self, inner: int) -> int | None:
        stretch = self._closed.around(inner)
        if stretch is None:
            return inner
        day = self._border(*stretch)
        return None if day is None else self._on(day, inner)

    def why_not(self, inner: int) -> tuple[str, str | None]:
        return self._closed.why(inner), None

    def _inner(self, due: int) -> int:
        """The due time of the rule inside that a due time stands for."""
        if self._rule.last_until(due) == due:
            return due
        return next((each.inner for each in self._moved_to(self._day(due)) if each.due == due), due)

    def _day(self, instant: int) -> int:
        """The day on the wall, an hour that is shown a second time being over."""
        return self._clock.highest(instant) // DAY

    def _open_from(self, day: int) -> int | None:
        """The first open day from this one on."""
        stretch = self._closed.around(self._clock.first(day * DAY))
        if stretch is None:
            return day
        return self._day(stretch.end) if stretch.end < LATEST else None

    def _open_until(self, day: int) -> int | None:
        """The last open day up to this one."""
        stretch = self._closed.around(self._clock.first(day * DAY))
        if stretch is None:
            return day
        return self._day(stretch.begin - 1) if stretch.begin > EARLIEST else None

    def _border(self, begin: int, end: int) -> int | None:
        """The open day to which a closed stretch's due times move."""
        if self._later:
            return self._day(end) if end < LATEST else None
        return self._day(begin - 1) if begin > EARLIEST else None

    def _target(self, own: int, *, after: int | None = None, before: int | None = None) -> int | None:
        """The next day on which something is due, ``own`` being the rule's own next due time; of the days after or before
        one that has been looked into."""
        for _ in range(MOST_DAYS):
            stretch = self._closed.around(own)
            day = self._day(own) if stretch is None else self._border(stretch.begin, stretch.end)
            if day is None:
                return None
            if (after is None or day > after) and (before is None or day < before):
                return day
            assert stretch is not None, "the rule's own time lies beyond the day that was looked into"
            following = (
                self._rule.next_after(stretch.end - 1)
                if after is not None
                else self._rule.last_until(stretch.begin - 1)
            )
            if following is None:
                return None
            own = following
        return None

    def _beside(self, day: int) -> Stretch | None:
        """The closed stretch whose due times move to an open day."""
        edge = self._clock.first(day * DAY) - 1 if self._later else self._clock.first((day + 1) * DAY)
        return self._closed.around(edge)

    def _fell_off(self, day: int) -> int:
        """How many due times fall into the closed stretch beside an open day."""
        stretch = self._beside(day)
        return 0 if stretch is None else self._rule.count_between(stretch.begin - 1, stretch.end - 1)

    def _moved_to(self, day: int) -> tuple[Moved, ...]:
        """What moves to an open day, in the order of the rule's own times."""
        if self._last[0] != day:
            self._last = day, tuple(self._moving_to(day))
        return self._last[1]

    def _moving_to(self, day: int) -> Iterator[Moved]:
        stretch = self._beside(day)
        if stretch is None:
            return
        inner = self._rule.next_after(max(stretch.begin, EARLIEST) - 1)
        closed_day, moved, all_moved = None, 0, 0
        while inner is not None and inner < stretch.end and all_moved < MOST_MOVED_TOGETHER:
            on = self._day(inner)
            moved = moved + 1 if on == closed_day else 1
            closed_day = on
            if moved > MOST_MOVED:
                inner = self._rule.next_after(self._clock.first((closed_day + 1) * DAY) - 1)
                continue
            all_moved += 1
            yield Moved(self._on(day, inner), inner)
            inner = self._rule.next_after(inner)

    def _on(self, day: int, inner: int) -> int:
        """The instant on an open day at which it is as late as at a due time of a closed one."""
        return self._clock.first(day * DAY + self._clock.highest(inner) % DAY)
