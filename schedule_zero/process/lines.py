"""Lines of a run's log on their way: the beginning and the end of them are kept, and what lies between is counted.

A run may say more than anybody reads or any store should hold. Whoever has to let go of lines, on whichever side of the
wire, does it here: the middle goes first, and its number of lines travels with the line that comes behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from schedule_zero.transport.wire import MOST_LINES, Line

MOST_BYTES: Final = 256 * 1024
A_SECOND: Final = 100.0
"""So many lines may follow each second, when the first ``MOST_LINES`` have come as fast as they liked."""


class Taken(NamedTuple):
    """Lines in their order. ``left_out``: how many were left out behind the last of them."""

    lines: Sequence[Line]
    left_out: int


class Excerpt:
    """The first and the last lines of all that were added, each half within half of the bounds.

    Attributes:
        size: bytes of what is kept.
    """

    __slots__ = ("_after", "_gap", "_head", "_head_size", "_most", "_most_bytes", "_tail", "size")

    def __init__(self, most: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._head: list[Line] = []
        self._tail: deque[Line] = deque()
        self._gap = self._after = 0
        self._clear()

    def __len__(self) -> int:
        return len(self._head) + len(self._tail)

    def __bool__(self) -> bool:
        """Whether there is anything to tell: lines, or a number of them."""
        return bool(self._head or self._tail or self._gap or self._after)

    def add(self, line: Line) -> None:
        """Another line."""
        if self._after:
            line, self._after = Line(line.at, line.text, line.left_out + self._after), 0
        size = size_of(line)
        if not self._tail and not self._gap and self._fits_the_head(size):
            self._head.append(line)
            self._head_size += size
        else:
            self._tail.append(line)
        self.size += size
        while len(self._tail) > self._most // 2 or self.size - self._head_size > self._most_bytes // 2:
            gone = self._tail.popleft()
            self._gap += 1 + gone.left_out
            self.size -= size_of(gone)

    def skip(self, count: int) -> None:
        """So many lines more, which nobody keeps."""
        self._after += count

    def put_before(self, count: int) -> None:
        """So many lines, which nobody keeps, were said before all of these."""
        if not self:
            self._after = count
        elif self._head:
            first = self._head[0]
            self._head[0] = Line(first.at, first.text, first.left_out + count)
        else:
            self._gap += count

    def take(self, most: int | None = None) -> Taken:
        """What is kept, at most so many lines of it; nothing is left then."""
        lines, left_out = [*self._head, *self._tail], self._after
        if self._tail and self._gap:
            first = self._tail[0]
            lines[len(self._head)] = Line(first.at, first.text, first.left_out + self._gap)
        else:
            left_out += self._gap
        self._clear()
        return shortened(Taken(lines, left_out), len(lines) if most is None else most)

    def _fits_the_head(self, size: int) -> bool:
        return len(self._head) < self._most - self._most // 2 and self._head_size + size <= self._most_bytes // 2

    def _clear(self) -> None:
        self._head = []
        self._tail = deque()
        self._head_size = self._gap = self._after = self.size = 0


class Allowance:
    """How many lines may pass: many at first, then so many a second."""

    __slots__ = ("_left", "_since")

    def __init__(self, now: float) -> None:
        """``now``: in monotonic seconds, as everywhere here."""
        self._left = float(MOST_LINES)
        self._since = now

    def at(self, now: float, *, last: bool = False) -> int:
        """How many may pass now. The last ones of an attempt say how it ended, so of those there may be a second's."""
        self._left = min(float(MOST_LINES), self._left + (now - self._since) * A_SECOND)
        self._since = now
        return max(int(self._left), int(A_SECOND) if last else 0)

    def use(self, count: int) -> None:
        """So many pass."""
        self._left -= count


def shortened(taken: Taken, most: int) -> Taken:
    """At most so many of these lines: the first and the last of them."""
    lines = taken.lines
    if len(lines) <= most:
        return taken
    end = len(lines) - most // 2
    middle, tail = lines[most - most // 2 : end], list(lines[end:])
    gone = len(middle) + sum(line.left_out for line in middle)
    if not tail:
        return Taken(lines[:most], taken.left_out + gone)
    tail[0] = Line(tail[0].at, tail[0].text, tail[0].left_out + gone)
    return Taken([*lines[: most - most // 2], *tail], taken.left_out)


def size_of(line: Line) -> int:
    """Its text in bytes, as stores and wires have it."""
    return len(line.text) if line.text.isascii() else len(line.text.encode())


class Told(msgspec.Struct, frozen=True):
    """What an attempt has told since it was last asked. ``fraction`` is None where it only logged."""

    fraction: float | None
    note: str
    taken: Taken
