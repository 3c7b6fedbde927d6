"""What a request learned in a transaction that was taken back is not believed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from core.governor.settings import GovernorSettings, Plan
from core.ledger.connection import Fault, Mark, NoRoom, Step
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from core.ledger.port import Transaction
from core.ledger.rows import ScheduleRow
from schedule_zero.errors import QuotaExceeded
from tests.engine.conftest import Build
from tests.engine.house import House
from tests.ledger.faults import Between
from tests.service.people import MOD, Post, post

LIMIT = 5


@pytest.fixture
def between() -> Between:
    return Between()


@pytest.fixture
def make_ledger(between: Between) -> Iterator[Callable[[], StoredLedger]]:
    """Rows in memory, with a disk that can fail."""
    database = MemoryDatabase()
    yield lambda: StoredLedger(MemoryDriver(lambda: between.wrap(database.connect())))
    database.close()


@pytest.fixture
async def house(build: Build) -> House:
    governor = GovernorSettings(plans={"small": Plan(schedules=LIMIT)}, default_plan="small")
    house = await build(run=False, governor=governor)
    house.engine.serve(Post())
    return house


async def live(house: House) -> int:
    """Fill the guild up, and count."""
    with contextlib.suppress(QuotaExceeded):
        for _ in range(2 * LIMIT):
            await post(house, MOD)
    return await house.ledger.reader.schedules.count("1")


async def test_room_that_a_refused_group_would_have_made_is_not_given_away(house: House, between: Between) -> None:
    made = [await post(house, MOD) for _ in range(LIMIT)]

    def full(step: Step) -> Fault | None:
        return NoRoom("full") if step.statement is Mark.COMMIT else None

    between.fails = full
    deletions = (house.client.delete_schedule(schedule.id) for schedule in made[:-1])
    refused = await asyncio.gather(*deletions, post(house, MOD), return_exceptions=True)
    assert all(isinstance(error, Exception) for error in refused)
    between.fails = lambda step: None
    assert await live(house) == LIMIT


async def test_a_change_whose_group_is_played_again_reaches_the_engine_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    write, changed = house.ledger.write, house.engine.consequences.schedules_changed

    async def fails(tx: Transaction) -> None:
        row = await tx.schedules.get(first.id)
        assert row is not None
        row.id = "sch_other"
        await tx.schedules.insert([row])
        raise ValueError("what was written goes, and the whole group is played again")

    async def beside_a_failure(unit: Any) -> Any:
        """Both wait when the writer looks, the failing one behind."""
        outcomes: Sequence[Any] = await asyncio.gather(write(unit), write(fails), return_exceptions=True)
        assert isinstance(outcomes[1], ValueError)
        return outcomes[0]

    async def note(rows: Sequence[ScheduleRow]) -> None:
        told.append(len(rows))
        await changed(rows)

    first = await post(house, MOD)
    monkeypatch.setattr(house.ledger, "write", beside_a_failure)
    monkeypatch.setattr(house.engine.consequences, "schedules_changed", note)
    await post(house, MOD)
    assert told == [1]
