"""A handler that is bound to a guild: it works for that guild alone, and no guild waits behind another's handler."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.engine.fleet import Fleet
from core.engine.ports import Order
from schedule_zero.errors import Invalid
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from tests.engine.conftest import Build
from tests.engine.house import House, Mute


def come(house: House, guild_id: str | None, *, credit: int = 64, place: str = "elsewhere") -> Mute:
    """A handler comes, bound to that guild."""
    link = Mute(house.engine, name=f"far@{guild_id}:{place}", credit=credit)
    link.instance.guild_id = guild_id
    house.engine.join(link)
    return link


async def first(link: Mute) -> Order:
    async with asyncio.timeout(10):
        return await link.orders.get()


async def several(house: House, guilds: Sequence[str | None]) -> list[Schedule]:
    return [
        await house.schedule(handler="far", guild_id=guild, name=f"in {guild}", policy={"overlap": "allow"})
        for guild in guilds
    ]


async def test_it_is_given_runs_of_its_guild_alone(build: Build) -> None:
    house = await build(serve=False)
    everybodys = come(house, None)
    schedules = await several(house, ["1", "2", None])
    bound = come(house, "1")
    house.engine.leave(everybodys.instance, "it went")
    runs = [await house.run_now(schedule) for schedule in schedules]
    assert (await first(bound)).run_id == runs[0].id
    for waiting in runs[1:]:
        why = await house.why(waiting)
        assert (why.scope, why.limit) == ("handler:far", "available")
    assert bound.orders.empty()
    again = come(house, None)
    assert {(await first(again)).run_id for _ in range(2)} == {run.id for run in runs[1:]}


async def test_no_guild_waits_behind_another_whose_own_handler_is_full_or_away(build: Build) -> None:
    house = await build()  # with hands, whose many places keep the guilds' shares out of it
    one, two = come(house, "1", credit=1), come(house, "2", credit=1)
    for_one, for_two = await several(house, ["1", "2"])
    busy = [await house.run_now(for_one), await house.run_now(for_two)]
    stuck, answered = await first(one), await first(two)
    assert [stuck.run_id, answered.run_id] == [run.id for run in busy]
    waiting = [await house.run_now(for_one) for _ in range(3)] + [await house.run_now(for_two) for _ in range(3)]
    for run in waiting:
        assert (await house.why(run)).scope == "handler:far"
    for run in waiting[3:]:  # handler 1 never answers; what handler 2 does frees its own guild's way
        two.answer(answered)
        answered = await first(two)
        assert answered.run_id == run.id
    assert one.orders.empty()
    assert (await house.client.get_run(stuck.run_id)).state in (RunState.DISPATCHED, RunState.RUNNING)


async def test_of_who_went_it_stays_known_for_whom_it_worked(build: Build) -> None:
    house = await build(serve=False)
    bound = come(house, "1")
    house.engine.leave(bound.instance, "it went")
    with pytest.raises(Invalid, match="there is no handler 'far'"):
        await house.schedule(handler="far", guild_id="2")
    assert (await house.schedule(handler="far", guild_id="1")).handler == "far"


def test_what_a_guild_may_know_of_follows_who_is_there(build: Build) -> None:
    class Nobody(Mute):
        def __init__(self, guild_id: str | None, place: str) -> None:
            super().__init__(None, name=place)  # type: ignore[arg-type]
            self.instance.guild_id = guild_id

    fleet = Fleet()
    bound, open_to_all = Nobody("1", "a"), Nobody(None, "b")
    fleet.join(bound.instance, bound)
    assert [fleet.exists_for("far", guild) for guild in ("1", "2", None)] == [True, False, False]
    assert [fleet.method("far", "work", guild) is not None for guild in ("1", "2", None)] == [True, False, False]
    fleet.join(open_to_all.instance, open_to_all)
    assert [fleet.exists_for("far", guild) for guild in ("1", "2", None)] == [True, True, True]
    assert fleet.is_shared_out("far")
    assert [sorted(fleet.seats().able("far", "work", guild)) for guild in ("1", "2")] == [["a", "b"], ["b"]]
    fleet.leave(bound.instance)
    assert not fleet.is_shared_out("far")
