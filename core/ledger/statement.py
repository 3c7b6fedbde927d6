"""Statements: SQLAlchemy Core constructs with the order of their parameters and the record they answer with.

They are built once, from the tables, and know no database; a driver turns each into its own text the first time it
meets it. Many rows travel with one statement (``given``), so that a thousand rows cross from Python into the database
once, not a thousand times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ClauseElement, ColumnElement, Select, Table, Text, bindparam, column
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
    """New rows of a table, as tuples in the order of ``columns``, which is the table's, and the first of which is never NULL;
    a row that is there already is changed instead when ``changing`` says how."""

    __slots__ = ("__weakref__", "changing", "columns", "table")

    def __init__(
        self, table: Table, columns: Sequence[str], changing: dict[str, ColumnElement[Any]] | None = None
    ) -> None:
        self.table = table
        self.columns = tuple(columns)
        self.changing = changing
        assert self.columns == tuple(name for name in table.columns.keys() if name in self.columns), "not in its order"  # noqa: SIM118
        assert not table.c[self.columns[0]].nullable, "a driver may fill up with rows whose first value is NULL"


Statement = Query[Any] | Change | Insert


class GivenRows(FunctionElement[Any]):
    """The rows of one parameter, as a table: see ``given``."""

    inherit_cache = False

    def __init__(self, names: tuple[str, ...], parameter: str) -> None:
        self.names = names
        self.parameter = parameter
        super().__init__(bindparam(parameter, type_=Text))


def given(*names: str, parameter: str = ROWS) -> TableValuedAlias:
    """A table made of one parameter: a list of values for one name, a list of tuples for several."""
    return GivenRows(names, parameter).table_valued(*(column(name) for name in names), name="given")


class Among(FunctionElement[bool]):
    """Whether a column's value is one of those in a parameter: see ``among``."""

    inherit_cache = False


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Whether a column's value is in a list that is given."""
    return Among(column, bindparam(parameter, type_=Text))


class HasEntry(FunctionElement[bool]):
    """Whether a column of JSON text, an object of texts, holds a key with a value."""

    inherit_cache = False


def fields_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """The column names of a row, in order."""
    return record.__struct_fields__
