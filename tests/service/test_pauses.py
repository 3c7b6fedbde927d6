"""Pauses that end by themselves: what was due in them is not made up for, what is due from their end on is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from schedule_zero.instant import MINUTE, parse
from schedule_zero.run import RunState
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]


async def test_what_is_due_at_the_moment_the_pause_ends_is_run(build: Build) -> None:
    house = await build()
    at = house.clock.in_s(60)
    shot = await house.schedule(DateTrigger(at=at))
    series = await house.schedule(IntervalTrigger(every="PT30S", start=at))
    for schedule in (shot, series):
        await house.client.pause_schedule(schedule.id, until=at)
    house.clock.move(61)
    for schedule in (shot, series):
        await house.heard("run.succeeded", schedule_id=schedule.id)
        (run,) = await house.runs(schedule.id)
        assert parse(run.due) == parse(at)


async def test_a_one_shot_after_a_pause_that_ended_while_nothing_ran_is_late_and_not_missed(build: Build) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(120)))
    await house.client.pause_schedule(shot.id, until=house.clock.in_s(60))
    await house.kill()
    house.clock.move(3 * 3600)
    await house.open()
    await house.heard("run.succeeded", schedule_id=shot.id)
    assert (await house.client.get_schedule(shot.id)).state == "done"


async def test_a_series_after_such_a_pause_is_caught_up_from_its_end_on_only(build: Build) -> None:
    house = await build()
    start = house.clock.in_s(10)
    series = await house.schedule(
        IntervalTrigger(every="PT10M", start=start), policy={"catchup": "all", "overlap": "allow"}
    )
    await house.client.pause_schedule(series.id, until=house.clock.in_s(15 * 60))
    await house.kill()
    house.clock.move(35 * 60)
    await house.open()
    for _ in range(2):
        await house.heard("run.succeeded", schedule_id=series.id)
    dues = sorted(parse(run.due) - parse(start) for run in await house.runs(series.id))
    assert dues == [20 * MINUTE, 30 * MINUTE]


async def test_a_one_shot_in_a_pause_is_told_as_missed_and_can_still_be_run(build: Build) -> None:
    """Resuming by hand is refused (there is somebody to tell); by itself it ends, with a run that says why."""
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(30)))
    await house.client.pause_schedule(shot.id, until=house.clock.in_s(60))
    await house.kill()
    house.clock.move(3600)
    await house.open()
    await house.heard("schedule.completed", schedule_id=shot.id)
    (run,) = await house.runs(shot.id)
    assert (run.state, run.reason) == (RunState.SKIPPED, "missed")
    again = await house.client.retry_run(run.id)
    assert (await house.ended(again.id)).state is RunState.SUCCEEDED


async def test_a_pause_until_an_hour_lets_the_run_of_that_hour_through(build: Build) -> None:
    house = await build()
    daily = await house.schedule(CronTrigger(expression="0 13 * * *"))
    await house.client.pause_schedule(daily.id, until="today at 13:00")
    house.clock.move(3601)
    await house.heard("run.succeeded", schedule_id=daily.id)
