"""The herald: events of what has no transaction of its own, such as handlers that come and go."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core.ledger.port import Ledger, StoreClosed, StoreError, Transaction
from core.ledger.rows import EventRow

log = structlog.get_logger("schedule_zero.herald")

REFUSED_PAUSE_S: Final = 1.0


class Herald:
    """Writes events into the journal, all that wait at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[EventRow] = []
        self._wake = asyncio.Event()

    def tell(self, event: EventRow) -> None:
        """Have it written soon."""
        self._waiting.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled. What the store refuses waits."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            events, self._waiting = self._waiting, []

            async def unit(tx: Transaction, events: list[EventRow] = events) -> None:
                await tx.journal.append(events)

            try:
                await self._ledger.write(unit)
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("the store refused events; they wait", count=len(events), error=str(error))
                self._waiting[:0] = events
                await asyncio.sleep(REFUSED_PAUSE_S)
                self._wake.set()
