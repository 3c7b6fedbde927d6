"""Rules that people read on a wall clock, and the one place that decides what a clock change does to them.

A pattern says which walls it wants and knows no zone. ``WallRule`` turns its walls into instants in one of two ways:

* settled (``debian``): a wall that does not exist is due once, at the first instant after the gap; a wall that exists
  twice is due the first time only. The map from walls to instants never runs backwards, so every question about
  instants is one question about walls.
* as shown (``literal``, and patterns that follow the clock hour by hour): due whenever the clock shows the wall,
  so never in a gap and twice in an overlap.
"""

from __future__ import annotations

from typing import Final, Protocol
from zoneinfo import ZoneInfo

from core.timing.clock import REACH, Span, clock_of
from core.timing.rule import EARLIEST, LATEST, one_by_one
from schedule_zero.instant import DAY, spell, to_datetime

_MOST_SPANS: Final = 2_000
"""Spans a search crosses before it gives up: more than three centuries of the busiest zone."""
_ALL: Final = 1 << 40


class Pattern(Protocol):
    """Walls that are wanted, as a rule asks for them. Bounded like a rule: no answer takes an unbounded search."""

    def next_after(self, wall: int) -> int | None:
        """The first wanted wall strictly after this one."""

    def upcoming(self, wall: int, n: int) -> list[int]:
        """The first ``n`` wanted walls strictly after this one, in order; fewer when there are no more."""

    def last_until(self, wall: int) -> int | None:
        """The latest wanted wall at or before this one."""

    def count_between(self, after: int, until: int, limit: int) -> int:
        """How many wanted walls lie in (after, until], at most ``limit``."""


