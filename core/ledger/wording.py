"""How neutral statements become PostgreSQL's text, and its rows records.

Many rows travel as arrays, one for each column, and ``unnest`` makes rows of them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import ClauseElement, Text, bindparam, select
from sqlalchemy.dialects import postgresql as dialects
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core.ledger.buckets import GUILD_BUCKETS, NO_GUILD, InBuckets
from core.ledger.statement import ROWS, Among, Change, GivenRows, HasEntry, Insert, Query, Statement, fields_of, given
from core.ledger.tables import NUMBERS, journal, metadata

dialect: Final[Dialect] = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

_TABLES: Final = frozenset({*metadata.tables, "journal_head"})

Arrange = Callable[[Sequence[Any]], list[Any]]
Read = Callable[[list[Any]], list[Any]]


class Wording:
    """A statement in PostgreSQL's words.

    Attributes:
        tables: what it reads or writes.
        read: makes records of its rows; None where it only writes.
    """

    __slots__ = ("__weakref__", "arrange", "read", "sql", "tables")

    def __init__(self, sql: str, arrange: Arrange, read: Read | None = None) -> None:
        self.sql = sql
        self.arrange = arrange
        self.tables = frozenset(re.findall(r"\w+", sql)) & _TABLES  # one more, named as a column, does no harm
        self.read = read


_wordings: Final[WeakKeyDictionary[Any, Wording]] = WeakKeyDictionary()
_unless_taken: Final[WeakKeyDictionary[Insert, Wording]] = WeakKeyDictionary()


def worded(statement: Statement) -> Wording:
    """The statement's wording, made the first time it is asked for."""
    wording = _wordings.get(statement)
    if wording is None:
        wording = _wordings[statement] = _word(statement)
    return wording


def _word(statement: Statement) -> Wording:
    if isinstance(statement, Query):
        columns = [each.label(f"c{place}") for place, each in enumerate(statement.select.selected_columns)]
        construct = statement.select.with_only_columns(*columns)
        return Wording(*_compiled(construct, statement.parameters), _reading(statement.record))
    if isinstance(statement, Change):
        return Wording(*_compiled(statement.construct, statement.parameters))
    if statement.table is journal:
        return Wording(_numbering(statement.columns), lambda given: list(zip(*given[0], strict=True)))
    return _inserting(statement)


def _inserting(statement: Insert) -> Wording:
    construct = _adding(statement)
    if statement.changing is not None:
        construct = construct.on_conflict_do_update(index_elements=statement.table.primary_key, set_=statement.changing)
    return Wording(*_compiled(construct, (ROWS,)))


def worded_unless_taken(insert: Insert) -> Wording:
    """As ``worded``, but a row that breaks a constraint is left out."""
    wording = _unless_taken.get(insert)
    if wording is None:
        construct = _adding(insert).on_conflict_do_nothing()
        wording = _unless_taken[insert] = Wording(*_compiled(construct, (ROWS,)))
    return wording


def _adding(insert: Insert) -> dialects.Insert:
    rows = given(*insert.columns)
    return dialects.insert(insert.table).from_select(insert.columns, select(*(rows.c[name] for name in insert.columns)))


def _numbering(columns: Sequence[str]) -> str:
    """Takes as many numbers as there are events, and writes those with them; the answer: one row."""
    arrays = [f"${n}::{'bigint' if name in NUMBERS else 'text'}[]" for n, name in enumerate(columns, 1)]
    listed = ", ".join(f'"{name}"' for name in columns)
    return (
        f"WITH head AS (UPDATE journal_head SET seq = seq + cardinality({arrays[0]}) RETURNING seq), "  # noqa: S608 - ours
        f"told AS (INSERT INTO journal (seq, {listed}) "
        f"SELECT head.seq - cardinality({arrays[0]}) + given.place, {listed} "
        f"FROM head, unnest({', '.join(arrays)}) WITH ORDINALITY AS given ({listed}, place)) "
        "SELECT seq FROM head"
    )


@compiles(GivenRows, "postgresql")
def _given(element: GivenRows, compiler: SQLCompiler, **kw: Any) -> str:
    arrays = []
    for place, name in enumerate(element.names):
        bound = bindparam(_bound_name(element.parameter, place if len(element.names) > 1 else None), type_=Text)
        kind = "BIGINT" if name in NUMBERS else "TEXT"
        arrays.append(f"CAST({compiler.process(bound, **kw)} AS {kind}[])")
    listed = ", ".join(f'"{name}"' for name in element.names)
    return f"(SELECT * FROM unnest({', '.join(arrays)}) AS given ({listed}))"  # noqa: S608 - the names are ours


@compiles(Among, "postgresql")
def _among(element: Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} = ANY(CAST({values} AS TEXT[]))"


@compiles(InBuckets, "postgresql")
def _in_buckets(element: InBuckets, compiler: SQLCompiler, **kw: Any) -> str:
    """As ``bucket_of`` computes it."""
    guild, within = (compiler.process(part, **kw) for part in element.clauses)
    bucket = f"('x' || left(md5({guild}), 2))::bit(8)::int % {GUILD_BUCKETS}"
    return f"(CASE WHEN {guild} IS NULL THEN {NO_GUILD} ELSE {bucket} END) = ANY(CAST({within} AS int[]))"


@compiles(HasEntry, "postgresql")
def _has_entry(element: HasEntry, compiler: SQLCompiler, **kw: Any) -> str:
    document, key, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"(CAST({document} AS json) ->> CAST({key} AS text)) = {value}"


def _bound_name(parameter: str, place: int | None) -> str:
    return parameter if place is None else f"{parameter}${place}"


def _compiled(construct: ClauseElement, parameters: Sequence[str]) -> tuple[str, Arrange]:
    """A construct's text, and how what it is given becomes what the server is sent."""
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


def _reading(record: Any) -> Read:
    """How rows become records."""
    shape, _ = _shaped(record, 0)
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
