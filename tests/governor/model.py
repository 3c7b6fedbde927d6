"""The governor once more, slow and obvious: every question is answered by counting what has happened.

What runs is counted in the list of all starts that have not ended. A rate is a bucket that leaks: each start pours one in, it leaks evenly,
and what would make it overflow may not start. Breakers and adaptive limits are not rebuilt here: whoever asks says what
the guard of a process answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from core.governor.governor import LOOK_AGAIN_S, TIMES_FREE
from core.governor.settings import Capacity, GovernorSettings, MethodQuota, parse_rate
from core.governor.verdict import Admit, Wait

ACTIVE_S = 600.0


@dataclass
class Start:
    """One start that was admitted."""

    guild: str | None
    method: str
    process: str
    at: float
    schedule: str = ""


@dataclass
class Bucket:
    """What is in use of a rate. ``pours``: since it was last empty, or was filled to a level that was given."""

    interval: float
    burst: int
    level_then: float = 0.0
    since: float = -math.inf
    pours: list[float] = field(default_factory=list)
    changed: bool = False

    def level(self, now: float) -> float:
        level, at = self.level_then, self.since
        for pour in self.pours:
            level = max(0.0, level - (pour - at) / self.interval) + 1
            at = pour
        return max(0.0, level - (now - at) / self.interval) if level else 0.0

    def pour(self, now: float) -> None:
        if self.level(now) == 0.0:
            self.level_then, self.pours = 0.0, []
        self.pours.append(now)
        self.changed = True

    def undo(self, at: float) -> None:
        if at in self.pours:
            self.pours.remove(at)
            self.changed = True


def are_limited(settings: GovernorSettings, guild: str | None) -> bool:
    """Whether each schedule of a guild has limits of its own."""
    each = settings.quota_of(guild).each_schedule
    return each is not None and (each.running, each.rate) != (None, None)


def is_barred(settings: GovernorSettings, guild: str | None, method: str) -> bool:
    """Whether a guild may not use the handler of a method."""
    handlers = settings.quota_of(guild).handlers
    return handlers is not None and method.partition(".")[0] not in handlers


def outer_scopes(settings: GovernorSettings, guild: str | None, method: str, schedule: str) -> Iterator[str]:
    """What a guild's runs of a method pass through before a process is chosen."""
    yield "global"
    if guild is not None:
        yield f"plan:{settings.plan_of(guild)}"
        yield f"guild:{guild}"
        if are_limited(settings, guild):
            yield f"schedule:{schedule}"
    yield f"method:{method}"


def scopes_of(settings: GovernorSettings, start: Start) -> set[str]:
    """Every scope a start is charged to."""
    outer = outer_scopes(settings, start.guild, start.method, start.schedule)
    return {*outer, f"handler:{start.process}/{start.method}"}


def guild_of(schedule: str) -> str:
    """Whose schedule it is: they are named ``GUILD/NUMBER`` here."""
    return schedule.partition("/")[0]


def limits_of(settings: GovernorSettings, scope: str) -> Capacity:
    """The limits of a scope by its name."""
    kind, _, name = scope.partition(":")
    match kind:
        case "plan":
            plan = settings.plans.get(name)
            return (None if plan is None else plan.shared) or Capacity()
        case "guild":
            return settings.quota_of(name)
        case "schedule":
            return settings.quota_of(guild_of(name)).each_schedule or Capacity()
        case "method":
            return settings.methods.get(name) or MethodQuota()
        case "handler":
            method = settings.methods.get(name.partition("/")[2]) or MethodQuota()
            return method.per_handler or Capacity()
    return settings.global_


