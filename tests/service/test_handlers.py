"""Handlers as people see them: who is there, what they can do, how that goes; who may see and drain what."""

from __future__ import annotations

from typing import Any

import pytest

from core.governor.settings import GovernorSettings, GuildQuota, Plan
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Forbidden, NotFound
from schedule_zero.run import RunState
from tests.engine.conftest import Build
from tests.engine.house import House, Mute
from tests.service.people import ADMIN, ANNA, ANNA_ALONE, CORE, OPERATOR, OWNER, STRANGER, as_

GUILD_TOKEN = Actor(kind="operator", id="of guild 1", guild_id="1")
PLANS = GovernorSettings(
    plans={"small": Plan(handlers=["hands"]), "large": Plan()},
    default_plan="large",
    guilds={"1": GuildQuota(handlers=["hands"])},
)


@pytest.fixture
async def two(build: Build) -> tuple[House, Mute]:
    """A house with hands of its own, and a handler elsewhere."""
    house = await build()
    link = Mute(house.engine)
    link.instance.software = "by hand 1.0"
    house.engine.join(link)
    return house, link


async def test_a_handler_shows_who_serves_it_what_it_can_do_and_how_that_went(two: tuple[House, Mute]) -> None:
    house, _ = two
    await house.ended((await house.run_now(await house.schedule())).id)
    seen = {each.name: each for each in (await house.client.list_handlers()).items}
    assert list(seen) == ["far", "hands"]
    far, hands = seen["far"], seen["hands"]
    assert [each.id for each in far.instances] == ["far@elsewhere"]
    assert (far.instances[0].software, hands.instances[0].software) == ("by hand 1.0", None)
    assert (far.healthy, hands.healthy, far.credit) == (True, True, 64)
    work = {each.name: each for each in hands.methods}["work"]
    assert (work.record.succeeded, work.record.success_rate, work.total) == (1, 1.0, views.Counts(succeeded=1))
    assert work.record.p50 is not None
    assert {each.name: each for each in hands.methods}["once"].at_most_once
    assert {each.name: each.timeout for each in hands.methods}["brief"] == "PT0.03S"
    assert work.schema["$defs"]["work_arguments"]["properties"]["n"]["type"] == "integer"
    assert (hands.record.succeeded, far.record.success_rate) == (1, None)


async def test_how_another_guilds_handler_of_the_same_name_does_is_not_seen_also_after_a_restart(build: Build) -> None:
    house = await build(serve=False)
    counts = {}
    for guild, kind in (("1", "failed"), ("2", "succeeded")):
        link = Mute(house.engine, f"far@{guild}")
        link.instance.guild_id = guild
        house.engine.join(link)
        schedule = await house.schedule(handler="far", guild_id=guild, policy={"retry": {"max_attempts": 1}})
        run = await house.run_now(schedule)
        link.answer(await link.orders.get(), kind)
        await house.ended(run.id)
        await house.run_now(schedule)
        await link.orders.get()
    for actor in (GUILD_TOKEN, STRANGER, OPERATOR):
        record = (await as_(house, actor).get_handler("far")).record
        counts[actor.id] = (record.succeeded, record.failed)
    assert counts == {GUILD_TOKEN.id: (0, 1), STRANGER.id: (1, 0), OPERATOR.id: (1, 1)}
    await house.kill()
    await house.open(serve=False)  # what is under way is adopted, and nobody comes back for it
    house.pass_time(60)
    await house.heard("run.failed", count=3)
    for actor, lost in ((GUILD_TOKEN, 1), (STRANGER, 1), (OPERATOR, 2)):
        assert (await as_(house, actor).get_handler("far")).methods[0].total.lost == lost


async def test_what_a_handler_elsewhere_holds_is_in_flight(two: tuple[House, Mute]) -> None:
    house, link = two
    await house.run_now(await house.schedule(handler="far"))
    order = await link.orders.get()
    assert (await house.client.get_handler("far")).in_flight == 1
    link.answer(order)
    await house.ended(order.run_id)
    far = await house.client.get_handler("far")
    assert (far.in_flight, far.record.succeeded) == (0, 1)


