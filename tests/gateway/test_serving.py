"""Handlers in another process: orders out, results in, over a real socket."""

from __future__ import annotations

import asyncio

import pytest

from schedule_zero.run import RunState
from tests.gateway.conftest import Door

pytestmark = pytest.mark.slow


async def test_a_run_is_done_by_a_handler_elsewhere_and_its_result_is_kept(door: Door) -> None:
    worker, hands = await door.come()
    schedule = await door.house.schedule(handler="far")
    run = await door.house.ended((await door.house.run_now(schedule, n=7)).id)
    assert (run.state, run.result, run.attempts[0].instance) == (
        RunState.SUCCEEDED, {"n": 7}, f"far@{worker.instance}",
    )  # fmt: skip
    assert hands.calls == [(run.id, 1, 7)]
    await door.house.until(lambda: not worker._unacknowledged)


async def test_many_runs_come_back_once_each(door: Door) -> None:
    _, hands = await door.come()
    await door.come()
    schedule = await door.house.schedule(handler="far", policy={"overlap": "allow"})
    runs = await asyncio.gather(*(door.house.run_now(schedule, n=n) for n in range(300)))
    ended = [await door.house.ended(run.id) for run in runs]
    assert {run.state for run in ended} == {RunState.SUCCEEDED}
    assert [run.attempt for run in ended] == [1] * 300
    assert 0 < len(hands.calls) < 300
