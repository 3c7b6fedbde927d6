"""The governor once more, slow and obvious: every question is answered from the list of all that happened."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.governor.settings import GovernorSettings, Limits, MethodQuota, Quota, parse_rate


@dataclass
class Start:
    """One start that was admitted."""

    guild: str | None
    method: str
    handler: str
    at: float
    running: bool = True


class Model:
    """Keeps every start for ever, and counts anew for every question."""

    def __init__(self, settings: GovernorSettings) -> None:
        self.settings = settings
        self.starts: list[Start] = []

    def take(
        self, guild: str | None, method: str, candidates: Sequence[str], now: float
    ) -> tuple[str, str, float | None] | str:
        """The handler's name, or (scope, limit, until)."""
        for scope, limits in self.outer(guild, method):
            refusal = self.refusal(scope, limits, now)
            if refusal is not None:
                return refusal
        refusals = []
        for handler in candidates:
            limits = self.settings.methods.get(method, MethodQuota()).per_handler or Limits()
            refusal = self.refusal(f"handler:{handler}/{method}", limits, now)
            if refusal is None:
                self.starts.append(Start(guild, method, handler, now))
                return handler
            refusals.append(refusal)
        if not refusals:
            return f"method:{method}", "handlers", None
        return min(refusals, key=lambda each: math.inf if each[2] is None else each[2])

    def outer(self, guild: str | None, method: str) -> Iterator[tuple[str, Limits | Quota]]:
        yield "global", self.settings.global_
        if guild is not None:
            name = self.settings.plan_of(guild)
            yield f"plan:{name}", self.settings.plans[name].shared or Limits()
            yield f"guild:{guild}", self.settings.quota_of(guild)
        yield f"method:{method}", self.settings.methods.get(method, MethodQuota())

    def scopes(self, start: Start) -> set[str]:
        outer = {scope for scope, _ in self.outer(start.guild, start.method)}
        return outer | {f"handler:{start.handler}/{start.method}"}

    def refusal(self, scope: str, limits: Limits | Quota, now: float) -> tuple[str, str, float | None] | None:
        mine = [start for start in self.starts if scope in self.scopes(start)]
        if limits.running is not None and sum(start.running for start in mine) >= limits.running:
            return scope, "running", None
        if limits.rate is None:
            return None
        rate = parse_rate(limits.rate)
        interval, burst = rate.per_seconds / rate.count, limits.burst or rate.count
        spoken_for = -math.inf
        for start in mine:
            spoken_for = max(spoken_for, start.at) + interval
        free_at = spoken_for - (burst - 1) * interval
        return None if free_at <= now else (scope, "rate", free_at)

    def end(self, start: Start) -> None:
        start.running = False

    def undo(self, start: Start) -> None:
        self.starts.remove(start)
