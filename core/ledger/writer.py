"""Group commit: everything that waits goes into the next transaction; the next one starts when the last has ended.

There is no timer. A slow disk makes bigger groups, not longer queues. Units of a group run one after another on one
connection. When a group cannot be committed because of one of them, it is rolled back and played again unit by unit,
each under a savepoint, and only the culprit gets the error.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from core.ledger.connection import Deadlocked, Fault, Locked, Mark, NoRoom, Session, Violation
from core.ledger.journal import ask_head
from core.ledger.port import StoreBusy, StoreClosed, StoreError, StoreFull, Transaction, Unit
from core.ledger.recent import RecentEvents

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_UNITS: Final = 1024
MOST_ROWS: Final = 16_384
MOST_WAITING: Final = 8 * MOST_UNITS
LEAST_RETRY_S: Final = 1.0
MOST_REPLAYS: Final = 10


class Room(Protocol):
    """What the writer asks of the disk's free space."""

    def filled(self) -> None:
        """The disk refused a write."""
        ...

    def give_up_ballast(self) -> bool:
        """Free the room kept for essential writes; whether there was any."""
        ...

    async def look(self) -> None:
        """Measure again if the last measure is old."""
        ...


class Pending:
    """A unit on its way, and what became of it."""

    __slots__ = ("error", "essential", "future", "result", "unit")

    def __init__(self, unit: Unit[Any], essential: bool, future: asyncio.Future[Any]) -> None:
        self.unit = unit
        self.essential = essential
        self.future: asyncio.Future[Any] | None = future
        self.result: Any = None
        self.error: Exception | None = None

    def settle(self) -> None:
        """Tell the caller, unless it was told or cancelled meanwhile, and let go: the error's traceback holds the writer's
        frames, and they hold this; what is never let go of waits for the cycle collector, with the whole request."""
        future, error = self.future, self.error
        self.future = self.error = None
        if future is None or future.done():
            return
        if error is None:
            future.set_result(self.result)
        else:
            future.set_exception(error)

    def refuse(self, error: Exception) -> None:
        """Tell the caller that nothing was written."""
        self.error = error
        self.settle()


