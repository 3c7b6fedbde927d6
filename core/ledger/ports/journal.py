"""The journal, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.ledger.rows import EventRow
from schedule_zero.event import Event


class JournalReads(Protocol):
    """Reading events."""

    async def after(
        self, seq: int, limit: int, *, kinds: Sequence[str] = (), guild_id: str | None = None
    ) -> list[Event]: ...

    async def head(self) -> tuple[int, int]:
        """(epoch, newest seq)."""
        ...

    async def tail(self) -> int:
        """The oldest seq still kept, or 0."""
        ...

    async def cursor(self, subscriber: str) -> tuple[int, int] | None:
        """Where a durable subscriber stands: (epoch, seq); None if it is new."""
        ...


class JournalWrites(JournalReads, Protocol):
    """Appending events, in the same unit as the change they tell of."""

    async def append(self, events: Sequence[EventRow]) -> None: ...
    async def begin_epoch(self, epoch: int) -> None:
        """What follows is of another epoch, from the next opening of the store on."""
        ...

    async def acknowledge(self, subscriber: str, epoch: int, seq: int) -> None: ...
    async def purge(self, before: int, limit: int) -> int:
        """Remove events older than an instant; how many."""
        ...

    async def purge_guilds(self, guild_ids: Sequence[str], after: int, before: int, limit: int) -> int | None:
        """Look at so many events behind a place, as far as they are older than an instant, and remove those of these
        guilds; the place that was come to. None: there are none."""
        ...

    async def purge_cursors(self) -> None:
        """Remove the cursors before what is left: nobody moved them although there was something to read."""
        ...
