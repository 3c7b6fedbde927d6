"""What is done is kept as long as its runs are, and no longer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.engine.janitor import Retention
from core.engine.ports import Pace
from schedule_zero.errors import NotFound
from schedule_zero.instant import DAY
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import DateTrigger
from tests.engine.conftest import Build
from tests.engine.house import PACE, House

SLOW = Pace(longest_sleep_s=PACE.longest_sleep_s, janitor_s=3600)
KEPT = Retention(runs=10 * DAY, events=10 * DAY)


async def fired(house: House, **fields: Any) -> Schedule:
    """A schedule that was due once, and is done."""
    made = await house.schedule(DateTrigger(at=house.clock.in_s(60)), **fields)
    house.clock.move(61)
    await house.heard("run.succeeded", schedule_id=made.id)
    return made


async def stands(house: House, *schedules: Schedule) -> list[bool]:
    """Whether each is kept still."""
    kept = await house.ledger.reader.schedules.get_many([each.id for each in schedules])
    return [each.id in kept for each in schedules]


async def test_what_is_done_goes_with_the_last_of_its_runs_and_what_goes_on_stays(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.over.PAGE", 2)
    house = await build(retention=KEPT, pace=SLOW)
    going_on = await house.schedule()
    old = [await fired(house) for _ in range(5)]
    house.clock.move(9 * 86_400)
    again = await house.run_now(old[0])
    await house.ended(again.id)
    await house.engine.janitor.sweep()
    assert await stands(house, *old, going_on) == [True] * 6
    house.clock.move(2 * 86_400)
    await house.engine.janitor.sweep()
    assert await stands(house, *old, going_on) == [True, *[False] * 4, True], "of the first a run is left"
    house.clock.move(9 * 86_400)
    await house.engine.janitor.sweep()
    assert await stands(house, *old, going_on) == [*[False] * 5, True]


async def test_a_guild_that_keeps_its_history_for_fewer_days_keeps_what_is_done_as_long(build: Build) -> None:
    house = await build(retention=KEPT, pace=SLOW)
    await house.client.change_guild_settings("1", {"retention": {"history_days": 2}})
    ours, theirs = await fired(house, guild_id="1"), await fired(house, guild_id="2")
    house.clock.move(86_400)
    await house.engine.janitor.sweep()
    assert await stands(house, ours, theirs) == [True, True]
    house.clock.move(2 * 86_400)
    await house.engine.janitor.sweep()
    assert await stands(house, ours, theirs) == [False, True]


async def test_what_is_run_by_hand_while_it_goes_leaves_no_run_without_its_schedule(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(retention=KEPT, pace=SLOW)
    made = await fired(house)
    house.clock.move(11 * 86_400)
    going = asyncio.Event()
    reads = house.ledger.reader.schedules
    known = reads.get

    async def swept_meanwhile(id: str) -> Any:
        row = await known(id)
        if not going.is_set():
            going.set()
            await house.engine.janitor.sweep()
        return row

    monkeypatch.setattr(reads, "get", swept_meanwhile)
    with pytest.raises(NotFound):
        await house.run_now(made)
    assert await stands(house, made) == [False]
    assert (await house.ledger.reader.runs.counts()) == {}
