"""Own scopes: limits that a run meets for what it is: its schedule's own, and those of the channel or the direct messages it sends.

A run's schedule stands on its way between its guild and its method, the place its message goes to between its method and its
handler. Such scopes are many and come and go, so one that is at rest is forgotten. Of schedules it is counted what runs, of
places only how fast starts follow each other. Nothing here reads a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from core.governor.limits import Limit, RateLimit, RunningLimit
from core.governor.measures import Measured
from core.governor.sends import DMS, SENDS, UNKNOWN_GUILD, dms_of, is_channel, is_destination, is_of
from core.governor.settings import Quota
from core.governor.verdict import SCHEDULE, Wait, scope_of_schedule

KEPT: Final = 1024
"""So many scopes are kept before those at rest are looked for."""


def schedule_of(scope: str) -> str | None:
    """The schedule whose scope it is; None: it is no schedule's."""
    return scope.removeprefix(SCHEDULE) if scope.startswith(SCHEDULE) else None


def is_own(scope: str) -> bool:
    """Whether a scope is a run's own, and not one of the tree."""
    return scope.startswith(SCHEDULE) or is_destination(scope)


def limits_schedules(quota: Quota) -> bool:
    """Whether there is a limit of capacity for each schedule alone."""
    each = quota.each_schedule
    return each is not None and (each.running is not None or each.rate is not None)


class Barred:
    """Not one is allowed."""

    __slots__ = ("limit", "scope")

    def __init__(self, scope: str, limit: str) -> None:
        self.scope = scope
        self.limit = limit

    refuses: Final = True

    def check(self, now: float) -> Wait | None:
        return Wait(self.scope, self.limit, 0, 0)

    def take(self, now: float) -> None: ...

    def undo(self, taken_at: float | None) -> None: ...


class OwnScope:
    """One such scope, with its limits in the order in which they are asked. ``guild``: whose; None: nobody's."""

    __slots__ = ("guild", "limits", "name", "rate", "running")

    def __init__(self, name: str, guild: str | None, limits: Sequence[Limit]) -> None:
        self.name = name
        self.guild = guild
        self.limits = limits
        self.running = next((limit for limit in limits if isinstance(limit, RunningLimit)), None)
        self.rate = next((limit for limit in limits if isinstance(limit, RateLimit)), None)

    def check(self, now: float) -> Wait | None:
        """Why one more may not start here now; None if it may."""
        for limit in self.limits:
            wait = limit.check(now)
            if wait is not None:
                return wait
        return None

    def take(self, now: float) -> None:
        """Charge one start."""
        for limit in self.limits:
            limit.take(now)

    def undo(self, taken_at: float | None) -> None:
        """The start charged at that time did not happen."""
        for limit in self.limits:
            limit.undo(taken_at)

    def release(self, seat_seconds: float, now: float) -> str | None:
        """One has ended. The scope's name if somebody may have been refused for want of its place."""
        return None if self.running is None else self.running.release(seat_seconds, now)

    def restore(self) -> None:
        """One is under way from before a restart."""
        if self.running is not None:
            self.running.used += 1

    def at_rest(self, now: float) -> bool:
        """Whether a fresh one would answer the same."""
        idle = self.running is None or self.running.used == 0
        return idle and (self.rate is None or self.rate.tat <= now)

    def follow(self, old: OwnScope, now: float) -> None:
        """Take over the state of the one this one replaces."""
        if self.running is not None and old.running is not None:
            self.running.used = old.running.used
        if self.rate is not None and old.rate is not None:
            self.rate.follow(old.rate, now)


