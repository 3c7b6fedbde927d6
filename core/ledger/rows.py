"""The ledger's rows as the rest of the core sees them: plain records, instants in microseconds, JSON as text.

A row knows nothing of SQL. Field order is column order, so a row turns into statement parameters in one C call.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from schedule_zero.run import RunState
from schedule_zero.schedule import After, ScheduleState

_after: Final = msgspec.json.Decoder(tuple[After, ...]).decode


class ScheduleRow(msgspec.Struct, kw_only=True, gc=False):
    """A schedule as stored.

    Attributes:
        revision: counts definition changes; a tick leaves it alone.
        trigger, args, policy, calendar, active_hours, after, metadata: JSON text. Calendar and hours are stored whole, also
            those of the guild that go by a name, so that a row tells by itself when it is due.
        exceptions: JSON of single due times that were skipped or moved, and of the guild's blackouts; None: none.
        timezone: the zone the trigger is read in when it names none.
        anchor: instant (us) that interval and wall-time rules are anchored at.
        next_due: nominal due instant to come; None while paused, blocked, done or deleted.
        last_due: the newest nominal due instant a tick has dealt with.
        fired: how many due times have become runs or were missed, for ``count``.
        failures: lasting failures in a row.
        paused_until: instant at which a paused schedule resumes by itself.
        origin: where it was made, JSON (``{"kind": "reminder", "channel_id": ...}``) or None.
    """

    id: str
    revision: int
    guild_id: str | None
    name: str | None
    owner_id: str
    handler: str
    method: str
    args: str
    trigger: str
    timezone: str
    words: str
    anchor: int
    start: int | None
    until: int | None
    count: int | None
    calendar: str | None
    active_hours: str | None
    policy: str
    after: str
    metadata: str
    state: ScheduleState
    paused_until: int | None
    note: str | None
    next_due: int | None
    last_due: int | None
    fired: int
    failures: int
    created: int
    updated: int
    exceptions: str | None = None

    @property
    def follows(self) -> bool:
        """Whether it runs after others, so that it is not over when its own times are."""
        return self.after != "[]"


def links_of(row: ScheduleRow) -> tuple[After, ...]:
    """The links by which a schedule runs after others."""
    return _after(row.after) if row.follows else ()


class LinkRow(msgspec.Struct, kw_only=True, gc=False):
    """That one schedule runs after another. What a link does stands in the child's ``after``.

    Attributes:
        run_id: the latest run of the parent that ended, noted where the link joins; ``state``: how it ended.
        fresh: 1 as long as no run of the child has come since.
    """

    parent: str
    child: str
    run_id: str | None = None
    state: RunState | None = None
    fresh: int | None = None


class Ended(msgspec.Struct, gc=False):
    """A run that ended. ``schedule_id`` None: whoever ended it did not have that at hand."""

    run_id: str
    schedule_id: str | None
    state: RunState


class RunRow(msgspec.Struct, kw_only=True, gc=False):
    """A run as stored. ``occurrence`` is ``t:<us>``, ``m:<request>``, ``c:<run>`` or ``e:<event>``.

    ``args`` stays None until the first attempt, when the run takes the schedule's newest arguments and keeps them;
    a run made with arguments of its own has them from the start. ``missed``: JSON of one outage's swallowed times.
    ``line``: how many runs of the schedule may be under way at once for this one to start; 0: any number.
    ``charged``: the counters of calendar quotas that the run was charged to (``core.engine.books``); None: nothing counts it.
    ``own_args``: 1 where the run was made with arguments of its own; None where they are the schedule's.
    ``routing``: JSON of what the run wants of who gets it (``core.engine.routing``); None: nothing.
    """

    id: str
    schedule_id: str
    occurrence: str
    guild_id: str | None
    handler: str
    method: str
    priority: int
    due: int
    start_before: int | None
    state: RunState
    attempt: int
    not_before: int | None
    args: str | None
    result: str | None
    reason: str | None
    error: str | None
    missed: str | None
    created: int
    ended: int | None
    lost: int
    line: int = 1
    own_args: int | None = None
    routing: str | None = None
    charged: str | None = None


class DeadRow(msgspec.Struct, kw_only=True, gc=False):
    """A dead letter: a run that failed or timed out for good, until it is run again, dropped, or too old. ``at``: since
    when."""

    run_id: str
    guild_id: str | None
    schedule_id: str
    handler: str
    method: str
    at: int


class Work(Protocol):
    """What a run is to do: a stored run, or the order for an attempt of it."""

    guild_id: str | None
    schedule_id: str
    handler: str
    method: str


def dead_letter(run_id: str, of: Work, at: int) -> DeadRow:
    """A run that has failed for good, as a dead letter."""
    return DeadRow(
        run_id=run_id, guild_id=of.guild_id, schedule_id=of.schedule_id, handler=of.handler, method=of.method, at=at
    )


class HistoryRow(msgspec.Struct, kw_only=True, gc=False):
    """How the attempts of a method went within a time, as one core saw them.

    Attributes:
        at: when it began; ``span``: how long it was, both in microseconds.
        guild: the one guild that the handler worked for; empty: for all.
        core: who saw it; empty where several are added up.
        times: JSON of how many run times fell into which class (``core.engine.tally``).
    """

    at: int
    span: int
    handler: str
    method: str
    guild: str
    core: str
    succeeded: int
    failed: int
    lost: int
    times: str


class HeededRow(msgspec.Struct, gc=False):
    """A calendar and active hours as schedules hold them, and how many live ones hold just these."""

    calendar: str | None
    active_hours: str | None
    count: int


class DueRow(msgspec.Struct, gc=False):
    """When a schedule is due next: what there is to know of thousands."""

    id: str
    revision: int
    next_due: int


class Advance(msgspec.Struct, gc=False):
    """A schedule's step past a due time, valid only while ``revision`` and ``due`` (its next due) still stand."""

    id: str
    revision: int
    due: int
    next_due: int | None
    last_due: int
    fired: int
    state: ScheduleState


