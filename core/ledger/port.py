"""The store port: what the core asks of its durable truth. SQLite and PostgreSQL answer it alike.

A *unit* is one change with its event: an async function that gets a Transaction. ``Ledger.write`` runs it inside the
open group-commit batch and returns its result after the commit, when it is durable. A unit reads what it needs,
decides, writes; it must not await anything but its transaction, must not send, and may be run twice (a batch that
fails is replayed unit by unit), so it must not change anything outside before it returned. A text with the character NUL
is a ValueError; the doors and links keep it out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from core.ledger.among import BucketReads, BucketWrites, Membership
from core.ledger.ports.audit import AuditFilter, AuditReads, AuditWrites
from core.ledger.ports.dead import DeadReads, DeadWrites
from core.ledger.ports.erasure import ErasureReads, ErasureWrites, Whom
from core.ledger.ports.errors import (
    ForbiddenTransition,
    NameTaken,
    OccurrenceTaken,
    StaleAdvance,
    StaleMove,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFull,
)
from core.ledger.ports.history import HistoryReads, HistoryWrites
from core.ledger.ports.journal import JournalReads, JournalWrites
from core.ledger.ports.links import LinkReads, LinkWrites
from core.ledger.ports.logs import LogReads, LogWrites
from core.ledger.ports.notes import NoteReads, NoteWrites
from core.ledger.ports.runs import ActiveRun, ReadyRun, RunFilter, RunReads, RunWrites
from core.ledger.ports.schedules import ScheduleFilter, ScheduleReads, ScheduleWrites
from core.ledger.ports.sessions import SessionReads, SessionWrites
from core.ledger.ports.usage import UsageReads, UsageWrites
from core.ledger.ports.within import Within

__all__ = [
    "ActiveRun",
    "AuditFilter",
    "AuditReads",
    "AuditWrites",
    "DeadReads",
    "DeadWrites",
    "ErasureReads",
    "ErasureWrites",
    "ForbiddenTransition",
    "HistoryReads",
    "HistoryWrites",
    "JournalReads",
    "JournalWrites",
    "Ledger",
    "LinkReads",
    "LinkWrites",
    "LogReads",
    "LogWrites",
    "NameTaken",
    "NoteReads",
    "NoteWrites",
    "OccurrenceTaken",
    "Reader",
    "ReadyRun",
    "RunFilter",
    "RunReads",
    "RunWrites",
    "ScheduleFilter",
    "ScheduleReads",
    "ScheduleWrites",
    "SessionReads",
    "SessionWrites",
    "StaleAdvance",
    "StaleMove",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFull",
    "Transaction",
    "Unit",
    "UsageReads",
    "UsageWrites",
    "Whom",
    "Within",
]

T = TypeVar("T")


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
    def audit(self) -> AuditReads: ...
    @property
    def buckets(self) -> BucketReads: ...
    @property
    def history(self) -> HistoryReads: ...
    @property
    def erasure(self) -> ErasureReads: ...
    @property
    def sessions(self) -> SessionReads: ...


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
    def audit(self) -> AuditWrites: ...
    @property
    def buckets(self) -> BucketWrites: ...
    @property
    def history(self) -> HistoryWrites: ...
    @property
    def erasure(self) -> ErasureWrites: ...
    @property
    def sessions(self) -> SessionWrites: ...


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
        """As ``write``, for what somebody wants to be there that was not: StoreFull while there is little room, StoreBusy
        while too much waits to be written already."""
        ...

    async def write_essential(self, unit: Unit[T]) -> T:
        """As ``write``, for outcomes of work already done: may use the room the ballast file kept."""
        ...

    async def has_room(self) -> bool:
        """Whether there is room for new things, measured at most a second ago."""
        ...

    async def clear_traces(self) -> None:
        """Let go of what the database keeps of rows that were removed, as far as that holds nobody up."""
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
