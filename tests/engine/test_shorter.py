"""A guild that keeps its history for a shorter time than the operator: what goes, what stays, and how far is looked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from core.engine.janitor import Retention
from core.engine.ports import Pace
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY
from schedule_zero.schedule import Schedule
from tests.engine.house import PACE, House

Build = Callable[..., Awaitable[House]]
SLOW = Pace(longest_sleep_s=PACE.longest_sleep_s, janitor_s=3600)
KEPT = Retention(runs=10 * DAY, events=10 * DAY)


async def ran(house: House, schedule: Schedule) -> str:
    """The id of a run of a schedule that has ended."""
    run = await house.run_now(schedule)
    await house.ended(run.id)
    return run.id


async def left(house: House, schedule: Schedule) -> tuple[set[str], set[str | None]]:
    """The runs of a schedule that are kept, and the runs whose success events still tell of."""
    runs = {run.id for run in await house.runs(schedule.id)}
    told = {event.run_id for event in await house.told("run.succeeded") if event.schedule_id == schedule.id}
    return runs, told


async def test_a_guilds_runs_and_events_go_after_its_own_days_and_another_guilds_stay(build: Build) -> None:
    house = await build(retention=KEPT, pace=SLOW)
    ours, theirs = await house.schedule(guild_id="1"), await house.schedule(guild_id="2")
    await house.client.change_guild_settings("1", {"retention": {"history_days": 2}})
    old, others = await ran(house, ours), await ran(house, theirs)
    house.clock.move(3 * 86_400)
    new = await ran(house, ours)
    await house.engine.janitor.sweep()
    assert await left(house, ours) == ({new}, {new})
    assert await left(house, theirs) == ({others}, {others})
    assert old not in (await left(house, ours))[0]


async def test_what_becomes_too_old_later_goes_at_a_later_sweep(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.shorter.LOOKED_AT", 2)
    monkeypatch.setattr("core.engine.shorter.PAGE", 1)
    house = await build(retention=KEPT, pace=SLOW)
    schedule = await house.schedule(guild_id="1")
    await house.client.change_guild_settings("1", {"retention": {"history_days": 2}})
    for _ in range(3):
        await ran(house, schedule)
    house.clock.move(86_400)
    last = await ran(house, schedule)
    await house.engine.janitor.sweep()
    assert len((await left(house, schedule))[0]) == 4
    house.clock.move(86_400 + 3600)
    await house.engine.janitor.sweep()
    assert await left(house, schedule) == ({last}, {last})
    house.clock.move(86_400)
    await house.engine.janitor.sweep()
    assert await left(house, schedule) == (set(), set())


async def test_a_guild_that_wants_it_later_than_others_is_looked_through_from_the_beginning(build: Build) -> None:
    house = await build(retention=KEPT, pace=SLOW)
    first, second = await house.schedule(guild_id="1"), await house.schedule(guild_id="2")
    await house.client.change_guild_settings("1", {"retention": {"history_days": 2}})
    await ran(house, second)
    house.clock.move(3 * 86_400)
    await ran(house, first)
    await house.engine.janitor.sweep()
    assert len((await left(house, second))[1]) == 1
    await house.client.change_guild_settings("2", {"retention": {"history_days": 2}})
    await house.engine.janitor.sweep()
    assert await left(house, second) == (set(), set())


async def test_the_default_is_the_operators_time_and_a_longer_one_than_that_is_refused(build: Build) -> None:
    house = await build(retention=KEPT, pace=SLOW)
    schedule = await house.schedule(guild_id="1")
    with pytest.raises(Invalid, match=r"history_days: is more than the 10 days that the operator keeps anything"):
        await house.client.change_guild_settings("1", {"retention": {"history_days": 11}})
    changed = await house.client.change_guild_settings("1", {"retention": {"history_days": 2}})
    assert changed.retention.history_days == 2
    cleared = await house.client.change_guild_settings("1", {"retention": {"history_days": None}})
    assert cleared.retention.history_days is None
    run = await ran(house, schedule)
    house.clock.move(5 * 86_400)
    await house.engine.janitor.sweep()
    assert (await left(house, schedule))[0] == {run}
    house.clock.move(6 * 86_400)
    await house.engine.janitor.sweep()
    assert (await left(house, schedule))[0] == set()
