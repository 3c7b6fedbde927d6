"""Measures: what every guild may use now: the configuration, and over it what the store says of each guild.

From below to above: the plan, what the configuration differs in for the guild, what an operator set for it, and what was
set for a time. Each layer holds only the fields it says something about. Nothing here reads a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, Protocol

import msgspec
from msgspec import UNSET

from core.governor.settings import (
    OVERRIDES,
    GovernorSettings,
    GuildQuota,
    Limits,
    MethodQuota,
    Plan,
    Quota,
    SuspicionSettings,
    laid_over,
)

VERIFIED: Final = "verified"
"""The plan of a guild that was verified, unless it has a better one."""

Origin = Literal["plan", "configuration", "operator", "temporary"]


class Measured(Protocol):
    """What the governor asks: ``GovernorSettings`` alone, or ``Measures``."""

    @property
    def global_(self) -> Limits: ...
    @property
    def plans(self) -> dict[str, Plan]: ...
    @property
    def methods(self) -> dict[str, MethodQuota]: ...

    def plan_of(self, guild_id: str) -> str:
        """The name of a guild's plan."""
        ...

    def quota_of(self, guild_id: str | None) -> Quota:
        """What a guild may use; None: the operator's own work."""
        ...


class Mark(msgspec.Struct, frozen=True):
    """That something was done to a guild: when (microseconds since 1970), by whom, and why."""

    at: int
    by: str
    why: str = ""


class ForATime(msgspec.Struct, frozen=True):
    """Limits with an end, in microseconds since 1970; ``by``: who set them."""

    limits: GuildQuota
    until: int
    by: str


class Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the store says of one guild.

    Attributes:
        plan: its plan, instead of what the configuration says.
        own: lasting limits; a plan in here means nothing.
        for_a_time: limits with an end, later ones over earlier ones.
        verified: it was proven that those who manage it are real.
        suspended: it starts nothing, and nothing is made for it.
    """

    plan: str | None = None
    own: GuildQuota = GuildQuota()
    for_a_time: tuple[ForATime, ...] = ()
    verified: Mark | None = None
    suspended: Mark | None = None


NOTHING: Final = Stored()


class Measures:
    """The measures of all guilds. One per core."""

    def __init__(self, settings: GovernorSettings) -> None:
        self._settings = settings
        self._stored: dict[str, Stored] = {}
        self._quotas: dict[str, Quota] = {}
        self._ends: list[tuple[int, str]] = []

    @property
    def global_(self) -> Limits:
        return self._settings.global_

    @property
    def plans(self) -> dict[str, Plan]:
        return self._settings.plans

    @property
    def methods(self) -> dict[str, MethodQuota]:
        return self._settings.methods

    @property
    def suspicion(self) -> SuspicionSettings:
        """When a guild is suspected."""
        return self._settings.suspicion

    def plan_of(self, guild_id: str) -> str:
        """The name of a guild's plan. One that the configuration knows no more counts as not set."""
        stored = self._stored.get(guild_id, NOTHING).plan
        return stored if stored in self._settings.plans else self._settings.plan_of(guild_id)

    def quota_of(self, guild_id: str | None) -> Quota:
        """What a guild may use. None, the operator's own work: no limits here."""
        quota = None if guild_id is None else self._quotas.get(guild_id)
        return self._settings.quota_of(guild_id) if quota is None else quota

    def stored_of(self, guild_id: str) -> Stored:
        """What the store says of a guild."""
        return self._stored.get(guild_id, NOTHING)

    def suspended(self, guild_id: str | None) -> Mark | None:
        """Why a guild starts nothing, if it is suspended."""
        return None if guild_id is None else self.stored_of(guild_id).suspended

    def granted(self, guild_id: str) -> Quota:
        """What a guild may use as soon as it is not suspended."""
        stored = self.stored_of(guild_id)
        return self.quota_of(guild_id) if stored.suspended is None else self._granted(guild_id)

    def guilds(self) -> Iterator[str]:
        """Every guild the store says something of."""
        return iter(self._stored)

    def origins(self, guild_id: str) -> dict[str, Origin]:
        """Which layer says each field that is not as in the plan."""
        found: dict[str, Origin] = {}
        for origin, layer in self._layers(guild_id):
            found |= dict.fromkeys(said(layer), origin)
        return found

    def put(self, guild_id: str, stored: Stored, now: int) -> None:
        """What the store says of a guild from now on (microseconds since 1970)."""
        running = tuple(each for each in stored.for_a_time if each.until > now)
        stored = msgspec.structs.replace(stored, for_a_time=running)
        if stored == NOTHING:
            self._stored.pop(guild_id, None)
            self._quotas.pop(guild_id, None)
            return
        self._stored[guild_id] = stored
        quota = self._granted(guild_id)
        self._quotas[guild_id] = quota if stored.suspended is None else msgspec.structs.replace(quota, running=0)
        for each in running:
            heapq.heappush(self._ends, (each.until, guild_id))

    def with_one(self, guild_id: str, stored: Stored, now: int) -> Measures:
        """The measures as they would be with this one, of this guild alone."""
        alone = Measures(self._settings)
        alone.put(guild_id, stored, now)
        return alone

    def next_end(self) -> int | None:
        """When the next limit with an end ends, microseconds since 1970."""
        return self._ends[0][0] if self._ends else None

    def lapse(self, now: int) -> set[str]:
        """Let end what has its time behind it. Returns the guilds whose measures changed."""
        changed: set[str] = set()
        while self._ends and self._ends[0][0] <= now:
            _, guild_id = heapq.heappop(self._ends)
            stored = self.stored_of(guild_id)
            if any(each.until <= now for each in stored.for_a_time):
                self.put(guild_id, stored, now)
                changed.add(guild_id)
        return changed

    def _granted(self, guild_id: str) -> Quota:
        quota: Quota = self._settings.plans[self.plan_of(guild_id)]
        for _, layer in self._layers(guild_id):
            quota = laid_over(quota, layer)
        return quota

    def _layers(self, guild_id: str) -> Iterator[tuple[Origin, GuildQuota]]:
        """From below to above, without the plan."""
        configured = self._settings.guilds.get(guild_id)
        if configured is not None:
            yield "configuration", configured
        stored = self.stored_of(guild_id)
        yield "operator", stored.own
        for each in stored.for_a_time:
            yield "temporary", each.limits


def said(layer: GuildQuota) -> dict[str, object]:
    """The limits a layer says something about."""
    return {name: value for name in OVERRIDES if (value := getattr(layer, name)) is not UNSET}


def changed(stored: Stored, limits: Mapping[str, object], *, reset: frozenset[str] = frozenset()) -> Stored:
    """The same with some lasting limits set, and some as in the plan again."""
    kept = {name: value for name, value in said(stored.own).items() if name not in reset}
    return msgspec.structs.replace(stored, own=msgspec.convert(kept | dict(limits), GuildQuota))


def ended(stored: Stored, names: Iterable[str]) -> Stored:
    """The same without the newest value with an end of each of these; one that is named twice without two."""
    layers = list(stored.for_a_time)
    for name in names:
        newest = next((place for place in reversed(range(len(layers))) if name in said(layers[place].limits)), None)
        if newest is None:
            continue
        left = {other: value for other, value in said(layers[newest].limits).items() if other != name}
        if left:
            layers[newest] = msgspec.structs.replace(layers[newest], limits=msgspec.convert(left, GuildQuota))
        else:
            del layers[newest]
    return msgspec.structs.replace(stored, for_a_time=tuple(layers))
