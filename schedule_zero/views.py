"""Views: every answer of the core, one record each. ``Schedule``, ``Run`` and ``Event`` are views as they are."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.errors import ERRORS, FieldError, Invalid, QuotaExceeded, ReadingOffer, ScheduleZeroError
from schedule_zero.event import Event
from schedule_zero.key import Key, KeyPage
from schedule_zero.run import Run
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
    trigger: Trigger
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


class Part(msgspec.Struct, kw_only=True, frozen=True):
    """One part of the service: whether it works, and a word on how."""

    ok: bool
    detail: str = "ok"


class Status(msgspec.Struct, kw_only=True):
    """How the core is doing. ``running``: it accepts and fires."""

    running: bool
    version: str
    last_tick: str | None
    schedules: int
    due: int
    waiting: int
    runs_executed: int
    lag: str
    parts: dict[str, Part]


class Done(msgspec.Struct, kw_only=True):
    """It was done; there is nothing more to say."""

    ok: bool = True


View = (
    Schedule
    | Run
    | BatchView
    | SchedulePage
    | RunPage
    | EventPage
    | PreviewView
    | ReadingView
    | Suggestions
    | GuildSettings
    | UserTimezone
    | Key
    | KeyPage
    | Status
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
