"""The store port: what the core asks of its durable truth. SQLite answers it today; every store must, alike.

A *unit* is one change with its event: an async function that gets a Transaction. ``Ledger.write`` runs it inside the
open group-commit batch and returns its result after the commit, when it is durable. A unit reads what it needs,
decides, writes; it must not await anything but its transaction, must not send, and may be run twice (a batch that
fails is replayed unit by unit), so it must not change anything outside before it returned. A text with the character NUL
is a ValueError; the doors and links keep it out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from core.ledger.among import BucketReads, BucketWrites, Membership
from core.ledger.following import LinkReads, LinkWrites
from core.ledger.rows import (
    Advance,
    AnswerRow,
    AttemptRow,
    AuditRow,
    Cut,
    DeadRow,
    DueRow,
    Ended,
    EventRow,
    HeededRow,
    HistoryRow,
    LeaseRow,
    LineRow,
    Move,
    RunRow,
    ScheduleRow,
    ToldRow,
    UndoRow,
    UsageKey,
)
from schedule_zero.event import Event
from schedule_zero.run import RunState

T = TypeVar("T")


class ScheduleFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which schedules a listing wants; newest last, keyed by id. ``guild_id`` None with ``any_guild`` False: no guild."""

    guild_id: str | None = None
    any_guild: bool = False
    state: str | None = None
    handler: str | None = None
    owner_id: str | None = None
    text: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class RunFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which runs a listing wants; newest first, keyed by id. ``owner_id``: runs of that person's schedules."""

    guild_id: str | None = None
    any_guild: bool = False
    schedule_id: str | None = None
    owner_id: str | None = None
    handler: str | None = None
    state: str | None = None
    since: int | None = None


class DeadFilter(RunFilter, kw_only=True, frozen=True):
    """Which dead letters a listing wants; newest run first, keyed by its id."""

    handler: str | None = None


class ActiveRun(msgspec.Struct, frozen=True, gc=False):
    """A run that has not ended, as overlap and catch-up need it."""

    id: str
    schedule_id: str
    state: RunState
    attempt: int
    due: int
    charged: int | None = None
    occurrence: str = ""


class ReadyRun(msgspec.Struct, gc=False):
    """What an attempt needs of a run and its schedule. ``args``: the run's own, else the schedule's newest."""

    run: RunRow
    args: str
    owner_id: str
    metadata: str
    policy: str
    revision: int
    schedule_state: str
    failures: int


Within = Sequence[int] | None
"""Only what belongs to guilds of these buckets; None: everything. Only a store that several cores share knows buckets."""


class ScheduleReads(Protocol):
    """Reading schedules. Inside a transaction what ``get`` and ``get_many`` answer stands until it ends."""

    async def get(self, id: str) -> ScheduleRow | None: ...
    async def get_many(self, ids: Sequence[str]) -> dict[str, ScheduleRow]: ...
    async def by_name(self, guild_id: str | None, name: str) -> ScheduleRow | None: ...
    async def page(self, filter: ScheduleFilter, after: str | None, limit: int) -> list[ScheduleRow]: ...  # noqa: A002
    async def due_until(self, until: int, limit: int, within: Within = None) -> list[DueRow]:
        """Active schedules whose next due is <= ``until``, soonest first."""
        ...

    async def next_due_after(self, instant: int) -> int | None:
        """The soonest next due > ``instant`` among active schedules."""
        ...

    async def resumable(self, until: int, limit: int, within: Within = None) -> list[ScheduleRow]:
        """Paused schedules whose ``paused_until`` is <= ``until``."""
        ...

    async def count(self, guild_id: str | None) -> int:
        """How many schedules of a guild are neither done nor deleted."""
        ...

    async def count_with(self, entry: tuple[str, str], guild_id: str) -> int:
        """How many of them have that entry in their metadata."""
        ...

    async def count_owned_with(self, entry: tuple[str, str], guild_id: str | None, owner_id: str) -> int:
        """How many of those with that entry belong to one person; ``guild_id`` None: outside any guild."""
        ...

    async def total(self) -> int:
        """How many schedules are active."""
        ...

    async def heeded(self, guild_id: str) -> list[HeededRow]:
        """What calendars and hours those of a guild heed that are neither done nor deleted."""
        ...

    async def heeding(self, guild_id: str, texts: Sequence[str]) -> list[str]:
        """The ids of those of them whose calendar or hours are one of these, as they are stored."""
        ...

    async def live(self, guild_id: str) -> list[str]:
        """The ids of all of them."""
        ...

    async def handlers(self) -> set[str]:
        """The handlers of those that are neither done nor deleted."""
        ...


