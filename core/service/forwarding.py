"""Forwarding: runs that a calendar quota put off begin sooner where there is room for them by now."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core.ledger.port import StoreError, Transaction
from core.ledger.rows import RunRow
from core.service.desk import Desk

log = structlog.get_logger("schedule_zero.forwarding")

AT_ONCE: Final = 500


class Forwarding:
    """Looks through what was put off, each time that a guild may use more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, guild_id: str) -> None:
        """A guild may use more, perhaps; nobody waits for what follows from it."""
        task = asyncio.create_task(self._forward(guild_id), name="runs are brought forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def under_way(self) -> list[asyncio.Task[None]]:
        """What was begun and is not done."""
        return list(self._tasks)

    async def everybody(self) -> None:
        """The same for all that have such runs; at a start."""
        for guild_id in await self._desk.reader.runs.put_off_guilds(self._desk.clock.now()):
            await self._forward(guild_id)

    async def _forward(self, guild_id: str | None) -> None:
        """Page by page, first come first. Who works for the guild sees to it, and no other core: that one hears of the change
        with its commit."""
        if not self._desk.engine.territory.owns(guild_id):
            return
        page: list[RunRow] = []
        moved: list[RunRow] = []
        behind: tuple[int, str] | None = None

        async def unit(tx: Transaction) -> None:
            now = self._desk.clock.now()
            page[:] = await tx.runs.put_off(guild_id, now, behind, AT_ONCE)
            moved[:] = await self._desk.engine.entitler.bring_forward(tx, page, now) if page else ()

        try:
            while True:
                await self._desk.ledger.write_essential(unit)
                self._desk.engine.consequences.runs_withdrawn([run.id for run in moved])
                self._desk.engine.consequences.runs_created(moved)
                if len(page) < AT_ONCE:
                    return
                behind = (page[-1].due, page[-1].id)
        except StoreError as error:
            log.warning("runs that wait for a later day stay there, for the store refused", error=str(error))
