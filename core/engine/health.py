"""Health: whether handlers do their work. One that stops beating, or mostly fails, is told of once; so is its recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from core.engine.fleet import Fleet
from core.engine.flights import Flights
from core.engine.ports import BEAT_S, Clock, Instance
from core.engine.tally import LOST, SUCCEEDED, Slice, Tally

log = structlog.get_logger("schedule_zero.health")

LOOK_S: Final = BEAT_S / 2
# Two beats that did not come, and a little patience; less than what makes the gateway give a connection up.
SILENT_S: Final = 2.1 * BEAT_S
SHORTEST_S: Final = 0.1
ENOUGH: Final = 10
LEAST_RATE: Final = 0.5


class Telling(Protocol):
    """What the engine does when a handler's health changes."""

    def ails(self, instance: Instance, words: str) -> None: ...
    def recovered(self, instance: Instance) -> None: ...


class Health:
    """Looks at every instance: at its beats all the time, at how its runs went every ``check_interval_s``."""

    def __init__(
        self, *, clock: Clock, fleet: Fleet, flights: Flights, tally: Tally, check_interval_s: float,
        telling: Telling, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """``changed``: called when somebody may be given work again, or may not any more."""
        self._changed = changed
        self._clock = clock
        self._fleet = fleet
        self._flights = flights
        self._tally = tally
        self._interval_s = max(check_interval_s, SHORTEST_S)
        self._telling = telling
        self._failing: dict[tuple[str, str | None], str] = {}
        self._looked = self._check_at = clock.monotonic()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(min(LOOK_S, self._interval_s))
            self.look()

    def look(self) -> None:
        """One look. After the process itself stood still nobody is blamed for silence: what they said is yet to be read."""
        now = self._clock.monotonic()
        gap, self._looked = now - self._looked, now
        if gap > LOOK_S + BEAT_S:
            return
        if now >= self._check_at:
            self._check_at = now + self._interval_s
            self._failing = self._which_fail(now)
        changed = False
        for instances in self._fleet.handlers().values():
            for instance in instances:
                silence = self._silence(instance, now)
                changed |= instance.silent != (silence is not None)
                instance.silent = silence is not None
                if self._flights.excused(instance.name, now) is not None:  # it gets nothing, and is not blamed
                    silence = None
                self._judge(instance, silence or _set_aside(instance) or self._failing.get(_scope(instance)))
        if changed:
            self._changed()

    def _judge(self, instance: Instance, words: str | None) -> None:
        before, instance.ailing = instance.ailing, words
        if before is None and words is not None:
            self._telling.ails(instance, words)
        elif before is not None and words is None:
            self._telling.recovered(instance)

    def _silence(self, instance: Instance, now: float) -> str | None:
        heard = self._fleet.heard(instance.name)
        return None if heard is None or now - heard <= SILENT_S else "its beats stopped"

    def _which_fail(self, now: float) -> dict[tuple[str, str | None], str]:
        """Why handlers are failing: those for all guilds by their name, those for one by that guild besides."""
        methods: dict[tuple[str, str | None], set[str]] = {}
        for instances in self._fleet.handlers().values():
            for instance in instances:
                methods.setdefault(_scope(instance), set()).update(instance.methods)
        lately = {
            (handler, guild_id): self._tally.lately(handler, names, now, (guild_id,))
            for (handler, guild_id), names in methods.items()
        }
        return {scope: words for scope, each in lately.items() if (words := failing(each)) is not None}


def _set_aside(instance: Instance) -> str | None:
    bench = instance.bench
    return None if bench.until is None else f"its last {bench.failures} runs failed"


def _scope(instance: Instance) -> tuple[str, str | None]:
    """Whose attempts an instance is judged by."""
    return instance.handler, instance.guild_id


def failing(lately: Slice) -> str | None:
    """Why a handler with this record is unhealthy; None where it is not, or too little is known."""
    total, rate = sum(lately.counts), lately.success_rate
    if total < ENOUGH or rate is None or rate >= LEAST_RATE:
        return None
    lost = f", {lately.counts[LOST]} of them lost" if lately.counts[LOST] else ""
    return f"{total - lately.counts[SUCCEEDED]} of its last {total} attempts failed{lost}"
