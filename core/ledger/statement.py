"""Statements: SQLAlchemy Core constructs with the order of their parameters and the record they answer with.

They are built once, from the tables, and know no database; a driver turns each into its own text the first time it
meets it. Many rows travel as *one* parameter (``given``), and answers come back as one value, so that a statement
over a thousand rows crosses from Python into the database once, not a thousand times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ClauseElement, ColumnElement, Select, Table, Text, bindparam, column
from sqlalchemy.dialects.sqlite import insert as upsert_into
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias

T = TypeVar("T")
Parameter = str | int | None | Sequence[Any]

ROWS: Final = "rows"


class Query(Generic[T]):
    """A question. ``record`` is what each answered row becomes: a Struct, a scalar, or a tuple of these."""

    __slots__ = ("__weakref__", "parameters", "record", "select")

    def __init__(self, select: Select[Any], record: Any, *parameters: str) -> None:
        self.select = select
        self.record = record
        self.parameters = parameters


class Change:
    """An update or a delete; its parameters in the order they are given."""

    __slots__ = ("__weakref__", "construct", "parameters")

    def __init__(self, construct: ClauseElement, *parameters: str) -> None:
        self.construct = construct
        self.parameters = parameters


class Insert:
    """New rows of a table, as tuples in the order of ``columns``, the first of which is never NULL; a row that is there
    already is changed instead when ``changing`` says how."""

    __slots__ = ("__weakref__", "columns", "construct")

    def __init__(
        self, table: Table, columns: Sequence[str], changing: dict[str, ColumnElement[Any]] | None = None
    ) -> None:
        self.columns = tuple(columns)
        assert not table.c[self.columns[0]].nullable, "a driver may fill up with rows whose first value is NULL"
        construct = upsert_into(table).values({name: bindparam(name) for name in self.columns})
        if changing is not None:
            construct = construct.on_conflict_do_update(index_elements=table.primary_key.columns, set_=changing)
        self.construct: ClauseElement = construct


Statement = Query[Any] | Change | Insert


class GivenRows(FunctionElement[Any]):
    """The rows of one parameter, as a table: see ``given``."""

    inherit_cache = False

    def __init__(self, names: tuple[str, ...], parameter: str) -> None:
        self.names = names
        super().__init__(bindparam(parameter, type_=Text))


@compiles(GivenRows, "sqlite")
def _given_in_sqlite(element: GivenRows, compiler: SQLCompiler, **kw: Any) -> str:
    rows = compiler.process(element.clauses.clauses[0], **kw)
    if len(element.names) == 1:
        return f"(SELECT value AS {element.names[0]} FROM json_each({rows}))"  # noqa: S608 - the name is ours
    listed = ", ".join(f"json_extract(value, '$[{place}]') AS \"{name}\"" for place, name in enumerate(element.names))
    return f"(SELECT {listed} FROM json_each({rows}))"  # noqa: S608 - the names are ours


def given(*names: str, parameter: str = ROWS) -> TableValuedAlias:
    """A table made of one parameter: a list of values for one name, a list of tuples for several."""
    return GivenRows(names, parameter).table_valued(*(column(name) for name in names), name="given")


class HasEntry(FunctionElement[bool]):
    """Whether a column of JSON text, an object of texts, holds a key with a value."""

    inherit_cache = False


@compiles(HasEntry, "sqlite")
def _has_entry_in_sqlite(element: HasEntry, compiler: SQLCompiler, **kw: Any) -> str:
    document, key, value = (compiler.process(part, **kw) for part in element.clauses)
    entry = f"json_each({document}) AS entry"
    return f"EXISTS (SELECT 1 FROM {entry} WHERE entry.key = {key} AND entry.value = {value})"  # noqa: S608 - only binds


def fields_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """The column names of a row, in order."""
    return record.__struct_fields__
