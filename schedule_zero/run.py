"""A run: one firing of a schedule. Its states, the table of transitions, attempts and causes.

The table is normative (``docs/guarantees.md`` draws it); ``core.ledger`` refuses every change it does not hold.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

import msgspec


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def said(self) -> str:
        """What a sentence says of a run in this state: "is waiting", "has succeeded", "was skipped"."""
        verb = "is" if self in ACTIVE else "was" if self in (RunState.CANCELLED, RunState.SKIPPED) else "has"
        return f"{verb} {self.replace('_', ' ')}"


_HEAD: Final = re.compile(r"[^\W\d][\w.\-]{0,99}")
OPEN: Final = frozenset({RunState.DISPATCHED, RunState.RUNNING})
ACTIVE: Final = OPEN | {RunState.WAITING}
TERMINAL: Final = frozenset(RunState) - ACTIVE
DEAD: Final = frozenset({RunState.FAILED, RunState.TIMED_OUT})
"""What ends so is a dead letter, until it is run again or dropped."""
RETRIABLE: Final = TERMINAL - {RunState.SUCCEEDED}
"""What ended so may be run again."""
AGAIN: Final = "m:again:"
"""How the occurrence of a run begins that was made for one that ended; its id follows."""

_ENDED: Final = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED})
TRANSITIONS: Final[dict[RunState, frozenset[RunState]]] = {
    # Failed without an attempt: nothing may be tried any more (at most once lost, a message whose fate is unknown).
    RunState.WAITING: frozenset({RunState.DISPATCHED, RunState.SKIPPED, RunState.CANCELLED, RunState.FAILED}),
    # An answer may overtake the acknowledgement of the start, so a dispatched run may end directly.
    RunState.DISPATCHED: frozenset({RunState.RUNNING, RunState.WAITING}) | _ENDED,
    RunState.RUNNING: frozenset({RunState.WAITING}) | _ENDED,
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.TIMED_OUT: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.SKIPPED: frozenset(),
}


class Cause(StrEnum):
    """Why an attempt failed: whether the same again could succeed."""

    LASTING = "lasting"
    PASSING = "passing"
    UNKNOWN = "unknown"


class SkipReason(StrEnum):
    """Why a run was never tried."""

    MISSED = "missed"
    SUPERSEDED = "superseded"
    OVERLAP = "overlap"
    QUOTA = "quota"
    EXPIRED = "expired"
    CHAIN = "chain"


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What a waiting run waits for: the scope and limit that refused it, and when to look again; ``words`` say it all."""

    scope: str
    limit: str
    used: int | float
    allowed: int | float
    until: str | None = None
    words: str = ""


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """The due times one outage swallowed, as one row: first, last and how many."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    count: int


class Attempt(msgspec.Struct, kw_only=True):
    """One try of a run on one handler."""

    attempt: int
    handler: str
    instance: str
    sent: str
    started: str | None = None
    ended: str | None = None
    outcome: str | None = None
    cause: str | None = None
    error: str | None = None


class Progress(msgspec.Struct, kw_only=True, frozen=True):
    """How far an attempt says it is, from 0 to 1, and in its own words."""

    fraction: float
    note: str = ""


class LogLine(msgspec.Struct, kw_only=True, frozen=True):
    """One line of a run's log.

    Attributes:
        n: which of all the lines it is that were said, from 1.
        left_out: how many lines between the one before it and this one are not kept.
    """

    n: int
    attempt: int
    at: str
    text: str
    left_out: int = 0


class Run(msgspec.Struct, kw_only=True):
    """A run as the core answers it.

    Attributes:
        args: what it was given, once an attempt began or where they are its own; of a run that is asked for by itself.
        progress: what its present attempt told last, while it is under way.
        error: what its last attempt that did not go well said; None of one that succeeded.
        cancelling: it is under way, and was asked to stop.
        parent: the run that it follows; ``children``: those that follow it.
    """

    id: str
    schedule_id: str
    guild_id: str | None
    handler: str
    method: str
    occurrence: str
    due: str
    start_before: str | None
    state: RunState
    attempt: int
    attempts: tuple[Attempt, ...]
    result: Any
    reason: str | None
    why: Why | None
    late_by: str | None
    trace_id: str
    missed: Missed | None = None
    progress: Progress | None = None
    error: str | None = None
    cancelling: bool = False
    parent: str | None = None
    children: tuple[str, ...] = ()
    args: dict[str, Any] | None = None

    @property
    def standing(self) -> str:
        """Its state, and whether that is about to end."""
        return f"{self.state}, being cancelled" if self.cancelling else str(self.state)

    @property
    def trouble(self) -> str | None:
        """Why it did not go well, or not yet; None where nothing is known to be wrong."""
        return trouble_of(self.reason, self.error)


class RunCheck(msgspec.Struct, kw_only=True):
    """What would become of a run that was asked for now; its arguments are all right.

    Attributes:
        instances: the processes one of which would get it, the likeliest first.
        why: what it would wait for; None: it could start at once.
        skipped: why it would be left out instead, in words.
    """

    instances: tuple[str, ...]
    why: Why | None = None
    skipped: str | None = None


def trouble_of(reason: str | None, error: str | None) -> str | None:
    """A run's reason and error as one text, without saying anything twice."""
    if error is None or reason is None:
        return error or reason
    return error if reason == "error" or error.startswith(reason) else f"{reason}: {error}"


def head_of(error: str | None) -> str | None:
    """The word an error begins with: ``ValueError`` of ``ValueError: no such day``, the reason of a rejection; None where it
    begins with no word and a colon, and is no word alone."""
    head = (error or "").partition(":")[0].rstrip()
    return head if _HEAD.fullmatch(head) else None
