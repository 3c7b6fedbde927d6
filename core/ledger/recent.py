"""The newest events, kept in memory: who follows the journal asks for hardly any others.

Events were in this process when they were committed, and several follow them. Reading them back costs a question to the
database and its answer taken apart, for each follower, beside the writer [20,000 runs at once, one subscriber: an eighth
of their time]. This only remembers what was committed; whoever asks for older events gets them from the store.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from core.ledger.rows import EventRow
from schedule_zero.event import Event

KEPT: Final = 16_384

Number = Callable[[int, EventRow], Event]


class _Part:
    """The events of one transaction."""

    __slots__ = ("events", "first", "rows")

    def __init__(self, first: int, rows: Sequence[EventRow]) -> None:
        self.first = first
        self.rows = rows
        self.events: list[Event] | None = None


class RecentEvents:
    """The events of the last transactions, with no gap between them. For a store that only this process writes to."""

    def __init__(self, number: Number, kept: int = KEPT) -> None:
        """Start empty.

        Args:
            number: makes the event of a number and a row.
            kept: how many events to keep; the last transaction's stay however many they are.
        """
        self._number = number
        self._kept = kept
        self._size = 0
        self._parts: list[_Part] = []

    def committed(self, rows: Sequence[EventRow], head: int) -> None:
        """These were committed, in this order, and the last of them has the number ``head``."""
        first = head - len(rows) + 1
        if self._parts and self._next() != first:
            self.forget()
        self._parts.append(_Part(first, rows))
        self._size += len(rows)
        while self._size > self._kept and len(self._parts) > 1:
            self._size -= len(self._parts.pop(0).rows)

    def forget(self) -> None:
        """Older events were removed from the store, so that nobody may be told of them any more."""
        self._parts.clear()
        self._size = 0

    def after(self, seq: int, limit: int) -> list[Event] | None:
        """The next events after a place, oldest first; None: only the store knows."""
        if not self._parts or not self._parts[0].first - 1 <= seq < self._next():
            return None
        found: list[Event] = []
        place = bisect_right(self._parts, seq + 1, key=lambda part: part.first) - 1
        for part in self._parts[max(0, place) :]:
            skipped = max(0, seq + 1 - part.first)
            found += self._events(part)[skipped : skipped + limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def _next(self) -> int:
        return self._parts[-1].first + len(self._parts[-1].rows)

    def _events(self, part: _Part) -> list[Event]:
        """Made when the first follower asks, and shared by all."""
        if part.events is None:
            part.events = [self._number(seq, row) for seq, row in enumerate(part.rows, part.first)]
        return part.events
