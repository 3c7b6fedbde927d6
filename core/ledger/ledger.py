"""The ledger over any driver: readers beside one group-commit writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from core.ledger.among import Membership
from core.ledger.audit import Audit, AuditChanges
from core.ledger.buckets import BucketChanges, BucketReads
from core.ledger.connection import Connection, Reading, Session
from core.ledger.dead import Dead, DeadChanges
from core.ledger.erasure import Erasure, ErasureChanges
from core.ledger.history import History, HistoryChanges
from core.ledger.journal import Journal, JournalChanges, read_epoch, recent_events
from core.ledger.links import LinkChanges, Links
from core.ledger.logs import LogChanges, Logs
from core.ledger.notes import NoteChanges, Notes
from core.ledger.port import StoreClosed, StoreFull, Unit
from core.ledger.recent import RecentEvents
from core.ledger.runs import RunChanges, Runs
from core.ledger.schedules import ScheduleChanges, Schedules
from core.ledger.sessions import SessionChanges, Sessions
from core.ledger.usage import Usage, UsageChanges
from core.ledger.writer import GroupCommit, Room

T = TypeVar("T")
log = logging.getLogger(__name__)


class OpenTransaction:
    """The open transaction as units see it."""

    def __init__(self, session: Session, epoch: int) -> None:
        self.schedules = ScheduleChanges(session)
        self.runs = RunChanges(session)
        self.dead = DeadChanges(session)
        self.links = LinkChanges(session)
        self.logs = LogChanges(session)
        self.journal = JournalChanges(session, epoch)
        self.usage = UsageChanges(session)
        self.notes = NoteChanges(session)
        self.audit = AuditChanges(session)
        self.buckets = BucketChanges(session)
        self.history = HistoryChanges(session)
        self.erasure = ErasureChanges(session)
        self.sessions = SessionChanges(session)


class CommittedTruth:
    """What is committed, as readers see it."""

    def __init__(self, reading: Reading, epoch: int, recent: RecentEvents) -> None:
        self.schedules = Schedules(reading)
        self.runs = Runs(reading)
        self.dead = Dead(reading)
        self.links = Links(reading)
        self.logs = Logs(reading)
        self.journal = Journal(reading, epoch, recent)
        self.usage = Usage(reading)
        self.notes = Notes(reading)
        self.audit = Audit(reading)
        self.buckets = BucketReads(reading)
        self.history = History(reading)
        self.erasure = Erasure(reading)
        self.sessions = Sessions(reading)


class WatchedRoom(Room, Protocol):
    """Room that says whether new work may come in, and whether the last is used up."""

    @property
    def ok(self) -> bool: ...
    @property
    def full(self) -> bool: ...


class DrivenMembership(Membership, Protocol):
    """A membership that a ledger begins."""

    def begin(self, *, failed: Callable[[BaseException], None], committed: Callable[[], None]) -> None:
        """Renew from here on. ``failed``: nothing can be written any more; ``committed``: others may have told events."""
        ...


class Driver(Protocol):
    """A database: opened once, with one connection to write and a way to read beside it."""

    async def open(self) -> Connection:
        """Check, create or migrate the database and give the writer's connection. Raises StoreError."""
        ...

    def reading(self, open_transaction: asyncio.Lock) -> Reading:
        """How committed rows are read; ``open_transaction`` is held while the writer is inside a transaction."""
        ...

    @property
    def room(self) -> WatchedRoom: ...

    @property
    def membership(self) -> DrivenMembership | None:
        """This core among others that write the same database; joined by ``open``, left by ``close``."""
        ...

    async def clear_traces(self) -> None:
        """Let go of what is kept of rows that were removed, as far as that holds nobody up."""
        ...

    async def close(self) -> None:
        """Close everything but the writer's connection, which is closed already."""
        ...


class StoredLedger:
    """``core.ledger.port.Ledger`` over a driver."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._callbacks: list[Callable[[], None]] = []
        self._connection: Connection | None = None
        self._writer: GroupCommit | None = None
        self._reader: CommittedTruth | None = None

    @property
    def reader(self) -> CommittedTruth:
        """The committed truth. Raises StoreClosed before ``open``."""
        if self._reader is None:
            raise StoreClosed("the store is not open")
        return self._reader

    @property
    def membership(self) -> Membership | None:
        """This core among others that write the same store."""
        return self._driver.membership

    async def open(self) -> None:
        """Open the store. Raises StoreError with a sentence."""
        connection = await self._driver.open()
        membership = self._driver.membership
        try:
            session = Session(connection)
            session.shared = membership is not None
            epoch = await read_epoch(session)
        except BaseException:  # a cancellation too: what is half open has no owner to close it
            await connection.close()
            await self._driver.close()
            raise
        self._connection = connection
        recent = recent_events(epoch, shared=session.shared)
        self._writer = GroupCommit(session, OpenTransaction(session, epoch), self._driver.room, recent, self._committed)
        self._reader = CommittedTruth(self._driver.reading(self._writer.open_transaction), epoch, recent)
        if membership is not None:
            membership.begin(failed=self._writer.give_up, committed=self._committed)
        await self._driver.room.look()

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in the next group commit; see the port."""
        writer, room = self._open_writer(), self._driver.room
        if room.full:
            await room.look()
            if room.full:
                raise StoreFull(
                    "the disk is full: only outcomes of work already done are saved until there is room again"
                )
        return await writer.submit(unit, essential=False)

    async def write_new(self, unit: Unit[T]) -> T:
        """As ``write``, for what somebody wants to be there that was not."""
        room = self._driver.room
        if not room.ok:
            await room.look()
            if not room.ok:
                raise StoreFull("the disk is nearly full: nothing new can be saved until there is room again")
        self._open_writer().require_room()
        return await self.write(unit)

    async def write_essential(self, unit: Unit[T]) -> T:
        """As ``write``, for outcomes of work already done."""
        return await self._open_writer().submit(unit, essential=True)

    async def has_room(self) -> bool:
        """Whether there is room for new things, measured at most a second ago."""
        await self._driver.room.look()
        return self._driver.room.ok

    async def clear_traces(self) -> None:
        """Let go of what the database keeps of rows that were removed."""
        await self._driver.clear_traces()

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call back after every commit that appended events."""
        self._callbacks.append(callback)

    @property
    def failed(self) -> Awaitable[BaseException]:
        """Resolves with the error after which nothing can be saved any more."""
        return asyncio.shield(self._open_writer().failed)

    async def close(self) -> None:
        """Commit what is pending, then close. Closing twice is the same as once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._writer is not None:
            await self._writer.close()
        try:
            await connection.close()
        finally:
            await self._driver.close()

    def _open_writer(self) -> GroupCommit:
        if self._writer is None:
            raise StoreClosed("the store is not open")
        return self._writer

    def _committed(self) -> None:
        for callback in self._callbacks:
            try:
                callback()
            except Exception:  # a listener's fault must not end the writer: it is logged, and the others are told
                log.exception("a listener to commits failed")
