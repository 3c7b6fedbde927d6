"""Sends: how fast a guild's messages go into each of its channels, and how many direct messages it sends an hour.

Each is one more scope on the way of a start, between its method and its handler. Which one is told by the arguments, where
the run enters the queue: runs to different channels must not wait for each other. Channels are many and come and go, so a
limit that is at rest is forgotten. Nothing here reads a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from core.governor.limits import Limit, RateLimit
from core.governor.measures import Measured
from core.governor.settings import Quota
from core.governor.verdict import Wait
from schedule_zero.discord_ids import canonical

SENDS: Final = "sends_per_channel"
DMS: Final = "dms_per_hour"
SENDING: Final = frozenset({("discord", "send_message"), ("discord", "send_dm")})
"""The methods that send messages, by handler and method."""
KEPT: Final = 1024
"""So many limits are kept before those at rest are looked for."""
OTHERS: Final = "others"
"""The channel of what says only later which one it goes to."""
_UNKNOWN_GUILD: Final = "-"
"""Its measure, which is that of a server nobody set anything for, is that of a person outside servers, too."""
_CHANNEL: Final = "channel:"
_DMS: Final = "dms:"
_PERSON: Final = "person:"


class _To(msgspec.Struct, gc=False):
    channel_id: object = None


_to: Final = msgspec.json.Decoder(_To).decode


def destination_of(method: str, args: str, guild: str | None, owner: str) -> str:
    """Which scope a run that sends a message counts in.

    ``channel:GUILD/CHANNEL`` or ``dms:GUILD``; ``person:ID`` for the direct messages that a person set for themselves
    outside servers.

    Args:
        method: one of the handler that sends.
        args: the run's arguments, JSON.
        owner: whose schedule it is.

    Returns:
        The scope's name; empty for the operator's own work, which is not counted.
    """
    if method == "send_dm":
        if guild is not None:
            return f"{_DMS}{guild}"
        return f"{_PERSON}{owner}" if canonical(owner) is not None else ""
    if guild is None:
        return ""
    named = _to(args).channel_id
    channel = canonical(named) if isinstance(named, str) else None
    return f"{_CHANNEL}{guild}/{channel or OTHERS}"


def limited(measures: Measured, guild: str | None, method: str) -> bool:
    """Whether there may be a limit for what this method sends for a guild."""
    quota = measures.quota_of(_UNKNOWN_GUILD if guild is None else guild)
    return (quota.dms_per_hour if method == "send_dm" else quota.sends_per_channel) is not None


def of_sends(scope: str) -> bool:
    """Whether a scope is one of sends."""
    return scope.startswith((_CHANNEL, _DMS, _PERSON))


def guild_of(scope: str) -> str | None:
    """The guild that a scope of sends belongs to; None: it is a person's own, or no such scope."""
    if scope.startswith(_CHANNEL):
        return scope.removeprefix(_CHANNEL).rpartition("/")[0]
    return scope.removeprefix(_DMS) if scope.startswith(_DMS) else None


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


class Sends:
    """The limits of everything that messages were sent to lately."""

    def __init__(self, measures: Callable[[], Measured], dirty: dict[str, RateLimit]) -> None:
        """``measures``: those in force now; ``dirty``: where limits whose state changed put themselves."""
        self._measures = measures
        self._dirty = dirty
        self._limits: dict[str, RateLimit | Barred] = {}
        self._kept: dict[str, tuple[float, float]] = {}  # by scope: since when so many seconds are spoken for
        self._rested: set[str] = set()
        self._most = KEPT

    def limit(self, destination: str, now: float) -> Limit | None:
        """The limit that what goes there has to pass; None: none."""
        return self._limits.get(destination) or self._new(destination, now)

    def use_of(self, guild: str, now: float, most: int) -> tuple[RateLimit | Barred | None, list[RateLimit]]:
        """What a guild uses: its direct messages, and its channels that used most, the busiest first. To be looked at only."""
        busy = [
            each for scope, each in self._limits.items()
            if scope.startswith(_CHANNEL) and guild_of(scope) == guild and isinstance(each, RateLimit) and each.tat > now
        ]  # fmt: skip
        return self._limits.get(f"{_DMS}{guild}"), heapq.nlargest(most, busy, key=lambda each: each.tat - now)

    def undo(self, destination: str, taken_at: float | None) -> None:
        """The start charged at that time did not happen."""
        limit = self._limits.get(destination)
        if limit is not None:
            limit.undo(taken_at)

    # settings

    def remeasure(self, guild: str | None, now: float) -> None:
        """What a guild may use has changed; None: anybody's."""
        for scope, old in list(self._limits.items()):
            if guild is None or guild_of(scope) == guild:
                del self._limits[scope]
                self._dirty.pop(scope, None)
                fresh = self._made(scope)
                if fresh is None:
                    self._rested.add(scope)
                    continue
                self._limits[scope] = fresh
                if isinstance(fresh, RateLimit):
                    if isinstance(old, RateLimit):
                        fresh.follow(old, now)
                    self._dirty[scope] = fresh

    # across a restart

    def rested(self) -> set[str]:
        """The scopes that were forgotten since the last call: nothing needs to be stored of them."""
        rested, self._rested = self._rested, set()
        return rested

    def tats(self) -> Iterator[tuple[str, float]]:
        """Up to when starts are spoken for, by scope."""
        yield from ((scope, at + seconds) for scope, (at, seconds) in self._kept.items())
        yield from ((scope, each.tat) for scope, each in self._limits.items() if isinstance(each, RateLimit))

    def restore(self, state: Mapping[str, float], now: float) -> None:
        """Go on from what was stored: so many seconds are spoken for."""
        self._kept |= {scope: (now, seconds) for scope, seconds in state.items()}
        for scope in self._limits.keys() & state.keys():
            self._resume(scope)

    # steps

    def _new(self, destination: str, now: float) -> RateLimit | Barred | None:
        if len(self._limits) + len(self._kept) >= self._most:
            self._forget_at_rest(now)
        limit = self._made(destination)
        if limit is not None:
            self._limits[destination] = limit
            self._resume(destination)
        return limit

    def _made(self, scope: str) -> RateLimit | Barred | None:
        quota: Quota = self._measures().quota_of(guild_of(scope) or _UNKNOWN_GUILD)
        if scope.startswith(_CHANNEL):
            name, rate = SENDS, quota.sends_per_channel
        else:
            name, rate = DMS, None if quota.dms_per_hour is None else f"{quota.dms_per_hour}/h"
            if quota.dms_per_hour == 0:
                return Barred(scope, name)
        return None if rate is None else RateLimit(scope, rate, None, self._dirty, name=name)

    def _resume(self, scope: str) -> None:
        kept, limit = self._kept.pop(scope, None), self._limits[scope]
        if kept is not None and isinstance(limit, RateLimit):
            limit.resume(*kept)

    def _forget_at_rest(self, now: float) -> None:
        """Those that a fresh limit would do as well as."""
        resting = {scope for scope, tat in self.tats() if tat <= now}
        for scope in resting:
            self._kept.pop(scope, None)
            self._limits.pop(scope, None)
            self._dirty.pop(scope, None)
        self._rested |= resting
        self._most = max(KEPT, 2 * (len(self._limits) + len(self._kept)))
