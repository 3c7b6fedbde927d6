"""PostgreSQL: how neutral statements become its text, and how steps run on one of its connections.

Many rows travel as arrays, one for each column, and ``unnest`` makes rows of them again. Every step is one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, get_args, get_origin
from weakref import WeakKeyDictionary

import asyncpg  # type: ignore[import-untyped]
import msgspec
from sqlalchemy import ClauseElement, Text, bindparam, select
from sqlalchemy.dialects import postgresql as dialects
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core.ledger.connection import Fault, Locked, Lost, Mark, NoRoom, Row, Step, StepFailed, Violation
from core.ledger.statement import Change, GivenRows, HasEntry, Insert, Query, Statement, fields_of, given
from core.ledger.tables import NUMBERS, journal

dialect: Final[Dialect] = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

Arrange = Callable[[Sequence[Any]], list[Any]]
Read = Callable[[list[Any]], list[Any]]


class Wording:
    """A statement in PostgreSQL's words. ``read`` makes records of rows; a statement that only writes has none."""

    __slots__ = ("arrange", "of_journal", "read", "sql")

    def __init__(self, sql: str, arrange: Arrange, read: Read | None = None) -> None:
        self.sql = sql
        self.arrange = arrange
        self.read = read
        self.of_journal = "journal" in sql  # the journal itself, or its head


class ServerConnection:
    """A connection to a server. The writer's numbers the events of a transaction when it ends.

    The number of an event comes from one row, which stays locked until the commit: who numbers first commits first, so
    numbers are in the order of commits and have no gaps, whoever else writes. Events therefore wait for the commit, or
    for a question about them; only when units are played apart is each one's written at once, so that what is wrong with
    it is found where it belongs.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._prepared: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._numbering: Any = None
        self._events: list[Row] = []
        self._apart = False

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """See ``core.ledger.connection.Connection``."""
        answers: list[Any] = []
        for index, step in enumerate(steps):
            try:
                answer = await (self._guarded(step) if step.guarded else self._perform(step))
            except _REFUSALS as error:
                raise StepFailed(index, translate(error), answers) from error
            if step.expect is not None and answer != step.expect:
                raise StepFailed(index, step.otherwise(), answers)
            answers.append(answer)
        return answers

    async def close(self) -> None:
        """Close; without the server's answer when it does not come."""
        try:
            await self._connection.close(timeout=CLOSING_S)
        except (*_REFUSALS, OSError):
            self._connection.terminate()

    async def _perform(self, step: Step) -> Any:
        statement = step.statement
        if isinstance(statement, Mark):
            return await self._set_mark(statement)
        if isinstance(statement, Insert) and statement.table is journal:
            self._events += step.given
            if self._apart:
                await self._number_events()
            return len(step.given)
        wording = worded(statement)
        if wording.of_journal:
            await self._number_events()
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = await self._connection.prepare(wording.sql)
        rows = await prepared.fetch(*wording.arrange(step.given))
        if wording.read is not None:
            return wording.read(rows)
        return int(prepared.get_statusmsg().rpartition(" ")[2])

    async def _guarded(self, step: Step) -> Any:
        """The step, or nothing of it: PostgreSQL gives up a whole transaction for one statement that fails."""
        await self._connection.execute("SAVEPOINT guarded")
        try:
            answer = await self._perform(step)
        except _REFUSALS:
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK TO guarded; RELEASE guarded")
            raise
        await self._connection.execute("RELEASE guarded")
        return answer

    async def _set_mark(self, mark: Mark) -> None:
        if mark is Mark.COMMIT:
            await self._number_events()
            said = await self._connection.execute("COMMIT")
            if said != "COMMIT":  # what PostgreSQL has given up already it rolls back, and calls that no error
                raise Lost(f"the database answered a commit with {said}")
            return
        if mark in {Mark.BEGIN, Mark.ROLLBACK}:
            self._events.clear()
        if mark is not Mark.ROLLBACK or self._connection.is_in_transaction():
            await self._connection.execute(mark.value)
        self._apart = mark in {Mark.SAVE, Mark.KEEP, Mark.REVERT}

    async def _number_events(self) -> None:
        if not self._events:
            return
        if self._numbering is None:
            self._numbering = await self._connection.prepare(NUMBERING)
        events, self._events = self._events, []
        if not await self._numbering.fetch(*zip(*events, strict=True)):
            raise Lost("the row that numbers events is gone from journal_head; restore a backup")


CLOSING_S: Final = 5.0
# What asyncpg raises for a statement, and what it raises for a value or a row that does not fit.
_REFUSALS: Final = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, Lost, OSError, OverflowError, TypeError,
    ValueError,
)  # fmt: skip


def _numbering() -> str:
    columns = [column.name for column in journal.columns if column.name != "seq"]
    arrays = [f"${n}::{'bigint' if name in NUMBERS else 'text'}[]" for n, name in enumerate(columns, 1)]
    listed = ", ".join(f'"{name}"' for name in columns)
    return (
        "WITH head AS (UPDATE journal_head SET seq = seq + cardinality($1::bigint[]) RETURNING seq), "  # noqa: S608 - ours
        f"told AS (INSERT INTO journal (seq, {listed}) "
        f"SELECT head.seq - cardinality($1::bigint[]) + given.place, {listed} "
        f"FROM head, unnest({', '.join(arrays)}) WITH ORDINALITY AS given ({listed}, place)) "
        "SELECT seq FROM head"
    )