async def test_one_that_went_is_still_known_and_serves_nobody(two: tuple[House, Mute]) -> None:
    house, link = two
    house.engine.leave(link.instance, "it said goodbye")
    far = await house.client.get_handler("far")
    assert (far.instances, far.healthy, [each.name for each in far.methods]) == ((), False, ["work"])
    await house.schedule(handler="far")


async def test_a_drained_handler_gets_nothing_new_is_told_and_finishes(two: tuple[House, Mute]) -> None:
    house, link = two
    schedule = await house.schedule(handler="far", policy={"overlap": "allow"})
    await house.run_now(schedule)
    order = await link.orders.get()
    seen = await house.client.drain_handler("far")
    assert (seen.healthy, seen.instances[0].draining, link.drained) == (False, True, True)
    waits = await house.run_now(schedule)
    why = await house.why(waits)
    assert (why.scope, why.limit) == ("handler:far", "available")
    link.answer(order)
    assert (await house.ended(order.run_id)).state is RunState.SUCCEEDED
    assert link.orders.empty()
    told = await house.heard("handler.draining")
    assert told.data == {"handler": "far", "instance": "far@elsewhere", "asked_by": "operator"}
    await house.client.drain_handler("far")
    other = Mute(house.engine, "far@other")
    house.engine.join(other)
    assert (await other.orders.get()).run_id == waits.id
    assert len(await house.told("handler.draining")) == 1


async def test_a_drain_is_done_once_under_its_key(two: tuple[House, Mute]) -> None:
    house, link = two
    wanted = ask.DrainHandler(name="far", idempotency_key="k")
    first = await house.client.send(wanted)
    house.engine.leave(link.instance, "gone")
    later = Mute(house.engine, "far@later")
    house.engine.join(later)
    assert await house.client.send(wanted) == first
    assert not later.drained


@pytest.mark.parametrize("wanted", ["far@2", "2"])
async def test_one_process_of_a_pool_can_be_drained_alone(two: tuple[House, Mute], wanted: str) -> None:
    house, link = two
    second = Mute(house.engine, "far@2")
    house.engine.join(second)
    seen = await house.client.drain_handler("far", instance=wanted)
    assert {each.id: each.draining for each in seen.instances} == {"far@elsewhere": False, "far@2": True}
    assert (link.drained, second.drained, seen.healthy) == (False, True, True)


async def test_a_drained_handler_inside_the_core_can_be_given_work_again(two: tuple[House, Mute]) -> None:
    house, _ = two
    await house.client.drain_handler("hands")
    run = await house.run_now(await house.schedule())
    assert (await house.why(run)).limit == "available"
    assert (await house.client.resume_handler("hands")).healthy
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_what_cannot_be_done_is_said_with_the_remedy(two: tuple[House, Mute]) -> None:
    house, link = two
    with pytest.raises(NotFound, match=r"There is no handler 'fra'; did you mean far\?"):
        await house.client.get_handler("fra")
    with pytest.raises(NotFound, match=r"There is no handler 'nothing'; there are far, hands\."):
        await house.client.drain_handler("nothing")
    with pytest.raises(NotFound, match=r"far has no process 'x'; there are far@elsewhere\."):
        await house.client.drain_handler("far", instance="x")
    with pytest.raises(Conflict, match=r"far is not drained; there is nothing to resume\."):
        await house.client.resume_handler("far")
    await house.client.drain_handler("far")
    with pytest.raises(Conflict, match="start them anew"):
        await house.client.resume_handler("far")
    house.engine.leave(link.instance, "gone")
    with pytest.raises(Conflict, match="Nobody serves far at the moment"):
        await house.client.drain_handler("far")
    with pytest.raises(Conflict, match=r"Nobody serves far at the moment: its processes are gone\. Start it anew"):
        await house.client.resume_handler("far")


