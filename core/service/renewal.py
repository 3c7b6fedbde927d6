"""Renewal: after an update of the zones' data or the holidays, next due times are computed anew.

A time that people said is stored as they said it, with its zone; its next instant is stored beside it. When a country has
changed its clocks meanwhile, that instant is another one, and nobody shall be an hour late once.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import structlog

from core.engine.handover import Meaning
from core.engine.plan import rule_of
from core.ledger.port import ScheduleFilter, StoreClosed, StoreError, Transaction
from core.ledger.rows import ScheduleRow
from core.service.desk import Desk
from core.service.policy import read_policy
from core.zone_data import data_version
from schedule_zero.actor import CORE
from schedule_zero.event import EventKind

log = structlog.get_logger("schedule_zero.renewal")

KIND: Final = "timing"
KEY: Final = "data"
PAGE: Final = 500


class Renewal:
    """Looks, at a start, whether what due times are computed from has changed since they were."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def look(self) -> None:
        """Compute next due times anew where they may have changed; before anything fires."""
        installed = data_version()
        known = await self._desk.reader.notes.get(KIND, KEY)
        if known == installed:
            return

        async def unit(tx: Transaction) -> None:
            await tx.notes.put(KIND, {KEY: installed})

        try:
            moved = 0 if known is None else await self._renew()
            await self._desk.ledger.write_essential(unit)
        except StoreClosed:
            raise
        except StoreError as error:  # on a full disk nothing can be moved, and what is scheduled goes on all the same
            log.warning("next due times could not be looked at; the next start does", error=str(error))
        else:
            if known is not None:
                log.info("zones or holidays were updated", before=known, now=installed, moved=moved)

    async def _renew(self) -> int:
        """How many are due at another time now."""
        wanted, after, moved = ScheduleFilter(any_guild=True, state="active"), None, 0
        while True:
            page = await self._desk.reader.schedules.page(wanted, after, PAGE)
            changed = [row.id for row in page if self._due(row) not in (None, row.next_due)]
            if changed:
                moved += await self._desk.ledger.write_essential(lambda tx, ids=changed: self._write(tx, ids))  # type: ignore[misc]
            if len(page) < PAGE:
                return moved
            after = page[-1].id
            await asyncio.sleep(0)

    def _due(self, row: ScheduleRow) -> int | None:
        """The next due time as of now; None where it stands, or cannot be computed any more: whoever ticks it says so."""
        now = self._desk.clock.now()
        if row.next_due is None or row.next_due <= now:
            return None
        try:
            rule = rule_of(row, read_policy(row.policy))
        except ValueError:
            return None
        latest = rule.last_until(now)
        if latest is not None and latest > max(row.last_due or 0, row.updated):
            return latest  # by the old data it was still to come
        return rule.next_after(max(now, row.last_due or 0))

    async def _write(self, tx: Transaction, ids: list[str]) -> int:
        """As they stand in this transaction: another core may have fired some of them meanwhile."""
        now = self._desk.clock.now()
        moved = [
            msgspec.structs.replace(row, next_due=due, revision=row.revision + 1, updated=now)
            for row in (await tx.schedules.get_many(ids)).values()
            if row.state == "active" and (due := self._due(row)) not in (None, row.next_due)
        ]
        await tx.schedules.renew(moved)
        await self._desk.tell(tx, CORE, EventKind.SCHEDULE_UPDATED, moved, {"changed": ["zone data"]})
        if moved:
            await self._desk.engine.handing.leave(tx, Meaning(schedules=moved), now)
        return len(moved)
