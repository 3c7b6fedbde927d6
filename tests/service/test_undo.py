"""Undo: what taking a change back does, also after it fired meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.governor.settings import GovernorSettings, Plan
from schedule_zero.errors import Conflict, Gone, NotFound, QuotaExceeded
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]


def token(schedule: Schedule) -> str:
    assert schedule.undo is not None
    return schedule.undo.token


async def hourly(house: House, **fields: Any) -> Schedule:
    return await house.schedule(CronTrigger(expression="0 * * * *"), timezone="Europe/Berlin", **fields)


async def test_undo_of_a_creation_deletes_it_with_what_waits(house: House) -> None:
    schedule = await hourly(house)
    run = await house.client.run_schedule(schedule.id)
    gone = await house.client.undo(token(schedule))
    assert gone.state == "deleted"
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert len(house.engine.room) == 0


async def test_undo_of_an_edit_brings_the_old_definition_back_under_a_new_revision(house: House) -> None:
    before = await hourly(house, name="a", args={"n": 1})
    edited = await house.client.patch_schedule(
        before.id, {"name": "b", "args": {"n": 2}, "trigger": {"type": "cron", "expression": "30 * * * *"}}
    )
    after = await house.client.undo(token(edited))
    assert (after.name, after.args, after.trigger, after.revision) == ("a", {"n": 1}, before.trigger, 3)
    assert after.next_fire_times == before.next_fire_times
    again = await house.client.undo(token(after))
    assert (again.name, again.args) == ("b", {"n": 2})


@pytest.mark.parametrize("change", ["pause", "delete"])
async def test_undo_of_pause_and_delete_lets_it_go_on(house: House, change: str) -> None:
    schedule = await hourly(house)
    changed = await (house.client.pause_schedule if change == "pause" else house.client.delete_schedule)(schedule.id)
    back = await house.client.undo(token(changed))
    assert (back.state, back.next_fire_times) == ("active", schedule.next_fire_times)


async def test_undo_of_resume_pauses_again(house: House) -> None:
    schedule = await hourly(house)
    await house.client.pause_schedule(schedule.id, until="in 2 hours", note="quiet")
    resumed = await house.client.resume_schedule(schedule.id)
    run = await house.client.run_schedule(schedule.id)
    back = await house.client.undo(token(resumed))
    assert (back.state, back.note) == ("paused", "quiet")
    assert back.paused_until is not None
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED


async def test_undo_after_it_fired_meanwhile_does_not_fire_it_again(build: Build) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0.2)), args={"n": 1})
    edited = await house.client.patch_schedule(shot.id, {"args": {"n": 2}})
    await house.heard("run.succeeded", schedule_id=shot.id)
    back = await house.client.undo(token(edited))
    assert (back.state, back.args, back.next_fire_times) == ("done", {"n": 1}, ())
    series = await house.schedule(IntervalTrigger(every="PT1H", start=house.clock.in_s(0.2)))
    edited = await house.client.patch_schedule(series.id, {"args": {"n": 2}})
    await house.heard("run.succeeded", schedule_id=series.id)
    back = await house.client.undo(token(edited))
    assert back.next_fire_times == series.next_fire_times[1:] + back.next_fire_times[-1:]
    assert len(house.hands.calls) == 2


@pytest.mark.parametrize("change", ["pause", "delete", "move"])
async def test_undo_of_a_one_shot_whose_time_came_meanwhile_fires_it_late(build: Build, change: str) -> None:
    house = await build()
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(60)))
    if change == "move":
        later = {"trigger": {"type": "date", "at": house.clock.in_s(7200)}}
        changed = await house.client.patch_schedule(shot.id, later)
    else:
        changed = await (house.client.pause_schedule if change == "pause" else house.client.delete_schedule)(shot.id)
    house.clock.move(300)
    back = await house.client.undo(token(changed))
    assert back.state == "active"
    await house.heard("run.succeeded", schedule_id=shot.id)
    ctx = await house.hands.begun.get()
    assert 230 < ctx.late_by / 1e6 < 260
    assert (await house.client.get_schedule(shot.id)).state == "done"


async def test_an_undo_token_works_once_and_for_15_minutes(house: House) -> None:
    paused = await house.client.pause_schedule((await hourly(house)).id)
    await house.client.undo(token(paused))
    with pytest.raises(Gone, match="15 minutes"):
        await house.client.undo(token(paused))
    again = await house.client.pause_schedule(paused.id)
    house.clock.move(15 * 60 + 1)
    with pytest.raises(Gone):
        await house.client.undo(token(again))
    with pytest.raises(Gone):
        await house.client.undo("und_never")


async def test_an_older_change_cannot_be_undone_before_a_newer_one(house: House) -> None:
    first = await house.client.patch_schedule((await hourly(house)).id, {"name": "a"})
    second = await house.client.patch_schedule(first.id, {"name": "b"})
    with pytest.raises(Conflict, match="newer change first"):
        await house.client.undo(token(first))
    await house.client.undo(token(second))


async def test_undo_cannot_take_a_name_that_is_another_ones_now(house: House) -> None:
    deleted = await house.client.delete_schedule((await hourly(house, name="a")).id)
    await hourly(house, name="a")
    with pytest.raises(Conflict, match="'a'"):
        await house.client.undo(token(deleted))
    assert (await house.client.get_schedule(deleted.id)).state == "deleted"


async def test_undo_is_no_way_to_more_schedules_than_the_plan_allows(build: Build) -> None:
    house = await build(run=False, governor=GovernorSettings(plans={"small": Plan(schedules=1)}, default_plan="small"))
    deleted = await house.client.delete_schedule((await hourly(house)).id)
    await hourly(house)
    with pytest.raises(QuotaExceeded, match="1 schedule,"):
        await house.client.undo(token(deleted))


async def test_reviving_what_is_over_is_no_way_either(build: Build) -> None:
    house = await build(governor=GovernorSettings(plans={"small": Plan(schedules=1)}, default_plan="small"))
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=shot.id)
    await hourly(house)
    with pytest.raises(QuotaExceeded):
        await house.client.patch_schedule(shot.id, {"trigger": {"type": "date", "at": house.clock.in_s(60)}})


async def test_what_does_not_exist_is_not_found(house: House) -> None:
    for asking in (
        house.client.get_schedule("sch_x"), house.client.patch_schedule("sch_x", {}), house.client.get_run("run_x"),
        house.client.cancel_run("run_x"), house.client.delete_schedule("sch_x"), house.client.run_schedule("sch_x"),
    ):  # fmt: skip
        with pytest.raises(NotFound, match="_x"):
            await asking
