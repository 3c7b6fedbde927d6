"""A schedule: what is to be done, when, for which guild, and by which rules.

``ScheduleSpec`` is what a client sends; ``Schedule`` is what the core answers. The policy words are the same in
commands, HTTP, YAML and the ledger. Field meanings: contract, section 4.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from schedule_zero.bounds import EndWord, Id, Line, Word
from schedule_zero.trigger import Trigger

Catchup = Literal["skip", "once", "all"]
Overlap = Literal["queue", "skip", "cancel_previous", "allow"]
OnQuota = Literal["wait", "skip"]
ClockChange = Literal["debian", "literal"]
MonthEnd = Literal["clamp", "skip", "last"]
Priority = Literal["high", "normal", "low"]
Delivery = Literal["at_least_once", "at_most_once"]
Backoff = Literal["exponential", "fixed", "list"]
ScheduleState = Literal["active", "paused", "blocked", "needs_owner", "pending", "done", "deleted"]
AfterWhen = Literal["success", "failure", "any", "all"]
OnClash = Literal["skip", "later", "earlier"]

Capability = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+(?![\s\S])",
        description="a word of 1 to 64 letters, digits, _ . -",
    ),
]  # fmt: skip
Needs = Annotated[
    tuple[Capability, ...],
    msgspec.Meta(max_length=16, description="a list of at most 16 words of letters, digits, _ . -"),
]
MESSAGES: Final = "discord"
"""The handler whose work are messages; the work of all others are jobs."""

Delays = Annotated[tuple[str, ...], msgspec.Meta(max_length=100, description="a list of at most 100 durations")]


EndWords = Annotated[tuple[EndWord, ...], msgspec.Meta(max_length=50, description="a list of at most 50 words")]


class Retry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a run whose attempt failed is tried again; durations are ISO 8601.

    ``retry_on`` and ``never_on`` hold words of an attempt's end: ``lost``, ``timed_out``, its cause (``lasting``,
    ``passing``, ``unknown``), or the word at the head of its error (``ValueError``, ``no_rights``). What ``never_on`` names
    is not tried again; where ``retry_on`` names anything, what fails is tried again only if it is named there, and then
    also for a lasting cause.
    """

    max_attempts: int = 3
    backoff: Backoff = "exponential"
    initial: str = "PT1S"
    maximum: str = "PT5M"
    jitter: float = 0.2
    delays: Delays = ()
    retry_on: EndWords = ()
    never_on: EndWords = ()


class Policy(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The rules a schedule's runs follow; what a client leaves out keeps these defaults."""

    catchup: Catchup = "once"
    catchup_limit: int = 10
    catchup_window: str | None = "PT1H"
    overlap: Overlap = "queue"
    overlap_limit: int = 1
    on_quota: OnQuota = "wait"
    jitter: str = "PT0S"
    dst: ClockChange = "debian"
    month_end: MonthEnd | None = None
    """None is what the trigger itself does (clamp for intervals, else skip); a saved schedule always names it."""
    timeout: str | None = None
    """None follows what the method says of itself, else PT30S; a schedule as it is answered names the one that applies."""
    priority: Priority = "normal"
    delivery: Delivery = "at_least_once"
    failure_threshold: int = 10
    retry: Retry = Retry()
    affinity: Word | None = None
    """Runs of the same key go to the same process: text with {schedule}, {guild}, {owner}, {args.NAME} in it."""
    needs: Needs = ()
    """Capabilities that a process must have to get the runs."""
    version: Word | None = None
    """What its version must be, such as ``>=2.1`` or ``>=2.1,<3``."""


DayList = Annotated[tuple[Line, ...], msgspec.Meta(max_length=1000, description="a list of at most 1000 days")]
WindowList = Annotated[tuple[Word, ...], msgspec.Meta(max_length=100, description="a list of at most 100 windows")]


class Calendar(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Days on which a schedule is not due: a named calendar of the guild, or dates and a country's holidays.

    Attributes:
        dates: days such as ``2026-12-25``, ``12-25`` for every year, ``2026-12-24/2027-01-02``; a name may stand behind each.
        country: ISO 3166 code, perhaps with a region: ``DE``, ``DE-BY``.
        on_clash: what becomes of a time on such a day: left out, or at the same time of the next or the last open day.
    """

    name: Word | None = None
    dates: DayList = ()
    country: Word | None = None
    on_clash: OnClash = "skip"


class ActiveHours(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Hours outside which a schedule is not due: named hours of the guild, or windows written here.

    Attributes:
        windows: such as ``MO-FR 09:00-17:00``; both times are included.
        timezone: whose clock they are read on; None: the schedule's.
        outside: what becomes of a time outside: left out, or when hours begin next or just before they ended.
    """

    name: Word | None = None
    windows: WindowList = ()
    timezone: Word | None = None
    outside: OnClash = "skip"


class After(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A chain link: run after another schedule's run ended that way."""

    schedule: Id
    when: AfterWhen = "success"
    delay: Word = "PT0S"


class ScheduleSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A schedule as a client asks for it. ``policy`` is merged over the defaults, so it stays a mapping here. One that runs
    ``after`` others needs no ``trigger``."""

    handler: Word
    method: Word
    trigger: Trigger | None = None
    guild_id: Id | None = None
    name: Word | None = None
    owner_id: Id | None = None
    args: dict[str, Any] = {}
    timezone: Word | None = None
    start: Word | None = None
    until: Word | None = None
    count: int | None = None
    calendar: Word | Calendar | None = None
    active_hours: Word | ActiveHours | None = None
    policy: dict[str, Any] = {}
    after: Annotated[tuple[After, ...], msgspec.Meta(max_length=50, description="a list of at most 50 links")] = ()
    metadata: dict[str, str] = {}


class UndoToken(msgspec.Struct, frozen=True):
    """The right to take a change back, until an instant (RFC 3339)."""

    token: str
    until: str


class Schedule(msgspec.Struct, kw_only=True):
    """A schedule as the core answers it; instants are RFC 3339 in the schedule's zone."""

    id: str
    revision: int
    guild_id: str | None
    name: str | None
    owner_id: str
    handler: str
    method: str
    args: dict[str, Any]
    trigger: Trigger | None
    timezone: str
    words: str
    start: str | None
    until: str | None
    count: int | None
    calendar: Calendar | None
    active_hours: ActiveHours | None
    policy: Policy
    after: tuple[After, ...]
    state: ScheduleState
    next_fire_times: tuple[str, ...]
    notes: tuple[str, ...]
    created_at: str
    last_run: RunSummary | None = None
    metadata: dict[str, str] = {}
    paused_until: str | None = None
    note: str | None = None
    undo: UndoToken | None = None


class RunSummary(msgspec.Struct, kw_only=True, frozen=True):
    """The newest run of a schedule, in one line."""

    id: str
    state: str
    due: str
    ended: str | None = None
    reason: str | None = None
    error: str | None = None