class ScheduleWrites(ScheduleReads, Protocol):
    """Changing schedules."""

    async def insert(self, rows: Sequence[ScheduleRow]) -> None:
        """Raises NameTaken, here or at the end of the unit, when a guild has that name already (deleted and done schedules
        free theirs)."""
        ...

    async def replace(self, row: ScheduleRow, *, expected: int) -> bool:
        """Write the whole row if the stored revision is ``expected``; whether it was."""
        ...

    async def renew(self, rows: Sequence[ScheduleRow]) -> None:
        """Write of rows that were read in this transaction: calendar, hours, exceptions, note, state, next due, revision."""
        ...

    async def advance(self, steps: Sequence[Advance]) -> None:
        """Step schedules forward, all or none. Raises StaleAdvance, here or at the end of the unit, when the revision or
        next due of one no longer stands, or it is not active; ``stale`` tells which."""
        ...

    async def stale(self, steps: Sequence[Advance]) -> set[str]:
        """The ids of schedules that ``advance`` would refuse."""
        ...

    async def count_failures(self, outcomes: Mapping[str, int]) -> None:
        """Set ``failures`` of schedules (lasting failures in a row)."""
        ...

    async def purge(self, before: int, limit: int) -> int:
        """Remove deleted schedules last updated before an instant that no run refers to; how many."""
        ...


class RunReads(Protocol):
    """Reading runs."""

    async def get(self, id: str) -> RunRow | None: ...
    async def get_many(self, ids: Sequence[str]) -> dict[str, RunRow]: ...
    async def standing(self, ids: Sequence[str]) -> dict[str, tuple[RunState, int]]:
        """(state, attempt) of runs: what an answer's fence is checked against."""
        ...

    async def by_occurrence(self, schedule_id: str, occurrence: str) -> RunRow | None: ...
    async def by_occurrences(self, keys: Sequence[tuple[str, str]]) -> list[RunRow]:
        """The runs there are for these (schedule, occurrence)."""
        ...

    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[RunRow]: ...  # noqa: A002
    async def attempts(self, run_ids: Sequence[str]) -> dict[str, list[AttemptRow]]: ...
    async def newest(self, schedule_ids: Sequence[str]) -> dict[str, RunRow]:
        """The newest run of each schedule that has any."""
        ...

    async def active(self, schedule_ids: Sequence[str]) -> dict[str, list[ActiveRun]]:
        """Waiting, dispatched and running runs of these schedules, oldest due first."""
        ...

    async def ready(self, run_ids: Sequence[str]) -> dict[str, ReadyRun]:
        """Runs with what an attempt needs of their schedules."""
        ...

    async def waiting(self, after: tuple[int, str] | None, limit: int, within: Within = None) -> list[RunRow]:
        """All waiting runs by (due, id), a page after a key; for filling the queue at start and after overflow."""
        ...

    async def open(self, within: Within = None) -> list[tuple[RunRow, AttemptRow, LeaseRow]]:
        """Every dispatched or running run with its current attempt and lease; for recovery at start."""
        ...

    async def counts(self) -> dict[RunState, int]:
        """How many runs stand in each active state."""
        ...


class RunWrites(RunReads, Protocol):
    """Changing runs. The table of transitions is checked here and nowhere else."""

    @property
    def ended(self) -> Sequence[Ended]:
        """The runs that this unit has ended so far, by moving or by inserting them."""
        ...

    async def insert(self, rows: Sequence[RunRow]) -> None:
        """Raises OccurrenceTaken, here or at the end of the unit, when (schedule, occurrence) exists."""
        ...

    async def move(self, moves: Sequence[Move]) -> None:
        """Apply transitions. Raises ForbiddenTransition when one is not in the table, and StaleMove, here or at the end
        of the unit, when a run or its schedule does not stand (any more) where the move starts from: a defect in a unit
        that read them in this transaction, and what one that did not read them relies on."""
        ...

    async def begin(self, attempts: Sequence[AttemptRow], leases: Sequence[LeaseRow]) -> None:
        """Write new attempts with their leases."""
        ...

    async def started(self, starts: Sequence[tuple[str, int, int]]) -> None:
        """Set ``started`` of attempts: (run, attempt, instant)."""
        ...

    async def finish(self, ended: Sequence[AttemptRow]) -> None:
        """Write the end of attempts (``ended`` … ``error``), and ``started`` where none is noted; drop their leases."""
        ...

    async def note_late(self, answers: Sequence[AttemptRow]) -> None:
        """Keep a late answer's outcome on its attempt if it comes from the attempt's instance and nothing stands there
        yet; nothing else changes."""
        ...

    async def extend(self, leases: Sequence[LeaseRow]) -> None:
        """Persist remaining lease times."""
        ...

    async def purge(self, before: int, limit: int) -> int:
        """Remove runs that ended before an instant, with their attempts and logs; how many."""
        ...