@pytest.mark.parametrize(
    ("actor", "seen"),
    [
        (OPERATOR, ["far", "hands"]),
        (CORE, ["far", "hands"]),
        (GUILD_TOKEN, ["hands"]),
        (ANNA, ["hands"]),
        (OWNER, ["hands"]),
        (STRANGER, ["far", "hands"]),
        (ANNA_ALONE, ["far", "hands"]),
    ],
)
async def test_one_sees_what_ones_guild_may_use(build: Build, actor: Actor, seen: list[str]) -> None:
    house = await build(governor=PLANS)
    house.engine.join(Mute(house.engine))
    assert [each.name for each in (await as_(house, actor).list_handlers()).items] == seen
    if "far" not in seen:
        with pytest.raises(NotFound, match=r"There is no handler 'far'; did you|there are hands"):
            await as_(house, actor).get_handler("far")


@pytest.mark.parametrize("actor", [GUILD_TOKEN, ANNA, ADMIN, OWNER])
@pytest.mark.parametrize(
    "wanted",
    [
        lambda client: client.drain_handler("hands"),
        lambda client: client.resume_handler("hands"),
        lambda client: client.lag(),
        lambda client: client.queue(),
    ],
    ids=["drain", "resume", "lag", "queue"],
)
async def test_only_who_runs_the_service_drains_and_sees_the_whole_queue(
    house: House, actor: Actor, wanted: Any
) -> None:
    with pytest.raises(Forbidden, match="only its operators"):
        await wanted(as_(house, actor))
    assert not house.engine.fleet.handlers()["hands"][0].draining


# ── what waits ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_queue_names_what_runs_wait_for_and_the_heaviest_guilds(build: Build) -> None:
    house = await build(governor=GovernorSettings(plans={"p": Plan(running=1)}, default_plan="p"))
    gate = house.hold()
    runs = []
    for guild, count in (("1", 3), ("2", 2)):
        schedule = await house.schedule(guild_id=guild, policy={"overlap": "allow"})
        runs += [await house.run_now(schedule) for _ in range(count)]
    line = await house.schedule(guild_id="3")
    runs += [await house.run_now(line) for _ in range(2)]
    absent = Mute(house.engine)
    house.engine.join(absent)
    lost = await house.schedule(handler="far", guild_id="4")
    house.engine.leave(absent.instance, "gone")
    await house.run_now(lost)
    await house.until(lambda: len(house.engine.flights) == 3)
    await house.why(await house.client.get_run(runs[2].id))
    seen = await house.client.queue(2)
    assert (seen.waiting, seen.running, seen.guild_count) == (5, 3, 4)
    assert [(each.scope, each.limit, each.runs) for each in seen.scopes] == [
        ("guild:1", "running", 2), ("guild:2", "running", 1), ("handler:far", "available", 1), ("schedule", "overlap", 1),
    ]  # fmt: skip
    assert seen.scopes[0].words == "Guild 1 has 1 of 1 runs going at once; the next can start when one of them ends."
    assert [(each.guild_id, each.waiting, each.running) for each in seen.guilds] == [("1", 2, 1), ("2", 1, 1)]
    gate.set()
    for run in runs:
        await house.ended(run.id)


async def test_lag_tells_how_late_dispatch_is_for_what_waits_for_its_turn_alone(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.run_now(schedule)
    house.clock.move(7)
    await house.run_now(await house.schedule(policy={"overlap": "allow"}))
    seen = await house.client.lag()
    assert (seen.ready, seen.waiting, seen.in_flight, seen.last_tick, seen.tick) == (2, 2, 0, None, "PT0S")
    assert seen.dispatch.startswith("PT7")
    house.fail_with(ConnectionError("later"))
    house.run()
    await house.heard("run.waiting")
    await house.until(lambda: not len(house.engine.flights))
    house.clock.move(3600)
    house.engine.room.mature(house.clock.monotonic())
    assert (await house.client.lag()).dispatch.startswith("PT0")
