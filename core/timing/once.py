"""Due once: at an instant, or when the wall clock shows one wall."""

from __future__ import annotations

from zoneinfo import ZoneInfo


class OnceRule:
    """Due at one instant."""

    __slots__ = ("_due", "recurring", "zone")

    plain = True

    def __init__(self, due: int, zone: ZoneInfo) -> None:
        self._due = due
        self.zone = zone
        self.recurring = False

    def next_after(self, instant: int) -> int | None:
        return self._due if instant < self._due else None

    def upcoming(self, instant: int, n: int) -> list[int]:
        return [self._due] if instant < self._due and n > 0 else []

    def last_until(self, instant: int) -> int | None:
        return self._due if self._due <= instant else None

    def count_between(self, after: int, until: int, limit: int = 10_000) -> int:
        return min(limit, int(after < self._due <= until))

    def nominal(self, due: int) -> int:
        return due

    def notes(self, due: int, previous: int | None) -> tuple[str, ...]:
        """Nothing: an instant knows no clock change."""
        return ()


class OncePattern:
    """One wall, and no other."""

    __slots__ = ("_wall",)

    def __init__(self, wall: int) -> None:
        self._wall = wall

    def next_after(self, wall: int) -> int | None:
        return self._wall if wall < self._wall else None

    def upcoming(self, wall: int, n: int) -> list[int]:
        return [self._wall] if wall < self._wall and n > 0 else []

    def last_until(self, wall: int) -> int | None:
        return self._wall if self._wall <= wall else None

    def count_between(self, after: int, until: int, limit: int) -> int:
        return min(limit, int(after < self._wall <= until))
