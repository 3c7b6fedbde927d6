"""Small durable facts: documents, audit lines, undo tokens, remembered answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import astuple
from sqlalchemy import bindparam, delete, literal_column, select, tuple_

from core.ledger.buckets import hold
from core.ledger.connection import Reading, Session, Step
from core.ledger.rows import AnswerRow, AuditRow, UndoRow
from core.ledger.statement import Change, Insert, Query, among, fields_of, given
from core.ledger.tables import answers, audit, notes, undos

_GET: Final[Query[str]] = Query(
    select(notes.c.document).where(notes.c.kind == bindparam("kind"), notes.c.key == bindparam("key")),
    str,
    "kind",
    "key",
)
_ALL: Final[Query[tuple[str, str]]] = Query(
    select(notes.c.key, notes.c.document).where(notes.c.kind == bindparam("kind")), tuple[str, str], "kind"
)
_SOME: Final[Query[tuple[str, str]]] = Query(
    select(notes.c.key, notes.c.document).where(notes.c.kind == bindparam("kind"), among(notes.c.key, "keys")),
    tuple[str, str],
    "kind",
    "keys",
)
_UNDO: Final[Query[UndoRow]] = Query(
    select(*(undos.c[name] for name in fields_of(UndoRow))).where(undos.c.token == bindparam("token")),
    UndoRow,
    "token",
)
_ANSWER: Final[Query[AnswerRow]] = Query(
    select(*(answers.c[name] for name in fields_of(AnswerRow))).where(answers.c.key == bindparam("key")),
    AnswerRow,
    "key",
)


class Notes:
    """Reading small facts, beside the writer or inside a transaction."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def get(self, kind: str, key: str) -> str | None:
        """A document."""
        found = await self._reading.fetch(_GET, kind, key)
        return found[0] if found else None

    async def all(self, kind: str) -> dict[str, str]:
        """Every document of a kind, by key."""
        return dict(await self._reading.fetch(_ALL, kind))

    async def some(self, kind: str, keys: Sequence[str]) -> dict[str, str]:
        """Those of these documents that are there, by key."""
        return dict(await self._reading.fetch(_SOME, kind, keys))

    async def undo(self, token: str) -> UndoRow | None:
        """How to take a change back, until it is purged."""
        found = await self._reading.fetch(_UNDO, token)
        return found[0] if found else None

    async def answer(self, key: str) -> AnswerRow | None:
        """The answer an idempotency key got, until it is purged."""
        found = await self._reading.fetch(_ANSWER, key)
        return found[0] if found else None


_PUT: Final = Insert(notes, ("kind", "key", "document"), changing={"document": literal_column("excluded.document")})
_NAMED: Final = given("kind", "key")
_REMOVE: Final = Change(
    delete(notes).where(tuple_(notes.c.kind, notes.c.key).in_(select(_NAMED.c.kind, _NAMED.c.key))), "rows"
)
_AUDIT: Final = Insert(audit, fields_of(AuditRow))
_REMEMBER_UNDO: Final = Insert(undos, fields_of(UndoRow))
_FORGET_UNDO: Final = Change(delete(undos).where(undos.c.token == bindparam("token")), "token")
_REMEMBER_ANSWER: Final = Insert(
    answers,
    fields_of(AnswerRow),
    changing={name: literal_column(f"excluded.{name}") for name in ("digest", "answer", "until")},
)
_PURGE_UNDOS: Final = Change(delete(undos).where(undos.c.until <= bindparam("now")), "now")
_PURGE_ANSWERS: Final = Change(delete(answers).where(answers.c.until <= bindparam("now")), "now")
_PURGE_AUDIT: Final = Change(delete(audit).where(audit.c.at < bindparam("before")), "before")


class NoteChanges(Notes):
    """Writing small facts, inside a transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    async def get(self, kind: str, key: str) -> str | None:
        """A document; nobody else changes it until the transaction ends."""
        hold(self._session, (f"note:{kind}:{key}",))
        return await super().get(kind, key)

    async def answer(self, key: str) -> AnswerRow | None:
        """The answer an idempotency key got; nobody else answers under it until the transaction ends."""
        hold(self._session, (f"answer:{key}",))
        return await super().answer(key)

    async def put(self, kind: str, documents: Mapping[str, str | None]) -> None:
        """Write documents; None removes one."""
        kept = [(kind, key, document) for key, document in documents.items() if document is not None]
        gone = [(kind, key) for key, document in documents.items() if document is None]
        if kept:
            self._session.later(Step(_PUT, kept))
        if gone:
            self._session.later(Step(_REMOVE, (gone,)))

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Add audit lines."""
        if rows:
            self._session.later(Step(_AUDIT, [astuple(row) for row in rows]))

    async def remember_undo(self, rows: Sequence[UndoRow]) -> None:
        """Add undo tokens."""
        if rows:
            self._session.later(Step(_REMEMBER_UNDO, [astuple(row) for row in rows]))

    async def forget_undo(self, token: str) -> None:
        """Drop an undo token that was used."""
        self._session.later(Step(_FORGET_UNDO, (token,)))

    async def remember_answer(self, row: AnswerRow) -> None:
        """Keep the answer an idempotency key got."""
        self._session.later(Step(_REMEMBER_ANSWER, [astuple(row)]))

    async def purge(self, *, now: int, audit_before: int) -> None:
        """Drop what ran out."""
        self._session.later(Step(_PURGE_UNDOS, (now,)))
        self._session.later(Step(_PURGE_ANSWERS, (now,)))
        self._session.later(Step(_PURGE_AUDIT, (audit_before,)))
