"""Dead letters: runs that failed for good, until somebody runs them again or drops them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import delete, select

from core.ledger.connection import Reading, Session, Step
from core.ledger.listing import Listing
from core.ledger.port import RunFilter
from core.ledger.rows import DeadRow
from core.ledger.statement import Change, Insert, Query, among, fields_of
from core.ledger.tables import dead

_GIVEN: Final = among(dead.c.run_id, "ids")
_GET_MANY: Final[Query[DeadRow]] = Query(
    select(*(dead.c[name] for name in fields_of(DeadRow))).where(_GIVEN), DeadRow, "ids"
)
_PAGES: Final = Listing(DeadRow, dead.c.run_id)


class Dead:
    """Reading dead letters, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get_many(self, run_ids: Sequence[str]) -> dict[str, DeadRow]:
        """Those of these runs that are dead letters, by run."""
        return {row.run_id: row for row in await self._reading.fetch(_GET_MANY, list(run_ids))}

    async def page(self, filter: RunFilter, before: str | None, limit: int) -> list[DeadRow]:  # noqa: A002 - the port's
        """A page of a listing, newest run first."""
        return await _PAGES.page(self._reading, filter, before, limit)


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
            forget_dead(self._session, run_ids)


def forget_dead(session: Session, run_ids: Sequence[str]) -> None:
    """Remove those of these runs that are dead letters."""
    session.later(Step(_REMOVE, (list(run_ids),)))
