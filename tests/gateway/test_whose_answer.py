"""An answer is its instance's own: nobody settles, delays or learns of another's attempts. By hand, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schedule_zero.run import RunState
from schedule_zero.transport import wire
from tests.engine.conftest import Build
from tests.gateway.conftest import Door
from tests.gateway.stranger import StrangeHandler


@pytest.fixture
async def thief(door: Door) -> AsyncIterator[StrangeHandler]:
    """A second program, of another name; it is welcomed, and has no work of its own."""
    made = StrangeHandler(door.address)
    await made.greet(name="thief", instance="t1")
    yield made
    await made.close()


async def said_before_the_fence(stranger: StrangeHandler) -> list[Any]:
    """All that was said to a program up to the answer to something it says now."""
    stranger.say(wire.Beat([("run_fence", 1)]))
    said: list[Any] = []
    async with asyncio.timeout(10):
        while True:
            message = await stranger.heard.get()
            if isinstance(message, wire.Cancel) and message.run_id == "run_fence":
                return said
            said.append(message)


async def given_to(door: Door, stranger: StrangeHandler) -> str:
    """A run that the program was asked to do."""
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    return run.id


@pytest.mark.parametrize(
    "message",
    [
        lambda run: wire.Result([wire.Ended(run, 1, "succeeded", '"stolen"')]),
        lambda run: wire.Result([wire.Ended(run, 1, "failed", cause="lasting", error="stolen")]),  # type: ignore[arg-type]
        lambda run: wire.Result([wire.Ended(run, 1, "cancelled")]),
        lambda run: wire.Nack(run, 1, "overloaded"),
        lambda run: wire.Progress(run, 1, 0.9, "stolen"),
        lambda run: wire.Ack([(run, 1)]),
    ],
    ids=["success", "failure", "cancelled", "nack", "progress", "ack"],
)
async def test_what_another_says_of_an_attempt_is_not_believed(
    door: Door, stranger: StrangeHandler, thief: StrangeHandler, message: Any
) -> None:
    run = await given_to(door, stranger)
    thief.say(message(run))
    assert not [each for each in await said_before_the_fence(thief) if isinstance(each, wire.ResultAck)]
    now = await door.house.client.get_run(run)
    assert (now.state, now.progress) == (RunState.DISPATCHED, None)
    stranger.say(wire.Result([wire.Ended(run, 1, "succeeded", '"mine"')]))
    ended = await door.house.ended(run)
    assert (ended.state, ended.result, ended.attempt) == (RunState.SUCCEEDED, "mine", 1)


async def test_one_of_the_same_pool_does_not_settle_anothers_attempt_either(
    door: Door, stranger: StrangeHandler
) -> None:
    run = await given_to(door, stranger)
    other = StrangeHandler(door.address)
    await other.greet(instance="i2")
    other.say(wire.Result([wire.Ended(run, 1, "succeeded", '"stolen"')]))
    await said_before_the_fence(other)
    assert (await door.house.client.get_run(run)).state is RunState.DISPATCHED
    await other.close()


async def test_a_strangers_answers_are_logged_once(
    door: Door, stranger: StrangeHandler, thief: StrangeHandler, logged: list[dict[str, Any]]
) -> None:
    run = await given_to(door, stranger)
    for _ in range(5):
        thief.say(wire.Result([wire.Ended(run, 1, "succeeded", '"stolen"')] * 20))
    await said_before_the_fence(thief)
    (line,) = [each for each in logged if "another's attempt" in str(each["event"])]
    assert (line["instance"], line["run_id"], line["belongs_to"]) == ("thief@t1", run, "far@i1")


async def test_a_late_answer_is_acknowledged_to_its_sender_alone(
    door: Door, stranger: StrangeHandler, thief: StrangeHandler
) -> None:
    run = await given_to(door, stranger)
    stranger.say(wire.Result([wire.Ended(run, 7, "succeeded", "1")]))
    assert (await stranger.hear(wire.ResultAck)).pairs == [(run, 7)]
    assert not [each for each in await said_before_the_fence(thief) if isinstance(each, wire.ResultAck)]


async def test_after_a_restart_of_the_core_only_whom_the_attempt_was_given_delivers_its_result(build: Build) -> None:
    house = await build(serve=False)
    first = Door(house)
    before = StrangeHandler(first.address)
    run = await given_to(first, before)
    for each in (before, first):
        await each.close()
    await house.kill()
    await house.open(serve=False)
    second = Door(house)
    thief, owner = StrangeHandler(second.address), StrangeHandler(second.address)
    await thief.greet(instance="i2", held=[(run, 1)])
    assert (await thief.hear(wire.Cancel)).run_id == run
    thief.say(wire.Result([wire.Ended(run, 1, "succeeded", '"stolen"')]))
    await said_before_the_fence(thief)
    assert (await house.client.get_run(run)).state is RunState.DISPATCHED
    await owner.greet(held=[(run, 1)])
    owner.say(wire.Result([wire.Ended(run, 1, "succeeded", '"mine"')]))
    assert (await owner.hear(wire.ResultAck)).pairs == [(run, 1)]
    assert (await house.ended(run)).result == "mine"
    for each in (owner, thief, second):
        await each.close()
