"""Several ledgers on one database: what one reads of the other, and what they count together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg  # type: ignore[import-untyped]
import pytest

from core.ledger.buckets import BUCKETS, bucket_of
from core.ledger.ledger import StoredLedger
from core.ledger.membership import ServerMembership
from core.ledger.port import StoreError, Transaction
from core.ledger.reach import address_of
from core.ledger.server import ServerDriver
from tests.ledger.making import event, run, save, schedule

pytestmark = pytest.mark.slow

Join = Callable[[], Awaitable[StoredLedger]]


def membership(lease_s: float = 5.0) -> ServerMembership:
    return ServerMembership("1", lease_s=lease_s, turn_s=0.1)


@pytest.fixture
async def join(database_url: str) -> AsyncIterator[Join]:
    opened: list[StoredLedger] = []

    async def make() -> StoredLedger:
        ledger = StoredLedger(ServerDriver(address_of(database_url), membership=membership()))
        await ledger.open()
        opened.append(ledger)
        return ledger

    yield make
    for ledger in opened:
        await ledger.close()


async def test_sql_and_python_agree_on_a_guilds_bucket(join: Join) -> None:
    ledger = await join()
    guilds = [None, "", "1", "999999999999999999", "straße", *map(str, range(100, 200))]
    rows = [schedule(f"sch_{place:03}", guild_id=guild, name=None) for place, guild in enumerate(guilds)]
    await save(ledger, *rows)
    for bucket in range(BUCKETS):
        due = await ledger.reader.schedules.due_until(2**62, 1000, [bucket])
        assert {row.id for row in due} == {row.id for row in rows if bucket_of(row.guild_id) == bucket}
    assert await ledger.reader.schedules.due_until(2**62, 1000, []) == []


async def test_a_listener_to_the_cores_that_fails_is_logged_and_the_others_are_told(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = asyncio.Event()

    def fail() -> None:
        raise RuntimeError("no ear")

    one = membership()
    one.on_change(fail)
    one.on_change(told.set)
    ledger = StoredLedger(ServerDriver(address_of(database_url), membership=one))
    await ledger.open()
    await ledger.close()
    assert told.is_set()
    assert "no ear" in caplog.text


async def test_waiting_runs_are_read_by_bucket_page_by_page(join: Join) -> None:
    ledger = await join()
    rows = [run(f"run_{place}", occurrence=f"m:{place}", guild_id=str(place % 3), due=place) for place in range(30)]
    await save(ledger, schedule("sch_1"))
    await ledger.write(lambda tx: tx.runs.insert(rows))
    within, found, after = [bucket_of("1")], [], None
    while page := await ledger.reader.runs.waiting(after, 4, within):
        found += page
        after = (page[-1].due, page[-1].id)
    assert [row.id for row in found] == [row.id for row in rows if bucket_of(row.guild_id) in within]
    assert await ledger.reader.runs.open(within) == []
    assert await ledger.reader.runs.waiting(None, 40, within, but=["9"]) == found
    rest = [row for row in found if row.guild_id != "1"]
    assert await ledger.reader.runs.waiting(None, 40, within, but=["1"]) == rest


async def test_events_of_both_are_heard_at_both_without_a_gap(join: Join) -> None:
    one, two = await join(), await join()

    async def tell(tx: Transaction) -> None:
        await tx.journal.append([event()])

    for _ in range(20):
        await one.write(tell)
        await two.write(tell)
    for ledger in (one, two):
        seq = 0
        while page := await ledger.reader.journal.after(seq, 7):
            assert [each.seq for each in page] == list(range(seq + 1, seq + 1 + len(page)))
            seq = page[-1].seq
        assert seq == 40
    await one.write(tell)  # whatever the other has in memory, there is more behind it
    assert [each.seq for each in await two.reader.journal.after(40, 7)] == [41]


async def test_a_commit_of_one_calls_whoever_waits_at_the_other(join: Join) -> None:
    one, two = await join(), await join()
    called = asyncio.Event()
    two.on_commit(called.set)
    await asyncio.sleep(0)
    await one.write(lambda tx: tx.journal.append([event()]))
    await asyncio.wait_for(called.wait(), 20)


async def test_two_that_wait_for_each_other_both_get_done(join: Join) -> None:
    one, two = await join(), await join()
    await save(one, schedule("sch_1", name="a"), schedule("sch_2", name="b"))
    first_held, second_held = asyncio.Event(), asyncio.Event()

    def unit(
        mine: str, other: str, held: asyncio.Event, theirs: asyncio.Event
    ) -> Callable[[Transaction], Awaitable[None]]:
        async def change(tx: Transaction) -> None:
            assert await tx.schedules.get(mine) is not None
            held.set()
            await theirs.wait()
            assert await tx.schedules.get(other) is not None
            await tx.schedules.count_failures({mine: 1})

        return change

    await asyncio.wait_for(
        asyncio.gather(
            one.write(unit("sch_1", "sch_2", first_held, second_held)),
            two.write(unit("sch_2", "sch_1", second_held, first_held)),
        ),
        30,
    )
    rows = await one.reader.schedules.get_many(["sch_1", "sch_2"])
    assert [row.failures for row in rows.values()] == [1, 1]


async def test_a_bucket_is_claimed_by_one(join: Join) -> None:
    one, two = await join(), await join()
    claimed = await asyncio.gather(
        *(ledger.write(lambda tx, id=id: tx.buckets.claim(id, 40)) for ledger, id in ((one, "core_a"), (two, "core_b")))  # type: ignore[misc]
    )
    assert not set(claimed[0]) & set(claimed[1])
    holders = await one.reader.buckets.holders()
    assert [holders[bucket] for bucket in claimed[0]] == ["core_a"] * len(claimed[0])


async def test_who_wants_the_database_alone_is_refused_beside_others_and_the_other_way_round(
    join: Join, database_url: str
) -> None:
    await join()
    alone = StoredLedger(ServerDriver(address_of(database_url), patience_s=0.2))
    with pytest.raises(StoreError, match="in use by another ScheduleZero"):
        await alone.open()


async def test_nobody_joins_who_has_it_alone(database_url: str) -> None:
    alone = StoredLedger(ServerDriver(address_of(database_url)))
    await alone.open()
    other = StoredLedger(ServerDriver(address_of(database_url), patience_s=0.2, membership=membership()))
    with pytest.raises(StoreError, match="in use by another ScheduleZero"):
        await other.open()
    await alone.close()


async def test_a_core_whose_row_is_gone_commits_nothing(join: Join, database_url: str) -> None:
    ledger = await join()
    assert ledger.membership is not None
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await connection.execute("DELETE FROM cores WHERE id = $1", ledger.membership.id)
    with pytest.raises(StoreError, match="silent for too long"):
        await save(ledger, schedule("sch_1"))
    assert "silent for too long" in str(await ledger.failed)
    assert await connection.fetchval("SELECT count(*) FROM schedules") == 0
    await connection.close()


async def test_a_row_is_not_removed_under_an_open_transaction(join: Join, database_url: str) -> None:
    """Who takes over waits for what its owner has begun, without being held up itself."""
    ledger = await join()
    assert ledger.membership is not None
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def unit(tx: Transaction) -> None:
        await tx.schedules.total()
        begun.set()
        await go_on.wait()
        await tx.journal.append([event()])

    writing = asyncio.ensure_future(ledger.write(unit))
    await begun.wait()
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await connection.execute("UPDATE cores SET expires = 0")
    other = ServerMembership("1", turn_s=0.1)
    await other.join(address_of(database_url), 0)
    assert len(other.members) == 2
    go_on.set()
    await writing
    await other.leave()
    await connection.close()


async def test_a_lease_that_ran_out_while_nobody_took_over_is_still_good(join: Join, database_url: str) -> None:
    ledger = await join()
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await connection.execute("UPDATE cores SET expires = 0")
    await connection.close()
    await save(ledger, schedule("sch_1"))
    assert await ledger.reader.schedules.total() == 1
