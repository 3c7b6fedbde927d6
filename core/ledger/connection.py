"""What the ledger needs of a database: to run steps, one after another, in one visit.

``Connection`` is all a driver has to be, and all a simulation has to wrap. ``Session`` is what the tables' rooms
(schedules, runs, journal, ...) talk to: it keeps writes nobody waits for until the next question and sends both at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from enum import Enum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from core.ledger.port import StoreError
from core.ledger.rows import Ended, EventRow
from core.ledger.statement import Insert, Query, Statement

T = TypeVar("T")
V = TypeVar("V")
Row = tuple[Any, ...]


class Mark(Enum):
    """The borders of transactions."""

    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVE = "SAVEPOINT unit"
    KEEP = "RELEASE unit"
    REVERT = "ROLLBACK TO unit"


class Step(NamedTuple):
    """One statement with what it is given.

    ``expect``: how many rows it must touch, else ``otherwise`` is raised. ``refused``: what a violated constraint
    means here. ``asked``: who wants the answer. ``guarded``: the transaction must be as before when it fails, and go on.
    """

    statement: Statement | Mark
    given: Sequence[Any] = ()
    expect: int | None = None
    otherwise: Callable[[], Exception] = StoreError
    refused: Callable[[Violation], Exception] | None = None
    asked: Asked[Any] | None = None
    guarded: bool = False


class Connection(Protocol):
    """One connection to a database, used by one caller at a time."""

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """Run steps in order and answer each: rows of a Query, number of touched rows otherwise.

        Raises:
            StepFailed: a step failed; the ones before it stand, the ones after it were not tried.
            Exception: anything else means that the connection cannot be trusted any more.
        """
        ...

    async def close(self) -> None: ...


class Fault(StoreError):
    """Why a step failed, in the ledger's words; each driver translates its database's."""


class Violation(Fault):
    """A row breaks a constraint; ``about`` holds the constraint's name or its columns, as the database gives them."""

    def __init__(self, about: str) -> None:
        super().__init__(f"the store refused a row: {about}")
        self.about = about


class NoRoom(Fault):
    """The disk is full."""


class Locked(Fault):
    """Somebody else holds the database; later it may work."""


class Deadlocked(Locked):
    """Two cores waited for each other, and this one was to give way: played again it works."""


class Lost(Fault):
    """The database failed us (I/O error, damage, dead connection): nothing more can be promised."""


class StepFailed(Exception):
    """The step at ``index`` failed with ``error``; ``answers`` are those of the steps before it."""

    def __init__(self, index: int, error: Exception, answers: Sequence[Any] = ()) -> None:
        super().__init__(f"step {index}: {error}")
        self.index = index
        self.error = error
        self.answers = answers

    def take(self) -> Exception:
        """The error, to be raised from this. It is let go of here: two that hold each other would keep all the frames they
        came through, and so the request, until the cycle collector comes."""
        error = self.error
        del self.error
        if self.__cause__ is error:  # a value no column holds was the error already
            self.__cause__ = self.__context__ = None
        return error


class Reading(Protocol):
    """Whatever can be asked: an open transaction, or a reader beside it."""

    async def fetch(self, query: Query[T], *given: Any) -> list[T]: ...


class Asked(Generic[T]):
    """A question that travels with the next one, so that it costs no visit of its own. Await it for its answer."""

    __slots__ = ("_read", "_rows", "_session")

    def __init__(self, session: Session, read: Callable[[list[Any]], T]) -> None:
        self._session = session
        self._read = read
        self._rows: list[Any] | None = None

    def answer(self, rows: list[Any]) -> None:
        """What the database said."""
        self._rows = rows

    def __await__(self) -> Generator[Any, None, T]:
        if self._rows is None:
            yield from self._session.flush().__await__()
        assert self._rows is not None, "the unit was given up before its question was put"
        return self._read(self._rows)


