"""The publisher: the journal told on, in order, from each subscriber's own place.

Events are rows first; what is delivered is what was committed. A durable subscriber's cursor moves after it took a
page, so a crash repeats a page and never loses one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from typing import Final

import structlog

from core.engine.ports import EventSink
from core.engine.standing import Standing, names_of, standing
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
        self._served: set[str] = set()
        ledger.on_commit(self._nudge)

    def _nudge(self) -> None:
        for nudge in self._nudges:
            nudge.set()

    async def serve(self, name: str, sink: EventSink) -> None:
        """Deliver to a durable subscriber until cancelled. A new one starts with the next event."""
        nudge = self._join()
        self._served.add(name)
        try:
            stands = await self.standing(name)
            seq = stands.seq
            while True:
                nudge.clear()
                page = await self._ledger.reader.journal.after(seq, PAGE)
                if not page:
                    await _wait(nudge)
                    continue
                if await self._deliver(stands, sink, page):
                    seq = page[-1].seq
        finally:
            self._served.discard(name)
            self._nudges.discard(nudge)

    def serves(self, name: str) -> bool:
        """Whether a subscriber of this name is in this process."""
        return name in self._served

    async def follow(self, seq: int | None, wanted: Callable[[Event], bool]) -> AsyncIterator[Event]:
        """Every wanted event after a place (None: from now on), for ever; the place is the listener's own business."""
        if seq is None:
            _, seq = await self._ledger.reader.journal.head()
        pages = self.pages(seq)
        try:
            async for page in pages:
                for event in page:
                    if wanted(event):
                        yield event
        finally:
            await pages.aclose()

    async def pages(self, seq: int) -> AsyncGenerator[Sequence[Event], None]:
        """Everything after a place, page by page, for ever; an empty page where nothing happened for a while."""
        nudge = self._join()
        try:
            while True:
                nudge.clear()
                page = await self._ledger.reader.journal.after(seq, PAGE)
                if page:
                    seq = page[-1].seq
                    yield page
                    await asyncio.sleep(0)  # pages from memory, none of them wanted, would keep the loop to themselves
                elif not await _wait(nudge):
                    yield page
        finally:
            self._nudges.discard(nudge)

    async def place(self, name: str) -> int:
        """Where a durable subscriber stands: a new one behind all there is by now, and that is kept."""
        return (await self.standing(name)).seq

    async def standing(self, name: str, buckets: Iterable[int] = ()) -> Standing:
        """Where a durable subscriber stands, of some buckets or of everything; kept, where it was not."""
        journal = self._ledger.reader.journal
        own = await journal.cursor(name)
        found = {each: place for each in names_of(name) if (place := await journal.cursor(each)) is not None}
        epoch, head = await journal.head()
        stands = standing(name, buckets, own, found, epoch, head)
        if any(
            (found.get(each) or (own if each == name else None)) != (epoch, seq)
            for each, seq in stands.kept(stands.seq)
        ):
            await self.keep(stands, epoch, stands.seq)
        return stands

    def _join(self) -> asyncio.Event:
        nudge = asyncio.Event()
        self._nudges.add(nudge)
        return nudge

    async def _deliver(self, stands: Standing, sink: EventSink, page: Sequence[Event]) -> bool:
        try:
            wanted = [event for event in page if stands.wants(event)]
            if wanted:
                await sink.deliver(wanted)
        except Exception:  # a subscriber's own fault must not end the publisher; the page is told again
            log.exception("subscriber failed; the page is repeated", subscriber=stands.name)
            await asyncio.sleep(RETRY_S)
            return False
        await self.keep(stands, page[-1].epoch, page[-1].seq)
        return True

    async def keep(self, stands: Standing, epoch: int, seq: int) -> None:
        """Remember how far a durable subscriber has been told. Where the store cannot, it will hear the rest again."""

        async def unit(tx: Transaction) -> None:
            for name, place in stands.kept(seq):
                await tx.journal.acknowledge(name, epoch, place)

        try:
            await self._ledger.write(unit)
        except StoreError as error:
            log.warning("cursor not kept; events will be repeated", subscriber=stands.name, error=str(error))
        else:
            log.debug("events acknowledged", subscriber=stands.name, upto=seq)


async def _wait(nudge: asyncio.Event) -> bool:
    """Until there may be more, and not for ever; whether there may be."""
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            return await nudge.wait()
    except TimeoutError:
        return False
