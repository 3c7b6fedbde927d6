"""How steps run on a connection to a PostgreSQL server, and what its errors mean. Every statement is a round trip."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import asyncpg  # type: ignore[import-untyped]

from core.ledger.buckets import CHANNEL
from core.ledger.connection import Deadlocked, Fault, Locked, Lost, Mark, NoRoom, Row, Step, StepFailed, Violation
from core.ledger.membership import LOST as TAKEN_OVER
from core.ledger.membership import ServerMembership
from core.ledger.reach import COMMAND_S
from core.ledger.statement import Insert
from core.ledger.tables import journal
from core.ledger.wording import Wording, worded, worded_unless_taken


class ServerConnection:
    """A connection to a server, in as few round trips as may be.

    New rows wait until somebody asks for their table, or for the end of the transaction, and then go together. Events
    come last: their numbers are taken from one row, which stays locked until the commit, so that numbers are in the order
    of commits and have no gaps, whoever else writes. Where units are played apart, nothing waits, so that what is
    wrong with a row is found where it belongs.
    """

    def __init__(self, connection: Any, membership: ServerMembership | None = None) -> None:
        """``membership``: of a core among others, for the connection it writes with."""
        self._connection = connection
        self._membership = membership
        self._prepared: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._held: dict[Insert, list[Row]] = {}
        self._apart = False
        self._told = False

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """See ``core.ledger.connection.Connection``."""
        answers: list[Any] = []
        for index, step in enumerate(steps):
            try:
                answer = await self._perform(step)
            except _REFUSALS as error:
                raise StepFailed(index, self._meaning(error), answers) from error
            if step.expect is not None and answer != step.expect:
                raise StepFailed(index, step.otherwise(), answers)
            answers.append(answer)
        return answers

    def _meaning(self, error: Exception) -> Exception:
        """A core that stood still is told so, whatever its connection says of it: the server ended that meanwhile."""
        meaning = translate(error)
        if isinstance(meaning, Lost) and self._membership is not None and not self._membership.is_sure():
            return Lost(TAKEN_OVER)
        return meaning

    async def close(self) -> None:
        """Close; without the server's answer when it does not come."""
        try:
            await self._connection.close(timeout=CLOSING_S)
        except _REFUSALS:
            self._connection.terminate()

    async def _perform(self, step: Step) -> Any:
        statement = step.statement
        if isinstance(statement, Mark):
            return await self._set_mark(statement)
        if isinstance(statement, Insert):
            return await self._add(statement, step.given, guarded=step.guarded)
        wording = worded(statement)
        await self._write_held(wording.tables)
        return await (self._guarded if step.guarded else self._ask)(wording, step.given)

    async def _ask(self, wording: Wording, given: Sequence[Any]) -> Any:
        prepared = self._prepared.get(wording)
        if prepared is None:
            prepared = self._prepared[wording] = await self._connection.prepare(wording.sql)
        rows = await prepared.fetch(*wording.arrange(given))
        if wording.read is not None:
            return wording.read(rows)
        return int(prepared.get_statusmsg().rpartition(" ")[2])

    async def _add(self, insert: Insert, rows: Sequence[Row], *, guarded: bool) -> int:
        if not (guarded or self._apart or insert.changing):
            self._held.setdefault(insert, []).extend(rows)
            return len(rows)
        await self._write_held({insert.table.name})
        # PostgreSQL gives up a whole transaction for a row that breaks a constraint, but not for one that it was told to
        # leave out: that saves two round trips for every row that fits, and costs one for each that does not.
        if guarded and len(rows) == 1 and await self._ask(worded_unless_taken(insert), (rows,)):
            return 1
        if guarded:
            return int(await self._guarded(worded(insert), (rows,)))
        await self._write(insert, rows)
        return len(rows)

    async def _guarded(self, wording: Wording, given: Sequence[Any]) -> Any:
        await self._connection.execute("SAVEPOINT guarded")
        try:
            answer = await self._ask(wording, given)
        except _REFUSALS:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK TO guarded; RELEASE guarded")
            raise
        await self._connection.execute("RELEASE guarded")
        return answer

    async def _set_mark(self, mark: Mark) -> None:
        if mark is Mark.COMMIT:
            await self._write_held()
            said = await self._connection.execute(self._commit())
            if said != "COMMIT":  # what PostgreSQL has given up already it rolls back, and calls that no error
                raise Lost(f"the database answered a commit with {said}")
            return
        if mark in {Mark.BEGIN, Mark.ROLLBACK}:
            self._held.clear()
            self._told = False
        if mark is Mark.BEGIN and self._membership is not None:
            if await self._connection.execute(self._membership.fence) != "SELECT 1":
                raise Lost(TAKEN_OVER)
        elif mark is not Mark.ROLLBACK or self._connection.is_in_transaction():
            await self._connection.execute(mark.value)
        self._apart = mark in {Mark.SAVE, Mark.KEEP, Mark.REVERT}

    def _commit(self) -> str:
        """With a word to the other cores, if there are any and something was told."""
        if self._told and self._membership is not None and self._membership.has_others:
            return f"NOTIFY {CHANNEL}, 'journal'; COMMIT"
        return "COMMIT"

    async def _write_held(self, tables: Collection[str] | None = None) -> None:
        """Write the rows that wait, of some tables or of all; events last.

        Raises:
            Fault: one of them does not fit, whosever it is.
        """
        if not self._held:
            return
        wanted = [insert for insert in self._held if tables is None or insert.table.name in tables]
        if tables is not None and "journal_head" in tables:
            wanted = list(self._held)
        for insert in sorted(wanted, key=lambda insert: insert.table is journal):
            try:
                await self._write(insert, self._held.pop(insert))
            except _REFUSALS as error:
                meaning = translate(error)
                if isinstance(meaning, Fault) and not isinstance(meaning, Violation):
                    raise
                raise Fault("one of the rows that waited does not fit") from error

    async def _write(self, insert: Insert, rows: Sequence[Row]) -> None:
        written = await self._ask(worded(insert), (rows,))
        if insert.table is journal:
            self._told = True
        if insert.table is journal and not written:
            raise Lost("the row that numbers events is gone from journal_head; restore a backup")


