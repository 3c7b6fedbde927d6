"""A handler that fails for passing causes is left alone, and its runs wait; on the real engine."""

from __future__ import annotations

import asyncio

from core.engine.choose import choose
from core.engine.ports import Instance
from core.engine.seats import Seats
from core.engine.waiting import Place
from core.governor.breaker import FIRST_S, STREAK
from core.governor.fairness import FairQueue, Waiting
from core.governor.governor import Governor
from core.governor.settings import GovernorSettings, MethodQuota
from schedule_zero.handler import MethodInfo
from schedule_zero.run import Cause, RunState
from tests.engine.conftest import Build
from tests.engine.house import House, Mute

ONCE = {"retry": {"max_attempts": 1}, "overlap": "allow"}


async def fail(house: House, link: Mute, times: int = STREAK, cause: Cause = Cause.PASSING) -> None:
    """So many runs fail for good, and that is committed."""
    before = house.engine.settler.executed
    async with asyncio.timeout(10):
        for _ in range(times):
            link.answer(await link.orders.get(), "failed", cause=cause, error="503")
    await house.until(lambda: house.engine.settler.executed >= before + times)


def come(house: House, credit: int = 64) -> Mute:
    link = Mute(house.engine, credit=credit)
    house.engine.join(link)
    return link


async def test_runs_behind_an_open_breaker_wait_use_no_attempt_and_say_until_when(build: Build) -> None:
    house = await build(serve=False)
    link = come(house)
    schedule = await house.schedule(handler="far", policy=ONCE)
    failed = [await house.run_now(schedule) for _ in range(STREAK)]
    await fail(house, link)
    for run in failed:
        assert (await house.ended(run.id)).state is RunState.FAILED
    waiting = await house.run_now(schedule)
    why = await house.why(waiting)
    assert (why.scope, why.limit, why.used) == ("handler:far/work", "breaker", STREAK)
    assert why.until is not None
    assert why.until in why.words
    assert "failed 5 times in a row" in why.words
    held = await house.client.get_run(waiting.id)
    assert (held.state, held.attempt) == (RunState.WAITING, 0)
    (method,) = (await house.client.get_handler("far")).methods
    assert [(each.failures, each.guild_id, each.until is None) for each in method.breakers] == [(STREAK, "1", False)]


async def test_one_run_is_tried_and_when_it_succeeds_all_go_on(build: Build) -> None:
    house = await build(serve=False)
    link = come(house)
    schedule = await house.schedule(handler="far", policy=ONCE)
    for _ in range(STREAK):
        await house.run_now(schedule)
    await fail(house, link)
    waiting = [await house.run_now(schedule) for _ in range(3)]
    assert (await house.why(waiting[0])).limit == "breaker"
    house.pass_time(FIRST_S)
    async with asyncio.timeout(10):
        probe = await link.orders.get()
    behind = await house.why(next(run for run in waiting if run.id != probe.run_id))
    assert (behind.limit, behind.until) == ("breaker", None)
    assert link.orders.empty()
    link.answer(probe)
    async with asyncio.timeout(10):
        others = [await link.orders.get() for _ in range(2)]
    assert {probe.run_id, *(order.run_id for order in others)} == {run.id for run in waiting}
    (method,) = (await house.client.get_handler("far")).methods
    assert method.breakers == ()


async def test_lasting_failures_are_the_schedules_own_and_hold_nobody_back(build: Build) -> None:
    house = await build(serve=False)
    link = come(house)
    schedule = await house.schedule(handler="far", policy=ONCE)
    for _ in range(2 * STREAK - 1):  # one more would block the schedule itself
        await house.run_now(schedule)
    await fail(house, link, 2 * STREAK - 1, Cause.LASTING)
    await house.until(lambda: link.instance.in_flight == 0)
    run = await house.run_now(schedule)
    async with asyncio.timeout(10):
        assert (await link.orders.get()).run_id == run.id
    (method,) = (await house.client.get_handler("far")).methods
    assert method.breakers == ()


async def test_a_run_waits_behind_a_breaker_until_its_start_before(build: Build) -> None:
    house = await build(serve=False)
    link = come(house)
    other = await house.schedule(handler="far", policy=ONCE, name="other")
    for _ in range(STREAK):
        await house.run_now(other)
    await fail(house, link)
    house.pass_time(FIRST_S)
    probe = await house.run_now(other)
    async with asyncio.timeout(10):
        assert (await link.orders.get()).run_id == probe.id  # which never ends
    await house.every(3600, handler="far", policy={"catchup_window": "PT1S"})
    created = await house.heard("run.created", count=STREAK + 2)
    assert created.run_id is not None
    house.clock.move(1.5)
    house.engine.dispatcher.wake()
    run = await house.ended(created.run_id)
    assert (run.state, run.reason, run.attempt) == (RunState.SKIPPED, "missed", 0)


