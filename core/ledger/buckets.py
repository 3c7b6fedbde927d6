"""Buckets: guilds shared out among the cores on one database, and the locks under which several cores count as one.

A guild belongs to a bucket for ever, a bucket to one core at a time. Who holds it is decided by rows, in the
transactions of the cores themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, null, select, update
from sqlalchemy.sql.functions import FunctionElement

from core.ledger.connection import Reading, Session, Step
from core.ledger.statement import Change, Query, given
from core.ledger.tables import buckets

GUILD_BUCKETS: Final = 64
NO_GUILD: Final = GUILD_BUCKETS
"""What belongs to no guild has a bucket of its own."""
BUCKETS: Final = GUILD_BUCKETS + 1
CHANNEL: Final = "schedule_zero"
"""Where cores tell each other that there is something to look at. Only a hint: everybody looks now and then anyway."""
LOOK: Final = "look"
RULES: Final = "rules"
"""The word there that what all cores keep in memory was changed: limits, bans, keys, that nothing is given out."""


@lru_cache(maxsize=65_536)
def bucket_of(guild_id: str | None) -> int:
    """The bucket of a guild. ``InBuckets`` says the same in SQL."""
    if guild_id is None:
        return NO_GUILD
    return hashlib.md5(guild_id.encode(), usedforsecurity=False).digest()[0] % GUILD_BUCKETS


class InBuckets(FunctionElement[bool]):
    """Whether a guild's bucket is among those of a parameter, an array of numbers."""

    inherit_cache = False


def in_buckets(guild_id: ColumnElement[Any]) -> InBuckets:
    """A condition on a column of guilds, with the parameter ``within``."""
    return InBuckets(guild_id, bindparam("within"))


_IDS: Final = given("bucket", parameter="buckets")
_HELD: Final[Query[tuple[int, str | None]]] = Query(
    select(buckets.c.bucket, buckets.c.holder).order_by(buckets.c.bucket), tuple[int, str | None]
)
_FREE: Final[Query[int]] = Query(
    select(buckets.c.bucket)
    .where(buckets.c.holder.is_(None))
    .order_by(buckets.c.bucket)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True),
    int,
    "limit",
)
_CLAIM: Final = Change(
    update(buckets).values(holder=bindparam("core")).where(buckets.c.bucket.in_(select(_IDS.c.bucket))),
    "core",
    "buckets",
)
_RELEASE: Final = Change(
    update(buckets)
    .values(holder=null())
    .where(buckets.c.holder == bindparam("core"), buckets.c.bucket.in_(select(_IDS.c.bucket))),
    "core",
    "buckets",
)
_NAMES: Final = given("name", parameter="names")
_LOCK: Final[Query[Any]] = Query(
    select(func.pg_advisory_xact_lock(func.hashtextextended(_NAMES.c.name, 0))).select_from(_NAMES), Any, "names"
)
_LOCK_SHARED: Final[Query[Any]] = Query(
    select(func.pg_advisory_xact_lock_shared(func.hashtextextended(_NAMES.c.name, 0))).select_from(_NAMES), Any, "names"
)
_HINT: Final[Query[Any]] = Query(
    select(func.pg_notify(bindparam("channel"), bindparam("word"))), Any, "channel", "word"
)


class BucketReads:
    """Reading who holds which bucket."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def holders(self) -> Mapping[int, str | None]:
        """Every bucket, with the core that holds it."""
        return dict(await self._reading.fetch(_HELD))


class BucketChanges(BucketReads):
    """Claiming and releasing buckets, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def claim(self, core: str, most: int) -> list[int]:
        """Take up to so many that nobody holds; which."""
        free = await self._session.fetch(_FREE, most)
        if free:
            self._session.later(Step(_CLAIM, (core, free)))
        return free

    async def release(self, core: str, some: Sequence[int]) -> None:
        """Give back what this core holds of these."""
        self._session.later(Step(_RELEASE, (core, list(some))))
        self.hint()

    def hint(self) -> None:
        """Let the other cores look at once, as soon as this is committed."""
        self._session.later(Step(_HINT, (CHANNEL, LOOK)))

    def rules_change(self) -> None:
        """Let the other cores read at once what all keep in memory, as soon as this is committed."""
        self._session.later(Step(_HINT, (CHANNEL, RULES)))


def hold(session: Session, names: Iterable[str]) -> None:
    """Keep other cores from what goes by these names until the transaction ends. Only where several share the store;
    elsewhere there is one writer, and nobody to keep out."""
    if session.shared:
        fresh = sorted(set(names) - session.held)
        if fresh:
            session.held.update(fresh)
            session.later(Step(_LOCK, (fresh,)))


def hold_with_others(session: Session, names: Iterable[str]) -> None:
    """Keep away whoever wants these names for itself, and nobody else, until the transaction ends."""
    if session.shared:
        fresh = sorted(name for name in set(names) if not session.held & {name, f"{name} with others"})
        if fresh:
            session.held.update(f"{name} with others" for name in fresh)
            session.later(Step(_LOCK_SHARED, (fresh,)))
