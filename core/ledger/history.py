"""The history of handlers: how the attempts of each method went, a row a minute, and later a row an hour.

Each core writes what it saw, under its own name, and whoever reads adds the rows up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import ColumnElement, bindparam, delete, literal_column, select, tuple_

from core.ledger.connection import Reading, Session, Step
from core.ledger.rows import HistoryRow
from core.ledger.statement import Change, Insert, Query, fields_of
from core.ledger.tables import handler_history as history

_COLUMNS: Final = [history.c[name] for name in fields_of(HistoryRow)]
_KEY: Final = tuple_(history.c.at, history.c.span, history.c.handler, history.c.method, history.c.guild, history.c.core)
_SINCE: Final[Query[HistoryRow]] = Query(
    select(*_COLUMNS).where(history.c.at >= bindparam("at")).order_by(history.c.at), HistoryRow, "at"
)
_OF_ONE_SINCE: Final[Query[HistoryRow]] = Query(
    select(*_COLUMNS)
    .where(history.c.handler == bindparam("handler"), history.c.at >= bindparam("at"))
    .order_by(history.c.at),
    HistoryRow,
    "handler",
    "at",
)
_OLDEST: Final[Query[int]] = Query(
    select(history.c.at).where(history.c.span == bindparam("span")).order_by(history.c.at).limit(literal_column("1")),
    int,
    "span",
)
_BETWEEN: Final[Query[HistoryRow]] = Query(
    select(*_COLUMNS).where(history.c.at >= bindparam("at"), history.c.at < bindparam("until")),
    HistoryRow,
    "at",
    "until",
)


class History:
    """Reading it, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def since(self, at: int, handler: str | None = None) -> list[HistoryRow]:
        """What began at an instant or later, oldest first; of one handler, or of all."""
        if handler is None:
            return await self._reading.fetch(_SINCE, at)
        return await self._reading.fetch(_OF_ONE_SINCE, handler, at)

    async def oldest(self, span: int) -> int | None:
        """When the oldest row of that length began."""
        found = await self._reading.fetch(_OLDEST, span)
        return found[0] if found else None

    async def between(self, at: int, until: int) -> list[HistoryRow]:
        """What began at ``at`` or later, and before ``until``."""
        return await self._reading.fetch(_BETWEEN, at, until)


_ADDED: Final[dict[str, ColumnElement[int] | ColumnElement[str]]] = {
    name: literal_column(f"excluded.{name}") for name in ("succeeded", "failed", "lost", "times")
}
_PUT: Final = Insert(history, fields_of(HistoryRow), changing=_ADDED)
_DROP: Final = Change(
    delete(history).where(
        history.c.span == bindparam("span"), history.c.at >= bindparam("at"), history.c.at < bindparam("until")
    ),
    "span",
    "at",
    "until",
)
_OLD: Final = select(*_KEY.clauses).where(history.c.at < bindparam("at")).limit(bindparam("limit"))
_PURGE: Final = Change(delete(history).where(_KEY.in_(_OLD)), "at", "limit")


class HistoryChanges(History):
    """Writing it, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def put(self, rows: Sequence[HistoryRow]) -> None:
        """Write rows; one that is there is replaced."""
        if rows:
            self._session.later(Step(_PUT, [astuple(row) for row in rows]))

    async def drop(self, span: int, at: int, until: int) -> None:
        """Remove the rows of that length that began at ``at`` or later, and before ``until``."""
        self._session.later(Step(_DROP, (span, at, until)))

    async def purge(self, before: int, limit: int) -> None:
        """Remove some of what began before an instant."""
        self._session.later(Step(_PURGE, (before, limit)))
