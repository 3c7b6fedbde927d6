"""Limits: what a scope is made of. Each answers check, take and undo, and if it counts what runs, release.

Two kinds stand here. RunningLimit counts what runs at once. RateLimit is GCRA, the generic cell rate algorithm (ITU-T
I.371, annex A): its state is one time, the *theoretical arrival time*, up to which starts are spoken for.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, Protocol

from core.governor.settings import Capacity, parse_rate
from core.governor.verdict import Wait

REMEMBERED: Final = 1024  # as many as the commits of attempts hold that are under way at once


class Limit(Protocol):
    """What a scope asks of each of its limits."""

    @property
    def refuses(self) -> bool:
        """Whether it ever refuses; one that only counts need not be asked."""
        ...

    def check(self, now: float) -> Wait | None:
        """Why one more may not start at ``now`` (monotonic seconds); None if it may. Changes nothing."""
        ...

    def take(self, now: float) -> None:
        """Charge one start. Only after ``check`` let it pass."""
        ...

    def undo(self, taken_at: float | None) -> None:
        """The start charged at that time did not happen."""
        ...


class RunningLimit:
    """So many at once. It counts even where nothing is limited, so that a limit set later starts from the truth."""

    __slots__ = ("allowed", "scope", "used")

    def __init__(self, scope: str, allowed: int | None) -> None:
        self.scope = scope
        self.allowed: float = math.inf if allowed is None else allowed
        self.used = 0

    @property
    def refuses(self) -> bool:
        return self.allowed < math.inf

    def check(self, now: float) -> Wait | None:
        return None if self.used < self.allowed else Wait(self.scope, "running", self.used, self.allowed)

    def take(self, now: float) -> None:
        self.used += 1

    def undo(self, taken_at: float | None) -> None:
        if self.used > 0:  # more ends than starts are a defect elsewhere; below zero, too much would be admitted
            self.used -= 1

    def release(self, seat_seconds: float, now: float) -> str | None:
        """One has ended. The scope's name if somebody may have been refused for want of its place."""
        used = self.used
        if used > 0:
            self.used = used - 1
        return self.scope if used >= self.allowed else None


class RateLimit:
    """So many starts in so many seconds, up to ``burst`` of them at one moment after a quiet time.

    Any window of T seconds holds at most ``burst + T / interval`` starts. The takes of the busy time since ``tat`` was
    last in the past are remembered (the newest 1,024), so that one of them can be undone as if it had never been.
    """

    __slots__ = ("_before", "_dirty", "_recent", "burst", "interval", "name", "scope", "slack", "tat")

    def __init__(
        self, scope: str, rate: str, burst: int | None, dirty: dict[str, RateLimit], *, name: str = "rate"
    ) -> None:
        """``name``: what its refusals call it; ``dirty``: where it puts itself when its state changes, to be stored."""
        read = parse_rate(rate)
        self.scope = scope
        self.name = name
        self.interval = read.per_seconds / read.count
        self.burst = burst or read.count
        self.slack = (self.burst - 1) * self.interval
        self.tat = -math.inf
        self._recent: deque[float] = deque()
        self._before = -math.inf
        self._dirty = dirty

    @property
    def refuses(self) -> bool:
        return True

    def check(self, now: float) -> Wait | None:
        if self.tat - self.slack <= now:
            return None
        used = min(float(self.burst), math.ceil(self.taken(now)))
        return Wait(self.scope, self.name, used, self.burst, self.tat - self.slack)

    def taken(self, now: float) -> float:
        """How much of the burst is in use."""
        return max(0.0, (self.tat - now) / self.interval)

    def take(self, now: float) -> None:
        tat, recent = self.tat, self._recent
        if tat <= now:
            recent.clear()
            self._before = tat
            self.tat = now + self.interval
        else:
            if len(recent) == REMEMBERED:
                self._before = max(self._before, recent.popleft()) + self.interval
            self.tat = tat + self.interval
        recent.append(now)
        self._dirty[self.scope] = self

    def undo(self, taken_at: float | None) -> None:
        """Take back the start at that time, as if it had never been.

        One from before the last quiet moment has no effect any more. One that is forgotten, or whose time nobody
        knows, stays charged: to give back too much would exceed the limit.
        """
        recent = self._recent
        if taken_at is None or taken_at not in recent:
            return
        recent.remove(taken_at)
        tat = self._before
        for at in recent:
            tat = max(tat, at) + self.interval
        self.tat = tat
        self._dirty[self.scope] = self

    def follow(self, old: RateLimit, now: float) -> None:
        """Take over from the limit this one replaces: what is in use of the burst stays in use."""
        self.resume(now, old.taken(now) * self.interval)

    def resume(self, at: float, seconds: float) -> None:
        """Go on from a known state: at that time so many seconds were spoken for; no more than a full burst is now."""
        self.tat = self._before = at + min(seconds, self.burst * self.interval)
        self._recent.clear()


class Scope:
    """One scope's limits, in the order in which they are asked.

    ``checks`` leaves out what never refuses; ``running`` counts all the same.
    """

    __slots__ = ("checks", "limits", "name", "rate", "running")

    def __init__(self, name: str, limits: Capacity, dirty: dict[str, RateLimit]) -> None:
        self.name = name
        self.running = RunningLimit(name, limits.running)
        self.rate = None if limits.rate is None else RateLimit(name, limits.rate, limits.burst, dirty)
        self.limits: tuple[Limit, ...] = (self.running,) if self.rate is None else (self.running, self.rate)
        self.checks = tuple(limit.check for limit in self.limits if limit.refuses)

    def at_rest(self, now: float) -> bool:
        """Whether a fresh scope of the same limits would answer the same."""
        return self.running.used == 0 and (self.rate is None or self.rate.tat <= now)

    def follow(self, old: Scope, now: float) -> None:
        """Take over the state of the scope this one replaces after the settings changed."""
        self.running.used = old.running.used
        if self.rate is not None and old.rate is not None:
            self.rate.follow(old.rate, now)
