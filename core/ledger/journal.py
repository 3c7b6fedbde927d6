"""The journal: events in the order they were committed, and how far each subscriber has read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec.structs import astuple
from sqlalchemy import ColumnElement, bindparam, column, delete, func, literal_column, select, table, update

from core.ledger.connection import Asked, Reading, Session, Step
from core.ledger.recent import RecentEvents
from core.ledger.rows import EventRow
from core.ledger.statement import Change, Insert, Query, among, fields_of
from core.ledger.tables import cursors, facts, journal
from schedule_zero.event import Event
from schedule_zero.instant import spell

_HEAD_TABLE: Final = table("journal_head", column("seq"))
_HEAD: Final[Query[int]] = Query(select(_HEAD_TABLE.c.seq), int)
_TAIL: Final[Query[int | None]] = Query(select(func.min(journal.c.seq)), int | None)
_EPOCH: Final[Query[str]] = Query(select(facts.c.value).where(facts.c.name == literal_column("'epoch'")), str)
_CURSOR: Final[Query[tuple[int, int]]] = Query(
    select(cursors.c.epoch, cursors.c.seq).where(cursors.c.subscriber == bindparam("subscriber")),
    tuple[int, int],
    "subscriber",
)
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_Stored = tuple[int, int, str, str | None, str | None, str | None, str]


async def read_epoch(reading: Reading) -> int:
    """The epoch of this database: a restored backup starts a new one."""
    return int((await reading.fetch(_EPOCH))[0])


class Journal:
    """Reading events, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading, epoch: int, recent: RecentEvents | None = None) -> None:
        """``recent``: committed events at hand, where only those count."""
        self._reading = reading
        self._epoch = epoch
        self._recent = recent

    async def after(
        self, seq: int, limit: int, *, kinds: Sequence[str] = (), guild_id: str | None = None
    ) -> list[Event]:
        """The next events after a place, oldest first; of some kinds, of one guild."""
        if self._recent is not None and not kinds and not guild_id:
            recent = self._recent.after(seq, limit)
            if recent is not None:
                return recent
        asked = [part for part in (guild_id, list(kinds)) if part]
        rows = await self._reading.fetch(_after(bool(kinds), bool(guild_id)), seq, *asked, limit)
        return [_event(self._epoch, *row) for row in rows]

    async def head(self) -> tuple[int, int]:
        """(epoch, the newest number ever given)."""
        return self._epoch, await read_head(self._reading)

    async def tail(self) -> int:
        """The oldest number still kept, or 0."""
        return (await self._reading.fetch(_TAIL))[0] or 0

    async def cursor(self, subscriber: str) -> tuple[int, int] | None:
        """Where a subscriber stands."""
        found = await self._reading.fetch(_CURSOR, subscriber)
        return found[0] if found else None


def recent_events(epoch: int, *, shared: bool) -> RecentEvents:
    """A memory for the newest events. ``shared``: other processes write to the store as well."""

    def number(seq: int, row: EventRow) -> Event:
        return _event(epoch, seq, row.at, str(row.kind), row.guild_id, row.schedule_id, row.run_id, row.data)

    return RecentEvents(number, shared=shared)


async def read_head(reading: Reading) -> int:
    """The newest number ever given."""
    found = await reading.fetch(_HEAD)
    return found[0] if found else 0


def ask_head(session: Session) -> Asked[int]:
    """As ``read_head``, put together with the next question of a transaction."""
    return session.ask(_HEAD, lambda found: found[0])


def _event(
    epoch: int, seq: int, at: int, kind: str, guild_id: str | None, schedule_id: str | None, run_id: str | None,
    data: str,
) -> Event:  # fmt: skip
    return Event(
        epoch=epoch, seq=seq, at=_spelled(at), kind=kind, guild_id=guild_id, schedule_id=schedule_id, run_id=run_id,
        data=_decode(data) if data != "{}" else {},
    )  # fmt: skip


@lru_cache(maxsize=64)
def _spelled(at: int) -> str:
    """The events of one transaction share their instant."""
    return spell(at)


@lru_cache(maxsize=4)
def _after(by_kind: bool, by_guild: bool) -> Query[_Stored]:
    where = [journal.c.seq > bindparam("seq")]
    names = ["seq"]
    if by_guild:
        where.append(journal.c.guild_id == bindparam("guild_id"))
        names.append("guild_id")
    if by_kind:
        where.append(among(journal.c.kind, "kinds"))
        names.append("kinds")
    statement = select(*journal.columns).where(*where).order_by(journal.c.seq).limit(bindparam("limit"))
    return Query(statement, _Stored, *names, "limit")


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────