class GroupCommit:
    """The one writer of a ledger. ``failed`` resolves with the error after which it writes nothing more."""

    def __init__(
        self,
        session: Session,
        transaction: Transaction,
        room: Room,
        recent: RecentEvents,
        committed: Callable[[], None],
    ) -> None:
        self._session = session
        self._transaction = transaction
        self._room = room
        self._recent = recent
        self._committed = committed
        self._queue: deque[Pending] = deque()
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Future[None] | None = None
        self._closing = False
        self._unit_s = 0.0
        self.failed: asyncio.Future[BaseException] = self._loop.create_future()
        self.open_transaction = asyncio.Lock()
        self._task = asyncio.create_task(self._work(), name="ledger writer")

    def submit(self, unit: Unit[T], *, essential: bool) -> asyncio.Future[T]:
        """Put a unit into the next group. Cancelling the future leaves the unit where it is.

        Raises:
            StoreClosed: the writer was closed, or failed.
        """
        if self.failed.done():
            raise StoreClosed(f"nothing can be saved any more: {self.failed.result()}")
        if self._closing:
            raise StoreClosed("the store is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.append(Pending(unit, essential, future))
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return future

    def require_room(self) -> None:
        """Raise StoreBusy while so many units wait that nothing should come that could come later.

        Outcomes, ticks and attempts are bounded by themselves: each waits for its last commit. Requests are not.
        """
        waiting = len(self._queue)
        if waiting >= MOST_WAITING:
            raise StoreBusy(waiting, max(LEAST_RETRY_S, waiting * self._unit_s / 2))

    def give_up(self, error: BaseException) -> None:
        """Write nothing more: others have taken over, or nobody knows whether they have."""
        if not self._closing:
            self._fail(error)

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        await asyncio.wait([self._task])

    async def _work(self) -> None:
        try:
            while self._queue or not self._closing:
                if self._queue:
                    async with self.open_transaction:
                        began, before = self._loop.time(), len(self._queue)
                        await self._write_group()
                    self._unit_s = (self._loop.time() - began) / max(1, min(before, MOST_UNITS))
                    await self._room.look()
                else:
                    self._wake = self._loop.create_future()
                    await self._wake
        except asyncio.CancelledError:
            self._fail(StoreClosed("its writer was cancelled"))
            raise
        except BaseException as error:  # whatever ends the writer ends the store: what is on disk is the truth
            self._fail(error)
            if not isinstance(error, Exception):
                raise

    def _fail(self, error: BaseException) -> None:
        log.critical("the store failed: %s", error)
        if not self.failed.done():
            self.failed.set_result(error)
        while self._queue:
            self._queue.popleft().refuse(StoreClosed(f"nothing can be saved any more: {error}"))

    # ── one group ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _write_group(self) -> None:
        group: list[Pending] = []
        try:
            await self._write_or_refuse(group)
        except BaseException as error:  # a cancellation too: who waits for these units would wait for ever
            self._refuse(group, StoreClosed(f"nothing can be saved any more: {error}"))
            raise

    async def _write_or_refuse(self, group: list[Pending]) -> None:
        try:
            try:
                await self._write_together(group)
            except (Spoiled, Deadlocked):
                await self._roll_back()
                await self._play_again(group)
        except NoRoom:
            await self._roll_back()
            await self._write_into_ballast(group)
        except Locked as error:
            await self._roll_back()
            self._refuse(group, StoreError(str(error)))

    async def _write_together(self, group: list[Pending]) -> None:
        """All units in one go; the common case. Raises Spoiled when the group must be played again."""
        session = self._session
        session.reset()
        session.mark(Mark.BEGIN)
        waiting = min(len(self._queue), MOST_UNITS)
        while len(group) < waiting and session.written < MOST_ROWS:
            group.append(self._queue.popleft())
            session.begin_unit()
            await self._run(group[-1])
            whole = group[-1].error is None or session.forget_unit()
            if session.spoiled is not None or not whole:
                raise _worse(session.spoiled)
        try:
            head = await self._commit()
        except Exception as error:  # whose fault it was is not known here: units are played one by one
            raise _worse(session.spoiled) from error
        self._tell(group, head)

    async def _play_again(self, group: list[Pending]) -> None:
        """Unit by unit, and as often as another core is in the way."""
        for left in reversed(range(MOST_REPLAYS)):
            try:
                await self._write_apart(group)
            except Deadlocked as error:
                if not left:
                    raise
                log.info("a group is played again: %s", error)
                await self._roll_back()
            else:
                return

    async def _write_apart(self, group: list[Pending]) -> None:
        """The same units, each under a savepoint, so that one that fails leaves the others alone."""
        session = self._session
        session.reset()
        session.mark(Mark.BEGIN)
        for pending in group:
            session.mark(Mark.SAVE)
            session.begin_unit()
            await self._run(pending)
            if pending.error is None:
                await self._flush(pending)
            if pending.error is not None and not session.forget_unit():
                _worse(session.spoiled)
                session.recover()
                session.mark(Mark.REVERT)
            session.mark(Mark.KEEP)
        self._tell(group, await self._commit())

    async def _commit(self) -> int:
        """Make it durable; the newest number in the journal, if there is anything new in it."""
        head = ask_head(self._session) if self._session.told else None
        self._session.mark(Mark.COMMIT)
        await self._session.flush()
        return 0 if head is None else await head

    async def _run(self, pending: Pending) -> None:
        pending.result, pending.error = None, None
        try:
            pending.result = await pending.unit(self._transaction)
        except Exception as error:  # noqa: BLE001 - it is the unit's own: its caller gets it
            pending.error = error
            await self._session.settled()  # before what it sent is undone

    async def _flush(self, pending: Pending) -> None:
        """Send what the unit kept back; what failed, even if the unit took no notice, is its own."""
        try:
            await self._session.flush()
            pending.error = self._session.spoiled
        except Exception as error:  # noqa: BLE001 - one of the unit's writes failed: its caller gets it
            pending.error = error

    def _tell(self, group: list[Pending], head: int) -> None:
        """It is durable: everybody gets what became of their unit."""
        told, untold = self._session.told, self._session.untold
        self._session.reset()
        if untold:
            self._recent.forget()
        elif told:
            self._recent.committed(told, head)
        for pending in group:
            pending.settle()
        if told:
            self._committed()

    async def _write_into_ballast(self, group: list[Pending]) -> None:
        """The disk is full: essential units get what the ballast file kept, the others are refused."""
        self._room.filled()
        full = StoreFull("the disk is full: nothing new can be saved until there is room again")
        essential = [pending for pending in group if pending.essential]
        self._refuse([pending for pending in group if not pending.essential], full)
        if not essential:
            return
        if not self._room.give_up_ballast():
            self._refuse(essential, full)
            return
        try:
            await self._write_apart(essential)
        except (NoRoom, Locked) as error:
            await self._roll_back()
            self._refuse(essential, full if isinstance(error, NoRoom) else StoreError(str(error)))

    async def _roll_back(self) -> None:
        self._session.reset()
        self._session.mark(Mark.ROLLBACK)
        await self._session.flush()

    @staticmethod
    def _refuse(group: list[Pending], error: Exception) -> None:
        for pending in group:
            pending.refuse(error)


class Spoiled(Exception):
    """The group must be rolled back and played again, unit by unit."""


def _worse(error: Exception | None) -> Spoiled:
    """Raises what is no unit's fault; anything else means: play the group again."""
    if isinstance(error, Fault) and not isinstance(error, Violation) and type(error) is not Fault:
        raise error
    return Spoiled()
