"""Over: schedules that are done, and of which nothing is left that is kept longer: no run, and nobody who runs after them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, literal_column, select, text

from core.ledger import tables
from core.ledger.statement import Query, among
from core.ledger.tables import links, runs, schedules, standings

_UPDATED: Final[ColumnElement[int]] = schedules.c.updated
# The same in a form that no index has: those of one guild are found by the guild.
_UPDATED_OF_GUILD: Final = _UPDATED + literal_column("0")


def _is_over(updated: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(
        text(f"schedules.{tables.SCHEDULE_DEAD}"),
        updated < bindparam("before"),
        standings.c.state == literal_column("'done'"),
        func.coalesce(standings.c.last_due, literal_column("0")) < bindparam("before"),
        ~exists().where(runs.c.schedule_id == schedules.c.id),
        ~exists().where(links.c.parent == schedules.c.id),
    )


def _selected(*columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).join_from(schedules, standings, standings.c.id == schedules.c.id)


def _found(updated: ColumnElement[int], *where: ColumnElement[bool]) -> Select[Any]:
    found = _selected(updated, schedules.c.id).where(updated >= bindparam("since"), _is_over(updated), *where)
    return found.order_by(updated).limit(bindparam("limit"))


OVER: Final[Query[tuple[int, str]]] = Query(_found(_UPDATED), tuple[int, str], "since", "before", "limit")
OVER_OF: Final[Query[tuple[int, str]]] = Query(
    _found(_UPDATED_OF_GUILD, schedules.c.guild_id == bindparam("guild_id")),
    tuple[int, str], "since", "before", "limit", "guild_id",
)  # fmt: skip
STILL_OVER: Final[Query[str]] = Query(
    _selected(schedules.c.id).where(among(schedules.c.id, "ids"), _is_over(_UPDATED)), str, "ids", "before"
)
