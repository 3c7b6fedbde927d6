"""Usage: what calendar quotas have counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import ColumnElement, bindparam, case, delete, literal_column, select, update

from core.ledger.buckets import hold
from core.ledger.connection import Asked, Reading, Session, Step
from core.ledger.rows import UsageKey
from core.ledger.statement import Change, Insert, Query, fields_of, given
from core.ledger.tables import usage

_KEY: Final = fields_of(UsageKey)
_ASKED: Final = given(*_KEY)
_USED: Final[Query[tuple[UsageKey, int]]] = Query(
    select(*(usage.c[name] for name in _KEY), usage.c.used)
    .select_from(_ASKED)
    .where(*(usage.c[name] == _ASKED.c[name] for name in _KEY)),
    tuple[UsageKey, int],
    "rows",
)


class Usage:
    """Reading counters, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def used(self, keys: Iterable[UsageKey]) -> dict[UsageKey, int]:
        """What was counted for keys; 0 where nothing was."""
        asked = list(keys)
        return _counted(asked, await self._reading.fetch(_USED, [astuple(key) for key in asked]) if asked else [])


def _counted(asked: Sequence[UsageKey], rows: Iterable[tuple[UsageKey, int]]) -> dict[UsageKey, int]:
    found = dict(rows)
    return {key: found.get(key, 0) for key in asked}


# What is given back needs a counter that exists, what is charged may be the first.
_CHARGE: Final = Insert(usage, (*_KEY, "used"), changing={"used": usage.c.used + literal_column("excluded.used")})
_BACK: Final = given(*_KEY, "amount")
_NOTHING: Final[ColumnElement[int]] = literal_column("0")
_LEFT: Final = usage.c.used + _BACK.c.amount
_GIVE_BACK: Final = Change(
    update(usage)
    .values(used=case((_LEFT > _NOTHING, _LEFT), else_=_NOTHING))
    .where(*(usage.c[name] == _BACK.c[name] for name in _KEY)),
    "rows",
)
_PURGE: Final = Change(delete(usage).where(usage.c.period < bindparam("period")), "period")


class UsageChanges(Usage):
    """Charging and giving back, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def used(self, keys: Iterable[UsageKey]) -> dict[UsageKey, int]:
        """What was counted for keys; nobody else charges these until the transaction ends."""
        asked = list(keys)
        hold(self._session, (key.scope for key in asked))
        return await super().used(asked)

    def ask(self, keys: Iterable[UsageKey]) -> Asked[dict[UsageKey, int]]:
        """As ``used``, put together with the next question. Nobody else charges these until the transaction ends."""
        asked = list(keys)
        hold(self._session, (key.scope for key in asked))
        return self._session.ask(_USED, partial(_counted, asked), [astuple(key) for key in asked])

    async def charge(self, amounts: Mapping[UsageKey, int]) -> None:
        """Add to counters, or take from them; none goes below zero."""
        more = [(*astuple(key), amount) for key, amount in amounts.items() if amount > 0]
        less = [(*astuple(key), amount) for key, amount in amounts.items() if amount < 0]
        if more:
            self._session.later(Step(_CHARGE, more))
        if less:
            self._session.later(Step(_GIVE_BACK, (less,)))

    async def purge(self, before_period: str) -> None:
        """Drop counters of earlier periods."""
        self._session.later(Step(_PURGE, (before_period,)))
