"""Time as the server sees it, and the ids made from it."""

import time
from datetime import UTC, datetime, timedelta

DISCORD_EPOCH_MS = 1_420_070_400_000
"""First millisecond of 2015 (UTC), from which Discord counts its ids."""


class Clock:
    """Real time plus a lead that tests may add to: ids, nonces, limits and interaction deadlines all follow."""

    def __init__(self) -> None:
        self._lead = 0.0

    def now(self) -> datetime:
        """Wall time, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._lead)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic() + self._lead

    def advance(self, seconds: float) -> None:
        """Jump ahead; going back is refused because ids must rise."""
        if seconds < 0:
            raise ValueError(f"the clock can only go ahead, not by {seconds} s")
        self._lead += seconds

    def stamp(self) -> str:
        """Wall time as Discord writes it: RFC 3339 in UTC."""
        return self.now().isoformat(timespec="microseconds")


class Snowflakes:
    """Ids that rise strictly and carry their time, as Discord's do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """The next id."""
        milliseconds = int(self._clock.now().timestamp() * 1000) - DISCORD_EPOCH_MS
        self._last = max(self._last + 1, milliseconds << 22)
        return self._last