class LogReads(Protocol):
    """Reading what runs tell of themselves."""

    async def told(self, run_ids: Sequence[str]) -> dict[str, ToldRow]:
        """How far runs are and how much they logged; of those that told anything."""
        ...

    async def lines(self, run_id: str, after: int, limit: int) -> list[LineRow]:
        """The lines of a run behind the ``after``-th that was said, in order."""
        ...


class LogWrites(LogReads, Protocol):
    """Writing what runs tell. Never the reason why something else in the unit fails."""

    async def append(self, told: Sequence[ToldRow], lines: Sequence[LineRow], cuts: Sequence[Cut]) -> None:
        """Write what runs told, with their new lines; then let go of those that do not fit any more."""
        ...


class DeadReads(Protocol):
    """Reading dead letters."""

    async def get_many(self, run_ids: Sequence[str]) -> dict[str, DeadRow]: ...
    async def page(self, filter: DeadFilter, before: str | None, limit: int) -> list[DeadRow]: ...  # noqa: A002


class DeadWrites(DeadReads, Protocol):
    """Adding and removing dead letters. They go with their runs, too (``RunWrites.purge``)."""

    async def add(self, rows: Sequence[DeadRow]) -> None: ...
    async def remove(self, run_ids: Sequence[str]) -> None: ...


class JournalReads(Protocol):
    """Reading events."""

    async def after(
        self, seq: int, limit: int, *, kinds: Sequence[str] = (), guild_id: str | None = None
    ) -> list[Event]: ...

    async def head(self) -> tuple[int, int]:
        """(epoch, newest seq)."""
        ...

    async def tail(self) -> int:
        """The oldest seq still kept, or 0."""
        ...

    async def cursor(self, subscriber: str) -> tuple[int, int] | None:
        """Where a durable subscriber stands: (epoch, seq); None if it is new."""
        ...


class JournalWrites(JournalReads, Protocol):
    """Appending events, in the same unit as the change they tell of."""

    async def append(self, events: Sequence[EventRow]) -> None: ...
    async def acknowledge(self, subscriber: str, epoch: int, seq: int) -> None: ...
    async def purge(self, before: int, limit: int) -> int:
        """Remove events older than an instant; how many."""
        ...

    async def purge_cursors(self) -> None:
        """Remove the cursors before what is left: nobody moved them although there was something to read."""
        ...


class UsageReads(Protocol):
    """Reading what calendar quotas have counted."""

    async def used(self, keys: Iterable[UsageKey]) -> dict[UsageKey, int]: ...


class UsageWrites(UsageReads, Protocol):
    """Charging and giving back."""

    def ask(self, keys: Iterable[UsageKey]) -> Awaitable[dict[UsageKey, int]]:
        """As ``used``, put together with the transaction's next question; await it when it is needed."""
        ...

    async def charge(self, amounts: Mapping[UsageKey, int]) -> None:
        """Add (or, negative, give back) to counters; none goes below zero."""
        ...

    async def purge(self, before_period: str) -> None:
        """Drop counters of periods that sort before this one."""
        ...


class NoteReads(Protocol):
    """Reading small durable facts: documents by (kind, key) as JSON text (guild settings, user zones, rate state)."""

    async def get(self, kind: str, key: str) -> str | None: ...
    async def all(self, kind: str) -> dict[str, str]: ...
    async def undo(self, token: str) -> UndoRow | None: ...
    async def answer(self, key: str) -> AnswerRow | None: ...


class NoteWrites(NoteReads, Protocol):
    """Writing small durable facts, audit lines, undo tokens and remembered answers."""

    async def put(self, kind: str, documents: Mapping[str, str | None]) -> None:
        """Write documents; None removes one."""
        ...

    async def audit(self, rows: Sequence[AuditRow]) -> None: ...
    async def remember_undo(self, rows: Sequence[UndoRow]) -> None: ...
    async def forget_undo(self, token: str) -> None: ...
    async def remember_answer(self, row: AnswerRow) -> None: ...
    async def purge(self, *, now: int, audit_before: int) -> None:
        """Drop undo tokens and answers that ran out, and audit lines older than an instant."""
        ...


