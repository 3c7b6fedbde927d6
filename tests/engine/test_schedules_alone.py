"""What each schedule alone may use: held back each by itself, told everywhere, set while runs wait, and kept over a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.governor.settings import Limits
from core.ledger.port import StoreError
from schedule_zero.errors import Invalid
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House, Mute, plan

Build = Callable[..., Awaitable[House]]


async def ok(house: House, run: Run) -> None:
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def loose(house: House, **fields: Any) -> Schedule:
    return await house.schedule(policy={"overlap": "allow"}, **fields)


def joined(house: House) -> Mute:
    """A handler far away."""
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    house.engine.fleet_changed()
    return link


async def test_a_schedule_that_is_used_up_holds_its_own_runs_back_and_says_so(build: Build) -> None:
    house = await build(governor=plan(each_schedule=Limits(rate="2/min")))
    busy, other = await loose(house), await loose(house)
    for run in [await house.run_now(busy) for _ in range(2)]:
        await ok(house, run)
    third = await house.run_now(busy)
    held = await house.why(third)
    assert (held.scope, held.limit, held.used, held.allowed) == (f"schedule:{busy.id}", "rate", 2, 2)
    assert held.until is not None
    assert held.words.startswith(
        f"Schedule {busy.id} has used 2 of the 2 starts its rate allows; the next can start at "
    )
    checked = (await house.client.check_run(busy.id)).why
    assert checked is not None
    assert checked.scope == f"schedule:{busy.id}"
    assert (await house.client.check_run(other.id)).why is None
    await ok(house, await house.run_now(other))
    house.pass_time(31)
    await ok(house, third)


async def test_a_restart_counts_the_runs_that_go_on_and_forgets_no_start(build: Build) -> None:
    limits = plan(each_schedule=Limits(running=1, rate="2/h"))
    house = await build(governor=limits)
    far = joined(house)
    busy, other = [await loose(house, handler="far", method="work") for _ in range(2)]
    first, second = [await house.run_now(busy) for _ in range(2)]
    order = await far.orders.get()
    assert (order.run_id, (await house.why(second)).limit) == (first.id, "running")
    await house.kill()
    house = await build(governor=limits)
    back = joined(house)
    await house.run_now(other)
    assert (await back.orders.get()).schedule_id == other.id
    held = await house.why(second)
    assert (held.scope, held.limit, held.used, held.allowed) == (f"schedule:{busy.id}", "running", 1, 1)
    back.answer(order)
    order = await back.orders.get()
    assert order.run_id == second.id
    back.answer(order)
    third = await house.run_now(busy)
    held = await house.why(third)
    assert (held.scope, held.limit, held.used, held.allowed) == (f"schedule:{busy.id}", "rate", 2, 2)


async def test_a_limit_set_after_a_restart_counts_the_runs_that_went_on(build: Build) -> None:
    house = await build(governor=plan())
    far = joined(house)
    busy = await loose(house, handler="far", method="work")
    await house.run_now(busy)
    order = await far.orders.get()
    await house.kill()
    house = await build(governor=plan())
    back = joined(house)
    await house.client.change_guild_quota("1", {"each_schedule": {"running": 1}})
    second = await house.run_now(busy)
    assert (await house.why(second)).scope == f"schedule:{busy.id}"
    assert back.orders.empty()
    back.answer(order)
    assert (await back.orders.get()).run_id == second.id


async def test_a_limit_set_while_runs_wait_and_go_holds_at_once_and_goes_by_a_word(build: Build) -> None:
    house = await build(governor=plan())
    gate = house.hold()
    busy, other = await loose(house), await loose(house)
    first = await house.run_now(busy)
    await house.working(first.id)
    house.hands.set_available(False)
    waiting = [await house.run_now(schedule) for schedule in (busy, other)]
    await house.until(lambda: house.engine.queue.waiting() == 2)
    await house.client.change_guild_quota("1", {"each_schedule": {"running": 1}})
    house.hands.set_available(True)
    await house.working(waiting[1].id)
    held = await house.why(waiting[0])
    assert (held.scope, held.limit, held.used, held.allowed) == (f"schedule:{busy.id}", "running", 1, 1)
    await house.client.change_guild_quota("1", {"each_schedule": None})
    await house.working(waiting[0].id)
    gate.set()
    for run in (first, *waiting):
        await ok(house, run)


async def test_a_start_that_could_not_be_committed_leaves_nothing_in_use(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(governor=plan(each_schedule=Limits(running=1, rate="1/h")))
    dispatcher, refused = house.engine.dispatcher, 0
    whole = dispatcher._write

    async def refuses_once(*args: Any) -> Any:
        nonlocal refused
        refused += 1
        if refused == 1:
            raise StoreError("full")
        return await whole(*args)

    monkeypatch.setattr(dispatcher, "_write", refuses_once)
    await ok(house, await house.run_now(await loose(house)))
    assert refused == 2


async def test_runs_that_could_not_be_begun_stand_again_under_the_limits_there_are_by_then(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(governor=plan())
    gate = house.hold()
    busy, other = await loose(house), await loose(house)
    first = await house.run_now(busy)
    await house.working(first.id)
    dispatcher, refused = house.engine.dispatcher, False
    whole = dispatcher._write

    async def refuses_once(*args: Any) -> Any:
        nonlocal refused
        if not refused:
            refused = True
            await house.client.change_guild_quota("1", {"each_schedule": {"running": 1}})
            raise StoreError("full")
        return await whole(*args)

    monkeypatch.setattr(dispatcher, "_write", refuses_once)
    house.hands.set_available(False)
    second, third = [await house.run_now(schedule) for schedule in (busy, other)]
    await house.until(lambda: house.engine.queue.waiting() == 2)
    house.hands.set_available(True)
    await house.working(third.id)
    assert (await house.why(second)).scope == f"schedule:{busy.id}"
    gate.set()
    for run in (first, second, third):
        await ok(house, run)


async def test_what_each_schedule_may_use_is_a_limit_of_the_guild_shown_as_it_is_written(build: Build) -> None:
    house = await build(governor=plan(each_schedule=Limits(running=2, rate="1/min", runs_per_day=50)))
    await house.client.note_guild("1", "Tea house", present=True)
    [gauge] = [each for each in (await house.client.get_guild("1")).gauges if each.limit == "each_schedule"]
    assert (gauge.scope, gauge.words, gauge.used, gauge.allowed, gauge.origin) == (
        "guild:1", "running 2, rate 1/min, runs_per_day 50", None, None, "plan",
    )  # fmt: skip
    quota = await house.client.change_guild_quota("1", {"each_schedule": {"rate": "5/h"}}, until="in 1 hour")
    assert quota.limits["each_schedule"] == {"rate": "5/h"}
    assert quota.temporary[0].limits == {"each_schedule": {"rate": "5/h"}}
    assert (quota.origins["each_schedule"], quota.own) == ("temporary", {})
    put = await house.client.put_guild_quota("1", {"each_schedule": {"running": 3}})
    assert put.own == {"each_schedule": {"running": 3}}


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"rate": "fast"}, "each_schedule.rate: has to be a rate such as 10/s"),
        ({"runing": 2}, "each_schedule.runing: "),
        (2, "each_schedule: "),
    ],
)
async def test_wrong_limits_of_each_schedule_are_refused_with_their_place(
    build: Build, limits: Any, sentence: str
) -> None:
    house = await build(governor=plan(), run=False)
    with pytest.raises(Invalid) as caught:
        await house.client.change_guild_quota("1", {"each_schedule": limits})
    assert caught.value.sentence.startswith(sentence)
    assert (await house.client.guild_quota("1")).own == {}
