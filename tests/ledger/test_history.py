"""How handlers did is kept by minute, added up into hours over all cores, and dropped when it is old."""

from __future__ import annotations

import pytest

from core.engine.chronicle import MINUTES_KEPT, Chronicle, roll_up
from core.engine.outcome import Outcome
from core.engine.tally import SLICE_S, Slice, Tally
from core.ledger.ledger import StoredLedger
from core.ledger.port import Ledger, Transaction
from core.ledger.rows import HistoryRow
from schedule_zero.instant import DAY, HOUR, MINUTE
from schedule_zero.run import RunState
from tests.engine.house import NOON
from tests.engine.rows import flight
from tests.ledger.conftest import Opening


def noted(tally: Tally, now: float, **counts: int) -> None:
    """So many attempts of the method echo of the handler echo ended, each way."""
    for word, count in counts.items():
        for _ in range(count):
            tally.note(flight(), Outcome(state=RunState.FAILED, outcome=word), 0.1, now)


def row(at: int, *, span: int = MINUTE, core: str = "core_a", handler: str = "far", method: str = "work",
        guild: str = "", succeeded: int = 1, failed: int = 0, lost: int = 0, times: str = '{"80":1}') -> HistoryRow:  # fmt: skip
    return HistoryRow(
        at=at, span=span, handler=handler, method=method, guild=guild, core=core, succeeded=succeeded, failed=failed,
        lost=lost, times=times,
    )  # fmt: skip


async def keep(ledger: Ledger, *rows: HistoryRow) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.history.put(rows)

    await ledger.write(unit)


async def test_what_was_kept_is_found_by_handler_and_time_oldest_first(ledger: Ledger) -> None:
    rows = [row(NOON + n * MINUTE, handler=handler) for n in (2, 0, 1) for handler in ("far", "near")]
    await keep(ledger, *rows)
    history = ledger.reader.history
    assert [each.at for each in await history.since(NOON + MINUTE, "far")] == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert len(await history.since(0)) == 6
    assert await history.oldest(MINUTE) == NOON
    assert await history.oldest(HOUR) is None


async def test_a_row_that_is_there_is_replaced_so_a_repeated_write_counts_once(ledger: Ledger) -> None:
    await keep(ledger, row(NOON))
    await keep(ledger, row(NOON, succeeded=3))
    (kept,) = await ledger.reader.history.since(0)
    assert kept.succeeded == 3


async def test_old_minutes_of_all_cores_become_hours_and_nothing_is_counted_twice(ledger: Ledger) -> None:
    rows = [
        row(NOON + n * MINUTE, core=core, guild=guild, failed=1)
        for n in (0, 59, 60) for core in ("core_a", "core_b") for guild in ("", "1")
    ]  # fmt: skip
    await keep(ledger, *rows)
    now = NOON + HOUR + MINUTES_KEPT
    for _ in range(2):
        await roll_up(ledger, now)
        kept = await ledger.reader.history.since(0)
        assert [(each.at, each.span, each.guild, each.succeeded, each.failed, each.times) for each in kept] == [
            (NOON, HOUR, "", 4, 4, '{"80":4}'), (NOON, HOUR, "1", 4, 4, '{"80":4}'),
            (NOON + HOUR, HOUR, "", 2, 2, '{"80":2}'), (NOON + HOUR, HOUR, "1", 2, 2, '{"80":2}'),
        ]  # fmt: skip
    await keep(ledger, row(NOON + 30 * MINUTE, core="core_c"))  # a core that could not write until now
    await roll_up(ledger, now)
    first = (await ledger.reader.history.since(0))[0]
    assert (first.succeeded, first.failed) == (5, 4)


async def test_minutes_of_the_last_day_stay_minutes(ledger: Ledger) -> None:
    await keep(ledger, row(NOON))
    await roll_up(ledger, NOON + DAY)
    assert [each.span for each in await ledger.reader.history.since(0)] == [MINUTE]


async def test_what_is_old_goes_some_at_a_time(ledger: Ledger) -> None:
    await keep(ledger, *(row(NOON + n * MINUTE) for n in range(10)))

    async def unit(tx: Transaction) -> None:
        await tx.history.purge(NOON + 5 * MINUTE, 3)

    await ledger.write(unit)
    assert len(await ledger.reader.history.since(0)) == 7
    await ledger.write(unit)
    assert [each.at for each in await ledger.reader.history.since(0)] == [NOON + n * MINUTE for n in range(5, 10)]


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> int:
        return NOON + int((self.seconds - 1000.0) * 1e6)

    def monotonic(self) -> float:
        return self.seconds


async def test_a_minute_is_written_once_it_is_over_and_the_last_one_at_the_end(opening: Opening) -> None:
    ledger: StoredLedger = opening(None)
    await ledger.open()
    clock, tally = StillClock(), Tally()
    chronicle = Chronicle(clock=clock, ledger=ledger, tally=tally, core="core_a")
    noted(tally, clock.seconds, succeeded=2)
    await chronicle.write(but=clock.seconds // SLICE_S)
    assert await ledger.reader.history.since(0) == []
    clock.seconds += SLICE_S
    noted(tally, clock.seconds, failed=1)
    for _ in range(2):
        await chronicle.write(but=clock.seconds // SLICE_S)
        (kept,) = await ledger.reader.history.since(0)
        assert (kept.succeeded, kept.failed, kept.core) == (2, 0, "core_a")
        assert sum(sum(each.counts) for _, each in await chronicle.since(0)) == 3
    await chronicle.close()
    await chronicle.close()
    assert sorted((each.succeeded, each.failed) for each in await ledger.reader.history.since(0)) == [(0, 1), (2, 0)]
    await ledger.close()

    again: StoredLedger = opening(None)
    await again.open()
    fresh = Tally()
    noted(fresh, clock.seconds, lost=1)
    after = Chronicle(clock=clock, ledger=again, tally=fresh, core="core_b")
    total = Slice()
    for _, each in await after.since(0, "echo"):
        total.add(each)
    assert total.counts == [2, 1, 1]
    await again.close()


@pytest.mark.parametrize("minutes", [1, 7])
async def test_a_store_that_refused_for_a_while_gets_every_minute_that_is_known(ledger: Ledger, minutes: int) -> None:
    clock, tally = StillClock(), Tally()
    chronicle = Chronicle(clock=clock, ledger=ledger, tally=tally, core="core_a")
    for _ in range(minutes):
        noted(tally, clock.seconds, succeeded=1)
        clock.seconds += SLICE_S
    await chronicle.write(but=clock.seconds // SLICE_S)
    kept = await ledger.reader.history.since(0)
    assert len(kept) == minutes
    assert {each.at % MINUTE for each in kept} == {0}