NUMBERING: Final = _numbering()


def translate(error: Exception) -> Exception:
    """What an error of asyncpg means for the ledger."""
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
    if state in _LATER:
        return Locked(f"the database is held by another program ({error.args[0]}); try again")
    if state == _NO_CHARACTER:
        return ValueError("a text holds the character NUL, which the store cannot keep")
    if state.startswith("22"):
        return ValueError(f"a value that the store cannot keep: {error.args[0]}")
    if state[:2] in _FATAL_CLASSES or state in _FATAL:
        return Lost(f"the database failed: {error.args[0]}")
    return Fault(f"the database refused a statement: {error.args[0]}")


def _of_client(error: Exception) -> Exception:
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        return Lost(f"the connection to the database failed: {error or type(error).__name__}")
    return error


# SQLSTATE (PostgreSQL documentation, appendix A).
_NO_CHARACTER: Final = "22021"
_NO_ROOM: Final = {"53100"}
_LATER: Final = {"55P03", "40001", "40P01"}
_FATAL_CLASSES: Final = {"08", "58", "XX", "F0"}
_FATAL: Final = {"25006", "53200", "57P01", "57P02", "57P03", "57P04", "57P05", "25P02", "25P03"}


# ── compiling ──────────────────────────────────────────────────────────────────────────────────────────────────

_wordings: Final[WeakKeyDictionary[Any, Wording]] = WeakKeyDictionary()


def worded(statement: Statement) -> Wording:
    """The statement's wording, made the first time it is asked for."""
    wording = _wordings.get(statement)
    if wording is None:
        wording = _wordings[statement] = _word(statement)
    return wording


def _word(statement: Statement) -> Wording:
    if isinstance(statement, Query):
        columns = [each.label(f"c{place}") for place, each in enumerate(statement.select.selected_columns)]
        sql, arrange = _compiled(statement.select.with_only_columns(*columns), statement.parameters)
        return Wording(sql, arrange, _reading(statement.record, len(columns)))
    if isinstance(statement, Change):
        return Wording(*_compiled(statement.construct, statement.parameters))
    rows = given(*statement.columns)
    construct = dialects.insert(statement.table).from_select(
        statement.columns, select(*(rows.c[name] for name in statement.columns))
    )
    if statement.changing is not None:
        construct = construct.on_conflict_do_update(index_elements=statement.table.primary_key, set_=statement.changing)
    sql, arrange = _compiled(construct, ("rows",))
    return Wording(sql, lambda rows: arrange((rows,)))


@compiles(GivenRows, "postgresql")
def _given(element: GivenRows, compiler: SQLCompiler, **kw: Any) -> str:
    arrays = []
    for place, name in enumerate(element.names):
        bound = bindparam(_bound_name(element.parameter, place if len(element.names) > 1 else None), type_=Text)
        kind = "BIGINT" if name in NUMBERS else "TEXT"
        arrays.append(f"CAST({compiler.process(bound, **kw)} AS {kind}[])")
    listed = ", ".join(f'"{name}"' for name in element.names)
    return f"(SELECT * FROM unnest({', '.join(arrays)}) AS given ({listed}))"  # noqa: S608 - the names are ours


@compiles(HasEntry, "postgresql")
def _has_entry(element: HasEntry, compiler: SQLCompiler, **kw: Any) -> str:
    document, key, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"(CAST({document} AS json) ->> CAST({key} AS text)) = {value}"


def _bound_name(parameter: str, place: int | None) -> str:
    return parameter if place is None else f"{parameter}${place}"


def _compiled(construct: ClauseElement, parameters: Sequence[str]) -> tuple[str, Arrange]:
    compiled = construct.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    constants = compiled.params
    order: list[tuple[int, int | None, Any]] = []  # (place among the parameters, column of its rows, else a constant)
    for name in compiled.positiontup or ():
        parameter, _, place = name.partition("$")
        if parameter in parameters:
            order.append((parameters.index(parameter), int(place) if place else None, None))
        else:
            order.append((-1, None, constants[name]))
    width = 1 + max((place for _, place, _ in order if place is not None), default=-1)

    def arrange(values: Sequence[Any]) -> list[Any]:
        if not width:
            return [values[index] if index >= 0 else constant for index, _, constant in order]
        columns = {
            index: list(zip(*values[index], strict=True)) or [()] * width
            for index in {index for index, place, _ in order if place is not None}
        }
        return [
            constant if index < 0 else values[index] if place is None else columns[index][place]
            for index, place, constant in order
        ]

    return str(compiled), arrange


def _reading(record: Any, width: int) -> Read:
    """How rows become records."""
    shape, end = _shaped(record, 0)
    assert end == width, f"{record} takes {end} columns, and {width} are selected"
    kind = list[record]

    def read(rows: list[Any]) -> list[Any]:
        return msgspec.convert([shape(row) for row in rows], kind)

    return read


def _shaped(record: Any, start: int) -> tuple[Callable[[Any], Any], int]:
    """What takes the columns of a record out of a row, and the first column behind it."""
    if get_origin(record) is tuple:
        parts, end = [], start
        for part in get_args(record):
            shape, end = _shaped(part, end)
            parts.append(shape)
        return lambda row: tuple([shape(row) for shape in parts]), end
    if isinstance(record, type) and issubclass(record, msgspec.Struct):
        names = fields_of(record)
        end = start + len(names)
        return lambda row: dict(zip(names, row[start:end], strict=True)), end
    return lambda row: row[start], start + 1
