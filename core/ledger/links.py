"""Links: who runs after whom. They are written with the schedules that hold them (``schedules``), in one transaction.

A run that ends asks whether anything follows it, and nearly always nothing does. Where one process writes the store, it
remembers which schedules are parents, inside the transactions themselves: what a transaction before this one saved is
known, and what was rolled back costs a question more, never a run less. Where several cores share the store, every
transaction that ends runs asks, and while it has not committed nobody saves a link to what it ended: whoever has the
answer that a link is saved finds a run for every end that comes after.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec.structs import astuple
from sqlalchemy import bindparam, delete, func, literal_column, select, update

from core.ledger.buckets import hold, hold_with_others
from core.ledger.connection import Reading, Session, Step
from core.ledger.rows import LinkRow, ScheduleRow, links_of
from core.ledger.statement import Change, Insert, Query, among, fields_of, given
from core.ledger.tables import NO_GUILD, links, schedules, standings

END_NAMES: Final = 64

_COLUMNS: Final = [links.c[name] for name in fields_of(LinkRow)]
_LIVE: Final = (
    select(*_COLUMNS)
    .join_from(links, standings, standings.c.id == links.c.child)
    .where(standings.c.state != literal_column("'deleted'"))
)
_ABOVE: Final[Query[LinkRow]] = Query(
    _LIVE.where(among(links.c.child, "ids")).order_by(links.c.child, links.c.parent), LinkRow, "ids"
)
_BELOW: Final[Query[LinkRow]] = Query(
    _LIVE.where(among(links.c.parent, "ids")).order_by(links.c.parent, links.c.child), LinkRow, "ids"
)
_ALL: Final = (
    _LIVE.join(schedules, schedules.c.id == links.c.child)
    .order_by(links.c.child, links.c.parent)
    .limit(bindparam("limit"))
)
_OF_ALL: Final[Query[LinkRow]] = Query(_ALL, LinkRow, "limit")
_OF_GUILD: Final[Query[LinkRow]] = Query(
    _ALL.where(func.coalesce(schedules.c.guild_id, NO_GUILD) == bindparam("guild_id")), LinkRow, "guild_id", "limit"
)
_PARENTS: Final[Query[str]] = Query(select(links.c.parent).distinct(), str)
_KNOWN: Final[Query[str]] = Query(select(links.c.parent).where(among(links.c.parent, "ids")).distinct(), str, "ids")

_ADD: Final = Insert(links, ("parent", "child"), changing={"child": links.c.child})  # what was joined stays
_KEPT: Final = given("parent", parameter="parents")
_DROP: Final = Change(
    delete(links).where(links.c.child == bindparam("child"), links.c.parent.not_in(select(_KEPT.c.parent))),
    "child",
    "parents",
)
_FORGET: Final = Change(delete(links).where(among(links.c.child, "ids")), "ids")
_ENDS: Final = given(*fields_of(LinkRow))
_JOIN: Final = Change(
    update(links)
    .values(run_id=_ENDS.c.run_id, state=_ENDS.c.state, fresh=_ENDS.c.fresh)
    .where(links.c.parent == _ENDS.c.parent, links.c.child == _ENDS.c.child),
    "rows",
)
_USE: Final = Change(update(links).values(fresh=literal_column("0")).where(among(links.c.child, "ids")), "ids")


def _ends_of(schedule_id: str) -> str:
    """The name under which runs of a schedule end. Some share one, so that no transaction holds thousands."""
    return f"ends:{zlib.crc32(schedule_id.encode()) % END_NAMES}"


def parents_of(row: ScheduleRow) -> list[str]:
    """The schedules that one runs after, each once."""
    return list(dict.fromkeys(link.schedule for link in links_of(row)))


class Links:
    """Reading links, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def above(self, children: Sequence[str]) -> list[LinkRow]:
        """The links by which these run after others."""
        return await self._reading.fetch(_ABOVE, list(children)) if children else []

    async def of_guild(self, guild_id: str | None, limit: int, *, any_guild: bool) -> list[LinkRow]:
        """The links of the schedules of a guild, or of all, by child."""
        if any_guild:
            return await self._reading.fetch(_OF_ALL, limit)
        return await self._reading.fetch(_OF_GUILD, guild_id or "", limit)

    async def below(self, parents: Sequence[str]) -> list[LinkRow]:
        """The links by which others run after these."""
        return await self._reading.fetch(_BELOW, list(parents)) if parents else []


class LinkChanges(Links):
    """Keeping account of links, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def alone(self, guild_id: str | None, parents: Iterable[str]) -> None:
        """Nobody else changes the links of this guild, nor ends a run of these, until the transaction ends."""
        hold(self._session, (f"links:{guild_id or ''}", *map(_ends_of, parents)))

    async def any_parents(self) -> bool:
        """Whether there may be any parents at all."""
        session = self._session
        if session.shared:
            return True
        if session.parents is None:
            session.parents = set(await session.fetch(_PARENTS))
        return bool(session.parents)

    async def parents_among(self, ids: set[str]) -> set[str]:
        """Those of some schedules that others may run after."""
        if self._session.shared:
            hold_with_others(self._session, map(_ends_of, ids))
            return set(await self._session.fetch(_KNOWN, sorted(ids))) if ids else set()
        await self.any_parents()
        return ids & (self._session.parents or set())

    async def join(self, rows: Sequence[LinkRow]) -> None:
        """Write what joining links wait for and have."""
        if rows:
            self._session.later(Step(_JOIN, ([astuple(row) for row in rows],)))

    async def ran(self, children: Sequence[str]) -> None:
        """These run now, for whatever reason: what they have joined so far counts no more."""
        if children:
            self._session.later(Step(_USE, (list(children),)))


def write_links(session: Session, rows: Sequence[ScheduleRow], *, new: bool) -> None:
    """Write the links of saved schedules; where they are not ``new``, those that are gone go."""
    added: list[tuple[Any, ...]] = []
    for row in rows:
        parents = parents_of(row)
        added += [(parent, row.id) for parent in parents]
        if not new:
            session.later(Step(_DROP, (row.id, parents)))
    if added:
        session.later(Step(_ADD, added))
        if session.parents is not None:
            session.parents.update(parent for parent, _ in added)


def forget_links(session: Session, ids: Sequence[str]) -> None:
    """Drop the links of schedules that are removed for good."""
    session.later(Step(_FORGET, (ids,)))
