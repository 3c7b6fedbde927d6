"""The janitor: what time alone makes necessary. Paused schedules resume, old rows go, and so do handlers long gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
import structlog

from core.engine.chronicle import roll_up
from core.engine.occurred import not_yet
from core.engine.over import forget_over
from core.engine.plan import TermsBook
from core.engine.ports import Clock
from core.engine.reception import Reception
from core.engine.resuming import resumption
from core.engine.shorter import ShorterHistories
from core.engine.territory import Territory
from core.ledger.port import Ledger, StoreError, Transaction
from core.ledger.rows import ScheduleRow
from schedule_zero.ids import IdMaker
from schedule_zero.instant import DAY, to_datetime

log = structlog.get_logger("schedule_zero.janitor")

SWEEP_S: Final = 300.0
COMEBACK_S: Final = 3600.0  # so long after a start, whoever was away with us for longer than events are kept may come
PAGE: Final = 1000


class Retention(msgspec.Struct, frozen=True):
    """How long what is over is kept, in microseconds. ``runs``: and schedules that are done, with the last of them;
    ``handlers``: those that nobody serves and no schedule names; ``metrics``: how the attempts of handlers went."""

    runs: int = 30 * DAY
    events: int = 30 * DAY
    audit: int = 365 * DAY
    deleted: int = DAY
    handlers: int = 7 * DAY
    metrics: int = 30 * DAY


Changed = Callable[[Sequence[ScheduleRow]], Awaitable[None]]


class Janitor:
    """Keeps the ledger in order."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, terms: TermsBook, ids: IdMaker, retention: Retention, turn_s: float,
        changed: Changed, reception: Reception, territory: Territory | None = None,
    ) -> None:  # fmt: skip
        self._territory = Territory() if territory is None else territory
        self._clock = clock
        self._ledger = ledger
        self._terms = terms
        self._ids = ids
        self._retention = retention
        self._turn_s = turn_s
        self._changed = changed
        self._reception = reception
        self._shorter = ShorterHistories(ledger)
        self._began = clock.monotonic()

    async def run(self) -> None:
        """Look every turn, sweep every few minutes, until cancelled."""
        swept_at: float | None = None
        while True:
            try:
                await self.resume_due()
                now = self._clock.monotonic()
                if swept_at is None or now - swept_at >= SWEEP_S:
                    await self.forget_handlers()  # every core those that it knows
                    if self._territory.owns(None):  # one core sweeps
                        await self.sweep()
                    swept_at = now
            except StoreError as error:
                log.warning("the store refused; trying again later", error=str(error))
            await asyncio.sleep(self._turn_s)

    async def resume_due(self) -> None:
        """Resume schedules that were paused until now."""
        now = self._clock.now()
        over = await self._ledger.reader.schedules.resumable(now, PAGE, self._territory.within())
        found = [resumption(row, self._terms, self._ids, now, ended=row.paused_until) for row in over]
        if not found:
            return

        async def unit(tx: Transaction) -> list[ScheduleRow]:
            resumed = [each for each in found if await tx.schedules.replace(each.row, expected=each.row.revision - 1)]
            await tx.runs.insert(await not_yet(tx, [run for each in resumed for run in each.runs]))
            await tx.journal.append([event for each in resumed for event in each.events])
            return [each.row for each in resumed]

        await self._changed(await self._ledger.write(unit))

    async def forget_handlers(self) -> None:
        """Forget the handlers that are gone for good, as it seems: a schedule that names one is a reason to wait for it."""
        gone = self._reception.long_gone(self._clock.now() - self._retention.handlers)
        if gone:
            wanted = await self._ledger.reader.schedules.handlers()
            self._reception.forget(handler for handler in gone if handler not in wanted)

    async def sweep(self) -> None:
        """Remove what is older than its retention, page by page so that nobody waits long."""
        now, keep = self._clock.now(), self._retention

        async def pages(tx: Transaction) -> int:
            removed = await tx.runs.purge(now - keep.runs, PAGE)
            removed += await tx.journal.purge(now - keep.events, PAGE)
            removed += await tx.schedules.purge(now - keep.deleted, PAGE)
            return removed

        async def rest(tx: Transaction) -> None:
            if self._clock.monotonic() - self._began > COMEBACK_S:
                await tx.journal.purge_cursors()
            await tx.notes.purge(now=now, audit_before=now - keep.audit)
            await tx.sessions.purge(now)
            await tx.usage.purge(to_datetime(now - 62 * DAY).date().isoformat())
            await tx.history.purge(now - keep.metrics, PAGE)

        while await self._ledger.write(pages):  # noqa: ASYNC110 - page after page, others first
            await asyncio.sleep(0)
        await self._shorter.sweep(now, max(keep.runs, keep.events))
        await forget_over(self._ledger, now - keep.runs)
        await self._ledger.write(rest)
        await roll_up(self._ledger, now)
