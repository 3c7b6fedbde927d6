"""Who is signed in to the pages: one row a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import bindparam, delete, select, update

from core.ledger.connection import Reading, Session, Step
from core.ledger.rows import SessionRow
from core.ledger.statement import Change, Insert, Query, among, fields_of
from core.ledger.tables import sessions

_COLUMNS: Final = tuple(sessions.c[name] for name in fields_of(SessionRow))
_GET: Final[Query[SessionRow]] = Query(
    select(*_COLUMNS).where(sessions.c.digest == bindparam("digest")), SessionRow, "digest"
)
_OF: Final[Query[SessionRow]] = Query(
    select(*_COLUMNS).where(sessions.c.holder == bindparam("holder")).order_by(sessions.c.begun, sessions.c.digest),
    SessionRow,
    "holder",
)


class Sessions:
    """Reading sessions, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get(self, digest: str) -> SessionRow | None:
        """The session of a browser, over or not."""
        found = await self._reading.fetch(_GET, digest)
        return found[0] if found else None

    async def of(self, holder: str) -> list[SessionRow]:
        """All sessions of one holder, oldest first, over or not."""
        return await self._reading.fetch(_OF, holder)


_ADD: Final = Insert(sessions, fields_of(SessionRow))
# By what stands there, so that a session that ended meanwhile does not come back.
_NOTE_USE: Final = Change(
    update(sessions)
    .where(sessions.c.digest == bindparam("digest"))
    .values(used=bindparam("new_used"), until=bindparam("new_until")),
    "digest",
    "new_used",
    "new_until",
)
_REWRITE: Final = Change(
    update(sessions).where(sessions.c.digest == bindparam("digest")).values(document=bindparam("new_document")),
    "digest",
    "new_document",
)
_END: Final = Change(delete(sessions).where(among(sessions.c.digest, "digests")), "digests")
_END_ALL: Final = Change(delete(sessions).where(sessions.c.holder == bindparam("holder")), "holder")
_PURGE: Final = Change(delete(sessions).where(sessions.c.until <= bindparam("now")), "now")


class SessionChanges(Sessions):
    """Writing sessions, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def add(self, row: SessionRow) -> None:
        """Somebody signed in."""
        self._session.later(Step(_ADD, [astuple(row)]))

    async def note_use(self, digest: str, used: int, until: int) -> None:
        """Its browser was here; nothing if the session is not there any more."""
        self._session.later(Step(_NOTE_USE, (digest, used, until)))

    async def rewrite(self, digest: str, document: str) -> None:
        """Something else is known of who it is; nothing if the session is not there any more."""
        self._session.later(Step(_REWRITE, (digest, document)))

    async def end(self, digests: Sequence[str]) -> None:
        """These sessions are over."""
        if digests:
            self._session.later(Step(_END, (digests,)))

    async def end_all(self, holder: str) -> None:
        """All sessions of one holder are over."""
        self._session.later(Step(_END_ALL, (holder,)))

    async def purge(self, now: int) -> None:
        """Drop those that ran out."""
        self._session.later(Step(_PURGE, (now,)))