class Session:
    """The writer's conversation with its connection, across the units of one batch.

    Attributes:
        spoiled: the error after which what the transaction holds can no longer be told; it must be rolled back.
        written: rows written, or kept to be, since the transaction began.
        told: the events appended since the transaction began, by units that were not undone.
        untold: whether events were removed since then.
        shared: other processes write the same database.
        held: the names that are locked until the transaction ends (``buckets.hold``).
        ended: the runs that the unit has ended so far.
        parents: schedules that others run after, or did once; None until somebody asks. Where stores are shared, others
            add to them, and nothing is kept.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept: list[Step] = []
        self._own_kept = 0
        self._own_sent = 0
        self._told_before = 0
        self._under_way: asyncio.Task[Any] | None = None
        self.spoiled: Exception | None = None
        self.written = 0
        self.told: list[EventRow] = []
        self.untold = False
        self.shared = False
        self.held: set[str] = set()
        self.ended: list[Ended] = []
        self.parents: set[str] | None = None

    async def fetch(self, query: Query[T], *given: Any) -> list[T]:
        """Ask, after everything kept back was written."""
        answers: list[T] = (await self._run([Step(query, given)]))[0]
        return answers

    def ask(self, query: Query[T], read: Callable[[list[T]], V], *given: Any) -> Asked[V]:
        """Ask at the next visit; ``read`` makes of the rows what is awaited."""
        asked = Asked(self, read)
        self._keep(Step(query, given, asked=asked))
        return asked

    async def change(self, *steps: Step) -> int:
        """Write and wait: how many rows the last step touched. A Violation by the first step leaves nothing written."""
        first, *others = steps
        touched: list[int] = await self._run([first._replace(guarded=True), *others], writes=len(steps))
        self.written += sum(_weight(step) for step in steps)
        return touched[-1]

    def later(self, step: Step) -> None:
        """Write before the next question or the end of the unit, whichever comes first."""
        self._keep(step)
        self.written += _weight(step)

    async def send(self) -> None:
        """Begin to write what is kept back, beside whatever the unit does until its next question or its end."""
        if self._kept and self.spoiled is None:
            await self.settled()
            self._under_way = asyncio.create_task(self._visit([]), name="ledger visit")
            await asyncio.sleep(0)  # it starts here

    async def settled(self) -> None:
        """Wait for what was sent; if it failed, the session is spoiled."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            await asyncio.wait([under_way])
            under_way.exception()  # it is in `spoiled`

    def mark(self, mark: Mark) -> None:
        """Set a border of the transaction, at the next visit."""
        self._kept.append(Step(mark))

    async def flush(self) -> None:
        """Write everything kept back, and wait for what was sent. Raises why that failed."""
        await self.settled()
        if self._kept or self.spoiled is not None:
            await self._visit([])

    def begin_unit(self) -> None:
        """From here on writes are the next unit's."""
        self._own_kept = self._own_sent = 0
        self._told_before = len(self.told)
        self.ended = []

    def forget_unit(self) -> bool:
        """Drop what the unit kept back; whether that undid all of it (else some was sent already)."""
        if self._own_kept:
            del self._kept[-self._own_kept :]
        self.held.clear()  # a lock that was dropped or is undone is none
        del self.told[self._told_before :]
        return self._own_sent == 0 and self.spoiled is None

    def recover(self) -> None:
        """Forget the unit's error and what it kept back: it is about to be undone."""
        self._kept.clear()
        self.held.clear()
        self.spoiled = None

    def reset(self) -> None:
        """Forget everything kept back and every error: the transaction is over, or about to be rolled back."""
        self._kept.clear()
        self.held.clear()
        self.told = []
        self.untold = False
        self.begin_unit()
        self.spoiled = None
        self.written = 0

    def _keep(self, step: Step) -> None:
        self._kept.append(step)
        self._own_kept += 1

    async def _run(self, asked: list[Step], writes: int = 0) -> list[Any]:
        await self.settled()
        return await self._visit(asked, writes)

    async def _visit(self, asked: list[Step], writes: int = 0) -> list[Any]:
        if self.spoiled is not None:
            raise self.spoiled
        kept, self._kept = self._kept, []
        self._own_sent += self._own_kept
        self._own_kept = 0
        try:
            answers = await self._connection.run([*kept, *asked])
        except StepFailed as failure:
            _hand_out(kept, failure.answers)
            if failure.index != len(kept) or not isinstance(failure.error, Violation):
                self.spoiled = _meaning(failure, kept)
                raise self.spoiled from failure
            raise failure.take() from failure
        except Exception as error:  # whatever else a driver raises: the transaction's state is unknown
            self.spoiled = Lost(f"the store's connection failed: {error}")
            raise self.spoiled from error
        self._own_sent += writes
        _hand_out(kept, answers)
        return answers[len(kept) :]


def _hand_out(kept: Sequence[Step], answers: Sequence[Any]) -> None:
    """Give the answers to those who asked; there may be fewer, and those of what is asked now stand behind."""
    for step, answer in zip(kept, answers, strict=False):
        if step.asked is not None:
            step.asked.answer(answer)


def _meaning(failure: StepFailed, kept: Sequence[Step]) -> Exception:
    """The error of a step, in the words of the room that kept it back."""
    step = kept[failure.index] if failure.index < len(kept) else None
    if step is not None and step.refused is not None and isinstance(failure.error, Violation):
        return step.refused(failure.error)
    return failure.take()


def _weight(step: Step) -> int:
    if isinstance(step.statement, Insert):
        return len(step.given)
    rows = step.given[0] if step.given else ()
    return len(rows) if isinstance(rows, (list, tuple)) else 1
