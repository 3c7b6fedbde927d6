"""Never due: the rule of a schedule that has no times of its own."""

from __future__ import annotations

from zoneinfo import ZoneInfo


class NeverRule:
    """Due at no time."""

    __slots__ = ("zone",)

    plain = True
    recurring = True

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def next_after(self, instant: int) -> int | None:
        return None

    def upcoming(self, instant: int, n: int) -> list[int]:
        return []

    def last_until(self, instant: int) -> int | None:
        return None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        return 0

    def nominal(self, due: int) -> int:
        return due

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """Nothing: there is no due time to say anything about."""
        return ()