class OwnScopes:
    """Those that were met lately, of all guilds."""

    def __init__(self, measures: Callable[[], Measured], dirty: dict[str, RateLimit]) -> None:
        """``measures``: those in force now; ``dirty``: where limits whose state changed put themselves."""
        self._measures = measures
        self._dirty = dirty
        self._scopes: dict[str, OwnScope] = {}
        self._kept: dict[str, tuple[float, float]] = {}  # by scope: since when so many seconds are spoken for
        self._rested: set[str] = set()
        self._most = KEPT

    def __iter__(self) -> Iterator[OwnScope]:
        return iter(self._scopes.values())

    def scope(self, name: str, guild: str | None, now: float) -> OwnScope | None:
        """The scope that a run of a guild has to pass; None: nothing is limited there."""
        return self._scopes.get(name) or self._new(name, guild, now)

    def known(self, name: str) -> OwnScope | None:
        """The scope, if it was met lately."""
        return self._scopes.get(name)

    def sends_of(self, guild: str, now: float, most: int) -> tuple[OwnScope | None, list[RateLimit]]:
        """What a guild sends: its direct messages, and its channels that used most, the busiest first. To be looked at only."""
        busy = [
            each.rate for name, each in self._scopes.items()
            if each.guild == guild and is_channel(name) and each.rate is not None and each.rate.tat > now
        ]  # fmt: skip
        return self._scopes.get(dms_of(guild)), heapq.nlargest(most, busy, key=lambda each: each.tat - now)

    def forget(self, id: str, *, person: bool) -> None:
        """Know nothing any more of a guild's schedules and channels, or of a person outside of guilds: they are erased. How
        many direct messages a guild sent stays: else it could send as many again to others."""
        theirs = {name for name, each in self._scopes.items() if each.guild == id and not person}
        theirs |= {name for name in (*self._scopes, *self._kept) if is_of(name, id, person=person)}
        for name in theirs - {dms_of(id)}:
            self._drop(name)

    # settings

    def remeasure(self, guild: str | None, now: float) -> None:
        """What a guild may use has changed; None: anybody's."""
        for name, old in list(self._scopes.items()):
            if guild is None or old.guild == guild:
                del self._scopes[name]
                self._dirty.pop(name, None)
                fresh = self._made(name, old.guild)
                if fresh is not None:
                    fresh.follow(old, now)
                    self._scopes[name] = fresh
                    self._resume(fresh)
                if fresh is not None and fresh.rate is not None:
                    self._dirty[name] = fresh.rate
                elif name not in self._kept:
                    self._rested.add(name)

    def recount(self, guild: str, running: Mapping[str, int], now: float) -> None:
        """So many attempts of a guild's schedules are under way, by schedule; of those that have limits only since now."""
        for schedule, count in running.items():
            scope = self.scope(scope_of_schedule(schedule), guild, now)
            if scope is not None and scope.running is not None:
                scope.running.used = count

    # across a restart, and from core to core

    def leave(self, owns: Callable[[str | None], bool]) -> None:
        """Others work for some guilds now, and keep what is stored of these: here it is forgotten without a word."""
        for name, each in list(self._scopes.items()):
            if not owns(each.guild) and (each.running is None or each.running.used == 0):
                del self._scopes[name]
                self._dirty.pop(name, None)

    def rested(self) -> set[str]:
        """The scopes that were forgotten since the last call: nothing needs to be stored of them."""
        rested, self._rested = self._rested, set()
        return rested

    def tats(self) -> Iterator[tuple[str, float]]:
        """Up to when starts are spoken for, by scope."""
        yield from ((name, at + seconds) for name, (at, seconds) in self._kept.items())
        yield from ((name, each.rate.tat) for name, each in self._scopes.items() if each.rate is not None)

    def restore(self, state: Mapping[str, float], now: float) -> None:
        """Go on from what was stored: so many seconds are spoken for."""
        self._kept |= {name: (now, seconds) for name, seconds in state.items()}
        for name in self._scopes.keys() & state.keys():
            self._resume(self._scopes[name])

    # steps

    def _new(self, name: str, guild: str | None, now: float) -> OwnScope | None:
        if len(self._scopes) + len(self._kept) >= self._most:
            self._forget_at_rest(now)
        scope = self._made(name, guild)
        if scope is not None:
            self._scopes[name] = scope
            self._resume(scope)
        return scope

    def _made(self, name: str, guild: str | None) -> OwnScope | None:
        quota = self._measures().quota_of(UNKNOWN_GUILD if guild is None else guild)
        limits = limits_of(name, quota, self._dirty)
        return OwnScope(name, guild, limits) if limits else None

    def _resume(self, scope: OwnScope) -> None:
        if scope.rate is not None and scope.name in self._kept:
            scope.rate.resume(*self._kept.pop(scope.name))

    def _drop(self, name: str) -> None:
        self._kept.pop(name, None)
        self._scopes.pop(name, None)
        self._dirty.pop(name, None)

    def _forget_at_rest(self, now: float) -> None:
        """Those that a fresh one would do as well as."""
        resting = {name for name, (at, seconds) in self._kept.items() if at + seconds <= now}
        resting |= {name for name, each in self._scopes.items() if each.at_rest(now)}
        for name in resting:
            self._drop(name)
        self._rested |= resting
        self._most = max(KEPT, 2 * (len(self._scopes) + len(self._kept)))


def limits_of(scope: str, quota: Quota, dirty: dict[str, RateLimit]) -> tuple[Limit, ...]:
    """The limits of a scope where a guild may use so much; none where nothing is limited. ``dirty``: as RateLimit wants it."""
    if schedule_of(scope) is not None:
        each = quota.each_schedule
        if each is None or not limits_schedules(quota):
            return ()
        running = RunningLimit(scope, each.running)
        return (running,) if each.rate is None else (running, RateLimit(scope, each.rate, each.burst, dirty))
    if is_channel(scope):
        name, rate = SENDS, quota.sends_per_channel
    else:
        name, rate = DMS, None if quota.dms_per_hour is None else f"{quota.dms_per_hour}/h"
        if quota.dms_per_hour == 0:
            return (Barred(scope, name),)
    return () if rate is None else (RateLimit(scope, rate, None, dirty, name=name),)
