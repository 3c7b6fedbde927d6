"""The chronicle: how the attempts of each method went, kept minute by minute, so that a restart forgets at most one.

The tally counts; here its finished minutes are written, all in one small batch. What is older than a day is added up into
hours, over all cores.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
import structlog

from core.engine.ports import Clock
from core.engine.tally import FAILED, LOST, SLICE_S, SUCCEEDED, Slice, Tally
from core.ledger.port import Ledger, StoreClosed, StoreError, Transaction
from core.ledger.rows import HistoryRow
from schedule_zero.instant import DAY, HOUR, MINUTE

log = structlog.get_logger("schedule_zero.chronicle")

MINUTES_KEPT: Final = DAY + HOUR
MOST_AT_ONCE: Final = 48  # hours added up in one sweep: what more there is waits for the next
_times: Final = msgspec.json.Decoder(dict[int, int]).decode


class Chronicle:
    """Writes what this core saw."""

    def __init__(self, *, clock: Clock, ledger: Ledger, tally: Tally, core: str) -> None:
        """``core``: this process, by a name no other one had."""
        self._clock = clock
        self._ledger = ledger
        self._tally = tally
        self._core = core

    async def run(self) -> None:
        """Write every minute, until cancelled. What the store refuses is tried again with the next, as long as it is known."""
        while True:
            await asyncio.sleep(SLICE_S)
            try:
                await self.write(but=self._clock.monotonic() // SLICE_S)
            except StoreClosed:
                raise
            except StoreError as error:
                log.warning("the store refused how handlers did; it waits", error=str(error))

    async def close(self) -> None:
        """Write the minute that is not over yet, too: for the end of a process."""
        try:
            await self.write()
        except StoreError as error:
            log.warning("the store refused how handlers did", error=str(error))

    async def write(self, *, but: float | None = None) -> None:
        """Write what is not written. ``but``: not the slice of that number, which is still counted."""
        found = [each for each in self._tally.unkept() if each[3].number != but]
        if not found:
            return
        rows = [
            HistoryRow(
                at=self._began(each), span=MINUTE, handler=handler, method=method, guild=guild_id or "",
                core=self._core, succeeded=each.counts[SUCCEEDED], failed=each.counts[FAILED], lost=each.counts[LOST],
                times=_written(each),
            )
            for handler, method, guild_id, each in found if any(each.counts)
        ]  # fmt: skip

        async def unit(tx: Transaction) -> None:
            await tx.history.put(rows)

        if rows:
            await self._ledger.write(unit)
        for handler, method, guild_id, each in found:
            self._tally.kept(handler, method, guild_id, each.number)

    async def since(self, at: int, handler: str | None = None) -> list[tuple[HistoryRow, Slice]]:
        """What began at an instant or later, of one handler or of all: as it is kept, and what this core has not kept yet."""
        kept = [(row, slice_of(row)) for row in await self._ledger.reader.history.since(at, handler)]
        fresh = [
            (HistoryRow(at=self._began(each), span=MINUTE, handler=name, method=method, guild=guild_id or "",
                        core=self._core, succeeded=0, failed=0, lost=0, times="{}"), each)
            for name, method, guild_id, each in self._tally.unkept(handler)
        ]  # fmt: skip
        return kept + [(row, each) for row, each in fresh if row.at >= at]

    def _began(self, each: Slice) -> int:
        """The minute of the wall clock in which most of a slice lies."""
        ago = self._clock.monotonic() - each.number * SLICE_S
        return (self._clock.now() - int(ago * 1e6) + MINUTE // 2) // MINUTE * MINUTE


def slice_of(row: HistoryRow) -> Slice:
    """What a row counted."""
    return Slice(counts=[row.succeeded, row.failed, row.lost], times=_times(row.times))


def _written(each: Slice) -> str:
    return msgspec.json.encode(each.times).decode()


async def roll_up(ledger: Ledger, now: int) -> None:
    """Add up the minutes that are old into hours; hour by hour, so that nobody waits long."""
    for _ in range(MOST_AT_ONCE):
        oldest = await ledger.reader.history.oldest(MINUTE)
        if oldest is None or oldest > now - MINUTES_KEPT:
            return
        hour = oldest // HOUR * HOUR

        async def unit(tx: Transaction, hour: int = hour) -> None:
            rows = await tx.history.between(hour, hour + HOUR)
            await tx.history.put(added_up(rows, hour))
            await tx.history.drop(MINUTE, hour, hour + HOUR)

        await ledger.write(unit)


def added_up(rows: Iterable[HistoryRow], hour: int) -> list[HistoryRow]:
    """The rows of an hour as one for each method, whatever cores and minutes they are of."""
    sums: dict[tuple[str, str, str], Slice] = {}
    for row in rows:
        sums.setdefault((row.handler, row.method, row.guild), Slice()).add(slice_of(row))
    return [
        HistoryRow(
            at=hour, span=HOUR, handler=handler, method=method, guild=guild, core="", succeeded=each.counts[SUCCEEDED],
            failed=each.counts[FAILED], lost=each.counts[LOST], times=_written(each),
        )
        for (handler, method, guild), each in sums.items()
    ]  # fmt: skip
