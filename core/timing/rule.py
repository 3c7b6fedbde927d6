"""What every rule answers, and the span of time in which rules are asked.

All instants are microseconds since 1970-01-01T00:00:00Z. Times on the wall of a zone are counted the same way, as if
the wall clock showed UTC; such a number is called a wall, and only ``core.timing.clock`` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol
from zoneinfo import ZoneInfo

EARLIEST: Final = -2_208_988_800_000_000
"""1900-01-01: before it, zones know only local mean time, and nothing is ever due."""

LATEST: Final = 7_258_118_400_000_000
"""2200-01-01: from here on nothing is due, so that no search runs to the end of the calendar."""


class BadPattern(ValueError):
    """The rule itself cannot be: one sentence that says why. ``compile_rule`` adds the place where it was written."""


class Rule(Protocol):
    """A trigger, computing. Every answer is found in a bounded number of steps, however far back the question lies."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock people read the due times on."""

    @property
    def recurring(self) -> bool:
        """False where there can be one due time at most."""

    @property
    def plain(self) -> bool:
        """Whether nothing but a clock change makes a due time worth a note."""

    def next_after(self, instant: int) -> int | None:
        """The first due time strictly after the instant, or None when there is none."""

    def upcoming(self, instant: int, n: int) -> list[int]:
        """The first ``n`` due times strictly after the instant, in order; fewer when the rule ends."""

    def last_until(self, instant: int) -> int | None:
        """The latest due time at or before the instant, or None when there is none."""

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        """How many due times lie in (after, until]; ``limit`` when there are that many or more."""

    def nominal(self, due: int) -> int:
        """The instant by which a due time is known, whatever moved it: the one the trigger itself means."""

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """What is odd about a due time: sentences for people. ``previous`` is the due time before it, if any."""


def one_by_one(next_after: Callable[[int], int | None], start: int, n: int) -> list[int]:
    """``upcoming``, from the answers of ``next_after``."""
    found: list[int] = []
    following = next_after(start) if n > 0 else None
    while following is not None:
        found.append(following)
        following = next_after(following) if len(found) < n else None
    return found