CLOSING_S: Final = 5.0
# What asyncpg raises for a statement, and what it raises for a value or a row that does not fit.
_REFUSALS: Final = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, Fault, OSError, OverflowError, TypeError,
    ValueError,
)  # fmt: skip


def translate(error: Exception) -> Exception:
    """What an error of asyncpg means for the ledger."""
    if isinstance(error, Fault):
        return error
    cause = error.__cause__
    if isinstance(error, asyncpg.DataError) and isinstance(cause, Exception):
        return type(cause)(
            *cause.args
        )  # asyncpg itself refused a value, and says why: again, lest the two hold each other
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _of_client(error)
    if state.startswith("23"):
        return Violation(getattr(error, "constraint_name", None) or error.args[0])
    if state in _NO_ROOM:
        return NoRoom("the database server's disk is full")
    if state in _LATER or state in _DEADLOCKS:
        kind = Deadlocked if state in _DEADLOCKS else Locked
        return kind(f"the database is held by another program ({error.args[0]}); try again")
    if state == _NO_CHARACTER:
        return ValueError("a text holds the character NUL, which the store cannot keep")
    if state.startswith("22"):
        return ValueError(f"a value that the store cannot keep: {error.args[0]}")
    if state[:2] in _FATAL_CLASSES or state in _FATAL:
        return Lost(f"the database failed: {error.args[0]}")
    return Fault(f"the database refused a statement: {error.args[0]}")


def _of_client(error: Exception) -> Exception:
    if isinstance(error, TimeoutError):
        return Lost(f"the database has not answered for {COMMAND_S:g} s; look what holds a lock on its tables")
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        return Lost(f"the connection to the database failed: {str(error) or type(error).__name__}")
    return error


# SQLSTATE (PostgreSQL documentation, appendix A).
_NO_CHARACTER: Final = "22021"
_NO_ROOM: Final = {"53100"}
_LATER: Final = {"55P03"}
_DEADLOCKS: Final = {"40001", "40P01"}
_FATAL_CLASSES: Final = {"08", "58", "XX", "F0"}
_FATAL: Final = {"25006", "53200", "57P01", "57P02", "57P03", "57P04", "57P05", "25P02", "25P03"}
