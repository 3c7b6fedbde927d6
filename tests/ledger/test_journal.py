from __future__ import annotations

from core.ledger.port import Ledger, Transaction
from schedule_zero.event import Event
from tests.ledger.conftest import Opening
from tests.ledger.making import NOW, event, save


async def acknowledge(ledger: Ledger, subscriber: str, seq: int, epoch: int = 1) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.journal.acknowledge(subscriber, epoch, seq)

    await ledger.write(unit)


async def purge(ledger: Ledger, before: int, limit: int = 1000) -> int:
    async def unit(tx: Transaction) -> int:
        removed = await tx.journal.purge(before, limit)
        await tx.journal.purge_cursors()
        return removed

    return await ledger.write(unit)


async def seqs(ledger: Ledger, after: int = 0) -> list[int]:
    return [found.seq for found in await ledger.reader.journal.after(after, 1000)]


async def test_an_event_comes_back_numbered_and_spelled(ledger: Ledger) -> None:
    told = event("run.failed", at=NOW + 250_000, guild_id="1", schedule_id="sch_1", run_id="run_1", data='{"n":[1]}')
    await save(ledger, event(), told)
    assert await ledger.reader.journal.after(1, 10) == [
        Event(
            epoch=1, seq=2, at="2027-01-15T08:00:00.250000+00:00", kind="run.failed", guild_id="1",
            schedule_id="sch_1", run_id="run_1", data={"n": [1]},
        )
    ]  # fmt: skip


async def test_events_are_numbered_without_gaps_in_the_order_of_units(ledger: Ledger) -> None:
    for _ in range(3):
        await save(ledger, event(), event())
    assert await seqs(ledger) == [1, 2, 3, 4, 5, 6]
    assert await seqs(ledger, 4) == [5, 6]
    assert [found.seq for found in await ledger.reader.journal.after(1, 2)] == [2, 3]
    assert await ledger.reader.journal.head() == (1, 6)
    assert await ledger.reader.journal.tail() == 1


async def test_an_empty_journal_has_head_and_tail_zero(ledger: Ledger) -> None:
    assert await ledger.reader.journal.head() == (1, 0)
    assert await ledger.reader.journal.tail() == 0
    assert await ledger.reader.journal.after(0, 10) == []


async def test_events_are_found_by_kind_and_guild(ledger: Ledger) -> None:
    await save(
        ledger,
        event("run.created", guild_id="1"),
        event("run.failed", guild_id="1"),
        event("run.failed", guild_id="2"),
        event("core.started"),
    )
    journal = ledger.reader.journal
    assert [found.seq for found in await journal.after(0, 10, kinds=("run.failed", "core.started"))] == [2, 3, 4]
    assert [found.seq for found in await journal.after(0, 10, guild_id="1")] == [1, 2]
    assert [found.seq for found in await journal.after(0, 10, guild_id="1", kinds=("run.failed",))] == [2]


async def test_old_events_of_single_guilds_are_purged_from_a_place_on_and_all_others_stay(ledger: Ledger) -> None:
    await save(ledger, *(event(at=n, guild_id=str(n % 3)) for n in range(1, 13)))

    async def purge_guilds(after: int, before: int, limit: int) -> int | None:
        async def unit(tx: Transaction) -> int | None:
            return await tx.journal.purge_guilds(["1", "2"], after, before, limit)

        return await ledger.write(unit)

    assert await purge_guilds(1, 10, 4) == 5
    assert await seqs(ledger) == [1, 3, 6, 7, 8, 9, 10, 11, 12]
    assert await purge_guilds(5, 10, 100) == 9
    assert await seqs(ledger) == [1, 3, 6, 9, 10, 11, 12]
    assert await purge_guilds(9, 10, 100) is None
    assert await seqs(ledger) == [1, 3, 6, 9, 10, 11, 12]


async def test_numbers_go_on_after_everything_was_purged(ledger: Ledger) -> None:
    await save(ledger, *(event(at=n) for n in range(5)))
    assert await purge(ledger, 100) == 5
    assert await ledger.reader.journal.head() == (1, 5)
    assert await ledger.reader.journal.tail() == 0
    await save(ledger, event(at=200))
    assert await seqs(ledger) == [6]


async def test_numbers_go_on_after_a_restart_with_an_empty_journal(opening: Opening) -> None:
    first = opening(None)
    await first.open()
    await save(first, event(), event())
    await purge(first, NOW + 1)
    await first.close()
    second = opening(None)
    await second.open()
    await save(second, event())
    assert await seqs(second) == [3]
    await second.close()


async def test_only_old_events_are_purged_and_no_more_than_the_limit(ledger: Ledger) -> None:
    await save(ledger, *(event(at=n) for n in range(1, 7)))
    assert await purge(ledger, 4, limit=2) == 2
    assert await seqs(ledger) == [3, 4, 5, 6]
    assert await purge(ledger, 4) == 1
    assert await purge(ledger, 4) == 0
    assert await ledger.reader.journal.tail() == 4


async def test_a_cursor_stands_where_it_was_moved(ledger: Ledger) -> None:
    assert await ledger.reader.journal.cursor("bot") is None
    await acknowledge(ledger, "bot", 3)
    await acknowledge(ledger, "bot", 7, epoch=2)
    await acknowledge(ledger, "web", 1)
    assert await ledger.reader.journal.cursor("bot") == (2, 7)
    assert await ledger.reader.journal.cursor("web") == (1, 1)


async def test_a_cursor_left_behind_by_purged_events_is_dropped_and_one_that_missed_nothing_stays(
    ledger: Ledger,
) -> None:
    await save(ledger, *(event(at=n) for n in range(1, 6)))
    await acknowledge(ledger, "left behind", 2)
    await acknowledge(ledger, "just in time", 3)
    await acknowledge(ledger, "up to date", 5)
    await purge(ledger, 4)
    assert await ledger.reader.journal.cursor("left behind") is None
    assert await ledger.reader.journal.cursor("just in time") == (1, 3)
    await purge(ledger, 100)
    assert await ledger.reader.journal.cursor("just in time") is None
    assert await ledger.reader.journal.cursor("up to date") == (1, 5)
