"""Cut off, restarted, frozen, hostile: nothing is lost, nothing is done twice, and the service goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from core.gateway.gateway import Gateway
from schedule_zero.process.worker import Refused, Worker
from schedule_zero.run import RunState
from schedule_zero.transport import wire
from tests.engine.conftest import Build
from tests.gateway.conftest import Door, Far, bound_again
from tests.gateway.stranger import OFFER, StrangeHandler

pytestmark = pytest.mark.slow


# ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_result_is_acknowledged_after_its_commit_and_again_when_it_is_repeated(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    order = (await stranger.hear(wire.Run)).orders[0]
    result = wire.Result([wire.Ended(order.run_id, 1, "succeeded", '"done"')])
    stranger.say(result)
    assert (await stranger.hear(wire.ResultAck)).pairs == [(run.id, 1)]
    assert (await door.house.ledger.reader.runs.get(run.id)).state is RunState.SUCCEEDED  # type: ignore[union-attr]
    stranger.say(result)
    assert (await stranger.hear(wire.ResultAck)).pairs == [(run.id, 1)]
    assert len(await door.house.told("run.succeeded")) == 1


async def test_an_answer_for_another_attempt_changes_nothing_and_is_acknowledged(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    stranger.say(wire.Result([wire.Ended(run.id, 7, "succeeded", "1")]))
    assert (await stranger.hear(wire.ResultAck)).pairs == [(run.id, 7)]
    assert (await door.house.client.get_run(run.id)).state in (RunState.DISPATCHED, RunState.RUNNING)


async def test_a_result_that_is_no_json_is_kept_as_the_text_it_is(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    stranger.say(wire.Result([wire.Ended(run.id, 1, "succeeded", "{not json")]))
    assert (await door.house.ended(run.id)).result == "{not json"


@pytest.mark.parametrize("reason", ["overloaded", "draining", "unknown_method"])
async def test_an_order_that_was_not_begun_is_given_again(door: Door, stranger: StrangeHandler, reason: Any) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    stranger.say(wire.Nack(run.id, 1, reason))
    await door.house.heard("run.waiting", run_id=run.id)
    door.house.pass_time(2)
    again = (await stranger.hear(wire.Run)).orders[0]
    assert (again.run_id, again.attempt) == (run.id, 2)


async def test_an_order_that_was_not_begun_is_given_again_also_where_it_may_be_begun_but_once(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far", policy={"delivery": "at_most_once"}))
    await stranger.hear(wire.Run)
    stranger.say(wire.Nack(run.id, 1, "draining"))
    await door.house.heard("run.waiting", run_id=run.id)
    door.house.pass_time(2)
    assert (await stranger.hear(wire.Run)).orders[0].attempt == 2


# ── cut off ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_work_goes_on_while_the_core_is_away_and_its_result_is_taken_by_the_next(build: Build) -> None:
    house = await build(serve=False)
    first = Door(house)
    worker, hands = await first.come()
    gate = hands.hold()
    run = await house.run_now(await house.schedule(handler="far", args={"n": 7}))
    async with asyncio.timeout(10):
        await hands.begun.get()
    await first.gateway.close()
    await house.kill()
    gate.set()
    await house.until(lambda: bool(worker._attempts._unacknowledged))
    await house.open(serve=False)
    second = Gateway(house.engine, house.clock, first.guard, house.service.keys.register)
    await bound_again(second, first.address)
    ended = await house.ended(run.id)
    assert (ended.state, ended.result, ended.attempt, len(hands.calls)) == (RunState.SUCCEEDED, 7, 1, 1)
    await house.until(lambda: not worker._attempts._unacknowledged)
    await second.close()
    await first.close()


async def test_what_never_reached_a_handler_is_lost_when_it_comes_back_without_it_and_uses_up_no_attempt(
    build: Build,
) -> None:
    house = await build(serve=False)
    first = Door(house)
    stranger = StrangeHandler(first.address)
    await stranger.greet()
    schedule = await house.schedule(handler="far", policy={"overlap": "allow"})
    kept, missed = await house.run_now(schedule), await house.run_now(schedule)
    await house.heard("run.dispatched", run_id=missed.id)
    await first.gateway.close()
    await house.kill()
    await house.open(serve=False)
    second = Door(house)
    again = StrangeHandler(second.address)
    await again.greet(held=[(kept.id, 1)])
    again.say(wire.Beat([(kept.id, 1)]))
    order = (await again.hear(wire.Run)).orders[0]
    assert (order.run_id, order.attempt) == (missed.id, 2)
    again.say(wire.Result([wire.Ended(kept.id, 1, "succeeded", "1"), wire.Ended(missed.id, 2, "failed")]))
    assert (await house.ended(kept.id)).attempt == 1
    lost = (await house.client.get_run(missed.id)).attempts[0]
    assert (lost.outcome, (await house.ledger.reader.runs.get(missed.id)).lost) == ("lost", 1)  # type: ignore[union-attr]
    for one in (again, stranger, second, first):
        await one.close()


async def test_a_handler_that_greets_again_loses_nothing_that_may_still_be_on_its_way(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    await stranger.greet(held=[])
    stranger.say(wire.Beat([]))
    stranger.say(wire.Result([wire.Ended(run.id, 1, "succeeded", "1")]))
    ended = await door.house.ended(run.id)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)


async def test_a_core_that_stood_still_takes_nobody_for_silent(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    door.house.pass_time(60)
    door.gateway.look()
    door.gateway.look()
    assert [instance.name for instance in door.house.engine.fleet.handlers()["far"]] == ["far@i1"]


async def test_a_connection_that_says_it_is_another_one_is_not_the_first_any_more(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    await stranger.greet(instance="i2")
    assert [instance.name for instance in door.house.engine.fleet.handlers()["far"]] == ["far@i2"]


async def test_a_handler_that_falls_silent_gets_nothing_new_and_its_work_goes_to_another(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    worker, _ = await door.come()
    for _ in range(14):
        door.house.pass_time(0.5)
        worker._say(wire.Beat([]))
        await door.heard_from(worker)
        door.gateway.look()
    ended = await door.house.ended(run.id)
    assert (ended.state, ended.attempt, ended.attempts[1].instance) == (RunState.SUCCEEDED, 2, f"far@{worker.instance}")
    stranger.say(wire.Beat([(run.id, 1)]))
    await stranger.hear(wire.Who)
    await stranger.greet(held=[(run.id, 1)])
    assert (await stranger.hear(wire.Cancel)).attempt == 1


async def test_what_is_not_a_handlers_any_more_it_is_told_to_stop(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    stranger.say(wire.Beat([("run_unknown", 3)]))
    told = await stranger.hear(wire.Cancel)
    assert (told.run_id, told.attempt) == ("run_unknown", 3)


async def test_the_same_process_on_a_new_connection_goes_on_with_what_it_holds(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    again = StrangeHandler(door.address)
    await again.greet(held=[(run.id, 1)])
    assert [instance.in_flight for instance in door.house.engine.fleet.handlers()["far"]] == [1]
    again.say(wire.Result([wire.Ended(run.id, 1, "succeeded", "1")]))
    assert (await again.hear(wire.ResultAck)).pairs == [(run.id, 1)]
    assert [instance.in_flight for instance in door.house.engine.fleet.handlers()["far"]] == [0]
    await again.close()


async def test_after_a_long_cut_a_handler_does_not_greet_for_each_thing_that_waited(door: Door) -> None:
    worker, _ = await door.come()
    (peer,) = door.gateway._peers.values()
    door.gateway._gone(peer, "nothing was heard of it")
    before = len(await door.house.told("handler.connected"))
    worker.welcomed.clear()
    for _ in range(20):  # each in a turn of its own
        worker._say(wire.Beat([]))
        worker._flush()
        await asyncio.sleep(0.002)
    async with asyncio.timeout(10):
        await worker.welcomed.wait()
    assert len(await door.house.told("handler.connected")) <= before + 2  # by itself and asked, at the same time


async def test_whoever_is_not_known_is_asked_who_it_is(stranger: StrangeHandler) -> None:
    stranger.say(wire.Beat([]))
    await stranger.hear(wire.Who)
    await stranger.greet()


# ── hostile ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ((b"",), "the body is empty"),
        ((b"\x07\x90",), "version 7"),
        ((b"\x01garbage",), "cannot be read"),
        ((b"\x01\x90", b"\x01\x90"), "a message has one body"),
        ((b"\x01\x90",) * 50, "a message has one body"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_a_sentence_and_others_are_served_on(
    door: Door, stranger: StrangeHandler, frames: tuple[bytes, ...], said: str
) -> None:
    await door.come()
    await stranger.greet(name="other")
    stranger.say_frames(*frames)
    refusal = await stranger.hear(wire.Refuse)
    assert said in refusal.reason
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED
    await stranger.greet(name="other")


async def test_a_frame_over_the_limit_cuts_its_connection_and_no_other(door: Door, stranger: StrangeHandler) -> None:
    await door.come()
    stranger.say_frames(b"\x01" * (wire.LARGEST_BODY + 1))
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED


async def test_a_later_version_is_told_which_one_is_spoken_here(stranger: StrangeHandler) -> None:
    stranger.say(wire.Hello("far", "i1", (2, 3), "later", [OFFER], 1, []))
    refusal = await stranger.hear(wire.Refuse)
    assert (refusal.reason, refusal.again) == ("this core speaks version 1 of the protocol, you 2 to 3", False)


async def test_a_handlers_name_inside_the_core_cannot_be_taken(door: Door) -> None:
    door.house.engine.serve(door.house.hands)
    with pytest.raises(Refused, match="the name hands belongs to a handler of the core itself"):
        async with asyncio.timeout(10):
            await Worker(Far(), door.address, name="hands").run()


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("5", "the schema of method work is no JSON object"),
        ("[" * 60_000, "the schema of method work is no JSON: "),
        ('{"$ref": "http://127.0.0.1:9/"}', "nothing is fetched from elsewhere"),
        ('{"$ref": "#"}', "the schema of method work refers to '#' in a circle"),
        ('{"type": 5}', "the schema of method work is wrong at /type: that has to be one or several of array,"),
    ],
)
async def test_a_schema_that_is_none_or_could_hurt_is_refused_with_a_sentence(
    door: Door, stranger: StrangeHandler, schema: str, said: str
) -> None:
    await door.come()
    stranger.say(wire.Hello("other", "i1", (1, 1), "x", [wire.MethodOffer("work", "", None, False, schema)], 1, []))
    refusal = await stranger.hear(wire.Refuse)
    assert said in refusal.reason
    assert not refusal.again
    assert "other" not in door.house.engine.fleet.handlers()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED


# ── what costs others ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_goodbye_said_over_and_over_is_told_once(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    stranger.say(*[wire.Bye()] * 4096)
    await door.house.heard("handler.disconnected")
    await stranger.greet(instance="i2")
    assert len(await door.house.told("handler.disconnected")) == 1


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([wire.Beat([("run_1", 1)] * 4096)] * 5, "names at most 16,384 attempts"),
        ([wire.Ack([("run_1", 1)] * 4096)] * 4 + [wire.Beat([("run_1", 1)])], "names at most 16,384 attempts"),
        ([wire.Hello("far", f"i{n}", (1, 1), "", [OFFER], 8, []) for n in range(2)], "holds one HELLO"),
    ],
    ids=["beats", "acks", "hellos"],
)
async def test_a_body_that_costs_more_than_one_may_cost_is_refused(
    door: Door, stranger: StrangeHandler, messages: list[msgspec.Struct], said: str
) -> None:
    await stranger.greet()
    stranger.say(*messages)
    assert said in (await stranger.hear(wire.Refuse)).reason


async def test_a_hello_said_over_and_over_is_welcomed_each_time_and_told_once(
    door: Door, stranger: StrangeHandler
) -> None:
    await stranger.greet()
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    await stranger.hear(wire.Run)
    for credit in range(50):
        await stranger.greet(held=[(run.id, 1)], credit=credit)
    (instance,) = door.house.engine.fleet.handlers()["far"]
    assert (instance.credit, instance.in_flight) == (49, 1)
    assert len(await door.house.told("handler.connected")) == 1
    await stranger.greet(held=[("run_unknown", 1)])
    assert (await stranger.hear(wire.Cancel)).run_id == "run_unknown"


async def test_who_says_again_and_again_that_it_is_another_one_is_refused_and_the_others_are_served_on(
    door: Door, stranger: StrangeHandler
) -> None:
    door._tasks[0].cancel()  # a look is what this test takes
    await door.come()
    for n in range(300):
        stranger.say(wire.Hello("other", f"i{n}", (1, 1), "by hand", [OFFER], 8, []))
    refusal = await stranger.hear(wire.Refuse)
    assert (refusal.again, "at most 4 HELLO" in refusal.reason) == (True, True)
    run = await door.house.run_now(await door.house.schedule(handler="far"))
    assert (await door.house.ended(run.id)).state is RunState.SUCCEEDED
    stranger.say(wire.Beat([]))
    await stranger.hear(wire.Who)
    assert len(await door.house.told("handler.connected")) == 1 + 4
    assert not any(isinstance(message, wire.Refuse) for message in stranger.heard._queue)  # type: ignore[attr-defined]
    door.gateway.look()
    await stranger.greet(name="other")


async def test_a_handler_that_leaves_and_greets_again_is_there_again(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    stranger.say(wire.Drain())
    await door.house.heard("handler.draining")
    await stranger.greet()
    (instance,) = door.house.engine.fleet.handlers()["far"]
    assert not instance.draining


async def test_what_is_told_of_an_attempt_over_and_over_is_answered_once(door: Door, stranger: StrangeHandler) -> None:
    await stranger.greet()
    stranger.say(wire.Beat([("run_1", 1)] * 4096))
    await stranger.hear(wire.Cancel)
    stranger.say(wire.Drain())
    await door.house.heard("handler.draining")
    assert not any(isinstance(message, wire.Cancel) for message in stranger.heard._queue)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["[" * 30_000 + "]" * 30_000, "1e999", str(10**30)])
async def test_a_result_nobody_could_read_is_kept_as_text_and_hides_nothing(
    door: Door, stranger: StrangeHandler, value: str
) -> None:
    await stranger.greet()
    schedule = await door.house.schedule(handler="far")
    run = await door.house.run_now(schedule)
    await stranger.hear(wire.Run)
    stranger.say(wire.Result([wire.Ended(run.id, 1, "succeeded", value)]))
    await door.house.ended(run.id)
    (listed,) = await door.house.runs(schedule.id)
    assert (listed.state, listed.result) == (RunState.SUCCEEDED, value)
    assert msgspec.msgpack.encode(listed)
