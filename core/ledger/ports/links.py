"""What the core asks of its ledger about who runs after whom: a part of the store port."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from core.ledger.rows import LinkRow


class LinkReads(Protocol):
    """Reading who runs after whom: the links of schedules that are not deleted."""

    async def above(self, children: Sequence[str]) -> list[LinkRow]:
        """The links by which these run after others."""
        ...

    async def of_guild(self, guild_id: str | None, limit: int, *, any_guild: bool) -> list[LinkRow]:
        """The links of the schedules of a guild, or of all, by child."""
        ...

    async def below(self, parents: Sequence[str]) -> list[LinkRow]:
        """The links by which others run after these."""
        ...


class LinkWrites(LinkReads, Protocol):
    """Keeping account of links. They are written with the schedules that hold them."""

    def alone(self, guild_id: str | None, parents: Iterable[str]) -> None:
        """Nobody else changes the links of this guild, nor ends a run of these, until the transaction ends."""
        ...

    async def any_parents(self) -> bool:
        """Whether there may be schedules that others run after."""
        ...

    async def parents_among(self, ids: set[str]) -> set[str]:
        """Those of some schedules that others may run after: each that a committed link names, perhaps more."""
        ...

    async def join(self, rows: Sequence[LinkRow]) -> None:
        """Write what links that join have: run, state, and whether that is fresh."""
        ...

    async def ran(self, children: Sequence[str]) -> None:
        """These run now, for whatever reason: what they have joined so far counts no more."""
        ...
