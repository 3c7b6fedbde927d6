"""Breaker: who fails and fails is left alone for a while, then tried with one run, and let in again when that succeeds.

closed ──(failures)──▶ open ──(its time is over)──▶ half-open: one probe ──(succeeds)──▶ closed
                        ▲                                     │
                        └──────────(fails: longer)────────────┘

Only passing failures count: a lasting one is the schedule's own, and says that its handler answers. Ends of attempts that
began before the breaker last opened or closed tell of a time that is over, and are not heard. Pure; ``now`` is monotonic
seconds.
"""

from __future__ import annotations

import math
from typing import Final

STREAK: Final = 5
ENOUGH: Final = 20  # so many ends before a rate means anything
LARGEST_RATE: Final = 0.5
WINDOW_S: Final = 30.0
FIRST_S: Final = 2.0
LONGEST_S: Final = 60.0

Voice = str | None
"""Whose run it was that ended: a guild, or None for the operator's own work."""


class _Evidence:
    """The ends of half a window. ``votes``: whether the last run of each guild succeeded."""

    __slots__ = ("ends", "failures", "votes")

    def __init__(self) -> None:
        self.ends = 0
        self.failures = 0
        self.votes: dict[Voice, bool] = {}


class Breaker:
    """Opens after five failures in a row, or where half of at least twenty within half a minute failed.

    Attributes:
        until: while it is not closed, when it is (or was) time for a probe; None: it is closed.
        probing: the time at which the probe that is under way was taken; None: none is.
        failures: how many in a row there were last.
    """

    __slots__ = ("_before", "_closed_at", "_current", "_delay", "_needed", "_since", "_turn_at", "_voices", "failures",
                 "probing", "until")  # fmt: skip

    def __init__(self, needed: int = 1) -> None:
        """``needed``: of so many guilds the runs have to fail, so that none alone shuts a handler for the others."""
        self._needed = needed
        self._before = self._current = _Evidence()
        self._turn_at = -math.inf
        self._voices: set[Voice] = set()
        self._delay = 0.0
        self._since = self._closed_at = -math.inf
        self.failures = 0
        self.probing: float | None = None
        self.until: float | None = None

    def refuses(self, now: float) -> bool:
        """Whether no run may start: it is open, or its one probe is under way."""
        return self.until is not None and (self.probing is not None or now < self.until)

    def free_at(self) -> float | None:
        """When it frees by itself; None: when its probe ends."""
        return self.until if self.probing is None else None

    def take(self, now: float) -> None:
        """A run starts. Only where it is not refused; of an open one it is the probe."""
        if self.until is not None:
            self.probing = now

    def undo(self, taken_at: float | None) -> None:
        """The run taken then did not start."""
        if self.probing == taken_at:
            self.probing = None

    def at_rest(self, now: float) -> bool:
        """Whether a fresh one would do the same."""
        return self.until is None and not self.failures and now - self._closed_at > self._delay

    def ended(self, ok: bool | None, voice: Voice, taken_at: float, now: float) -> bool:
        """A run ended.

        Args:
            ok: whether it succeeded; None: its end says nothing of who ran it.
            taken_at: the ``now`` of its ``take``.

        Returns:
            Whether who was refused may try again.
        """
        if self.until is not None:
            return taken_at == self.probing and self._probed(ok, now)
        if ok is None or taken_at < self._since:
            return False
        if now >= self._turn_at:
            self._turn(now)
        current = self._current
        current.ends += 1
        current.votes[voice] = ok
        if ok:
            if self.failures:
                self.failures = 0
                self._voices.clear()
            return False
        current.failures += 1
        self.failures += 1
        self._voices.add(voice)
        if self._is_bad():
            again = now - self._closed_at <= self._delay
            self._open(now, min(LONGEST_S, 2 * self._delay) if again else FIRST_S)
        return False

    def _probed(self, ok: bool | None, now: float) -> bool:
        self.probing = None
        if ok is False:
            self._open(now, min(LONGEST_S, 2 * self._delay))
            return False
        if ok:
            self.until, self._since, self._closed_at = None, now, now
            self._forget()
        return True

    def _open(self, now: float, delay: float) -> None:
        self._delay, self._since, self.until = delay, now, now + delay

    def _is_bad(self) -> bool:
        if self.failures >= STREAK and len(self._voices) >= self._needed:
            return True
        ends = self._before.ends + self._current.ends
        if ends < ENOUGH or self._before.failures + self._current.failures < LARGEST_RATE * ends:
            return False
        votes = self._before.votes | self._current.votes
        failing = sum(not ok for ok in votes.values())
        return failing >= self._needed and failing >= LARGEST_RATE * len(votes)

    def _turn(self, now: float) -> None:
        """Begin another half window; one that is older than that is of no interest."""
        recent = now < self._turn_at + WINDOW_S / 2
        self._before, self._current = (self._current if recent else _Evidence()), _Evidence()
        self._turn_at = now + WINDOW_S / 2

    def _forget(self) -> None:
        self._before = self._current = _Evidence()
        self._turn_at = -math.inf
        self._voices.clear()
        self.failures = 0
