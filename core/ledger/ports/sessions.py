"""Who is signed in to the pages, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ledger.rows import SessionRow


class SessionReads(Protocol):
    """Reading sessions; those that ran out are there until they are purged."""

    async def get(self, digest: str) -> SessionRow | None: ...
    async def of(self, holder: str) -> list[SessionRow]:
        """All of one holder, oldest first."""
        ...


class SessionWrites(SessionReads, Protocol):
    """Writing sessions. Whatever changes one changes nothing where it has ended meanwhile."""

    async def add(self, row: SessionRow) -> None: ...
    async def note_use(self, digest: str, used: int, until: int) -> None: ...
    async def rewrite(self, digest: str, document: str) -> None: ...
    async def end(self, digests: Sequence[str]) -> None: ...
    async def end_all(self, holder: str) -> None: ...
    async def purge(self, now: int) -> None:
        """Drop those that ran out."""
        ...
