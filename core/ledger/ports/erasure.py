"""Finding and removing what is kept of somebody, as the core asks the store for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

ERASED = "erased"
"""Who stands where somebody stood whose data was erased."""

Place = Literal["journal", "answers", "undos"]
"""Tables that are looked through, because no index knows whom a row is about."""

_LONG_ENOUGH = 15
"""Characters of an id that is looked for without quotes: Discord's are longer, and stand in no other text by chance."""


class Whom(msgspec.Struct, frozen=True):
    """Whose data is meant.

    Attributes:
        id: of the guild or the person.
        person: whether it is a person.
        schedules: those of a person's that are erased, whose events and lines repeat what they said.
    """

    id: str
    person: bool = False
    schedules: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """How the id stands in a text."""
        return self.id if len(self.id) >= _LONG_ENOUGH else f'"{self.id}"'

    @property
    def instead(self) -> str:
        """What is put in its place there."""
        return ERASED if len(self.id) >= _LONG_ENOUGH else f'"{ERASED}"'


class ErasureReads(Protocol):
    """Finding it."""

    async def look_through(self, place: Place, whom: Whom, after: str) -> tuple[list[Any], str | None]:
        """The keys, in the next span of a table, of what is kept of somebody there, and where the span ends; None: with
        the table. ``after``: where the span before ended, or nothing."""
        ...

    async def runs_of_guild(self, guild_id: str, limit: int, *, ended: bool) -> list[str]:
        """Some runs of a guild that have ended, or have not."""
        ...

    async def runs_of(self, schedule_ids: Sequence[str], limit: int, *, ended: bool) -> list[str]:
        """Some runs of these schedules that have ended, or have not."""
        ...

    async def runs_behind(self, schedule_id: str, after: str, limit: int) -> list[str]:
        """The runs of one schedule behind another, in order."""
        ...

    async def schedules_of_guild(self, guild_id: str, limit: int, *, standing: bool) -> list[str]:
        """Some schedules of a guild; ``standing``: of those that are not deleted."""
        ...

    async def owned(self, owner_id: str, limit: int) -> list[str]:
        """Some schedules of a person, deleted ones included."""
        ...


class ErasureWrites(ErasureReads, Protocol):
    """Removing it. Runs and schedules are removed by ``RunWrites.remove`` and ``ScheduleWrites.remove``, lines of the audit by
    ``AuditWrites``."""

    async def remove(self, place: Place, whom: Whom, keys: Sequence[Any]) -> None:
        """Remove what was found of somebody in a table; where others stand in the same row, only their name."""
        ...

    async def scrub_runs(self, whom: Whom, run_ids: Sequence[str]) -> None:
        """Take a person's id out of what these runs say."""
        ...

    async def remove_small(self, whom: Whom, except_for: Sequence[str]) -> None:
        """Remove figures and notes of somebody; not the notes of some kinds, in which a person's name alone goes."""
        ...

    async def remove_kind(self, kind: str) -> None:
        """Remove all notes of a kind."""
        ...
