"""A run and the other runs of its schedule: overlap, catch-up while it waits, and who goes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schedule_zero.handler import Context
from schedule_zero.run import RunState, Why
from tests.engine.house import House, plan

Build = Callable[..., Awaitable[House]]


async def test_overlap_queue_lets_so_many_run_and_the_rest_stand_in_line(house: House) -> None:
    gate = house.hold()
    schedule = await house.schedule(policy={"overlap_limit": 2})
    runs = [await house.run_now(schedule, n=n) for n in range(4)]
    for _ in range(2):
        await house.hands.begun.get()
    words = "It waits for an earlier run of its schedule to end."
    scope = f"schedule:{schedule.id}"
    assert await house.why(runs[2]) == Why(scope=scope, limit="overlap", used=2, allowed=2, words=words)
    assert len(house.hands.calls) == 2
    gate.set()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [0, 1, 2, 3]


async def test_overlap_allow_lets_all_run(house: House) -> None:
    gate = house.hold()
    schedule = await house.schedule(policy={"overlap": "allow"})
    runs = [await house.run_now(schedule) for _ in range(3)]
    for _ in runs:
        await house.hands.begun.get()
    gate.set()
    for run in runs:
        await house.ended(run.id)


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_skip_skips_while_one_is_under_way(house: House, by: str) -> None:
    gate = house.hold()
    schedule = await house.every(60, policy={"overlap": "skip"})
    await house.hands.begun.get()
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    await house.heard("run.skipped", schedule_id=schedule.id, reason="overlap")
    gate.set()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    again = await house.run_now(schedule)
    assert (await house.ended(again.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_cancel_previous_stops_the_old_run_and_then_starts(house: House, by: str) -> None:
    gate = house.hold()
    schedule = await house.every(60, policy={"overlap": "cancel_previous"})
    first = await house.hands.begun.get()
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    assert (await house.ended(first.run_id)).state is RunState.CANCELLED
    second = await house.hands.begun.get()
    assert second.run_id != first.run_id
    gate.set()
    assert (await house.ended(second.run_id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_cancel_previous_also_ends_a_run_that_waits_for_its_next_try(house: House, by: str) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        if len(house.hands.calls) == 1:
            raise OSError("once")

    house.hands.deed = deed
    policy = {"overlap": "cancel_previous", "retry": {"initial": "PT1H", "maximum": "PT1H"}, "catchup_window": None}
    schedule = await house.every(60, policy=policy)
    first = await house.heard("run.waiting", schedule_id=schedule.id)
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert (await house.client.get_run(first.run_id or "")).state is RunState.CANCELLED
    await house.heard("run.cancelled", run_id=first.run_id)


async def test_runs_of_a_guild_start_in_the_order_of_their_due_times(build: Build) -> None:
    house = await build(run=False, governor=plan(running=1))
    schedules = [await house.schedule(args={"n": n}) for n in range(4)]
    runs = [await house.run_now(schedule) for schedule in schedules]
    house.run()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [0, 1, 2, 3]


async def test_high_priority_goes_before_low(build: Build) -> None:
    house = await build(run=False, governor=plan(running=1))
    runs = []
    for n, priority in enumerate(("low", "normal", "high")):
        schedule = await house.schedule(args={"n": n}, policy={"priority": priority})
        runs.append(await house.run_now(schedule))
    house.run()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [2, 1, 0]
