"""What a preview says of the plan: times that would wait for their quota, and rules the plan would not take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.governor.settings import Limits
from schedule_zero.trigger import CronTrigger
from tests.engine.house import House, plan
from tests.service.people import MOD, Post, as_, post

Build = Callable[..., Awaitable[House]]
HOURLY = CronTrigger(expression="0 * * * *")
WAITS = "would wait until 2026-03-04 00:00: this server's 3 runs of the day are used up by then"


async def _house(build: Build, **limits: object) -> House:
    house = await build(run=False, governor=plan(**limits))
    house.engine.serve(Post())
    return house


async def test_times_that_would_wait_for_the_days_quota_are_noted(build: Build) -> None:
    house = await _house(build, runs_per_day=3)
    made = await post(house, MOD, trigger=HOURLY)
    fires = (await as_(house, MOD).preview_schedule(made.id, n=15)).fires
    assert [fire.notes for fire in fires[:5]] == [(), (), (), (WAITS,), (WAITS,)]
    assert [fire.at[:13] for fire in fires if not fire.notes] == [
        "2026-03-03T13", "2026-03-03T14", "2026-03-03T15", "2026-03-04T00", "2026-03-04T01", "2026-03-04T02",
    ]  # fmt: skip
    unsaved = await as_(house, MOD).preview(HOURLY, n=5, guild_id="1", policy={"on_quota": "skip"})
    assert unsaved.fires[4].notes == ("would be left out: this server's 3 runs of the day are used up by then",)
    assert not any(fire.notes for fire in (await as_(house, MOD).preview(HOURLY, n=5)).fires)


async def test_a_quota_of_each_schedule_is_noted_for_one_that_is_saved_and_one_that_is_not(build: Build) -> None:
    house = await _house(build, runs_per_day=100, each_schedule=Limits(runs_per_day=3))
    made = await post(house, MOD, trigger=HOURLY)
    waits = WAITS.replace("this server's", "this schedule's")
    for seen in (
        await as_(house, MOD).preview_schedule(made.id, n=5), await as_(house, MOD).preview(HOURLY, n=5, guild_id="1")
    ):  # fmt: skip
        assert [fire.notes for fire in seen.fires] == [(), (), (), (waits,), (waits,)]


async def test_what_was_used_already_counts(build: Build) -> None:
    house = await _house(build, runs_per_day=3)
    made = await post(house, MOD, trigger=HOURLY)
    for _ in range(2):
        await as_(house, MOD).run_schedule(made.id)
    fires = (await as_(house, MOD).preview_schedule(made.id, n=3)).fires
    assert [fire.notes for fire in fires] == [(), (WAITS,), (WAITS,)]


async def test_a_rule_faster_than_the_plan_allows_is_noted_before_it_is_refused(build: Build) -> None:
    house = await _house(build, min_interval="PT2H")
    seen = await as_(house, MOD).preview(HOURLY, n=5, guild_id="1")
    assert seen.notes == ("it repeats after 1 hour; the shortest interval this server's plan allows is 2 hours",)
    assert (await as_(house, MOD).preview(CronTrigger(expression="0 */2 * * *"), n=5, guild_id="1")).notes == ()


async def test_a_rule_that_hardly_ever_comes_is_noted(build: Build) -> None:
    house = await _house(build)
    seen = await as_(house, MOD).preview(CronTrigger(expression="0 9 29 2 */7"))
    assert seen.notes == ("hardly ever due, less than once in five years; it comes on 2032-02-29",)
