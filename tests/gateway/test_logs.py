"""What a handler in another process tells arrives in its order, before its result, once, and is kept while nobody hears."""

from __future__ import annotations

import asyncio

from schedule_zero.handler import Context
from schedule_zero.run import Progress, RunState
from schedule_zero.transport import wire
from tests.gateway.conftest import Door, Far
from tests.gateway.stranger import StrangeHandler


async def texts(door: Door, run_id: str) -> list[str]:
    return [line.text for line in (await door.house.client.run_log(run_id, limit=1000)).items]


async def test_lines_over_the_wire_are_there_when_the_outcome_is(door: Door) -> None:
    async def deed(ctx: Context, n: int) -> None:
        ctx.progress(0.5, "half")
        for place in range(n):
            ctx.log(f"line {place}")

    await door.come(Far(deed))
    run = await door.house.run_now(await door.house.schedule(handler="far"), n=700)
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED
    assert await texts(door, run.id) == [f"line {place}" for place in range(700)]


async def test_progress_and_lines_are_seen_while_it_runs(door: Door) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> None:
        ctx.log("a")
        ctx.progress(0.5, "half")
        await gate.wait()

    await door.come(Far(deed))
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    async with asyncio.timeout(10):
        while (await door.house.client.get_run(run.id)).progress is None:
            await asyncio.sleep(0.001)
    await door.house.heard("run.progress", run_id=run.id)
    assert (await door.house.client.get_run(run.id)).progress == Progress(fraction=0.5, note="half")
    assert await texts(door, run.id) == ["a"]
    gate.set()
    await door.house.ended(run.id)


async def test_what_is_said_while_the_core_does_not_know_us_is_told_before_the_result(door: Door) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> None:
        ctx.log("before")
        await gate.wait()
        ctx.log("meanwhile")

    worker, hands = await door.come(Far(deed))
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    async with asyncio.timeout(10):
        await hands.begun.get()
    await door.house.heard("run.progress", run_id=run.id)
    door.gateway._peers.clear()  # as after a restart
    worker.welcomed.clear()
    gate.set()
    await door.house.until(lambda: not worker._attempts.running())
    assert await texts(door, run.id) == ["before"]
    worker._greeted_at = 0.0  # so that it need not wait until it may greet again
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED
    assert await texts(door, run.id) == ["before", "meanwhile"]


async def test_a_note_without_a_fraction_is_a_line_of_the_log(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    (order,) = (await stranger.hear(wire.Run)).orders
    stranger.say(
        wire.Progress(order.run_id, 1, None, "as an older kit says it"),
        wire.Progress(order.run_id, 1, 0.5, "half", [wire.Line(order.due, "as this one does")], 3),
        wire.Result([wire.Ended(order.run_id, 1, "succeeded")]),
    )
    await door.house.ended(run.id)
    assert await texts(door, run.id) == ["as an older kit says it", "as this one does"]
    assert (await door.house.client.run_log(run.id)).left_out == 3
