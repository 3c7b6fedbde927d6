"""SQLite: how neutral statements become its text, and how steps run on one of its connections.

A statement reads its rows from one JSON parameter and answers with one JSON value, and many rows are inserted by few
statements. Python's ``sqlite3`` gives the interpreter lock away at every row it steps over; beside a busy event loop
each time costs up to the switch interval of 5 ms [512 rows: 10 µs a row in a quiet process, 9 ms a row in a busy one].
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import ClauseElement, bindparam
from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core.ledger.connection import Fault, Locked, Lost, Mark, NoRoom, Step, StepFailed, Violation
from core.ledger.port import StoreError
from core.ledger.statement import Among, Change, GivenRows, HasEntry, Insert, Query, Statement, fields_of

# SQLITE_MAX_VARIABLE_NUMBER since 3.32.
_VARIABLES: Final = 32_766
# How many rows an insert may have: four lengths for every doubling, so that filling up wastes a tenth on average.
_LENGTHS: Final = (1, 2, 3, 4, *(part << shift for shift in range(8) for part in (5, 6, 7, 8)))

_dialect: Final = dialects.dialect(paramstyle="qmark")
_encode: Final = msgspec.json.Encoder().encode

Perform = Callable[[sqlite3.Connection, Sequence[Any]], Any]
_performers: Final[WeakKeyDictionary[Any, Perform]] = WeakKeyDictionary()


def run_steps(database: sqlite3.Connection, steps: Sequence[Step]) -> list[Any]:
    """Run steps in order; see ``core.ledger.connection.Connection.run``."""
    answers: list[Any] = []
    for index, step in enumerate(steps):
        try:
            answer = _perform(database, step)
        except sqlite3.Error as error:
            raise StepFailed(index, translate(error), answers) from error
        except (OverflowError, TypeError, ValueError) as error:
            # A value no column can hold, or a stored one its record cannot: that unit's fault, not the store's.
            raise StepFailed(index, error, answers) from error
        if step.expect is not None and answer != step.expect:
            raise StepFailed(index, step.otherwise(), answers)
        answers.append(answer)
    return answers


def _perform(database: sqlite3.Connection, step: Step) -> Any:
    statement = step.statement
    if isinstance(statement, Mark):
        return _set_mark(database, statement)
    perform = _performers.get(statement)
    if perform is None:
        perform = _performers[statement] = _performer(statement)
    return perform(database, step.given)


def _set_mark(database: sqlite3.Connection, mark: Mark) -> None:
    if mark is Mark.BEGIN:
        database.execute("BEGIN IMMEDIATE")
    elif mark is not Mark.ROLLBACK or database.in_transaction:  # some errors have rolled back already
        database.execute(mark.value)


def translate(error: sqlite3.Error) -> Exception:
    """What an error of SQLite means for the ledger."""
    # Extended codes carry the primary one in the low byte (SQLite documentation, "Result and Error Codes").
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return Violation(str(error))
    if primary == sqlite3.SQLITE_FULL:
        return NoRoom("the disk is full")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Locked("the database is locked by another program; close it, then try again")
    if primary in _FATAL:
        return Lost(f"the database failed: {error}")
    return Fault(f"the database refused a statement: {error}")


_FATAL: Final = {
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM,
}  # fmt: skip


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say about a file into one sentence with a remedy (StoreError)."""
    try:
        yield
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise StoreError(_SENTENCES.get(primary, "{} cannot be used: {}").format(path, error)) from error
    except OSError as error:
        raise StoreError(
            f"{error.filename or path} cannot be used ({error.strerror}); check the path and who may write there"
        ) from error


