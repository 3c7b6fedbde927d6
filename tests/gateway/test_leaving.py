"""Drained from either side, over a real socket: nothing new comes, what is held is finished, and everybody is told."""

from __future__ import annotations

import asyncio

import pytest

from schedule_zero.run import RunState
from schedule_zero.transport import wire
from tests.gateway.conftest import Door
from tests.gateway.stranger import StrangeHandler


async def test_a_drained_process_finishes_what_it_holds_and_leaves(door: Door) -> None:
    worker, hands = await door.come()
    gate = hands.hold()
    schedule = await door.house.schedule(handler="far", policy={"overlap": "allow"})
    held = await door.house.run_now(schedule)
    async with asyncio.timeout(10):
        await hands.begun.get()
    await door.house.client.drain_handler("far")
    waits = await door.house.run_now(schedule)
    await door.house.until(lambda: worker._draining)
    gate.set()
    assert (await door.house.ended(held.id)).state is RunState.SUCCEEDED
    gone = await door.house.heard("handler.disconnected")
    assert gone.data["reason"] == "it said goodbye"
    assert [each.kind for each in await door.house.told("handler.draining")] == ["handler.draining"]
    await door.come()
    ended = await door.house.ended(waits.id)
    assert (ended.state, len(hands.calls)) == (RunState.SUCCEEDED, 1)


async def test_one_that_says_itself_that_it_leaves_gets_nothing_new_and_is_told_of_once(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    stranger.say(wire.Drain(), wire.Drain())
    told = await door.house.heard("handler.draining")
    assert told.data == {"handler": "far", "instance": "far@i1", "asked_by": "itself"}
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.why(run)).limit == "available"
    assert len(await door.house.told("handler.draining")) == 1


async def test_one_that_reconnects_while_it_is_drained_is_told_again_and_gets_nothing(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    await door.house.client.drain_handler("far")
    await stranger.hear(wire.Drain)
    await stranger.greet()
    await stranger.hear(wire.Drain)
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.why(run)).limit == "available"


async def test_people_see_what_a_process_said_of_itself(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet(
        software="robot 2.1", methods=[wire.MethodOffer("work", "Does it.", 2.5, True, '{"type": "object"}')]
    )
    far = await door.house.client.get_handler("far")
    (process,), (work,) = far.instances, far.methods
    assert (process.id, process.software, process.credit, process.healthy) == ("far@i1", "robot 2.1", 8, True)
    assert process.last_beat is not None
    assert (work.doc, work.timeout, work.at_most_once, work.schema) == ("Does it.", "PT2.5S", True, {"type": "object"})


# ── what a handler says of it ──────────────────────────────────────────────────────────────────────────────────


async def test_a_handler_says_that_it_was_told_to_leave(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "schedule_zero.process.worker")
    await door.come()
    await door.house.client.drain_handler("far")
    await door.house.heard("handler.disconnected")
    assert "wants us to finish and leave" in caplog.text


async def test_a_handler_says_which_runs_it_cancels_at_its_end(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    worker, hands = await door.come()
    hands.hold()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    async with asyncio.timeout(10):
        await hands.begun.get()
    await worker.drain(0.01)
    assert f"run {run.id} is cancelled: it did not end within 0.01 s of being told to stop" in caplog.text


async def test_what_a_handler_cancels_at_its_end_is_handed_back_and_its_attempt_says_so(door: Door) -> None:
    worker, hands = await door.come()
    gate = hands.hold()
    schedule = await door.house.schedule(handler="far", policy={"retry": {"max_attempts": 1}})
    run = await door.house.run_now(schedule)
    async with asyncio.timeout(10):
        await hands.begun.get()
    await worker.drain(0.01)
    await door.house.heard("run.waiting")
    seen = await door.house.client.get_run(run.id)
    assert seen.state is RunState.WAITING
    gate.set()
    _, again = await door.come()
    done = await door.house.ended(run.id)
    assert (done.state, done.attempt, len(again.calls)) == (RunState.SUCCEEDED, 2, 1)
    assert [each.outcome for each in done.attempts] == ["cancelled", "succeeded"]
    assert done.attempts[0].error == "its handler was stopped before it was done"


async def test_a_handler_says_once_that_its_core_is_silent(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    worker, _ = await door.come()
    worker._beat_s = 0.01
    door._tasks[0].cancel()
    await door.house.until(lambda: "does not answer any more" in caplog.text)
    worker._note_silence()
    assert caplog.text.count("does not answer any more") == 1
