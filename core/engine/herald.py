"""The herald: writes what has no transaction of its own: handlers that come and go, as events and as acquaintances."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from core.engine.acquaintances import Acquaintance, keep
from core.ledger.port import Ledger, StoreClosed, StoreError, Transaction, Unit
from core.ledger.rows import EventRow

log = structlog.get_logger("schedule_zero.herald")

REFUSED_PAUSE_S: Final = 1.0


class Herald:
    """Writes events into the journal, all that wait at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[EventRow] = []
        self._learnt: dict[str, Acquaintance | None] = {}
        self._wake = asyncio.Event()

    def tell(self, event: EventRow) -> None:
        """Have it written soon."""
        self._waiting.append(event)
        self._wake.set()

    def learn(self, who: Acquaintance) -> None:
        """Have it kept what somebody can do."""
        self._learnt[who.key] = who
        self._wake.set()

    def forget(self, key: str) -> None:
        """Have an acquaintance dropped."""
        self._learnt[key] = None
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled. What the store refuses waits."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            events, self._waiting = self._waiting, []
            learnt, self._learnt = self._learnt, {}
            try:
                await self._ledger.write(_unit(events, learnt))
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("the store refused events; they wait", count=len(events), error=str(error))
                self._waiting[:0] = events
                self._learnt = learnt | self._learnt
                await asyncio.sleep(REFUSED_PAUSE_S)
                self._wake.set()


def _unit(events: Sequence[EventRow], learnt: Mapping[str, Acquaintance | None]) -> Unit[None]:
    async def unit(tx: Transaction) -> None:
        if events:
            await tx.journal.append(events)
        known = [who for who in learnt.values() if who is not None]
        await keep(tx.notes, known, [key for key, who in learnt.items() if who is None])

    return unit
