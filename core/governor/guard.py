"""Guard: what stands before one method of one handler: its breakers, and the limit that adapts to how it goes.

A handler that works for one guild alone has a guard of its own. Beside the breaker for all there is one for each guild
whose runs fail: where only one guild's do (its web address is down, say), only that guild waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from core.governor.adaptive import Aimd
from core.governor.breaker import Breaker, Voice
from core.governor.verdict import Wait

BREAKER: Final = "breaker"
ADAPTIVE: Final = "adaptive"
MOST_GUILDS: Final = 1000
FOR_ALL: Final = 2  # guilds that have to fail before all wait


class Crowd:
    """What one handler holds, over all its methods and processes. ``at``: when it last was given something."""

    __slots__ = ("at", "held")

    def __init__(self) -> None:
        self.held = 0
        self.at = -math.inf


class Guard:
    """Asked before each start, told of each start and end.

    Attributes:
        wary: whether there is anything to ask; mostly not, and then a start costs nothing here.
    """

    __slots__ = ("adaptive", "breaker", "crowd", "guilds", "scope", "wary")

    def __init__(self, scope: str, crowd: Crowd, adaptive: Aimd | None) -> None:
        self.scope = scope
        self.crowd = crowd
        self.adaptive = adaptive
        self.breaker = Breaker(needed=FOR_ALL)
        self.guilds: dict[Voice, Breaker] = {}
        self.wary = adaptive is not None

    def check(self, guild: Voice, now: float) -> Wait | None:
        """Why a run of this guild may not start now; None if it may. Changes nothing."""
        for breaker in (self.breaker, self.guilds.get(guild)):
            if breaker is not None and breaker.refuses(now):
                return Wait(self.scope, BREAKER, breaker.failures, 0, breaker.free_at())
        limit = self.adaptive
        if limit is not None and limit.in_flight >= limit.allowed:
            return Wait(self.scope, ADAPTIVE, limit.in_flight, limit.allowed)
        return None

    def take(self, guild: Voice, now: float) -> None:
        """A run starts. Only after ``check`` let it pass."""
        crowd = self.crowd
        crowd.held += 1
        crowd.at = now
        if self.wary:
            self.breaker.take(now)
            if (own := self.guilds.get(guild)) is not None:
                own.take(now)
            if self.adaptive is not None:
                self.adaptive.take(now)

    def undo(self, guild: Voice, taken_at: float | None) -> None:
        """The run taken then did not start."""
        self._leave()
        self.breaker.undo(taken_at)
        if (own := self.guilds.get(guild)) is not None:
            own.undo(taken_at)
        if self.adaptive is not None:
            self.adaptive.undo()

    def restore(self) -> None:
        """A run is under way that was not taken here."""
        self.crowd.held += 1
        if self.adaptive is not None:
            self.adaptive.in_flight += 1

    def ended(
        self, guild: Voice, ok: bool | None, took_s: float | None, taken_at: float, now: float, *,
        one_of_several: bool = False,
    ) -> bool:  # fmt: skip
        """A run ended (arguments as of ``Breaker.ended`` and ``Aimd.ended``); whether who was refused may try again.

        ``one_of_several``: a failure is the process's own, for another one is well.
        """
        self._leave()
        free = self.adaptive is not None and self.adaptive.ended(ok, took_s, taken_at, now)
        if one_of_several and ok is False:
            ok = None
        free |= self.breaker.ended(ok, guild, taken_at, now)
        own = self.guilds.get(guild)
        if own is None and ok is False:
            own = self._new_own(guild, now)
        if own is not None:
            free |= own.ended(ok, guild, taken_at, now)
            if own.at_rest(now):
                del self.guilds[guild]
        if self.wary or ok is False:
            self.wary = self.adaptive is not None or any(each.until is not None for each in self.breakers())
        return free

    def open(self, bound: str | None) -> Iterator[tuple[str | None, Breaker]]:
        """The breakers that are open, each with the guild whose runs it holds back; None: those of all.

        Args:
            bound: the one guild that the handler works for.
        """
        if self.breaker.until is not None:
            yield bound, self.breaker
        yield from ((guild, each) for guild, each in self.guilds.items() if each.until is not None)

    def breakers(self) -> Iterator[Breaker]:
        """The one for all, and those of guilds."""
        yield self.breaker
        yield from self.guilds.values()

    def at_rest(self, now: float) -> bool:
        """Whether a fresh one would do the same."""
        return not self.wary and not self.guilds and self.breaker.at_rest(now)

    def follow(self, old: Guard) -> None:
        """Take over from the guard this one replaces after the settings changed."""
        self.breaker, self.guilds = old.breaker, old.guilds
        if self.adaptive is not None and old.adaptive is not None:
            self.adaptive.follow(old.adaptive)
        self.wary = self.adaptive is not None or any(each.until is not None for each in self.breakers())

    def _leave(self) -> None:
        if self.crowd.held > 0:  # as RunningLimit, never below zero
            self.crowd.held -= 1

    def _new_own(self, guild: Voice, now: float) -> Breaker | None:
        """A guild's own. Too many of them fail only where all do, and then the one for all is enough."""
        if len(self.guilds) >= MOST_GUILDS:
            self.guilds = {name: each for name, each in self.guilds.items() if not each.at_rest(now)}
            if len(self.guilds) >= MOST_GUILDS:
                return None
        own = self.guilds[guild] = Breaker()
        return own
