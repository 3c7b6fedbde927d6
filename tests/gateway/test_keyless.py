"""A key is made for a name that is served already: who has none finishes, and no more. Real sockets, real keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.gateway.gateway import Gateway
from core.gateway.guard import Guard
from schedule_zero.actor import Actor
from schedule_zero.process.worker import Refused, Worker
from schedule_zero.run import Run, RunState
from schedule_zero.transport import wire
from tests.engine.conftest import Build
from tests.gateway.conftest import Door, bound_again
from tests.gateway.stranger import OFFER, StrangeHandler

pytestmark = pytest.mark.slow

ASKED_FOR_A_KEY = "the name far is for who holds a key"


async def busy(door: Door) -> tuple[Worker, asyncio.Task[Any], asyncio.Event, Run]:
    """A worker without a key, its task, what lets it end, and the run that it has begun."""
    worker, hands = await door.come()
    gate = hands.hold()
    run = await door.house.run_now(await door.house.schedule(handler="far", args={"n": 7}))
    async with asyncio.timeout(10):
        await hands.begun.get()
    return worker, door._tasks[-1], gate, run


async def refused(task: asyncio.Task[Any]) -> None:
    """Until a worker ends because it has no key."""
    with pytest.raises(Refused, match=ASKED_FOR_A_KEY):
        async with asyncio.timeout(10):
            await task


async def test_who_works_without_a_key_when_one_is_made_finishes_gets_nothing_new_and_is_refused_then(
    door: Door,
) -> None:
    _, serving, gate, held = await busy(door)
    _, idle = await door.come(), door._tasks[-1]
    made = await door.house.client.new_key("far", "handler")
    assert made.keyless == 2
    await refused(idle)
    told = await door.house.told("handler.draining")
    assert [each.data["asked_by"] for each in told] == ["keys", "keys"]
    other = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.why(other)).limit == "available"
    keyed, _ = await door.come(token=made.token)
    ended = await door.house.ended(other.id)
    assert (ended.state, ended.attempts[0].instance) == (RunState.SUCCEEDED, f"far@*:{keyed.instance}")
    gate.set()
    ended = await door.house.ended(held.id)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)
    await refused(serving)
    assert (await door.house.client.new_key("far", "handler")).keyless is None


async def test_a_key_that_takes_no_name_from_anybody_lets_everybody_stay(door: Door) -> None:
    await door.come()
    confined = door.house.client.acting_as(Actor(kind="operator", id="theirs", guild_id="2"))
    assert (await confined.new_key("far", "handler", guild_id="2")).keyless is None
    assert (await door.house.client.new_key("far", "operator")).keyless is None
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED


async def test_what_it_held_then_is_taken_by_the_next_core_once_and_nothing_is_done_again(build: Build) -> None:
    house = await build(serve=False)
    first = Door(house)
    worker, serving, gate, run = await busy(first)
    await house.client.new_key("far", "handler")
    await first.gateway.close()
    await house.kill()
    gate.set()
    await house.until(lambda: bool(worker._attempts._unacknowledged))
    await house.open(serve=False)
    await house.service.keys.load()
    guard = Guard(house.service.keyring, house.clock, first.pair, "auto")
    second = Gateway(house.engine, house.clock, guard, house.service.keys.register)
    await bound_again(second, first.address)
    looking = asyncio.create_task(second.run())
    ended = await house.ended(run.id)
    assert (ended.state, ended.result, ended.attempt) == (RunState.SUCCEEDED, 7, 1)
    await refused(serving)
    looking.cancel()
    await second.close()
    await guard.close()
    await first.close()


async def test_on_a_new_connection_it_goes_on_with_what_it_holds_and_says_nothing_of_what_the_name_can_do(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    await door.house.client.new_key("far", "handler")
    again = StrangeHandler(door.address)
    await again.greet(held=[(run.id, 1)], methods=[wire.MethodOffer("other", "", None, False, "{}")])
    assert [each.name for each in (await door.house.client.get_handler("far")).methods] == ["work"]
    waits = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.why(waits)).limit == "available"
    again.say(wire.Result([wire.Ended(run.id, 1, "succeeded", '"done"')]))
    assert (await again.hear(wire.ResultAck)).pairs == [(run.id, 1)]
    assert ASKED_FOR_A_KEY in (await again.hear(wire.Refuse)).reason
    again.say(wire.Hello("far", "i1", (1, 1), "by hand", [OFFER], 8, [(run.id, 1)]))
    assert ASKED_FOR_A_KEY in (await again.hear(wire.Refuse)).reason
    await again.close()


async def test_nobody_without_the_key_takes_over_what_its_holder_was_given(
    door: Door, stranger: StrangeHandler
) -> None:
    made = await door.house.client.new_key("far", "handler")
    await stranger.greet(token=made.token)
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    impostor = StrangeHandler(door.address)
    impostor.say(
        wire.Hello("far", "i1", (1, 1), "by hand", [OFFER], 8, [(run.id, 1)]),
        wire.Result([wire.Ended(run.id, 1, "succeeded", '"forged"')]),
    )
    assert ASKED_FOR_A_KEY in (await impostor.hear(wire.Refuse)).reason
    await impostor.close()
    stranger.say(wire.Result([wire.Ended(run.id, 1, "succeeded", '"done"')]))
    assert (await door.house.ended(run.id)).result == "done"