def open_existing(path: Path, patience_s: float = 5.0) -> sqlite3.Connection:
    """A connection for looking only. It opens the file as a writer would, because reading a log needs its index file
    beside it to be made."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=patience_s, isolation_level=None
    )
    database.execute("PRAGMA query_only = ON")
    return database


_SENTENCES: Final = {
    sqlite3.SQLITE_NOTADB: "{} is not a database, or its beginning is damaged; restore a backup, or name another file",
    sqlite3.SQLITE_CORRUPT: "{} is damaged ({}); restore a backup (`schedule-zero db check` lists what is broken)",
    sqlite3.SQLITE_READONLY: "{} cannot be written ({}); check owner and permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "{} cannot be written ({}); check owner and permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "{} cannot be opened ({}); check that its folder exists and may be written",
    sqlite3.SQLITE_BUSY: "{} is locked by another program; close it, then try again",
    sqlite3.SQLITE_LOCKED: "{} is locked by another program; close it, then try again",
    sqlite3.SQLITE_FULL: "the disk that holds {} is full; make room, then try again",
    sqlite3.SQLITE_IOERR: "{} could not be read or written ({}); check the disk",
}


# ── compiling ──────────────────────────────────────────────────────────────────────────────────────────────────


@compiles(GivenRows, "sqlite")
def _given(element: GivenRows, compiler: SQLCompiler, **kw: Any) -> str:
    rows = compiler.process(element.clauses.clauses[0], **kw)
    if len(element.names) == 1:
        return f"(SELECT value AS {element.names[0]} FROM json_each({rows}))"  # noqa: S608 - the name is ours
    listed = ", ".join(f"json_extract(value, '$[{place}]') AS \"{name}\"" for place, name in enumerate(element.names))
    return f"(SELECT {listed} FROM json_each({rows}))"  # noqa: S608 - the names are ours


@compiles(Among, "sqlite")
def _among(element: Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - only binds


@compiles(HasEntry, "sqlite")
def _has_entry(element: HasEntry, compiler: SQLCompiler, **kw: Any) -> str:
    document, key, value = (compiler.process(part, **kw) for part in element.clauses)
    entry = f"json_each({document}) AS entry"
    return f"EXISTS (SELECT 1 FROM {entry} WHERE entry.key = {key} AND entry.value = {value})"  # noqa: S608 - only binds


def _performer(statement: Statement) -> Perform:
    if isinstance(statement, Query):
        return _asker(statement)
    if isinstance(statement, Insert):
        return _inserter(statement)
    return _changer(statement)


def _asker(query: Query[Any]) -> Perform:
    sql, arrange, decode = answering(query)

    def ask(database: sqlite3.Connection, given: Sequence[Any]) -> Any:
        return decode(database.execute(sql, arrange(given)).fetchone()[0])

    return ask


def answering(query: Query[Any]) -> tuple[str, Callable[[Sequence[Any]], list[Any]], Callable[[str], list[Any]]]:
    """The text of a question, how its parameters are arranged, and how its one answered value is read."""
    columns = [column.label(f"c{place}") for place, column in enumerate(query.select.selected_columns)]
    inner, arrange = _compile(query.select.with_only_columns(*columns), query.parameters)
    places = iter(range(len(columns)))
    packed = _packed(query.record, places)
    assert next(places, None) is None, f"{query.record} takes fewer columns than are selected"
    decode = msgspec.json.Decoder(list[query.record]).decode  # type: ignore[name-defined]
    return f"SELECT json_group_array({packed}) FROM ({inner})", arrange, decode  # noqa: S608 - made from our tables


def _packed(record: Any, places: Iterator[int]) -> str:
    """SQL that packs the next columns into JSON as ``record`` is read."""
    if get_origin(record) is tuple:
        return f"json_array({', '.join(_packed(part, places) for part in get_args(record))})"
    plain = next((part for part in get_args(record) if part is not type(None)), record) if _union(record) else record
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        pairs = [f"'{name}', c{next(places)}" for name in fields_of(plain)]
        return f"json_object({', '.join(pairs)})"
    return f"c{next(places)}"


def _union(record: Any) -> bool:
    return get_origin(record) in {Union, UnionType}


def _changer(change: Change) -> Perform:
    sql, arrange = _compile(change.construct, change.parameters)

    def apply(database: sqlite3.Connection, given: Sequence[Any]) -> int:
        return database.execute(sql, arrange(given)).rowcount

    return apply


def _compile(construct: ClauseElement, parameters: Sequence[str]) -> tuple[str, Callable[[Sequence[Any]], list[Any]]]:
    compiled = construct.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    constants = compiled.params
    order = [
        (parameters.index(name), None) if name in parameters else (-1, constants[name])
        for name in compiled.positiontup or ()
    ]

    def arrange(given: Sequence[Any]) -> list[Any]:
        values = [_spelled(value) if isinstance(value, (list, tuple)) else value for value in given]
        return [values[place] if place >= 0 else constant for place, constant in order]

    return str(compiled), arrange


def _spelled(rows: Sequence[Any]) -> str:
    """Rows as JSON. SQLite's JSON ends a text at NUL (seen in 3.40), so such a text is refused, not cut short.

    Raises:
        ValueError: a text holds NUL.
    """
    text = _encode(rows).decode()
    if "\\u0000" in text and _holds_nul(rows):  # a backslash before "u0000" looks alike, so only then each is read
        raise ValueError("a text holds the character NUL, which the store cannot keep")
    return text


def _holds_nul(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def _inserter(insert: Insert) -> Perform:
    """Insert rows all or none, by one statement per thousand.

    Statements of every length would each have to be prepared; a few lengths are, and a shorter call is filled up with
    rows of NULL that the statement leaves out.
    """
    construct = dialects.insert(insert.table).values({name: bindparam(name) for name in insert.columns})
    if insert.changing is not None:
        construct = construct.on_conflict_do_update(index_elements=insert.table.primary_key, set_=insert.changing)
    compiled = construct.compile(dialect=_dialect)
    assert isinstance(compiled, SQLCompiler)
    width = len(insert.columns)
    one = f"({', '.join('?' * width)})"
    head, found, tail = str(compiled).partition(f"VALUES {one}")
    assert found, f"an insert of another form: {compiled}"
    lengths = [length for length in _LENGTHS if length * width <= _VARIABLES]
    texts = {length: _text_for(head, one, length, tail) for length in lengths}
    most = lengths[-1]

    def add_some(database: sqlite3.Connection, rows: Sequence[Any]) -> None:
        length = lengths[bisect_left(lengths, len(rows))]
        values = [*chain.from_iterable(rows), *repeat(None, (length - len(rows)) * width)]
        database.execute(texts[length], values)

    def add(database: sqlite3.Connection, rows: Sequence[Any]) -> int:
        if len(rows) <= most:
            add_some(database, rows)
            return len(rows)
        database.execute("SAVEPOINT many")
        try:
            for start in range(0, len(rows), most):
                add_some(database, rows[start : start + most])
        except BaseException:  # all or none, whatever comes between; the unit gets it
            if database.in_transaction:
                database.execute("ROLLBACK TO many")
            raise
        finally:
            if database.in_transaction:
                database.execute("RELEASE many")
        return len(rows)

    return add


def _text_for(head: str, one: str, length: int, tail: str) -> str:
    rows = ", ".join([one] * length)
    if length == 1:
        return f"{head}VALUES {rows}{tail}"
    return f"{head}SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL{tail}"  # noqa: S608 - only binds
