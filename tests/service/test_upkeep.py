"""Giving out nothing for a while, and telling everybody something: at once, over a restart, at every core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from schedule_zero.errors import Forbidden, Invalid
from schedule_zero.run import RunState
from schedule_zero.views import Upkeep
from tests.engine.house import House
from tests.service.people import ADMIN, ANNA, OWNER, as_

Build = Callable[..., Awaitable[House]]


async def test_a_drained_core_gives_out_nothing_new_and_what_is_under_way_ends(build: Build) -> None:
    house = await build()
    gate = house.hands.hold()
    schedule = await house.schedule(policy={"overlap": "allow"})
    first = await house.run_now(schedule)
    await house.working(first.id)
    drained = await house.client.drain_core(by="discord:eve")
    assert drained.drained is not None
    assert drained.drained.by == "discord:eve"
    second = await house.run_now(schedule)
    gate.set()
    assert (await house.ended(first.id)).state is RunState.SUCCEEDED
    why = (await house.client.get_run(second.id)).why
    assert why is not None
    assert (why.scope, why.limit) == ("global", "drained")
    assert await house.client.resume_core() == Upkeep()
    assert (await house.ended(second.id)).state is RunState.SUCCEEDED


async def test_it_outlives_a_restart_and_saying_so_again_changes_nothing(build: Build) -> None:
    house = await build()
    first = await house.client.drain_core()
    assert await house.client.drain_core(by="discord:eve") == first
    await house.close()
    house = await build()
    assert await house.client.upkeep() == first
    run = await house.run_now(await house.schedule())
    assert (await house.client.get_run(run.id)).state is RunState.WAITING
    await house.client.resume_core()
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_status_says_it_and_the_core_stays_ready(house: House) -> None:
    await house.client.drain_core()
    status = await house.client.status()
    assert status.running
    assert not status.parts["dispatch"].ok
    assert "nothing new is given out" in status.parts["dispatch"].detail
    await house.client.resume_core()
    assert "dispatch" not in (await house.client.status()).parts


async def test_a_message_is_told_until_its_end_and_then_no_more(house: House) -> None:
    longest = "x" * 500
    view = await house.client.set_maintenance(longest)
    assert view.maintenance is not None
    assert view.maintenance.message == longest
    with pytest.raises(Invalid, match="message: has 501 characters; at most 500 can be told"):
        await house.client.set_maintenance("x" * 501)
    told = (await house.client.set_maintenance("We move the disks.", until="in 1 hour", by="discord:eve")).maintenance
    assert told is not None
    assert (told.message, told.by) == ("We move the disks.", "discord:eve")
    assert (await house.client.status()).maintenance == told
    house.pass_time(3601)
    assert (await house.client.status()).maintenance is None
    assert (await house.client.upkeep()).maintenance is None


async def test_a_message_without_an_end_is_told_until_it_is_taken_away(house: House) -> None:
    await house.client.set_maintenance("Soon back.")
    await house.client.drain_core()
    assert (await house.client.upkeep()).maintenance is not None
    gone = await house.client.set_maintenance(None)
    assert gone.maintenance is None
    assert gone.drained is not None, "the one leaves the other alone"


async def test_everybody_hears_it_and_operators_alone_who_it_was(house: House) -> None:
    await house.client.drain_core(by="discord:eve")
    await house.client.set_maintenance("Soon back.", by="discord:eve")
    seen = await as_(house, ANNA).upkeep()
    assert seen.drained is not None
    assert seen.maintenance is not None
    assert (seen.maintenance.message, seen.maintenance.by, seen.drained.by) == ("Soon back.", "", "")
    assert (await as_(house, ANNA).status()).maintenance == seen.maintenance


async def test_nobody_else_does_it(house: House) -> None:
    for actor in (ANNA, ADMIN, OWNER):
        for asked in (as_(house, actor).drain_core, as_(house, actor).resume_core):
            with pytest.raises(Forbidden):
                await asked()
        with pytest.raises(Forbidden):
            await as_(house, actor).set_maintenance("mine")
    assert await house.client.upkeep() == Upkeep()


@pytest.mark.parametrize(
    ("message", "until", "field"),
    [
        ("x", "yesterday", "until"),
        ("x", "whenever", "until"),
        ("", "in 1 hour", "message"),
        ("x" * 501, None, "message"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place(
    house: House, message: str, until: str | None, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await house.client.set_maintenance(message, until=until)
    assert caught.value.errors[0].field == field
    assert await house.client.upkeep() == Upkeep()


async def test_another_core_follows_what_it_reads(house: House) -> None:
    await house.client.drain_core()
    house.engine.dispatcher.hold(on=False)
    await house.service.upkeep.load()
    assert house.engine.dispatcher.held
