"""Dead letters: runs that failed for good, until somebody runs them again or drops them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import astuple
from sqlalchemy import ColumnElement, Select, bindparam, delete, or_, select

from core.ledger.connection import Reading, Session, Step
from core.ledger.port import RunFilter
from core.ledger.rows import DeadRow
from core.ledger.schedules import owned_by
from core.ledger.statement import Change, Insert, Query, among, fields_of
from core.ledger.tables import dead
from schedule_zero.schedule import MESSAGES

_COLUMNS: Final = [dead.c[name] for name in fields_of(DeadRow)]
_GIVEN: Final = among(dead.c.run_id, "ids")
_GET_MANY: Final[Query[DeadRow]] = Query(select(*_COLUMNS).where(_GIVEN), DeadRow, "ids")


class Dead:
    """Reading dead letters, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get_many(self, run_ids: Sequence[str]) -> dict[str, DeadRow]:
        """Those of these runs that are dead letters, by run."""
        return {row.run_id: row for row in await self._reading.fetch(_GET_MANY, list(run_ids))}

    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[DeadRow]:  # noqa: A002 - the port's
        """A page of a listing, newest run first."""
        wanted = {
            "guild_id": None if filter.any_guild else filter.guild_id,
            "schedule_id": filter.schedule_id,
            "owner_id": filter.owner_id,
            "jobs_or_owner_id": filter.jobs_or_owner_id,
            "handler": filter.handler,
            "before": before,
        }
        shape = tuple(value is not None for value in wanted.values())
        query = _page(shape, filter.guild_id is None and not filter.any_guild)
        return await self._reading.fetch(query, *(value for value in wanted.values() if value is not None), limit)


@lru_cache(maxsize=64)
def _page(shape: tuple[bool, ...], no_guild: bool) -> Query[DeadRow]:
    conditions: dict[str, ColumnElement[bool]] = {
        "guild_id": dead.c.guild_id == bindparam("guild_id"),
        "schedule_id": dead.c.schedule_id == bindparam("schedule_id"),
        "owner_id": dead.c.schedule_id.in_(owned_by("owner_id")),
        "jobs_or_owner_id": or_(dead.c.handler != MESSAGES, dead.c.schedule_id.in_(owned_by("jobs_or_owner_id"))),
        "handler": dead.c.handler == bindparam("handler"),
        "before": dead.c.run_id < bindparam("before"),
    }
    names = [name for name, wanted in zip(conditions, shape, strict=True) if wanted]
    where = [conditions[name] for name in names]
    if no_guild:
        where.append(dead.c.guild_id.is_(None))
    statement: Select[Any] = select(*_COLUMNS).where(*where).order_by(dead.c.run_id.desc()).limit(bindparam("limit"))
    return Query(statement, DeadRow, *names, "limit")


_ADD: Final = Insert(dead, fields_of(DeadRow))
_REMOVE: Final = Change(delete(dead).where(_GIVEN), "ids")


class DeadChanges(Dead):
    """Adding and removing dead letters, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def add(self, rows: Sequence[DeadRow]) -> None:
        """Add dead letters."""
        if rows:
            self._session.later(Step(_ADD, [astuple(row) for row in rows]))

    async def remove(self, run_ids: Sequence[str]) -> None:
        """Remove those of these runs that are dead letters."""
        if run_ids:
            self._session.later(Step(_REMOVE, (list(run_ids),)))
