"""The horizon: the due times near enough to keep in memory, so that memory does not grow with the store.

Everything due until ``until`` is known here; later schedules are read from the ledger when the horizon moves on.
An entry is only a hint: what is really due is decided in the tick's transaction, by revision and due time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from core.ledger.rows import DueRow

_instant: Final = itemgetter(1)


class Horizon:
    """Due times by schedule, soonest first."""

    def __init__(self, window: int, capacity: int) -> None:
        """``window``: how far ahead (microseconds) to keep; ``capacity``: how many due times at the most."""
        self.window = window
        self.capacity = capacity
        self.until = -1
        self._instants: list[int] = []  # a heap
        self._at: dict[int, list[str]] = {}
        self._known: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def put(self, id: str, revision: int, due: int | None) -> bool:
        """Note a schedule's next due time (None: it has none). Whether it became the soonest of all.

        Older news about the same revision is ignored: within a revision due times only move forward.
        """
        known = self._known.get(id)
        if known is not None:
            if known[0] > revision or (known[0] == revision and due is not None and due <= known[1]):
                return False
            if due is None or due > self.until:
                del self._known[id]
                return False
        elif due is None or due > self.until:
            return False
        self._known[id] = (revision, due)
        there = self._at.get(due)
        if there is not None:
            there.append(id)
            return False
        self._at[due] = [id]
        heapq.heappush(self._instants, due)
        return self._instants[0] == due

    def extend(self, rows: Iterable[DueRow], until: int) -> None:
        """The ledger's answer to "what is due until then": from now on everything up to ``until`` is known.

        Rows beyond it are kept as well: where more schedules share one instant than there is room for, only
        some of that instant are known, and the rest is read when those are gone.
        """
        found = list(rows)
        self.until = max([until, *(row.next_due for row in found)])
        for row in found:
            self.put(row.id, row.revision, row.next_due)
        self.until = until

    def clear(self) -> None:
        """Know nothing any more: everything is read again."""
        self.until = -1
        self._instants.clear()
        self._at.clear()
        self._known.clear()

    def pop_due(self, now: int, limit: int) -> list[tuple[str, int]]:
        """Take up to ``limit`` due entries out: (schedule, due), soonest first, and those of one instant by schedule.

        Where more is due than that, half of it goes to the oldest, and the other half round all due instants: so what
        became due first is never starved by what comes after it, and however many crowded instants stand before one, it
        gets its part at once.
        """
        instants, there = self._due(now, limit)
        crowded = there > limit
        due: list[tuple[str, int]] = []
        for instant in instants:
            self._take(instant, ((limit + 1) // 2 if crowded else limit) - len(due), due)
        if crowded:
            self._go_round(instants, limit, due)
            due.sort(key=_instant)
        for instant in instants:
            if self._at[instant]:
                heapq.heappush(self._instants, instant)
            else:
                del self._at[instant]
        return due

    def _due(self, now: int, most: int) -> tuple[list[int], int]:
        """Take the oldest due instants off the heap, at most so many; and how many entries they have at the most."""
        instants: list[int] = []
        there = 0
        while len(instants) < most and (instant := self.soonest()) is not None and instant <= now:
            instants.append(heapq.heappop(self._instants))
            self._at[instant].sort(reverse=True)
            there += len(self._at[instant])
        return instants, there

    def _go_round(self, instants: list[int], limit: int, due: list[tuple[str, int]]) -> None:
        """Fill up to the limit: all instants alike, what one has no use for goes to the others, the last few to the oldest."""
        while len(due) < limit and (left := [instant for instant in instants if self._at[instant]]):
            part = max(1, (limit - len(due)) // len(left))
            for instant in left:
                self._take(instant, min(part, limit - len(due)), due)

    def _take(self, instant: int, most: int, due: list[tuple[str, int]]) -> None:
        """Take up to so many entries of an instant out, in order."""
        ids, known = self._at[instant], self._known
        most += len(due)
        while ids and len(due) < most:
            id = ids.pop()
            entry = known.get(id)
            if entry is not None and entry[1] == instant:  # else a later word about this schedule made it void
                del known[id]
                due.append((id, instant))

    def soonest(self) -> int | None:
        """The earliest due time that is known."""
        known = self._known
        while self._instants:
            instant = self._instants[0]
            ids = self._at[instant]
            while ids:
                entry = known.get(ids[-1])
                if entry is not None and entry[1] == instant:
                    return instant
                ids.pop()
            del self._at[heapq.heappop(self._instants)]
        return None

    def look_at(self) -> int:
        """The earliest instant at which something may be due: beyond the horizon not all there is is known."""
        soonest = self.soonest()
        return self.until + 1 if soonest is None else min(soonest, self.until + 1)

    def covers(self, due: int) -> bool:
        """Whether a due time lies inside the horizon."""
        return due <= self.until

    def until_instant(self, ids: set[str], instant: int, limit: int) -> list[str]:
        """Those of ``ids`` that are due until an instant, at most ``limit``. Ids that are not known leave the set."""
        found: list[str] = []
        gone: list[str] = []
        for id in ids:
            entry = self._known.get(id)
            if entry is None:
                gone.append(id)
            elif entry[1] <= instant:
                found.append(id)
                if len(found) >= limit:
                    break
        ids.difference_update(gone)
        return found

    def count_until(self, instant: int) -> int:
        """How many due times are <= an instant."""
        soonest = self.soonest()
        if soonest is None or soonest > instant:
            return 0
        return sum(1 for _, due in self._known.values() if due <= instant)

    def needs_more(self, now: int) -> bool:
        """Whether the ledger should be asked: half the window is used up, and there is room for what it answers, or
        nothing more that it knows all of: what was put in while the horizon moved on may lie beyond its new end."""
        if self.until >= now + self.window // 2:
            return False
        return len(self._known) <= self.capacity // 4 or self.look_at() > self.until
