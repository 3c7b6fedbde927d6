"""Adaptive limits: how many runs at once a method bears is found out, not declared.

Aimd (additive increase, multiplicative decrease; Chiu and Jain, 1989) grows by one for a whole round of successes, and
halves with a passing failure. Gradient2 (Netflix concurrency-limits, ``Gradient2Limit``) compares how long runs take now
with how long they take as a rule, and shrinks before anything fails; it is for methods that take about the same time
always. Both grow only while the limit is what holds runs back: what was never in use proves nothing.

Pure; ``now`` is monotonic seconds.
"""

from __future__ import annotations

import math
from typing import Final, Literal

Kind = Literal["aimd", "gradient2"]

FIRST: Final = 20  # where no ceiling says how much is expected
MOST: Final = 1000
TOLERANCE: Final = 1.5  # so much longer than usual is no sign of a queue
QUEUE: Final = 4.0  # so many may wait at the other side
SMOOTHING: Final = 0.2
LONG: Final = 600  # as many rounds make up the usual time
WARM_UP: Final = 10
RECOVERED: Final = 2.0  # so much faster than usual: the usual time is out of date
FORGETTING: Final = 0.95
UPWARD: Final = 0.05  # the weight of a round that took longer than usual although few ran


class Aimd:
    """Half as much after a failure; one more for each round of successes at the limit.

    Attributes:
        limit: how many may run at once, with the fractions of its growth; ``allowed`` in whole runs.
        in_flight: how many do.
    """

    __slots__ = ("_cut_at", "_full_at", "in_flight", "least", "limit", "most")

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        """``most``: the ceiling, at which it begins; None: it begins low, and may grow far."""
        self.most = MOST if most is None else most
        self.least = min(least, self.most)
        self.limit = float(max(self.least, FIRST if most is None else most))
        self.in_flight = 0
        self._cut_at = self._full_at = -math.inf

    @property
    def allowed(self) -> int:
        """How many may run at once."""
        return int(self.limit)

    def take(self, now: float) -> None:
        """One starts."""
        self.in_flight += 1
        if self.in_flight >= int(self.limit):
            self._full_at = now

    def undo(self) -> None:
        """One did not start after all."""
        self.in_flight -= 1

    def ended(self, ok: bool | None, took_s: float | None, taken_at: float, now: float) -> bool:
        """One ended; whether somebody may have been refused for want of its place.

        Args:
            ok: whether it succeeded; None: its end says nothing of the method.
            took_s: from its sending to its answer.
            taken_at: the ``now`` of its ``take``.
        """
        was_full = self.in_flight >= int(self.limit)
        self.in_flight -= 1
        if ok is False:
            if taken_at >= self._cut_at:  # what began before the last cut tells once more of what that was for
                self.limit, self._cut_at = max(float(self.least), self.limit / 2), now
        elif ok:
            self._succeeded(took_s, in_use=taken_at <= self._full_at)
        return was_full

    def follow(self, old: Aimd) -> None:
        """Go on from the limit this one replaces."""
        self.limit = min(max(old.limit, float(self.least)), float(self.most))

    def _succeeded(self, took_s: float | None, *, in_use: bool) -> None:
        if in_use:
            self.limit = min(float(self.most), self.limit + 1 / self.limit)


class Gradient2(Aimd):
    """As much as keeps run times near the usual one; half as much after a failure, too.

    It looks once for as many runs as may be under way, at their mean: each of these was begun under the last limit.
    """

    __slots__ = ("_count", "_in_use", "_rounds", "_sum", "_usual")

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        super().__init__(least, most)
        self.limit = float(min(max(self.least, FIRST), self.most))  # the usual time is learnt where nothing queues yet
        self._usual = 0.0
        self._rounds = 0
        self._begin_round()

    def _begin_round(self) -> None:
        self._sum, self._count, self._in_use = 0.0, 0, False

    def _succeeded(self, took_s: float | None, *, in_use: bool) -> None:
        if took_s is None:
            return
        self._sum += max(took_s, 1e-6)
        self._count += 1
        self._in_use |= in_use
        if self._count < self.allowed:
            return
        mean, in_use = self._sum / self._count, self._in_use
        self._begin_round()
        if mean < self._usual or not in_use or self.limit <= FIRST:  # a full queue of our own must not become the usual
            self._learn(mean)
        usual = self._usual
        if in_use:
            gradient = max(0.5, min(1.0, TOLERANCE * usual / mean))
            wanted = self.limit * gradient + QUEUE
            smoothed = self.limit * (1 - SMOOTHING) + wanted * SMOOTHING
            self.limit = min(max(smoothed, float(self.least)), float(self.most))

    def _learn(self, mean: float) -> None:
        """The usual time: the mean of the first rounds, and then a slow average, which forgets a time that is over."""
        self._rounds += 1
        slowly = 2 / (LONG + 1) if mean < self._usual else UPWARD
        weight = 1 / self._rounds if self._rounds <= WARM_UP else slowly
        self._usual += (mean - self._usual) * weight
        if self._usual > RECOVERED * mean:
            self._usual *= FORGETTING


def adaptive_of(kind: Kind | None, least: int, most: int | None) -> Aimd | None:
    """The limit of that kind; None where none is wanted."""
    if kind is None:
        return None
    return Aimd(least, most) if kind == "aimd" else Gradient2(least, most)
