"""The wall clock of one zone, in whole numbers: which wall an instant shows, and when a wall is shown.

A zone is read once per stretch of about thirteen months and kept as spans of constant offset, so that a clock change
costs a comparison instead of datetime arithmetic. All quantities are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from core.timing.rule import EARLIEST, LATEST
from schedule_zero.instant import DAY, HOUR, SECOND

_STRETCH_BITS: Final = 45  # 2**45 µs are 407 days
_STRETCH: Final = 1 << _STRETCH_BITS
_KEPT: Final = 400  # stretches per zone: more than there are between EARLIEST and LATEST
_NEVER: Final = -(1 << 62)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

REACH: Final = 26 * HOUR
"""No zone's wall is farther from UTC than this, and no clock change moves it farther (Apia 2011: 24 hours)."""


class Span(NamedTuple):
    """A time of constant offset. A span also ends where a stretch ends, so neighbours may share an offset."""

    start: int
    """First instant."""
    end: int
    """First instant that no longer belongs to it."""
    offset: int
    """Wall minus instant."""
    seen: int
    """The latest wall shown before ``start``: above the span's own first wall when the clock was turned back."""

    def surrounds(self, first: int, last: int) -> bool:
        """Whether it is all that is shown from ``first`` to ``last``, and no other span shows a wall of theirs."""
        return self.start + REACH <= first and last + REACH < self.end


class Clock:
    """The wall clock of a zone. One per zone, shared by all rules (``clock_of``)."""

    __slots__ = ("_stretches", "zone")

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._stretches: dict[int, tuple[Span, ...]] = {}

    def span(self, instant: int) -> Span:
        """The span that holds the instant."""
        number = instant >> _STRETCH_BITS
        stretch = self._stretches.get(number)
        if stretch is None:
            stretch = self._read(number)
        for span in stretch:
            if instant < span.end:
                return span
        return stretch[-1]

    def wall(self, instant: int) -> int:
        """What the clock shows at the instant."""
        return instant + self.span(instant).offset

    def spell(self, instant: int) -> str:
        """RFC 3339 with the offset shown at the instant."""
        return spell_shown(instant, self.span(instant).offset)

    def highest(self, instant: int) -> int:
        """The latest wall shown up to the instant; more than ``wall`` while an hour is lived a second time."""
        span = self.span(instant)
        return max(instant + span.offset, span.seen)

    def first(self, wall: int) -> int:
        """The first instant that shows this wall or, where the clock jumped over it, the first one after the gap."""
        span = self.span(wall - REACH)
        while wall - span.offset >= span.end:
            span = self.span(span.end)
        return max(span.start, wall - span.offset)

    def instants(self, wall: int) -> tuple[int, ...]:
        """All instants that show this wall: none in a gap, two where the clock was turned back, else one."""
        found = []
        span = self.span(wall - REACH)
        while span.start <= wall + REACH:
            if span.start <= wall - span.offset < span.end:
                found.append(wall - span.offset)
            span = self.span(span.end)
        return tuple(found)

    def change_after(self, instant: int, until: int) -> tuple[Span, Span] | None:
        """The spans before and after the first clock change in (instant, until], or None."""
        before = self.span(instant)
        while before.end <= until:
            after = self.span(before.end)
            if after.offset != before.offset:
                return before, after
            before = after
        return None

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The walls from ``first`` to ``last`` that are never shown, change by change: from the first wall that a change
        skips to the first that it does not, also where that lies beyond."""
        instant = first - REACH
        while (change := self.change_after(instant, last + REACH)) is not None:
            before, after = change
            instant = after.start
            gap = instant + before.offset, instant + after.offset
            if gap[0] < gap[1] and gap[0] <= last and first < gap[1]:
                yield gap

    def is_steady(self, first: int, last: int) -> bool:
        """Whether no clock change is near: none from ``first`` to ``last``, and none that shows a wall of theirs again."""
        return self.change_after(first - REACH, last + REACH) is None

    def _offset(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant // SECOND, self.zone).utcoffset()
        return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND

    def _read(self, number: int) -> tuple[Span, ...]:
        """Read one stretch of the zone by looking at every day, and at seconds where a day changed the offset.

        Reading starts two days early, so that an hour repeated across the border is still known as repeated.
        """
        begin, end = number << _STRETCH_BITS, (number + 1) << _STRETCH_BITS
        instant = begin - 2 * DAY
        start, offset, seen = begin, self._offset(instant), _NEVER
        spans: list[Span] = []
        while instant < end:
            following = min(instant + DAY, end)
            if self._offset(following) == offset:
                instant = following
                continue
            change = self._change(instant, following, offset)
            if change >= end:
                break
            if change > begin:
                spans.append(Span(start, change, offset, seen))
            start, seen, offset = max(change, begin), change + offset - 1, self._offset(change)
            instant = change
        spans.append(Span(start, end, offset, seen))
        if len(self._stretches) >= _KEPT:
            self._stretches.clear()
        self._stretches[number] = tuple(spans)
        return self._stretches[number]

    def _change(self, low: int, high: int, offset: int) -> int:
        """The first instant in (low, high] at which the offset is no longer ``offset``; zones change on seconds."""
        low, high = low // SECOND, -(-high // SECOND)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle * SECOND) == offset:
                low = middle
            else:
                high = middle
        return high * SECOND


@lru_cache(maxsize=1024)
def clock_of(zone: ZoneInfo) -> Clock:
    """The one clock of a zone."""
    return Clock(zone)


def inside(instant: int) -> int:
    """The instant, moved into the time in which rules are asked."""
    return min(max(instant, EARLIEST), LATEST)


def spell_shown(instant: int, offset: int) -> str:
    """RFC 3339 as ``schedule_zero.instant.spell`` has it, under a known offset. Days, times and offsets come up again and
    again, so each is spelled once [0.9 µs, through datetime 3]."""
    days, rest = divmod(instant + offset, DAY)
    seconds, micros = divmod(rest, SECOND)
    fraction = f".{micros:06d}" if micros else ""
    return f"{_spell_day(days)}T{_spell_time(seconds)}{fraction}{_spell_offset(offset)}"


def spell_minute(instant: int, zone: ZoneInfo) -> str:
    """Date and time to the minute, as the zone's clocks show them: 2026-11-30 20:00."""
    return clock_of(zone).spell(instant)[: len("2026-11-30T20:00")].replace("T", " ")


@lru_cache(maxsize=1024)
def _spell_day(days: int) -> str:
    return date.fromordinal(_EPOCH_DAY + days).isoformat()


@lru_cache(maxsize=4096)
def _spell_time(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@lru_cache(maxsize=256)
def _spell_offset(offset: int) -> str:
    return str(datetime.fromtimestamp(0, timezone(timedelta(microseconds=offset))))[len("1970-01-01 00:00:00") :]
