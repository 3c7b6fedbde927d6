"""Shorter histories: guilds that want what is over to be kept for fewer days than the operator keeps it.

Their runs are found along an index of their own, and so are their schedules that are done. Their events are not: the journal is looked through once for all guilds
that want it as short, page by page, and afterwards only what has become too old since; how far that came is kept in
memory, so that after a start it is looked through once more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import msgspec

from core.engine.over import forget_over
from core.ledger.port import Ledger, Transaction
from schedule_zero.instant import DAY

GUILD: Final = "guild"
"""The notes in which guilds' settings lie."""
PAGE: Final = 1000
LOOKED_AT: Final = 10_000
"""Events of all guilds that are looked at in one transaction."""
TOGETHER: Final = 100
"""Guilds whose runs are looked for in one transaction."""


class _Kept(msgspec.Struct):
    history_days: int | None = None


class _Note(msgspec.Struct):
    """Of all that is known of a guild, what concerns us."""

    retention: _Kept = msgspec.field(default_factory=_Kept)


_note: Final = msgspec.json.Decoder(_Note).decode


class ShorterHistories:
    """Removes what single guilds want gone sooner."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._come_to: dict[str, int] = {}

    async def sweep(self, now: int, longest: int) -> None:
        """Remove what is older than its guild wants it.

        Args:
            longest: for so long (microseconds) the operator keeps anything; who wants it longer is passed over.
        """
        documents = await self._ledger.reader.notes.all(GUILD)
        wishes = {
            guild_id: days * DAY for guild_id, text in documents.items() if (days := _note(text).retention.history_days)
        }
        wishes = {guild_id: kept for guild_id, kept in wishes.items() if kept < longest}
        self._come_to = {guild_id: place for guild_id, place in self._come_to.items() if guild_id in wishes}
        await self._sweep_runs({guild_id: now - kept for guild_id, kept in wishes.items()})
        for guild_id, kept in wishes.items():
            await forget_over(self._ledger, now - kept, guild_id)
        for (kept, place), guild_ids in self._alike(wishes).items():
            await self._sweep_events(guild_ids, place, now - kept)

    async def _sweep_runs(self, before: dict[str, int]) -> None:
        waiting = list(before.items())
        while waiting:
            some = waiting[:TOGETHER]

            async def unit(tx: Transaction, some: list[tuple[str, int]] = some) -> set[str]:
                """Those that have more."""
                return {id for id, until in some if await tx.runs.purge_guild(id, until, PAGE) == PAGE}

            more = await self._ledger.write(unit)
            waiting = [each for each in some if each[0] in more] + waiting[TOGETHER:]
            await asyncio.sleep(0)  # others first

    async def _sweep_events(self, guild_ids: list[str], place: int, before: int) -> None:
        at: int | None = place
        while at is not None:
            since = at

            async def unit(tx: Transaction, since: int = since) -> int | None:
                return await tx.journal.purge_guilds(guild_ids, since, before, LOOKED_AT)

            at = await self._ledger.write(unit)
            self._come_to |= dict.fromkeys(guild_ids, since if at is None else at)
            await asyncio.sleep(0)

    def _alike(self, wishes: dict[str, int]) -> dict[tuple[int, int], list[str]]:
        """The guilds by what they want and how far that has been done: mostly all of one wish together."""
        found: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for guild_id, kept in wishes.items():
            found[kept, self._come_to.get(guild_id, 0)].append(guild_id)
        return dict(found)
