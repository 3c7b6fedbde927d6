"""Views of handlers: who serves them, what they can do, and how that went."""

from __future__ import annotations

from typing import Any

import msgspec


class RecordView(msgspec.Struct, kw_only=True):
    """How attempts went lately, within ``window``; None where there were none.

    Attributes:
        succeeded: attempts that did; ``failed`` those that did not, or took too long; ``lost`` those nobody answered.
        success_rate: the part that succeeded, from 0 to 1.
        p50: the run time that half of the answered attempts did not exceed; ``p95``: that 19 of 20 did not.
    """

    window: str
    succeeded: int = 0
    failed: int = 0
    lost: int = 0
    success_rate: float | None = None
    p50: str | None = None
    p95: str | None = None


class Counts(msgspec.Struct, kw_only=True):
    """How attempts ended since the core started; those that were called off or put off are not among them."""

    succeeded: int = 0
    failed: int = 0
    lost: int = 0


class BreakerView(msgspec.Struct, kw_only=True):
    """A handler's method is left alone, because its attempts failed for passing causes.

    Attributes:
        failures: how many in a row there were.
        until: when one run is tried (RFC 3339); None: it is under way.
        guild_id: the guild whose runs alone are held back; None: those of all.
    """

    failures: int
    until: str | None
    guild_id: str | None = None


class AdaptiveView(msgspec.Struct, kw_only=True):
    """How many runs a method bears at once, as found out; ``least`` and ``most`` bound it."""

    limit: int
    in_flight: int
    least: int
    most: int


class HistoryBucket(msgspec.Struct, kw_only=True):
    """How attempts went within ``span`` from ``at`` (RFC 3339); fields as of RecordView."""

    at: str
    span: str
    succeeded: int
    failed: int
    lost: int
    p50: str | None = None
    p95: str | None = None


class MethodView(msgspec.Struct, kw_only=True):
    """One method of a handler. ``schema``: JSON Schema of its arguments; ``timeout`` None leaves it to the schedule.

    Attributes:
        breakers: those that are open; none, as long as it works.
        adaptive: its limit, where it has one that adapts.
        in_flight: attempts under way that this core gave out.
    """

    name: str
    doc: str
    timeout: str | None
    at_most_once: bool
    schema: dict[str, Any]
    record: RecordView
    total: Counts
    in_flight: int = 0
    breakers: tuple[BreakerView, ...] = ()
    adaptive: AdaptiveView | None = None


class InstanceView(msgspec.Struct, kw_only=True):
    """One process that serves a handler.

    Attributes:
        software: what it is; None for one inside the core, which has no beats either.
        last_beat: how long ago it last said anything.
        in_flight: attempts it holds, of ``credit`` that it takes at once.
        draining: it gets nothing new; ``available``: it can work at the moment.
        trouble: why it is not healthy.
        version: as it says; ``capabilities``: what it has that schedules may need.
        uptime: how long it is connected.
        average: how long its runs take, where they succeed; ``succeeded`` and ``failed``: of its runs since it came, as
            this core saw them; ``failed`` for passing causes.
    """

    id: str
    software: str | None
    connected_since: str
    last_beat: str | None
    in_flight: int
    credit: int
    draining: bool
    available: bool
    healthy: bool
    trouble: str | None = None
    version: str | None = None
    capabilities: tuple[str, ...] = ()
    uptime: str = "PT0S"
    average: str | None = None
    succeeded: int = 0
    failed: int = 0


class HandlerView(msgspec.Struct, kw_only=True):
    """A handler: who serves it, what it can do, and how that went.

    Attributes:
        healthy: one of its processes takes work.
        absent_since: when the last of its processes went, where there is none and that is known.
        history: of the last 24 hours, oldest first, without times in which nothing ended; only where it was asked for.
    """

    name: str
    healthy: bool
    in_flight: int
    credit: int
    instances: tuple[InstanceView, ...]
    methods: tuple[MethodView, ...]
    record: RecordView
    absent_since: str | None = None
    history: tuple[HistoryBucket, ...] = ()

    @property
    def standing(self) -> str:
        """How it is, in words. Work goes to one that is unhealthy all the same, as long as a process can take any."""
        if not self.instances:
            return f"nobody is there since {self.absent_since}" if self.absent_since else "nobody is there"
        if self.healthy:
            return "healthy"
        if all(each.draining for each in self.instances):
            return "draining"
        able = any(each.available and not each.draining for each in self.instances)
        return "unhealthy" if able else "takes no work"


class HandlerPage(msgspec.Struct, kw_only=True):
    """Every handler; they fit one page."""

    items: tuple[HandlerView, ...]
    next: str | None = None
