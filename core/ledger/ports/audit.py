"""The audit, as the core asks the store for it. Lines are added with the small facts (``NoteWrites.audit``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from core.ledger.rows import AuditedRow

BANS: Final = ("user.ban", "user.unban")
"""Who is banned stays known by id, or the ban would name nobody."""
DECISIONS: Final = (
    "guild.suspend", "guild.resume", "guild.quota", "guild.verify", "guild.suspect", *BANS,
)  # fmt: skip
"""What was decided about a guild or a person is no data of theirs: such lines outlive an erasure, with what was and became."""


class AuditFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which lines a listing wants: ``since`` this instant, and before ``until``. ``guild_id`` None: those of no guild."""

    guild_id: str | None = None
    any_guild: bool = False
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: int | None = None
    until: int | None = None


class AuditReads(Protocol):
    """Reading who changed what."""

    async def get(self, id: int) -> AuditedRow | None: ...
    async def page(self, wanted: AuditFilter, before: tuple[int, int] | None, limit: int) -> Sequence[AuditedRow]:
        """Lines, newest first, that are older than a place: the instant and the number of a line."""
        ...

    async def newest(self) -> int:
        """The highest number of a line; 0 where there is none."""
        ...

    async def erasable(self, guild_id: str) -> bool:
        """Whether there are lines of a guild that are not ``DECISIONS``."""
        ...


class AuditWrites(AuditReads, Protocol):
    """Taking people and guilds out of it."""

    async def forget(self, user_id: str, above: int, upto: int) -> None:
        """In the lines numbered from ``above`` (left out) to ``upto``, a person becomes ``user:erased``; a line that they
        made, that is about them, or whose before or after says their id, keeps that it happened, and no content. Of
        ``DECISIONS`` only their id goes, and from ``BANS`` not as the target."""
        ...

    async def remove(self, guild_id: str, limit: int) -> None:
        """Drop some of a guild's lines, the oldest first; not ``DECISIONS``."""
        ...
