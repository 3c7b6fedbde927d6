from __future__ import annotations

import asyncio
import random
import tracemalloc
from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.ledger import StoredLedger
from core.ledger.port import NameTaken, Transaction
from core.ledger.recent import ENVELOPE, RecentEvents
from core.ledger.rows import EventRow
from schedule_zero.event import Event, EventKind
from tests.ledger.making import NOW, event, save, schedule

SEEDS = range(20)


def number(seq: int, row: EventRow) -> Event:
    return Event(epoch=1, seq=seq, at=str(row.at), kind=row.kind)


def weight(row: EventRow) -> int:
    return getsizeof(row.data) + ENVELOPE


def rows(count: int) -> list[EventRow]:
    return [EventRow(at=at, kind="run.created") for at in range(count)]


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(0, 2)), max_size=12), st.integers(0, 12), st.integers(1, 9))
def test_what_is_kept_is_the_end_of_what_was_committed(commits: list[tuple[int, int]], kept: int, limit: int) -> None:
    """Each commit: how many events, and how many numbers somebody else took before it. All events weigh the same."""
    recent, head, since = RecentEvents(number, kept * weight(rows(1)[0])), 0, 1
    sizes: list[int] = []
    for count, others in commits:
        if others:
            since, sizes = head + others + 1, []
        head += others + count
        sizes.append(count)
        recent.committed(rows(count), head)
        while sum(sizes) > kept:
            since += sizes.pop(0)
    for seq in range(-1, head + 3):
        found = recent.after(seq, limit)
        if not sizes or not since - 1 <= seq <= head:
            assert found is None
        else:
            assert found is not None
            assert [event.seq for event in found] == list(range(seq + 1, head + 1))[:limit]


@pytest.mark.slow
def test_memory_is_bounded_whatever_the_events_carry() -> None:
    """Two thousand characters of four bytes each, as a handler may say why it failed, a hundred thousand times."""
    tracemalloc.start()
    try:
        recent = RecentEvents(number)
        for head in range(100, 100_001, 100):
            recent.committed(
                [EventRow(at=n, kind="run.failed", data="\N{TEACUP WITHOUT HANDLE}" * n) for n in range(1_900, 2_000)],
                head,
            )
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 4 * 2**20 < kept < 10 * 2**20


async def test_what_one_follower_does_to_its_events_is_not_told_to_the_next(ledger: StoredLedger) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.journal.append([event(data='{"run":{"state":"failed"}}')])

    await ledger.write(unit)
    (heard,) = await ledger.reader.journal.after(0, 10)
    heard.data["run"]["state"] = "forged"
    heard.data["more"] = 1
    assert (await ledger.reader.journal.after(0, 10))[0].data == {"run": {"state": "failed"}}


async def in_the_store(ledger: StoredLedger, seq: int) -> list[Event]:
    """Asked for kinds, the journal has to read."""
    return await ledger.reader.journal.after(seq, 10_000, kinds=list(EventKind))


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_followers_hear_is_what_the_store_holds(ledger: StoredLedger, seed: int) -> None:
    """Groups of units that tell and succeed, tell and fail before or after a visit, are played apart, or remove events."""
    dice = random.Random(seed)
    await save(ledger, schedule("sch_taken", name="tea"))

    async def unit(tx: Transaction) -> None:
        told = [event(data=f'{{"n":{n}}}', at=NOW + n) for n in range(dice.randint(0, 3))]
        await tx.journal.append(told)
        way = dice.randint(0, 6)
        if way == 0:
            raise ValueError("gives up at once")
        if way == 1:
            await tx.schedules.get("sch_taken")
            raise ValueError("gives up behind a question")
        if way == 2:  # found out in the middle of the unit
            await tx.schedules.insert([schedule(f"sch_{dice.random()}", name="tea")])
        if way == 3:  # found out at its end
            await tx.schedules.insert([schedule(f"sch_{dice.random()}", name="tea") for _ in range(2)])
        if way == 4:
            await tx.journal.append([event("run.created", run_id="run_1")])
        if way == 5 and dice.random() < 0.3:
            await tx.journal.purge(NOW + 2, 2)

    for _ in range(12):
        group = [ledger.write(unit) for _ in range(dice.randint(1, 5))]
        for waiting in [asyncio.ensure_future(one) for one in group]:
            try:
                await waiting
            except (NameTaken, ValueError):
                continue
        _, head = await ledger.reader.journal.head()
        for seq in range(head + 1):
            heard = await ledger.reader.journal.after(seq, 10_000)
            assert heard == await in_the_store(ledger, seq)
