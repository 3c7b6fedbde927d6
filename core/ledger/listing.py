"""Listings of runs, newest first: of runs themselves, and of dead letters. Both read a filter in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Select, bindparam, or_, select

from core.ledger.connection import Reading
from core.ledger.port import RunFilter
from core.ledger.statement import Query, fields_of
from core.ledger.tables import schedules
from schedule_zero.schedule import MESSAGES

T = TypeVar("T", bound=msgspec.Struct)

_NO_MORE: Final[Mapping[str, ColumnElement[bool]]] = {}


class Listing(Generic[T]):
    """The pages of one table."""

    def __init__(
        self, record: type[T], run_id: Column[Any], more: Mapping[str, ColumnElement[bool]] = _NO_MORE
    ) -> None:  # fmt: skip
        """``run_id``: which run a row is about; ``more``: conditions of this table alone, by the field of the filter."""
        table = run_id.table
        self._record = record
        self._run_id = run_id
        self._guild_id = table.c.guild_id
        self._columns = [table.c[name] for name in fields_of(record)]
        self._conditions: dict[str, ColumnElement[bool]] = {
            "guild_id": table.c.guild_id == bindparam("guild_id"),
            "schedule_id": table.c.schedule_id == bindparam("schedule_id"),
            "owner_id": table.c.schedule_id.in_(_owned_by("owner_id")),
            "jobs_or_owner_id": or_(
                table.c.handler != MESSAGES, table.c.schedule_id.in_(_owned_by("jobs_or_owner_id"))
            ),
            "handler": table.c.handler == bindparam("handler"),
            **more,
            "before": run_id < bindparam("before"),
        }
        self.query = lru_cache(maxsize=64)(self._query)

    async def page(self, reading: Reading, wanted: RunFilter, before: str | None, limit: int) -> list[T]:
        """A page of it, of runs older than ``before``."""
        asked = {**msgspec.structs.asdict(wanted), "before": before}
        if wanted.any_guild:
            asked["guild_id"] = None
        given = {name: asked[name] for name in self._conditions if asked[name] is not None}
        query = self.query(tuple(given), wanted.guild_id is None and not wanted.any_guild)
        return await reading.fetch(query, *given.values(), limit)

    def _query(self, names: tuple[str, ...], no_guild: bool) -> Query[T]:
        """The page for filters of one shape: which of the conditions there are."""
        where = [self._conditions[name] for name in names]
        # With a schedule named, its index serves; the guild is then only looked at.
        if no_guild:
            where.append(self._guild_id.is_(None))
        statement = select(*self._columns).where(*where).order_by(self._run_id.desc()).limit(bindparam("limit"))
        return Query(statement, self._record, *names, "limit")


def _owned_by(parameter: str) -> Select[Any]:
    """The ids of a person's schedules, to be looked for among."""
    return select(schedules.c.id).where(schedules.c.owner_id == bindparam(parameter))