class Move(msgspec.Struct, kw_only=True, gc=False):
    """One transition of a run: from what it is now to what it becomes.

    ``attempt`` is the number after the move; ``lost`` counts attempts our own crash took, which do not count
    against ``max_attempts``. ``args`` None keeps what is there. With a ``revision`` the run's schedule must stand at it
    too, and at so many ``failures``. ``schedule_id``: the run's, from who has it at hand.
    """

    run_id: str
    before: RunState
    before_attempt: int
    after: RunState
    attempt: int
    at: int
    not_before: int | None = None
    args: str | None = None
    result: str | None = None
    reason: str | None = None
    error: str | None = None
    lost: int = 0
    revision: int | None = None
    failures: int | None = None
    schedule_id: str | None = None


class AttemptRow(msgspec.Struct, kw_only=True, gc=False):
    """One try. ``instance`` names the process (and incarnation) that was asked."""

    run_id: str
    attempt: int
    handler: str
    instance: str
    sent: int
    started: int | None = None
    ended: int | None = None
    outcome: str | None = None
    cause: str | None = None
    error: str | None = None


class LeaseRow(msgspec.Struct, kw_only=True, gc=False):
    """The right to finish an attempt; ``remaining`` in microseconds, counted anew from every start.

    ``at_most_once``: 1 when the attempt must not be repeated if nobody answers for it, as policy or method said then.
    """

    run_id: str
    attempt: int
    instance: str
    remaining: int
    at_most_once: int = 0


class ToldRow(msgspec.Struct, kw_only=True, gc=False):
    """What a run has told so far: how far an attempt is, in millionths, and how much of a log there is; see ``tables``."""

    run_id: str
    attempt: int
    fraction: int | None = None
    note: str = ""
    lines: int = 0
    places: int = 0
    size: int = 0
    head: int | None = None


class LineRow(msgspec.Struct, kw_only=True, gc=False):
    """One line of a run's log: the ``n``-th that was said, the ``place``-th that was written."""

    run_id: str
    place: int
    n: int
    attempt: int
    at: int
    preceding: int
    text: str


class Cut(msgspec.Struct, frozen=True, gc=False):
    """Lines that go from a run's log: behind the place ``after``, those up to the place ``upto``, or with fewer than
    ``preceding`` bytes before them."""

    run_id: str
    after: int
    upto: int
    preceding: int


class EventRow(msgspec.Struct, kw_only=True, gc=False):
    """An event not yet numbered. ``data``: JSON text."""

    at: int
    kind: str
    guild_id: str | None = None
    schedule_id: str | None = None
    run_id: str | None = None
    data: str = "{}"


class UsageKey(msgspec.Struct, frozen=True, gc=False):
    """What a calendar quota counts: a scope (``guild:1``), a limit (``runs_per_day``), a period (``2026-11-21``)."""

    scope: str
    limit: str
    period: str


class AuditRow(msgspec.Struct, kw_only=True, gc=False):
    """Who changed what, from where: JSON before and after. ``via`` None: of a line that is older than this is noted."""

    at: int
    guild_id: str | None
    actor: str
    action: str
    target: str
    before: str | None
    after: str | None
    via: str | None = None


class AuditedRow(AuditRow, kw_only=True, gc=False):
    """A line as it is read, with its number."""

    id: int


class UndoRow(msgspec.Struct, kw_only=True, gc=False):
    """How to take a change back: the schedule as it was before (JSON of a ScheduleRow; None: it did not exist). Of a
    guild's settings ``schedule_id`` is empty, and ``before`` says what was set and what the change made of it."""

    token: str
    schedule_id: str
    guild_id: str | None
    actor: str
    revision: int
    before: str | None
    until: int


class AnswerRow(msgspec.Struct, kw_only=True, gc=False):
    """The answer an idempotency key got: digest of the request, JSON of the view."""

    key: str
    digest: str
    answer: str
    until: int


class SessionRow(msgspec.Struct, kw_only=True, gc=False):
    """Somebody signed in to the pages with one browser.

    Attributes:
        digest: SHA-256 of what the browser shows, in hex; that itself is nowhere but there.
        id: what people call it by.
        holder: whose it is: the same of all sessions of one person, or of one key's holder.
        used: about when the browser was last here.
        until: when it ends, unless it is used before.
        document: JSON of what is known of who it is.
    """

    digest: str
    id: str
    holder: str
    begun: int
    used: int
    until: int
    document: str
