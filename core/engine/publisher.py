"""The publisher: the journal told on, in order, from each subscriber's own place.

Events are rows first; what is delivered is what was committed. A durable subscriber's cursor moves after it took a
page, so a crash repeats a page and never loses one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import structlog

from core.engine.ports import EventSink
from core.ledger.port import Ledger, StoreError, Transaction
from schedule_zero.event import Event

log = structlog.get_logger("schedule_zero.publisher")

PAGE: Final = 1000
LONGEST_WAIT_S: Final = 5.0
RETRY_S: Final = 1.0


class Publisher:
    """Wakes everybody who reads the journal when something was committed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._nudges: set[asyncio.Event] = set()
        ledger.on_commit(self._nudge)

    def _nudge(self) -> None:
        for nudge in self._nudges:
            nudge.set()

    async def serve(self, name: str, sink: EventSink) -> None:
        """Deliver to a durable subscriber until cancelled. A new one starts with the next event."""
        nudge = self._join()
        try:
            seq = await self.place(name)
            while True:
                nudge.clear()
                page = await self._ledger.reader.journal.after(seq, PAGE)
                if not page:
                    await _wait(nudge)
                    continue
                if await self._deliver(name, sink, page):
                    seq = page[-1].seq
        finally:
            self._nudges.discard(nudge)

    async def follow(self, seq: int | None, wanted: Callable[[Event], bool]) -> AsyncIterator[Event]:
        """Every wanted event after a place (None: from now on), for ever; the place is the listener's own business."""
        nudge = self._join()
        try:
            if seq is None:
                _, seq = await self._ledger.reader.journal.head()
            while True:
                nudge.clear()
                page = await self._ledger.reader.journal.after(seq, PAGE)
                for event in page:
                    seq = event.seq
                    if wanted(event):
                        yield event
                if not page:
                    await _wait(nudge)
                else:
                    await asyncio.sleep(0)  # pages from memory, none of them wanted, would keep the loop to themselves
        finally:
            self._nudges.discard(nudge)

    async def place(self, name: str) -> int:
        """Where a durable subscriber stands: a new one behind all there is by now, and that is kept."""
        cursor = await self._ledger.reader.journal.cursor(name)
        epoch, head = await self._ledger.reader.journal.head()
        if cursor is not None and cursor[0] == epoch:
            return cursor[1]
        await self._keep(name, epoch, head)
        return head

    def _join(self) -> asyncio.Event:
        nudge = asyncio.Event()
        self._nudges.add(nudge)
        return nudge

    async def _deliver(self, name: str, sink: EventSink, page: Sequence[Event]) -> bool:
        try:
            await sink.deliver(page)
        except Exception:  # a subscriber's own fault must not end the publisher; the page is told again
            log.exception("subscriber failed; the page is repeated", subscriber=name)
            await asyncio.sleep(RETRY_S)
            return False
        await self._keep(name, page[-1].epoch, page[-1].seq)
        return True

    async def _keep(self, name: str, epoch: int, seq: int) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.journal.acknowledge(name, epoch, seq)

        try:
            await self._ledger.write(unit)
        except StoreError as error:
            log.warning("cursor not kept; events will be repeated", subscriber=name, error=str(error))
        else:
            log.debug("events acknowledged", subscriber=name, upto=seq)


async def _wait(nudge: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            await nudge.wait()
    except TimeoutError:
        return
