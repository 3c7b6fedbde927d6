"""The store port's part for one core among several: who is there, and who works for which guilds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec


class Member(msgspec.Struct, frozen=True):
    """One of the cores on a database: where it runs, and how many buckets it holds."""

    id: str
    place: str
    held: int


class Membership(Protocol):
    """This core as one of several on one database. It is renewed as long as the ledger is open; when others have taken
    over, the ledger fails.

    Attributes:
        id: of this core, new at every start.
        cluster: of the database, the same at all cores on it.
        members: the cores that are here, this one among them.
    """

    id: str
    cluster: str
    members: tuple[Member, ...]

    def is_sure(self) -> bool:
        """Whether nobody can have taken over, by the time that has passed since the lease was renewed."""
        ...

    async def confirm(self) -> None:
        """Renew now. Raises StoreClosed when others have taken over."""
        ...

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call when cores came or went, or another one says that there is something to look at."""
        ...

    def on_rules(self, listener: Callable[[], None]) -> None:
        """Call when a core, this one too, has changed what all keep in memory."""
        ...


class BucketReads(Protocol):
    """Reading how guilds are shared out among the cores on one database."""

    async def holders(self) -> Mapping[int, str | None]:
        """Every bucket, with the core that holds it."""
        ...


class BucketWrites(BucketReads, Protocol):
    """Sharing guilds out."""

    async def claim(self, core: str, most: int) -> list[int]:
        """Take up to so many buckets that nobody holds; which."""
        ...

    async def release(self, core: str, some: Sequence[int]) -> None:
        """Give back what this core holds of these."""
        ...

    def hint(self) -> None:
        """Let the other cores look at once, as soon as this is committed."""
        ...

    def rules_change(self) -> None:
        """Let the other cores read at once what all keep in memory, as soon as this is committed."""
        ...