class HistoryReads(Protocol):
    """Reading how the attempts of handlers went."""

    async def since(self, at: int, handler: str | None = None) -> list[HistoryRow]:
        """What began at an instant or later, oldest first; of one handler, or of all."""
        ...

    async def oldest(self, span: int) -> int | None:
        """When the oldest row of that length began."""
        ...

    async def between(self, at: int, until: int) -> list[HistoryRow]:
        """What began at ``at`` or later, and before ``until``."""
        ...


class HistoryWrites(HistoryReads, Protocol):
    """Writing it."""

    async def put(self, rows: Sequence[HistoryRow]) -> None:
        """Write rows; one that is there is replaced."""
        ...

    async def drop(self, span: int, at: int, until: int) -> None:
        """Remove the rows of that length that began at ``at`` or later, and before ``until``."""
        ...

    async def purge(self, before: int, limit: int) -> None:
        """Remove some of what began before an instant."""
        ...


class Reader(Protocol):
    """The committed truth, read beside the writer."""

    @property
    def schedules(self) -> ScheduleReads: ...
    @property
    def runs(self) -> RunReads: ...
    @property
    def dead(self) -> DeadReads: ...
    @property
    def links(self) -> LinkReads: ...
    @property
    def logs(self) -> LogReads: ...
    @property
    def journal(self) -> JournalReads: ...
    @property
    def usage(self) -> UsageReads: ...
    @property
    def notes(self) -> NoteReads: ...
    @property
    def buckets(self) -> BucketReads: ...
    @property
    def history(self) -> HistoryReads: ...


class Transaction(Protocol):
    """The open transaction, as a unit sees it: its own writes included."""

    @property
    def schedules(self) -> ScheduleWrites: ...
    @property
    def runs(self) -> RunWrites: ...
    @property
    def dead(self) -> DeadWrites: ...
    @property
    def links(self) -> LinkWrites: ...
    @property
    def logs(self) -> LogWrites: ...
    @property
    def journal(self) -> JournalWrites: ...
    @property
    def usage(self) -> UsageWrites: ...
    @property
    def notes(self) -> NoteWrites: ...
    @property
    def buckets(self) -> BucketWrites: ...
    @property
    def history(self) -> HistoryWrites: ...


Unit = Callable[[Transaction], Awaitable[T]]


class Ledger(Protocol):
    """The store: opened once per process, one writer, readers beside it."""

    @property
    def reader(self) -> Reader: ...

    @property
    def membership(self) -> Membership | None:
        """This core among others that write the same store; None where there can be no others."""
        ...

    async def open(self) -> None:
        """Open and check the store. Raises StoreError with a sentence: locked, read-only, damaged, newer schema."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in the next group commit; its result once durable, or its own exception with nothing written.

        Cancelling the caller does not cancel the unit. Raises StoreFull from when the disk refused a write until there
        is room again, StoreClosed after ``close`` or a fatal failure.
        """
        ...

    async def write_new(self, unit: Unit[T]) -> T:
        """As ``write``, for what somebody wants to be there that was not: StoreFull while there is little room."""
        ...

    async def write_essential(self, unit: Unit[T]) -> T:
        """As ``write``, for outcomes of work already done: may use the room the ballast file kept."""
        ...

    async def has_room(self) -> bool:
        """Whether there is room for new things, measured at most a second ago."""
        ...

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call back on the loop after every commit that appended events; must not block."""
        ...

    @property
    def failed(self) -> Awaitable[BaseException]:
        """Resolves when the store can no longer be trusted (I/O error, failed fsync, dead writer): exit with 1."""
        ...

    async def close(self) -> None:
        """Commit what is pending, then close."""
        ...


class StoreError(Exception):
    """The store cannot be used; the sentence says why and what to do."""


class StoreClosed(StoreError):
    """The store was closed, or failed, before this could be written."""


class StoreFull(StoreError):
    """The disk has no room for new work."""


class NameTaken(Exception):
    """A schedule of that guild has this name already."""


class StaleAdvance(Exception):
    """A schedule was edited, paused or deleted since its step was computed."""


class OccurrenceTaken(Exception):
    """This schedule already has a run for that occurrence."""


class ForbiddenTransition(Exception):
    """The table of transitions does not hold this change."""


class StaleMove(Exception):
    """The run was not in the state the move starts from."""
