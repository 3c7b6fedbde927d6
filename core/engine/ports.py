"""What the engine asks of the world: time, handlers, and somebody who listens.

``inprocess`` holds the forms for one process; the gateway will bring the same over ZeroMQ. The engine cannot tell.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from core.governor.breaker import Breaker
from schedule_zero.event import Event
from schedule_zero.handler import MethodInfo
from schedule_zero.run import Cause
from schedule_zero.transport.wire import Line

BEAT_S = 2.0
LEASE_S = 3 * BEAT_S
ADOPTION_S = 15.0
PACE_LEARNING = 0.1  # the weight of the newest run in an instance's average


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the engine looks up although nothing woke it.

    Attributes:
        longest_sleep_s: the scheduler's bound on a sleep, so that no lost wake-up or set clock can last longer.
        dispatch_s: the dispatcher's bound on a sleep.
        janitor_s: between two looks of the janitor.
        ticks_first_s: for how long ticks that have fallen behind go before attempts. Fairness can only weigh runs that
            are there; but so long those wait that are in nobody's way.
        health_s: between two looks at how the runs of handlers went.
    """

    longest_sleep_s: float = 0.5
    dispatch_s: float = 5.0
    janitor_s: float = 1.0
    ticks_first_s: float = 0.1
    health_s: float = 10.0


class Clock(Protocol):
    """The two times: wall time for due instants, monotonic time for leases, rates and back-off."""

    def now(self) -> int:
        """The wall clock, microseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever go forward."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class Order(msgspec.Struct, kw_only=True, gc=False):
    """One attempt, as a handler is asked for it. ``args`` and ``metadata`` are JSON text.

    ``timeout_s`` is what this attempt may take; ``late_by`` how many microseconds after ``due`` it was given out.
    """

    run_id: str
    attempt: int
    schedule_id: str
    guild_id: str | None
    owner_id: str
    handler: str
    method: str
    instance: str
    due: int
    late_by: int
    deadline: int
    timeout_s: float
    args: str
    metadata: str

    @property
    def full_method(self) -> str:
        """The method by its handler's name, as limits know it."""
        return f"{self.handler}.{self.method}"


AnswerKind = Literal["started", "progress", "succeeded", "failed", "cancelled"]


class Answer(msgspec.Struct, kw_only=True, gc=False):
    """What a handler says of one attempt. (run_id, attempt) is the fence: an answer for another attempt is late.

    Attributes:
        instance: who says it. Only the instance that was given an attempt is believed about it.
        value: JSON text of the result.
        cause: of a failure; None otherwise.
        retry_after_s: the handler asks for another try that late; it uses up no attempt.
        begun: False where the attempt was turned away before anything of it happened.
        lines: of progress, what was logged since the last; ``left_out``: how many more were, behind these.
    """

    run_id: str
    attempt: int
    instance: str
    kind: AnswerKind
    value: str | None = None
    cause: Cause | None = None
    error: str | None = None
    retry_after_s: float | None = None
    fraction: float | None = None
    note: str = ""
    begun: bool = True
    lines: Sequence[Line] = ()
    left_out: int = 0


class AnswerSink(Protocol):
    """Where links bring answers and beats. Called on the loop; must not block."""

    def answer(self, answers: Sequence[Answer]) -> None: ...

    def beat(self, instance: str, running: Sequence[tuple[str, int]]) -> None:
        """These attempts are alive (running, or answered and not yet acknowledged): their leases are extended."""
        ...

    def fleet_changed(self) -> None:
        """A handler came, went, or changed what it can take."""
        ...


class Instance(msgspec.Struct, kw_only=True):
    """One process, or in-process object, that serves a handler's name.

    Attributes:
        guild_id: the one guild it works for; None: for all.
        software: what it is, in its own words; empty for one inside the core.
        since: when it came, microseconds since the epoch.
        draining: it gets nothing new.
        ailing: why it is unhealthy; None while it is not.
        keyless: it is elsewhere, and was believed to be who it says.
        version, capabilities: what it says it is and can do, for schedules that ask for that.
        silent: its beats stopped.
        bench: open while it is set aside, because its last runs failed.
        pace_s: how long its runs take, a moving average of those that succeeded; 0: not known.
        given_at: when it last was given a run, in monotonic seconds; ``weight`` and ``load``: see ``seats``.
        succeeded, failed: how many of its runs did, for passing causes, since it came.
    """

    name: str
    handler: str
    guild_id: str | None = None
    methods: dict[str, MethodInfo]
    software: str = ""
    since: int = 0
    ailing: str | None = None
    available: bool = True
    draining: bool = False
    keyless: bool = False
    in_flight: int = 0
    credit: int = 512
    version: str = ""
    capabilities: frozenset[str] = frozenset()
    silent: bool = False
    bench: Breaker = msgspec.field(default_factory=Breaker)
    pace_s: float = 0.0
    given_at: float = 0.0
    weight: float = 0.0
    load: float = 0.0
    succeeded: int = 0
    failed: int = 0

    @property
    def takes_work(self) -> bool:
        """Whether it may be given something, as soon as it has a free seat."""
        return self.available and not self.draining and not self.silent and self.credit > 0

    def ended(self, ok: bool | None, took_s: float | None, taken_at: float, now: float) -> None:
        """One of its runs ended; arguments as of ``Breaker.ended`` and ``Aimd.ended``."""
        if ok is None:
            self.bench.undo(taken_at)
            return
        self.bench.ended(ok, None, taken_at, now)
        if not ok:
            self.failed += 1
            return
        self.succeeded += 1
        if took_s is not None:
            self.pace_s += (took_s - self.pace_s) * (PACE_LEARNING if self.pace_s else 1.0)

    def works_for(self, guild_id: str | None) -> bool:
        """Whether it may be given runs of this guild."""
        return self.guild_id is None or self.guild_id == guild_id


class HandlerLink(Protocol):
    """The way to one instance.

    Attributes:
        heard: when the instance last said anything, in monotonic seconds; None for one inside the core.
    """

    instance: Instance
    heard: float | None = None

    def send(self, orders: Sequence[Order]) -> None:
        """Give out attempts that are already committed. Never raises; what cannot be sent is answered as lost."""
        ...

    def cancel(self, run_id: str, attempt: int) -> None:
        """Ask to stop an attempt."""
        ...

    def acknowledge(self, answered: Sequence[tuple[str, int]]) -> None:
        """These answers are committed; the link may forget them."""
        ...

    def drain(self) -> None:
        """Tell it that it gets nothing new, and may leave when it has finished."""
        ...

    async def close(self, grace_s: float) -> None:
        """Take nothing more; wait so long for what is running, then cancel it."""
        ...


class EventSink(Protocol):
    """Somebody who gets events, in order, at least once."""

    async def deliver(self, events: Sequence[Event]) -> None:
        """Take a page. Returning acknowledges it; raising repeats it later."""
        ...
