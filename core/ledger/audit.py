"""The audit: who changed what, page by page; and the taking of people and guilds out of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    update,
)

from core.ledger.connection import Reading, Session, Step
from core.ledger.ports.audit import BANS, DECISIONS, AuditFilter
from core.ledger.ports.erasure import Whom
from core.ledger.rows import AuditedRow
from core.ledger.statement import Change, Query, fields_of
from core.ledger.tables import audit

ERASED: Final = "user:erased"
"""What stands in a line instead of somebody who was erased."""

_COLUMNS: Final = [audit.c[name] for name in fields_of(AuditedRow)]
_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "guild_id": audit.c.guild_id == bindparam("guild_id"),
    "actor": audit.c.actor == bindparam("actor"),
    "action": audit.c.action == bindparam("action"),
    "target": audit.c.target == bindparam("target"),
    "since": audit.c.at >= bindparam("since"),
    "until": audit.c.at < bindparam("until"),
}
_OLDER: Final = tuple_(audit.c.at, audit.c.id) < tuple_(
    bindparam("at", type_=BigInteger), bindparam("id", type_=BigInteger)
)
_GET: Final[Query[AuditedRow]] = Query(select(*_COLUMNS).where(audit.c.id == bindparam("id")), AuditedRow, "id")
_DECIDED: Final = audit.c.action.in_([literal_column(f"'{action}'") for action in DECISIONS])
_ABOUT_A_BAN: Final = audit.c.action.in_([literal_column(f"'{action}'") for action in BANS])
_GUILDS_OWN: Final = and_(audit.c.guild_id == bindparam("guild_id"), ~_DECIDED)
_ERASABLE: Final[Query[int]] = Query(select(audit.c.id).where(_GUILDS_OWN).limit(literal_column("1")), int, "guild_id")
_NEWEST: Final[Query[int]] = Query(select(func.coalesce(func.max(audit.c.id), literal_column("0"))), int)


class Audit:
    """Reading it, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get(self, id: int) -> AuditedRow | None:
        """The line of that number."""
        found = await self._reading.fetch(_GET, id)
        return found[0] if found else None

    async def page(self, wanted: AuditFilter, before: tuple[int, int] | None, limit: int) -> Sequence[AuditedRow]:
        """Lines, newest first, that are older than a place."""
        asked = {name: getattr(wanted, name) for name in _CONDITIONS}
        if wanted.any_guild:
            asked["guild_id"] = None
        given = {name: value for name, value in asked.items() if value is not None}
        no_guild = wanted.guild_id is None and not wanted.any_guild
        query = _page(tuple(given), no_guild=no_guild, older=before is not None)
        return await self._reading.fetch(query, *given.values(), *(before or ()), limit)

    async def erasable(self, guild_id: str) -> bool:
        """Whether there are lines of a guild that are not ``DECISIONS``."""
        return bool(await self._reading.fetch(_ERASABLE, guild_id))

    async def newest(self) -> int:
        """The highest number of a line; 0 where there is none."""
        (found,) = await self._reading.fetch(_NEWEST)
        return found


@lru_cache(maxsize=128)
def _page(names: tuple[str, ...], *, no_guild: bool, older: bool) -> Query[AuditedRow]:
    """The page for filters of one shape: which of the conditions there are."""
    where = [_CONDITIONS[name] for name in names]
    if no_guild:
        where.append(audit.c.guild_id.is_(None))
    if older:
        where.append(_OLDER)
    order = [audit.c.at.desc(), audit.c.id.desc()]
    if no_guild:  # which is no value to PostgreSQL, that the order behind it could hold for
        order.insert(0, audit.c.guild_id.desc())
    statement = select(*_COLUMNS).where(*where).order_by(*order).limit(bindparam("limit"))
    return Query(statement, AuditedRow, *names, *(("at", "id") if older else ()), "limit")


_WHO: Final = bindparam("who", type_=Text)
_AS_OPERATOR: Final = bindparam("as_operator", type_=Text)
_IS_ACTOR: Final = or_(audit.c.actor == _WHO, audit.c.actor == _AS_OPERATOR)
_USER: Final = bindparam("user_id", type_=Text)
_SAYS_SO: Final = bindparam("text", type_=Text)
_ERASED: Final[ColumnElement[str]] = literal_column(f"'{ERASED}'")
_IS_TARGET: Final = and_(audit.c.target == _USER, ~_ABOUT_A_BAN)


def _without(column: ColumnElement[str | None]) -> ColumnElement[str | None]:
    """What a line said, without somebody: of a decision all but their id, of anything else nothing."""
    named, instead = bindparam("named", type_=Text), bindparam("instead", type_=Text)
    return case((_DECIDED, func.replace(column, named, instead)), else_=null())


_FORGET: Final = Change(
    update(audit)
    .values(
        actor=case((_IS_ACTOR, _ERASED), else_=audit.c.actor),
        target=case((_IS_TARGET, _ERASED), else_=audit.c.target),
        before=_without(audit.c.before),
        after=_without(audit.c.after),
    )
    .where(
        audit.c.id > bindparam("above", type_=BigInteger),
        audit.c.id <= bindparam("upto", type_=BigInteger),
        or_(
            _IS_ACTOR,
            _IS_TARGET,
            audit.c.before.contains(_SAYS_SO, escape="/"),
            audit.c.after.contains(_SAYS_SO, escape="/"),
        ),
    ),
    "who",
    "as_operator",
    "user_id",
    "text",
    "named",
    "instead",
    "above",
    "upto",
)


_OLDEST: Final = (
    select(audit.c.id).where(_GUILDS_OWN).order_by(audit.c.at, audit.c.id)
    .limit(bindparam("limit"))
)  # fmt: skip
_REMOVE: Final = Change(delete(audit).where(audit.c.id.in_(_OLDEST)), "guild_id", "limit")


class AuditChanges(Audit):
    """Taking people and guilds out of it, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def forget(self, user_id: str, above: int, upto: int) -> None:
        """A person becomes ``ERASED`` in some of the lines, and what those said goes, but for ``DECISIONS``."""
        whom = Whom(user_id, person=True)
        text = user_id.replace("/", "//").replace("%", "/%").replace("_", "/_")
        names = (f"member:{user_id}", f"discord:{user_id}", user_id)
        self._session.later(Step(_FORGET, (*names, text, whom.text, whom.instead, above, upto)))

    async def remove(self, guild_id: str, limit: int) -> None:
        """Drop some of a guild's lines, the oldest first; not ``DECISIONS``."""
        self._session.later(Step(_REMOVE, (guild_id, limit)))
