"""Waiting runs as they are read to be given out: by (due, id), of all guilds, of all but some, or of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, not_, select, text, tuple_

from core.ledger import tables
from core.ledger.buckets import in_buckets
from core.ledger.connection import Reading
from core.ledger.ports.within import Within
from core.ledger.rows import RunRow
from core.ledger.statement import Query, among, fields_of
from core.ledger.tables import runs, schedules
from schedule_zero.run import SkipReason

COLUMNS: Final = [runs.c[name] for name in fields_of(RunRow)]
ACTIVE: Final = text(f"runs.{tables.RUN_ACTIVE}")
_WAITING: Final = and_(ACTIVE, runs.c.state == literal_column("'waiting'"))
_NO_GUILD: Final[ColumnElement[str]] = literal_column("''")
_BEFORE_ALL: Final = (-(1 << 62), "")

_WAITING_FIRST: Final[Query[RunRow]] = Query(
    select(*COLUMNS).where(_WAITING).order_by(runs.c.due, runs.c.id).limit(bindparam("limit")), RunRow, "limit"
)
_WAITING_AFTER: Final[Query[RunRow]] = Query(
    select(*COLUMNS)
    .where(_WAITING, tuple_(runs.c.due, runs.c.id) > tuple_(bindparam("due"), bindparam("id")))
    .order_by(runs.c.due, runs.c.id)
    .limit(bindparam("limit")),
    RunRow,
    "due",
    "id",
    "limit",
)
_WAITING_OF: Final[Query[RunRow]] = Query(
    select(*COLUMNS)
    .where(
        _WAITING,
        func.coalesce(runs.c.guild_id, _NO_GUILD) == bindparam("guild_id"),
        tuple_(runs.c.due, runs.c.id) >= tuple_(bindparam("due"), bindparam("id")),
    )
    .order_by(runs.c.due, runs.c.id)
    .limit(bindparam("limit")),
    RunRow,
    "guild_id",
    "due",
    "id",
    "limit",
)
_PUT_OFF_AFTER: Final = and_(
    _WAITING,
    runs.c.attempt == literal_column("0"),
    runs.c.reason == literal_column(f"'{SkipReason.QUOTA}'"),
    runs.c.not_before > bindparam("after"),
)
_PUT_OFF_GUILDS: Final[Query[str | None]] = Query(
    select(runs.c.guild_id).where(_PUT_OFF_AFTER).distinct(), str | None, "after"
)
# By way of the guild's schedules: the runs that are active are found by theirs, whatever else the guild ever ran.
_COUNT_OF: Final[Query[int]] = Query(
    select(func.count()).select_from(
        select(runs.c.id)
        .join_from(schedules, runs, runs.c.schedule_id == schedules.c.id)
        .where(schedules.c.guild_id == bindparam("guild_id"), _WAITING)
        .limit(bindparam("most"))
        .subquery()
    ),
    int,
    "guild_id",
    "most",
)
_PUT_OFF: Final[Query[RunRow]] = Query(
    select(*COLUMNS)
    .where(
        _PUT_OFF_AFTER,
        func.coalesce(runs.c.guild_id, _NO_GUILD) == bindparam("guild_id"),
        tuple_(runs.c.due, runs.c.id) > tuple_(bindparam("due"), bindparam("id")),
    )
    .order_by(runs.c.due, runs.c.id)
    .limit(bindparam("limit")),
    RunRow,
    "after",
    "guild_id",
    "due",
    "id",
    "limit",
)
WITHIN: Final = in_buckets(runs.c.guild_id)
_WAITING_FIRST_WITHIN: Final[Query[RunRow]] = Query(
    _WAITING_FIRST.select.where(WITHIN), RunRow, *_WAITING_FIRST.parameters, "within"
)
_WAITING_AFTER_WITHIN: Final[Query[RunRow]] = Query(
    _WAITING_AFTER.select.where(WITHIN), RunRow, *_WAITING_AFTER.parameters, "within"
)
_BUT: Final = not_(among(func.coalesce(runs.c.guild_id, _NO_GUILD), "but"))
_WAITING_AFTER_BUT: Final[Query[RunRow]] = Query(
    _WAITING_AFTER.select.where(_BUT), RunRow, *_WAITING_AFTER.parameters, "but"
)
_WAITING_AFTER_WITHIN_BUT: Final[Query[RunRow]] = Query(
    _WAITING_AFTER_WITHIN.select.where(_BUT), RunRow, *_WAITING_AFTER_WITHIN.parameters, "but"
)


class WaitingRuns:
    """Reading runs that wait, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def put_off(
        self, guild_id: str | None, after: int, behind: tuple[int, str] | None, limit: int
    ) -> list[RunRow]:
        """Runs of a guild that wait for a later period of a calendar quota, by (due, id)."""
        return await self._reading.fetch(_PUT_OFF, after, guild_id or "", *(behind or _BEFORE_ALL), limit)

    async def put_off_guilds(self, after: int) -> list[str | None]:
        """The guilds that have such runs."""
        return await self._reading.fetch(_PUT_OFF_GUILDS, after)

    async def waiting(
        self, after: tuple[int, str] | None, limit: int, within: Within = None, *, but: Sequence[str | None] = ()
    ) -> list[RunRow]:
        """A page of all waiting runs, by (due, id); of all guilds but these."""
        if but:
            without, start = [guild_id or "" for guild_id in but], after or _BEFORE_ALL
            if within is None:
                return await self._reading.fetch(_WAITING_AFTER_BUT, *start, limit, without)
            return await self._reading.fetch(_WAITING_AFTER_WITHIN_BUT, *start, limit, within, without)
        if within is not None and after is None:
            return await self._reading.fetch(_WAITING_FIRST_WITHIN, limit, within)
        if within is not None and after is not None:
            return await self._reading.fetch(_WAITING_AFTER_WITHIN, *after, limit, within)
        if after is None:
            return await self._reading.fetch(_WAITING_FIRST, limit)
        return await self._reading.fetch(_WAITING_AFTER, *after, limit)

    async def count_waiting(self, guild_id: str, most: int) -> int:
        """How many runs of a guild wait; ``most``: that many, or more."""
        return (await self._reading.fetch(_COUNT_OF, guild_id, most))[0]

    async def waiting_of(self, guild_id: str | None, start: tuple[int, str], limit: int) -> list[RunRow]:
        """A guild's waiting runs, by (due, id)."""
        return await self._reading.fetch(_WAITING_OF, guild_id or "", *start, limit)