def test_a_guild_does_not_wait_behind_anothers_breaker() -> None:
    info = MethodInfo(name="work", doc="", timeout=None, at_most_once=False, schema={})
    far = Instance(name="far@1", handler="far", methods={"work": info}, credit=1, in_flight=1)
    queue, governor = FairQueue(), Governor(GovernorSettings(default_plan="trusted"), lambda _: ("far", None))
    for guild in ("1", "2"):
        place = Place(f"run_{guild}", "sch_a", 0, 0, 0, None, guild, "far", "work", 1, None, 0)
        queue.put(Waiting(f"run_{guild}", guild, "far.work", "far", 1, 0, place))
    for _ in range(STREAK):
        governor.take("1", "far.work", ["far@1"], 0.0)
        governor.release("1", "far.work", "far@1", 0.1, 0.0, ok=False, taken_at=0.0)

    def chosen() -> list[str]:
        picked = choose(queue, governor, Seats({"far": {"far@1": far}}, 0.0), 0.0, 10, lambda _: False)
        return [each.place.run_id for each in picked]

    assert chosen() == [], "both wait for the one seat, guild 1 before guild 2"
    far.in_flight = 0
    queue.released("handler:far")
    assert chosen() == ["run_2"]
    wait = queue.why("run_1")
    assert wait is not None
    assert (wait.limit, wait.until) == ("breaker", FIRST_S)


async def test_a_limit_that_adapts_is_named_shown_and_halved(build: Build) -> None:
    methods = {"far.work": MethodQuota(running=4, adaptive="aimd")}
    house = await build(serve=False, governor=GovernorSettings(default_plan="trusted", methods=methods))
    link = come(house)
    schedule = await house.schedule(handler="far", policy=ONCE)
    for _ in range(4):
        await house.run_now(schedule)
    await fail(house, link, 1)
    waiting = [await house.run_now(schedule) for _ in range(2)]
    why = await house.why(waiting[0])
    assert (why.scope, why.limit, why.allowed) == ("handler:far/work", "adaptive", 2)
    assert "bears 2 runs at once for now" in why.words
    (method,) = (await house.client.get_handler("far")).methods
    assert method.adaptive is not None
    assert (method.adaptive.limit, method.adaptive.least, method.adaptive.most) == (2, 1, 4)
    assert method.in_flight == method.adaptive.in_flight == 3


async def test_of_a_pool_one_that_fails_is_set_aside_told_of_and_comes_back(build: Build) -> None:
    house = await build(serve=False)
    links = [Mute(house.engine, name=f"far@{number}") for number in (1, 2)]
    for link in links:
        house.engine.join(link)
    bad, good = links
    schedule = await house.schedule(handler="far", policy=ONCE)
    for _ in range(2 * STREAK):
        await house.run_now(schedule)
    await fail(house, bad)
    async with asyncio.timeout(10):
        for _ in range(STREAK):
            good.answer(await good.orders.get())
    await house.until(lambda: bad.instance.in_flight == good.instance.in_flight == 0)
    house.engine.health.look()
    event = await house.heard("handler.unhealthy", handler="far")
    assert event.data["reason"] == f"its last {STREAK} runs failed"
    for _ in range(4):
        await house.run_now(schedule)
    async with asyncio.timeout(10):
        for _ in range(4):
            good.answer(await good.orders.get())
    assert bad.orders.empty()
    house.pass_time(FIRST_S)
    await house.run_now(schedule)
    async with asyncio.timeout(10):
        bad.answer(await bad.orders.get())
    await house.until(lambda: bad.instance.bench.until is None)


async def test_the_last_day_is_shown_and_survives_a_restart(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(policy=ONCE)
    for _ in range(3):
        await house.ended((await house.run_now(schedule)).id)
    (bucket,) = (await house.client.get_handler("hands")).history
    assert (bucket.succeeded, bucket.failed, bucket.span) == (3, 0, "PT30M")
    assert bucket.p50 is not None
    assert (await house.client.list_handlers()).items[0].history == ()
    await house.close()
    await house.open()
    assert [each.succeeded for each in (await house.client.get_handler("hands")).history] == [3]
    await house.ended((await house.run_now(schedule)).id)
    (listed,) = (await house.client.list_handlers(history=True)).items
    assert sum(each.succeeded for each in listed.history) == 4
