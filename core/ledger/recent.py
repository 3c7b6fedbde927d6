"""The newest events, kept in memory: who follows the journal asks for hardly any others.

Events were in this process when they were committed, and several follow them. Reading them back costs a question to the
database and its answer taken apart, for each follower, beside the writer [20,000 runs at once, one subscriber: an eighth
of their time]. This only remembers what was committed; whoever asks for older events gets them from the store.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from sys import getsizeof
from typing import Final

from core.ledger.rows import EventRow
from schedule_zero.event import Event

KEPT: Final = 8 * 2**20
ENVELOPE: Final = 400  # bytes an event takes beside its data, ids among them

Number = Callable[[int, EventRow], Event]
_data: Final = attrgetter("data")


class _Part:
    """The events of one transaction, as they were written: plain text, which the garbage collector need not walk."""

    __slots__ = ("first", "rows", "size")

    def __init__(self, first: int, rows: Sequence[EventRow]) -> None:
        self.first = first
        self.rows = rows
        self.size = sum(map(getsizeof, map(_data, rows))) + ENVELOPE * len(rows)


class RecentEvents:
    """The events of the last transactions, with no gap between them."""

    def __init__(self, number: Number, kept: int = KEPT, *, shared: bool = False) -> None:
        """Start empty.

        Args:
            number: makes the event of a number and a row.
            kept: how much to keep, in bytes.
            shared: others write to the store as well: what is known here has no gap, but there may be more behind it.
        """
        self._shared = shared
        self._number = number
        self._kept = kept
        self._size = 0
        self._parts: list[_Part] = []

    def committed(self, rows: Sequence[EventRow], head: int) -> None:
        """These were committed, in this order, and the last of them has the number ``head``."""
        part = _Part(head - len(rows) + 1, rows)
        if self._parts and self._next() != part.first:
            self.forget()
        self._parts.append(part)
        self._size += part.size
        while self._size > self._kept:
            self._size -= self._parts.pop(0).size

    def forget(self) -> None:
        """Older events were removed from the store, so that nobody may be told of them any more."""
        self._parts.clear()
        self._size = 0

    def after(self, seq: int, limit: int) -> list[Event] | None:
        """The next events after a place, oldest first; None: only the store knows. They are the asker's own."""
        if not self._parts or not self._parts[0].first - 1 <= seq < self._next():
            return None
        found: list[Event] = []
        place = bisect_right(self._parts, seq + 1, key=lambda part: part.first) - 1
        for part in self._parts[max(0, place) :]:
            start = max(0, seq + 1 - part.first)
            rows = part.rows[start : start + limit - len(found)]
            found += [self._number(number, row) for number, row in enumerate(rows, part.first + start)]
            if len(found) >= limit:
                break
        return None if self._shared and not found else found

    def _next(self) -> int:
        return self._parts[-1].first + len(self._parts[-1].rows)
