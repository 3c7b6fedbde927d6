"""Schedules, as the core asks the store for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from core.ledger.ports.within import Within
from core.ledger.rows import Advance, DueRow, HeededRow, ScheduleRow


class ScheduleFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which schedules a listing wants; newest last, keyed by id. ``guild_id`` None with ``any_guild`` False: no guild.
    ``not_handler``: those of every handler but that one; ``jobs_or_owner_id``: jobs, and what is that person's."""

    guild_id: str | None = None
    any_guild: bool = False
    state: str | None = None
    handler: str | None = None
    not_handler: str | None = None
    owner_id: str | None = None
    jobs_or_owner_id: str | None = None
    text: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class ScheduleReads(Protocol):
    """Reading schedules. Inside a transaction what ``get`` and ``get_many`` answer stands until it ends."""

    async def get(self, id: str) -> ScheduleRow | None: ...
    async def get_many(self, ids: Sequence[str]) -> dict[str, ScheduleRow]: ...
    async def by_name(self, guild_id: str | None, name: str) -> ScheduleRow | None: ...
    async def page(self, filter: ScheduleFilter, after: str | None, limit: int) -> list[ScheduleRow]: ...  # noqa: A002
    async def due_until(self, until: int, limit: int, within: Within = None) -> list[DueRow]:
        """Active schedules whose next due is <= ``until``, soonest first."""
        ...

    async def next_due_after(self, instant: int) -> int | None:
        """The soonest next due > ``instant`` among active schedules."""
        ...

    async def resumable(self, until: int, limit: int, within: Within = None) -> list[ScheduleRow]:
        """Paused schedules whose ``paused_until`` is <= ``until``."""
        ...

    async def count(self, guild_id: str | None) -> int:
        """How many schedules of a guild are neither done nor deleted."""
        ...

    async def count_with(self, entry: tuple[str, str], guild_id: str) -> int:
        """How many of them have that entry in their metadata."""
        ...

    async def count_owned_with(self, entry: tuple[str, str], guild_id: str | None, owner_id: str) -> int:
        """How many of those with that entry belong to one person; ``guild_id`` None: outside any guild."""
        ...

    async def owners(self, guild_id: str, limit: int) -> list[tuple[str, int]]:
        """Who has most of a guild's live schedules, and how many, the most first."""
        ...

    async def total(self) -> int:
        """How many schedules are active."""
        ...

    async def heeded(self, guild_id: str) -> list[HeededRow]:
        """What calendars and hours those of a guild heed that are neither done nor deleted."""
        ...

    async def heeding(self, guild_id: str, texts: Sequence[str]) -> list[str]:
        """The ids of those of them whose calendar or hours are one of these, as they are stored."""
        ...

    async def live(self, guild_id: str) -> list[str]:
        """The ids of all of them."""
        ...

    async def over(self, since: int, before: int, limit: int, guild_id: str | None = None) -> list[tuple[int, str]]:
        """(updated, id) of schedules that are done, were due and updated last before an instant, and that neither a run nor
        a schedule that runs after them refers to; by ``updated``, from an instant on; of one guild, or of all."""
        ...

    async def handlers(self) -> set[str]:
        """The handlers of those that are neither done nor deleted."""
        ...


class ScheduleWrites(ScheduleReads, Protocol):
    """Changing schedules."""

    async def insert(self, rows: Sequence[ScheduleRow]) -> None:
        """Raises NameTaken, here or at the end of the unit, when a guild has that name already (deleted and done schedules
        free theirs)."""
        ...

    async def replace(self, row: ScheduleRow, *, expected: int) -> bool:
        """Write the whole row if the stored revision is ``expected``; whether it was."""
        ...

    async def renew(self, rows: Sequence[ScheduleRow]) -> None:
        """Write of rows that were read in this transaction: calendar, hours, exceptions, note, state, next due, revision."""
        ...

    async def advance(self, steps: Sequence[Advance]) -> None:
        """Step schedules forward, all or none. Raises StaleAdvance, here or at the end of the unit, when the revision or
        next due of one no longer stands, or it is not active; ``stale`` tells which."""
        ...

    async def stale(self, steps: Sequence[Advance]) -> set[str]:
        """The ids of schedules that ``advance`` would refuse."""
        ...

    async def count_failures(self, outcomes: Mapping[str, int]) -> None:
        """Set ``failures`` of schedules (lasting failures in a row)."""
        ...

    async def remove(self, schedule_ids: Sequence[str]) -> None:
        """Remove schedules that are deleted or over, and that no run refers to."""
        ...

    async def purge(self, before: int, limit: int) -> int:
        """Remove deleted schedules last updated before an instant that no run refers to; how many."""
        ...

    async def purge_over(self, ids: Sequence[str], before: int) -> int:
        """Remove those of some schedules of which ``over`` is true still; how many."""
        ...