class WallRule:
    """A pattern read on the wall clock of a zone."""

    __slots__ = ("_as_shown", "_clock", "_pattern", "_unclamped", "plain", "recurring")

    def __init__(
        self,
        pattern: Pattern,
        zone: ZoneInfo,
        *,
        as_shown: bool,
        recurring: bool = True,
        unclamped: Pattern | None = None,
    ) -> None:
        """``unclamped`` is the pattern without the days it takes from shorter months, for notes; none: it takes none."""
        self._pattern = pattern
        self._unclamped = unclamped
        self.plain = unclamped is None
        self._clock = clock_of(zone)
        self._as_shown = as_shown
        self.recurring = recurring

    @property
    def zone(self) -> ZoneInfo:
        return self._clock.zone

    def next_after(self, instant: int) -> int | None:
        if instant >= LATEST:
            return None
        instant = max(instant, EARLIEST)
        due = self._next_shown(instant) if self._as_shown else self._next_settled(instant)
        return due if due is not None and due < LATEST else None

    def upcoming(self, instant: int, n: int) -> list[int]:
        clock = self._clock
        if EARLIEST <= instant < LATEST and (span := clock.span(instant)).start <= instant - REACH:
            # Mostly no clock change is near or between, and due times follow each other as walls do.
            offset = span.offset
            dues = [wall - offset for wall in self._pattern.upcoming(instant + offset, n)]
            if 0 < n == len(dues) and dues[-1] < min(span.end, LATEST):
                return dues
        return one_by_one(self.next_after, instant, n)

    def last_until(self, instant: int) -> int | None:
        if instant < EARLIEST:
            return None
        instant = min(instant, LATEST - 1)
        if self._as_shown:
            due = self._last_shown(instant)
        else:
            wall = self._pattern.last_until(self._clock.highest(instant))
            due = None if wall is None else self._clock.first(wall)
        return due if due is not None and due >= EARLIEST else None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        after, until = max(after, EARLIEST - 1), min(until, LATEST - 1)
        if after >= until:
            return 0
        return self._count_shown(after, until, limit) if self._as_shown else self._count_settled(after, until, limit)

    def nominal(self, due: int) -> int:
        return due

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """Says which wanted walls a gap swallowed or moved here, which of two times the due time is, and that its month
        lacks the day it is meant for."""
        clock, notes = self._clock, []
        start = due - 1 if previous is None else previous
        while (change := clock.change_after(start, due)) is not None:
            before, after = change
            missing = self._wanted_in_gap(before, after)
            if missing is not None:
                moved = after.start == due and not self._as_shown
                fate = f"; fires at {_moved(missing, due + after.offset)}" if moved else " and is left out"
                notes.append(f"{_hand(missing)} does not exist on {_day(missing)}{fate}")
            start = after.start
        twice = clock.instants(clock.wall(due))
        if len(twice) > 1:
            which = "first" if due == twice[0] else "second"
            both = "it fires both times; this is the" if self._as_shown else "it fires the"
            notes.append(f"{_hand(clock.wall(due))} comes twice on {_day(clock.wall(due))}; {both} {which}")
        if self._unclamped is not None and self._taken(self._unclamped, clock.wall(due)):
            notes.append(f"{_day(clock.wall(due))[:7]} is too short for the day it names; its last day stands for it")
        return tuple(notes)

    @staticmethod
    def _taken(unclamped: Pattern, wall: int) -> bool:
        """Whether nothing but the shortness of a month makes the day of a wall wanted."""
        day = wall - wall % DAY
        return unclamped.count_between(day - 1, day + DAY - 1, 1) == 0

    def _wanted_in_gap(self, before: Span, after: Span) -> int | None:
        """The first wanted wall that this change skips, if it skips any."""
        gap = after.start + before.offset, after.start + after.offset
        if gap[0] >= gap[1]:
            return None
        wall = self._pattern.next_after(gap[0] - 1)
        return wall if wall is not None and wall < gap[1] else None

    def _count_settled(self, after: int, until: int, limit: int) -> int:
        """Wanted walls first reached in the time, less those that a gap moved onto one instant."""
        clock, pattern = self._clock, self._pattern
        excess, start = 0, after
        while (change := clock.change_after(start, until)) is not None:
            old, new = change
            start = new.start
            if new.offset > old.offset:
                gap = pattern.count_between(start + old.offset - 1, start + new.offset, _ALL)
                excess += max(0, gap - 1)
        walls = pattern.count_between(clock.highest(after), clock.highest(until), limit + excess)
        return min(walls - excess, limit)

    def _next_settled(self, instant: int) -> int | None:
        span = self._clock.span(instant)
        wall = self._pattern.next_after(max(instant + span.offset, span.seen))
        if wall is None:
            return None
        due = wall - span.offset
        # The usual case: what is next lies under the same offset, and no other one is near enough to show its wall.
        return due if span.start <= wall - REACH and due < span.end else self._clock.first(wall)

    def _next_shown(self, instant: int) -> int | None:
        span = self._clock.span(instant)
        floor = instant + span.offset
        for _ in range(_MOST_SPANS):
            wall = self._pattern.next_after(floor)
            if wall is not None and wall - span.offset < span.end:
                return wall - span.offset
            if span.end > instant + REACH:
                # Nothing that was shown before comes again, so the search may go straight to the wall that was found.
                if wall is None:
                    return None
                span = self._clock.span(max(span.end, wall - span.offset - REACH))
            else:
                span = self._clock.span(span.end)
            if span.start >= LATEST:
                return None
            floor = span.start + span.offset - 1
        return None

    def _last_shown(self, instant: int) -> int | None:
        span = self._clock.span(instant)
        ceiling = instant + span.offset
        for _ in range(_MOST_SPANS):
            wall = self._pattern.last_until(ceiling)
            if wall is not None and wall - span.offset >= span.start:
                return wall - span.offset
            if span.start < instant - REACH:
                if wall is None:
                    return None
                span = self._clock.span(min(span.start - 1, wall - span.offset + REACH))
            else:
                span = self._clock.span(span.start - 1)
            if span.end <= EARLIEST:
                return None
            ceiling = span.end - 1 + span.offset
        return None

    def _count_shown(self, after: int, until: int, limit: int) -> int:
        count = 0
        span = self._clock.span(after + 1)
        while count < limit:
            low, high = max(after, span.start - 1), min(until, span.end - 1)
            count += self._pattern.count_between(low + span.offset, high + span.offset, limit - count)
            if span.end > until:
                break
            span = self._clock.span(span.end)
        return count


def _hand(wall: int) -> str:
    """Time of day of a wall: hours and minutes, seconds only where there are any."""
    time = to_datetime(wall).time()
    return time.isoformat("seconds" if time.second else "minutes")


def _moved(missing: int, wall: int) -> str:
    """Where a wall went; with its day where the gap swallowed the rest of the other (Apia 2011)."""
    return _hand(wall) if _day(wall) == _day(missing) else f"{_hand(wall)} on {_day(wall)}"


def _day(wall: int) -> str:
    return spell(wall)[:10]