class Model:
    """Keeps every start until it ends, and counts anew for every question."""

    def __init__(
        self, settings: GovernorSettings, handler_of: Callable[[str], str] = lambda _: "",
        guarded: Callable[[str | None, str, str, float], Wait | None] = lambda *_: None,
    ) -> None:  # fmt: skip
        """``guarded``: what holds a guild's runs of a method on a process back by breaker or adaptive limit."""
        self.settings = settings
        self.starts: list[Start] = []
        self._handler_of = handler_of
        self._guarded = guarded
        self._buckets: dict[str, Bucket] = {}
        self._met: set[str] = set()
        self._stored: dict[str, float] = {}
        self._restored: dict[str, tuple[float, float]] = {}
        self._given: dict[str, float] = {}
        self._gone: set[str] = set()
        self._meet(self._always(), 0.0)

    # questions

    def take(
        self, guild: str | None, method: str, candidates: Sequence[str], now: float, *, schedule: str
    ) -> Admit | Wait:
        """As the governor's."""
        answer = self.explain(guild, method, candidates, now, schedule=schedule)
        if isinstance(answer, Admit):
            self._start(Start(guild, method, answer.handler, now, schedule))
        return answer

    def explain(
        self, guild: str | None, method: str, candidates: Sequence[str], now: float, *, schedule: str
    ) -> Admit | Wait:
        """As the governor's."""
        outer = list(outer_scopes(self.settings, guild, method, schedule))
        self._meet(outer, now)
        for scope in outer:
            if scope == f"guild:{guild}" and is_barred(self.settings, guild, method):
                return Wait(scope, "handlers", 0, 0)
            if (refusal := self.refusal(scope, now)) is not None:
                return refusal
        refusals = []
        for process in candidates:
            own = f"handler:{process}/{method}"
            self._meet([own], now)
            refusal = self._guarded(guild, method, process, now) or self.over_share(process, now)
            if (refusal := refusal or self.refusal(own, now)) is None:
                return Admit(process)
            refusals.append(refusal)
        if not refusals:
            return Wait(f"method:{method}", "handlers", 0, 0)
        return min(refusals, key=lambda each: math.inf if each.until is None else each.until)

    def refusal(self, scope: str, now: float) -> Wait | None:
        """What a scope's own limits say."""
        limits = limits_of(self.settings, scope)
        running = self.running(scope)
        if limits.running is not None and running >= limits.running:
            return Wait(scope, "running", running, limits.running)
        bucket = self._buckets.get(scope)
        if bucket is None or (level := bucket.level(now)) + 1 <= bucket.burst:
            return None
        free_at = now + (level + 1 - bucket.burst) * bucket.interval
        return Wait(scope, "rate", min(bucket.burst, math.ceil(level)), bucket.burst, free_at)

    def over_share(self, process: str, now: float) -> Wait | None:
        """A handler holds at most three times what is free, while another one is active."""
        most = self.settings.global_.running
        held = [self._handler_of(each.process) for each in self.starts]
        handler = self._handler_of(process)
        active = set(held) | {each for each, at in self._given.items() if at + ACTIVE_S > now}
        if most is None or held.count(handler) < TIMES_FREE * (most - len(held)) or not active - {handler}:
            return None
        mine = held.count(handler)
        allowed = TIMES_FREE * (most - len(held) + mine) // (TIMES_FREE + 1)
        return Wait(f"handler:{handler}", "share", mine, allowed, now + LOOK_AGAIN_S)

    def running(self, scope: str) -> int:
        return sum(scope in scopes_of(self.settings, start) for start in self.starts)

    # what happens

    def meet(self, start: Start, now: float) -> None:
        """The ledger holds this one open from before a restart."""
        self._meet(scopes_of(self.settings, start), now)

    def end(self, start: Start) -> None:
        """It ended, or was never committed when a restart came."""
        self.starts = [each for each in self.starts if each is not start]

    def undo(self, start: Start) -> None:
        self.end(start)
        for scope in scopes_of(self.settings, start) & self._buckets.keys():
            self._buckets[scope].undo(start.at)

    def store(self, now: float) -> dict[str, float]:
        """The attempts of a transaction are committed, and with them what is spoken for of the rates that changed."""
        rows = {scope: each.level(now) * each.interval for scope, each in self._buckets.items() if each.changed}
        for bucket in self._buckets.values():
            bucket.changed = False
        rows |= dict.fromkeys(self._gone - rows.keys(), 0.0)
        self._gone = set()
        self._stored |= rows
        return rows

    def restart(self, settings: GovernorSettings, now: float) -> None:
        """Nothing is left but what was stored, and what the ledger holds open."""
        self.settings = settings
        self._buckets, self._met, self._given, self._gone = {}, set(), {}, set()
        self._restored = {scope: (now, seconds) for scope, seconds in self._stored.items() if seconds}
        self._meet(self._always(), now)

    def reconfigure(self, settings: GovernorSettings, now: float) -> None:
        """What runs stays counted, what is in use of a burst stays in use. Of schedules, whose scopes come and go, nothing stays
        stored that has no rate any more."""
        levels = {scope: bucket.level(now) for scope, bucket in self._buckets.items()}
        self.settings = settings
        self._buckets = {}
        met, self._met = self._met, set()
        plans = {scope for scope in met if scope.startswith("plan:")}
        schedules = {scope for scope in met if scope.startswith("schedule:")}
        limited = {scope for scope in schedules if are_limited(settings, guild_of(scope.partition(":")[2]))}
        self._gone |= {each for each in schedules - self._restored.keys() if limits_of(settings, each).rate is None}
        self._meet((met - plans - (schedules - limited)) | set(self._always()), now, levels)
        for bucket in self._buckets.values():
            bucket.changed = True
        for start in self.starts:
            self._meet(scopes_of(settings, start), now)

    def _always(self) -> Iterable[str]:
        """Scopes that are there before anybody asks."""
        return ["global", *(f"plan:{name}" for name, plan in self.settings.plans.items() if plan.shared)]

    def _meet(self, scopes: Iterable[str], now: float, levels: dict[str, float] | None = None) -> None:
        """Scopes come up for the first time. ``levels``: what was in use under other settings."""
        for scope in scopes:
            limits = limits_of(self.settings, scope)
            if scope in self._met or limits.rate is None:
                self._met.add(scope)
                continue
            self._met.add(scope)
            rate = parse_rate(limits.rate)
            bucket = Bucket(rate.per_seconds / rate.count, limits.burst or rate.count)
            self._buckets[scope] = bucket
            if levels is not None and scope in levels:
                bucket.level_then, bucket.since = min(levels[scope], bucket.burst), now
            if scope in self._restored:
                bucket.since, seconds = self._restored.pop(scope)
                bucket.level_then = min(seconds / bucket.interval, bucket.burst)

    def _start(self, start: Start) -> None:
        self.starts.append(start)
        self._given[self._handler_of(start.process)] = start.at
        for scope in scopes_of(self.settings, start) & self._buckets.keys():
            self._buckets[scope].pour(start.at)
