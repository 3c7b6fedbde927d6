"""What runs tell of themselves while they run: how far they are, and the lines of their logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import bindparam, delete, literal_column, or_, select

from core.ledger.connection import Reading, Session, Step
from core.ledger.rows import Cut, LineRow, ToldRow
from core.ledger.statement import Change, Insert, Query, among, fields_of
from core.ledger.tables import run_log, run_told

_TOLD: Final[Query[ToldRow]] = Query(
    select(*(run_told.c[name] for name in fields_of(ToldRow))).where(among(run_told.c.run_id, "ids")), ToldRow, "ids"
)
_LINES: Final[Query[LineRow]] = Query(
    select(*(run_log.c[name] for name in fields_of(LineRow)))
    .where(run_log.c.run_id == bindparam("run_id"), run_log.c.n > bindparam("after"))
    .order_by(run_log.c.place)
    .limit(bindparam("limit")),
    LineRow,
    "run_id",
    "after",
    "limit",
)


class Logs:
    """Reading what runs told, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def told(self, run_ids: Sequence[str]) -> dict[str, ToldRow]:
        """What is known of those that told anything."""
        return {row.run_id: row for row in await self._reading.fetch(_TOLD, run_ids)}

    async def lines(self, run_id: str, after: int, limit: int) -> list[LineRow]:
        """The lines of a run behind the ``after``-th that was said, in order."""
        return await self._reading.fetch(_LINES, run_id, after, limit)


# A line is never the reason why an outcome cannot be written, so one that is there already is written over.
_ADD: Final = Insert(run_log, fields_of(LineRow), changing={"text": literal_column("excluded.text")})
_NOTE: Final = Insert(
    run_told,
    fields_of(ToldRow),
    changing={name: literal_column(f"excluded.{name}") for name in fields_of(ToldRow) if name != "run_id"},
)
_CUT: Final = Change(
    delete(run_log).where(
        run_log.c.run_id == bindparam("run_id"),
        run_log.c.place > bindparam("after"),
        or_(run_log.c.place <= bindparam("upto"), run_log.c.preceding < bindparam("before")),
    ),
    "run_id",
    "after",
    "upto",
    "before",
)
_PURGE_LINES: Final = Change(delete(run_log).where(among(run_log.c.run_id, "ids")), "ids")
_PURGE_TOLD: Final = Change(delete(run_told).where(among(run_told.c.run_id, "ids")), "ids")


class LogChanges(Logs):
    """Writing what runs tell, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def append(self, told: Sequence[ToldRow], lines: Sequence[LineRow], cuts: Sequence[Cut]) -> None:
        """Write what runs told, with their new lines; then let go of those that do not fit any more."""
        if told:
            self._session.later(Step(_NOTE, [astuple(row) for row in told]))
        if lines:
            self._session.later(Step(_ADD, [astuple(row) for row in lines]))
        for cut in cuts:
            self._session.later(Step(_CUT, astuple(cut)))


def forget_logs(session: Session, run_ids: Sequence[str]) -> None:
    """Remove what these runs told, with the runs."""
    session.later(Step(_PURGE_LINES, (run_ids,)))
    session.later(Step(_PURGE_TOLD, (run_ids,)))
