"""A flood of one guild on the real core: others are given their runs as if there were none. By order, not by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from core.engine.ports import ADOPTION_S, Order
from core.governor.settings import GovernorSettings, Limits, Plan
from core.governor.verdict import Wait
from tests.engine.house import House, Mute

Build = Callable[..., Awaitable[House]]
SLOTS = 21
FLOOD = 300
GOVERNOR = GovernorSettings(
    global_=Limits(running=SLOTS), plans={"free": Plan(runs_per_day=10**6)}, default_plan="free"
)


async def far(build: Build) -> tuple[House, Mute]:
    """A core whose runs take exactly as long as the test likes."""
    house = await build(governor=GOVERNOR, serve=False)
    return house, joined(house)


def joined(house: House) -> Mute:
    link = Mute(house.engine, credit=1000)
    house.engine.fleet.join(link.instance, link)
    house.engine.fleet_changed()
    return link


async def flood(house: House, *guilds: str) -> None:
    """So many runs, all due at once, of these guilds in turn."""
    at = house.clock.in_s(0)
    items = [
        {"handler": "far", "method": "work", "guild_id": guilds[n % len(guilds)], "trigger": {"type": "date", "at": at}}
        for n in range(FLOOD)
    ]
    assert {item.status for item in (await house.client.create_schedules(items)).items} == {201}
    await house.heard("run.created", count=FLOOD)


async def given(link: Mute, count: int) -> list[Order]:
    """The next so many orders."""
    async with asyncio.timeout(20):
        return [await link.orders.get() for _ in range(count)]


async def one(house: House, guild: str) -> str:
    """A run of a quiet guild, due now."""
    return (await house.run_now(await house.schedule(handler="far", guild_id=guild))).id


async def end(link: Mute, orders: Sequence[Order]) -> None:
    for order in orders:
        link.answer(order, value="null")


async def test_beside_a_flood_each_run_of_a_quiet_guild_is_given_out_before_any_of_the_flood_has_ended(
    build: Build,
) -> None:
    house, link = await far(build)
    quiet = await one(house, "quiet0")
    assert [order.run_id for order in await given(link, 1)] == [quiet]
    await flood(house, "1")
    held = await given(link, SLOTS * 8 // 10)
    assert {order.guild_id for order in held} == {"1"}
    for number in range(1, SLOTS - len(held)):  # no run of the flood ends meanwhile
        run = await one(house, f"quiet{number}")
        assert [order.run_id for order in await given(link, 1)] == [run]
    assert [each.wait for each in house.engine.queue.standing()] == [Wait("guild:1", "share", len(held), len(held))]


async def test_beside_floods_that_hold_every_slot_a_quiet_guild_gets_the_next_one_that_is_free(build: Build) -> None:
    """So for long runs, too, the wait is the time until one of them ends: a run time divided by the slots."""
    house, link = await far(build)
    await flood(house, "1", "2", "3")
    held = await given(link, SLOTS)
    for number in range(10):
        run = await one(house, f"quiet{number}")
        house.clock.move(0.1)  # no run is shorter than was guessed, so no guild has anything to its credit
        await end(link, [held.pop(0)])
        (order,) = await given(link, 1)
        assert order.run_id == run
        held.append(order)


async def test_beside_a_flood_the_flood_itself_goes_on_with_all_that_is_left(build: Build) -> None:
    house, link = await far(build)
    await end(link, await given_one(house, link))
    await flood(house, "1")
    done = 0
    while done < FLOOD:
        orders = await given(link, min(SLOTS * 8 // 10, FLOOD - done))
        assert link.orders.empty()
        done += len(orders)
        await end(link, orders)
    await house.heard("run.succeeded", count=FLOOD + 1)


async def given_one(house: House, link: Mute) -> list[Order]:
    """A quiet guild's run, under way: from now on there are two guilds."""
    await one(house, "quiet")
    return await given(link, 1)


@pytest.mark.slow
async def test_killed_in_the_middle_of_a_flood_no_count_changes(build: Build) -> None:
    house, link = await far(build)
    quiet = [await one(house, f"quiet{number}") for number in range(4)]
    await flood(house, "1")
    first = await given(link, 4 + SLOTS * 8 // 10)
    await end(link, first[:10])
    await house.heard("run.succeeded", count=10)
    await house.kill()
    known = first[10:]
    while not link.orders.empty():
        known.append(link.orders.get_nowait())

    await house.open(serve=False, run=False)
    governor = house.engine.governor
    found = {run.id for run, _, _ in await house.ledger.reader.runs.open()}
    assert governor.in_flight("far.work") == len(found)
    house.run()
    back = joined(house)
    await end(back, known)  # they ran on meanwhile
    never_sent = found - {order.run_id for order in known}
    left = FLOOD + len(quiet) - len(first[:10] + known) - len(never_sent)
    for count in (left, len(never_sent)):
        for _ in range(count):
            await end(back, await given(back, 1))
        house.pass_time(ADOPTION_S + 1)  # what was never sent is lost, and tried again
    await house.heard("run.succeeded", count=FLOOD + len(quiet))
    succeeded = [event.run_id for event in await house.told("run.succeeded")]
    assert len(succeeded) == len(set(succeeded)) == FLOOD + len(quiet)
    standing = await house.engine.entitler.standing(house.ledger.reader.usage, "1", house.clock.now())
    assert [each.used for each in standing] == [FLOOD]
    assert governor.in_flight("far.work") == 0
    assert dict(house.engine.queue.holders()) == {}
    assert await house.ledger.reader.runs.open() == []
