"""Views: every answer of the core, one record each. ``Schedule``, ``Run`` and ``Event`` are views as they are."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from schedule_zero.chain import ChainPage, ChainReport, ChainView
from schedule_zero.closings import BlackoutPage, BlackoutView, CalendarPage, CalendarView, HoursPage, HoursView
from schedule_zero.errors import ERRORS, FieldError, Invalid, QuotaExceeded, ReadingOffer, ScheduleZeroError
from schedule_zero.event import Event
from schedule_zero.key import Key, KeyPage
from schedule_zero.run import LogLine, Run, RunCheck
from schedule_zero.schedule import MonthEnd, Schedule
from schedule_zero.trigger import Trigger


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error as data (RFC 9457): what went wrong, where, and what could have been meant."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    readings: tuple[ReadingOffer, ...] = ()
    scope: str | None = None
    limit: str | None = None
    used: float | None = None
    allowed: float | None = None
    retry_after: float | None = None


class BatchItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one item of a batch: 201 with the schedule, or the status with the problem."""

    status: int
    schedule: Schedule | None = None
    problem: Problem | None = None


class BatchView(msgspec.Struct, kw_only=True):
    """One result per item, in the order asked."""

    items: tuple[BatchItem, ...]


class SchedulePage(msgspec.Struct, kw_only=True):
    """A page of schedules; ``next`` is the cursor of the following page."""

    items: tuple[Schedule, ...]
    next: str | None = None


class RunPage(msgspec.Struct, kw_only=True):
    """A page of runs, newest first."""

    items: tuple[Run, ...]
    next: str | None = None


class DeadLetter(msgspec.Struct, kw_only=True):
    """A run that failed or timed out for good, and since when nobody has run it again or dropped it."""

    at: str
    run: Run


class DeadPage(msgspec.Struct, kw_only=True):
    """A page of dead letters, newest run first."""

    items: tuple[DeadLetter, ...]
    next: str | None = None


class DeadFate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one dead letter. ``gone``: it is none (any more); ``refused``: it stays one, and why.

    ``run``: the new run of one that was replayed."""

    id: str
    fate: Literal["replayed", "dropped", "gone", "refused"]
    run: str | None = None
    why: str | None = None


class DeadChange(msgspec.Struct, kw_only=True):
    """What became of the dead letters that were named or found; ``next``: the cursor where the filter finds more."""

    items: tuple[DeadFate, ...]
    next: str | None = None


class RunLog(msgspec.Struct, kw_only=True):
    """A page of a run's log.

    Attributes:
        next: what to go on after, also when nothing newer is there yet.
        lines: how many were said so far.
        ended: the run has ended, and nothing follows any more.
    """

    items: tuple[LogLine, ...]
    next: int
    lines: int
    ended: bool

    @property
    def left_out(self) -> int:
        """How many lines at the very end are not kept; known when it has ended."""
        return self.lines - self.next if self.ended else 0


class EventPage(msgspec.Struct, kw_only=True):
    """A page of the journal; ``next`` continues it, also when nothing newer is there yet."""

    items: tuple[Event, ...]
    next: str


class Fire(msgspec.Struct, kw_only=True):
    """One due time to come: the instant in UTC, the wall time in the zone, and what is odd about it."""

    at: str
    local: str
    notes: tuple[str, ...] = ()


class PreviewView(msgspec.Struct, kw_only=True):
    """The due times to come, and the trigger as it was understood."""

    fires: tuple[Fire, ...]
    trigger: Trigger | None
    timezone: str
    words: str
    notes: tuple[str, ...] = ()


class ReadingView(msgspec.Struct, kw_only=True):
    """What words about time mean: the trigger, the words said back, and the first fires."""

    trigger: Trigger
    timezone: str
    words: str
    recurring: bool
    fires: tuple[Fire, ...]
    start: str | None = None
    until: str | None = None
    count: int | None = None
    month_end: MonthEnd = "clamp"
    """What the policy of a schedule made from it should say: ``trigger`` does not tell words from cron."""


class Suggestion(msgspec.Struct, kw_only=True, frozen=True):
    """One row of an autocompletion, at most 100 characters each."""

    name: str
    value: str


class Suggestions(msgspec.Struct, kw_only=True):
    """At most 25 rows, best first."""

    items: tuple[Suggestion, ...]


class GuildChannels(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a guild wants to hear of what; None: nowhere."""

    default: str | None = None
    log: str | None = None
    review: str | None = None
    failures: str | None = None


class GuildSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a guild has set, with defaults filled in. ``defaults`` names the fields nobody has set."""

    guild_id: str
    timezone: str = "UTC"
    locale: str = "en-US"
    hour24: bool = True
    default_time: str = "09:00"
    channels: GuildChannels = msgspec.field(default_factory=GuildChannels)
    mentions_everyone: bool = False
    mention_roles: tuple[str, ...] = ()
    ephemeral: bool = True
    defaults: tuple[str, ...] = ()


class UserTimezone(msgspec.Struct, kw_only=True):
    """A person's time zone, if one was set."""

    user_id: str
    timezone: str | None


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


class LagView(msgspec.Struct, kw_only=True):
    """How late the core is.

    Attributes:
        tick: how late the oldest schedule is that is due and has not fired.
        due: how many such schedules there are; ``last_tick``: when the newest firing was committed.
        dispatch: how long ago the run was due that waits longest for nothing but its turn.
        ready: runs that wait for their turn; ``waiting``: all that wait, also for a limit or a later time.
        uncommitted: outcomes that are answered and not in the store yet.
    """

    tick: str
    due: int
    last_tick: str | None
    dispatch: str
    ready: int
    waiting: int
    in_flight: int
    uncommitted: int


class QueueScope(msgspec.Struct, kw_only=True):
    """Runs that wait for the same thing. ``scope`` and ``limit`` as in a run's ``why``."""

    scope: str
    limit: str
    runs: int
    words: str
    until: str | None = None


class QueueGuild(msgspec.Struct, kw_only=True):
    """What a guild has waiting and running. ``guild_id`` None: the operator's own work."""

    guild_id: str | None
    waiting: int
    running: int
    scopes: tuple[QueueScope, ...] = ()


class QueueView(msgspec.Struct, kw_only=True):
    """What waits: by what it waits for, and the guilds with most of it, each the largest first."""

    waiting: int
    running: int
    guild_count: int
    scopes: tuple[QueueScope, ...]
    guilds: tuple[QueueGuild, ...]


class Part(msgspec.Struct, kw_only=True, frozen=True):
    """One part of the service: whether it works, and a word on how."""

    ok: bool
    detail: str = "ok"


class Status(msgspec.Struct, kw_only=True):
    """How the core is doing.

    Attributes:
        running: it accepts and fires.
        due_times_missed: since the start, those that came to nothing because they were too late.
    """

    running: bool
    version: str
    last_tick: str | None
    schedules: int
    due: int
    waiting: int
    runs_executed: int
    lag: str
    parts: dict[str, Part]
    due_times_missed: int = 0


class Done(msgspec.Struct, kw_only=True):
    """It was done; there is nothing more to say."""

    ok: bool = True


View = (
    Schedule
    | Run
    | BatchView
    | SchedulePage
    | RunPage
    | DeadPage
    | DeadChange
    | RunLog
    | RunCheck
    | EventPage
    | PreviewView
    | ReadingView
    | Suggestions
    | GuildSettings
    | UserTimezone
    | CalendarPage
    | CalendarView
    | HoursPage
    | HoursView
    | BlackoutPage
    | BlackoutView
    | ChainView
    | ChainPage
    | ChainReport
    | Key
    | KeyPage
    | HandlerPage
    | HandlerView
    | Status
    | LagView
    | QueueView
    | Done
)


def problem_details(error: Any) -> Problem:
    """The problem document of a ScheduleZeroError."""
    details = error.details
    return Problem(
        type=f"urn:schedule-zero:problem:{error.code}",
        title=error.code.replace("-", " "),
        status=error.status,
        detail=error.sentence,
        errors=getattr(error, "errors", ()),
        readings=getattr(error, "readings", ()),
        scope=details.get("scope"),
        limit=details.get("limit"),
        used=details.get("used"),
        allowed=details.get("allowed"),
        retry_after=getattr(error, "retry_after", None),
    )


def error_of(problem: Problem) -> ScheduleZeroError:
    """The error a problem document stands for."""
    kind = ERRORS.get(problem.type.rpartition(":")[2], ScheduleZeroError)
    if issubclass(kind, Invalid):
        return Invalid(problem.detail, errors=problem.errors, readings=problem.readings)
    limits = {name: getattr(problem, name) for name in ("scope", "limit", "used", "allowed")}
    details = {name: value for name, value in limits.items() if value is not None}
    if issubclass(kind, QuotaExceeded):
        return QuotaExceeded(problem.detail, retry_after=problem.retry_after, **details)
    return kind(problem.detail, **details)