_APPEND: Final = Insert(journal, fields_of(EventRow))
_ACKNOWLEDGE: Final = Insert(
    cursors,
    ("subscriber", "epoch", "seq"),
    changing={"epoch": literal_column("excluded.epoch"), "seq": literal_column("excluded.seq")},
)
_THINNED: Final = Insert(facts, ("name", "value"), changing={"value": literal_column("excluded.value")})
_BEGIN_EPOCH: Final = Change(
    update(facts).where(facts.c.name == literal_column("'epoch'")).values(value=bindparam("epoch")), "epoch"
)
_BEYOND: Final[ColumnElement[int]] = literal_column(str(2**63 - 1))
_FIRST_KEPT: Final = select(func.min(journal.c.seq)).where(journal.c.at >= bindparam("before")).scalar_subquery()
_PURGEABLE: Final = (
    select(journal.c.seq)
    .where(journal.c.seq < func.coalesce(_FIRST_KEPT, _BEYOND))
    .order_by(journal.c.seq)
    .limit(bindparam("limit"))
)
_PURGE: Final = Change(delete(journal).where(journal.c.seq.in_(_PURGEABLE)), "before", "limit")
_LOOKED_AT: Final = (
    select(journal.c.seq, journal.c.at)
    .where(journal.c.seq > bindparam("after"))
    .order_by(journal.c.seq)
    .limit(bindparam("limit"))
).subquery()
_COME_TO: Final[Query[int | None]] = Query(
    select(func.max(_LOOKED_AT.c.seq)).where(_LOOKED_AT.c.at < bindparam("before")),
    int | None,
    "after",
    "limit",
    "before",
)
_PURGE_GUILDS: Final = Change(
    delete(journal).where(
        journal.c.seq > bindparam("after"), journal.c.seq <= bindparam("upto"), among(journal.c.guild_id, "guilds")
    ),
    "after",
    "upto",
    "guilds",
)
# The oldest event a cursor may still ask for; where nothing is kept, the one to come.
_OLDEST: Final = func.coalesce(
    select(func.min(journal.c.seq)).scalar_subquery(),
    select(_HEAD_TABLE.c.seq).scalar_subquery() + literal_column("1"),
    literal_column("0"),
)
_PURGE_CURSORS: Final = Change(delete(cursors).where(cursors.c.seq + literal_column("1") < _OLDEST))


async def note_thinned(session: Session) -> None:
    """Events are removed from among others: up to here a number that is not there is no damage (``db check``)."""
    session.later(Step(_THINNED, [("thinned", str(await read_head(session)))]))


class JournalChanges(Journal):
    """Appending events, inside a transaction."""

    def __init__(self, session: Session, epoch: int) -> None:
        super().__init__(session, epoch)
        self._session = session

    async def append(self, events: Sequence[EventRow]) -> None:
        """Add events behind all others."""
        if events:
            self._session.later(Step(_APPEND, [astuple(event) for event in events]))
            self._session.told += events

    async def begin_epoch(self, epoch: int) -> None:
        """What follows is of another epoch, from the next opening of the store on."""
        self._session.later(Step(_BEGIN_EPOCH, (str(epoch),)))

    async def acknowledge(self, subscriber: str, epoch: int, seq: int) -> None:
        """Move a subscriber's cursor."""
        self._session.later(Step(_ACKNOWLEDGE, [(subscriber, epoch, seq)]))

    async def purge(self, before: int, limit: int) -> int:
        """Remove events older than an instant."""
        removed = await self._session.change(Step(_PURGE, (before, limit)))
        self._removed(removed)
        return removed

    async def purge_guilds(self, guild_ids: Sequence[str], after: int, before: int, limit: int) -> int | None:
        """Look at so many events behind a place, as far as they are older than an instant, and remove those of these
        guilds; the place that was come to. None: there are none."""
        (upto,) = await self._session.fetch(_COME_TO, after, limit, before)
        if upto is not None:
            await note_thinned(self._session)
            self._removed(await self._session.change(Step(_PURGE_GUILDS, (after, upto, list(guild_ids)))))
        return upto

    def _removed(self, number: int) -> None:
        self._session.untold = self._session.untold or number > 0 or self._session.shared

    async def purge_cursors(self) -> None:
        """Remove the cursors that point before what is left: nobody moved them although there was something to read."""
        self._session.later(Step(_PURGE_CURSORS))
