"""The rule ``example_name``: due at every full hour, until it is changed into what it shall be."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from core.timing.rule import EARLIEST, LATEST, Rule, one_by_one

STEP: Final = 3_600_000_000
"""Microseconds from one due time to the next."""


class ExampleName:
    """Due at every multiple of STEP since the epoch."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock people read the due times on."""
        return self._zone

    @property
    def recurring(self) -> bool:
        """It goes on."""
        return True

    @property
    def plain(self) -> bool:
        """Nothing but a clock change makes a due time worth a note."""
        return True

    def next_after(self, instant: int) -> int | None:
        """The first due time strictly after the instant."""
        due = (max(instant, EARLIEST) // STEP + 1) * STEP
        return due if due < LATEST else None

    def upcoming(self, instant: int, n: int) -> list[int]:
        """The first ``n`` due times strictly after the instant."""
        return one_by_one(self.next_after, instant, n)

    def last_until(self, instant: int) -> int | None:
        """The latest due time at or before the instant."""
        due = min(instant, LATEST - 1) // STEP * STEP
        return due if due >= EARLIEST else None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        """How many due times lie in (after, until], by arithmetic."""
        return max(0, min(limit, until // STEP - after // STEP))

    def nominal(self, due: int) -> int:
        """It is known by the instant at which it is due."""
        return due

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """Nothing is ever odd about a full hour."""
        return ()


def rule_for(zone: ZoneInfo) -> Rule:
    """The rule as the rest of timing knows it."""
    return ExampleName(zone)
