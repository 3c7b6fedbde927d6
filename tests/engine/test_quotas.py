"""Calendar quotas: charged with the run, given back without an attempt, and told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.engine.entitle import Standing
from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from schedule_zero.errors import Conflict, QuotaExceeded
from schedule_zero.handler import Context
from schedule_zero.instant import HOUR, MINUTE, from_datetime, parse, to_datetime
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House, plan

Build = Callable[..., Awaitable[House]]


async def used(house: House, limit: str = "runs_per_day") -> int:
    return max(each.used for each in await standing(house) if each.period.limit == limit)


async def standing(house: House, at: int | None = None, schedule: Schedule | None = None) -> list[Standing]:
    which = {} if schedule is None else {"method": f"{schedule.handler}.{schedule.method}", "schedule_id": schedule.id}
    reads = house.ledger.reader.usage
    return await house.engine.entitler.standing(reads, "1", house.clock.now() if at is None else at, **which)


def midnight_after(house: House, zone: str = "UTC") -> int:
    now = to_datetime(house.clock.now(), ZoneInfo(zone))
    return from_datetime(now.replace(hour=0, minute=0, second=0, microsecond=0)) + 24 * HOUR


async def test_an_exhausted_day_sends_runs_to_the_next_one_and_says_so(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    event = await house.heard("quota.reached")
    assert (event.data["limit"], event.data["allowed"]) == ("runs_per_day", 1)
    second = await house.run_now(schedule)
    held = await house.why(second)
    assert (held.scope, held.limit, held.used, held.allowed) == ("guild:1", "runs_per_day", 1, 1)
    assert parse(held.until or "") == midnight_after(house)
    third = await house.run_now(schedule)
    assert parse((await house.why(third)).until or "") == midnight_after(house) + 24 * HOUR
    house.pass_time((midnight_after(house) - house.clock.now()) / 1e6 + 0.1)
    assert (await house.ended(second.id)).state is RunState.SUCCEEDED


async def test_on_quota_skip_skips(build: Build) -> None:
    house = await build(governor=plan(runs_per_hour=1))
    schedule = await house.schedule(policy={"on_quota": "skip"})
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    assert (second.state, second.reason) == (RunState.SKIPPED, "quota")
    told = await house.heard("run.skipped", run_id=second.id, reason="quota")
    assert second.error == told.data["error"]
    assert re.fullmatch(
        r"Guild 1 has used 1 of 1 runs it may have in an hour; the next can start at 2\S+\.", str(second.error)
    )


async def test_a_retry_that_no_quota_has_room_for_is_refused_with_its_scope_and_when_to_try_again(build: Build) -> None:
    house = await build(governor=plan(runs_per_hour=1))
    house.fail_with(ValueError("no"))
    schedule = await house.schedule(policy={"on_quota": "skip", "retry": {"max_attempts": 1}})
    failed = await house.ended((await house.run_now(schedule)).id)
    with pytest.raises(QuotaExceeded, match="cannot be run again now: Guild 1 has used 1 of 1 runs") as refused:
        await house.client.retry_run(failed.id)
    assert refused.value.details == {"scope": "guild:1", "limit": "runs_per_hour", "used": 1, "allowed": 1}
    assert 0 < (refused.value.retry_after or 0) <= 3600
    assert (await house.client.get_run(failed.id)).state is RunState.FAILED


async def test_a_quota_of_nothing_skips_or_lets_wait_until_more_is_allowed(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=0))
    skipped = await house.run_now(await house.schedule(policy={"on_quota": "skip"}))
    assert (skipped.state, skipped.reason) == (RunState.SKIPPED, "quota")
    words = "Guild 1 may run nothing (its limit is 0); it goes on when that is raised."
    assert skipped.error == words
    waiting = await house.run_now(await house.schedule())
    held = await house.why(waiting)
    assert (held.scope, held.limit, held.used, held.allowed, held.until) == ("guild:1", "runs_per_day", 0, 0, None)
    assert held.words == words
    await house.client.change_guild_quota("1", {"runs_per_day": 1}, until="in 1 hour")
    assert (await house.ended(waiting.id)).state is RunState.SUCCEEDED
    assert await used(house) == 1


async def test_why_tells_of_the_quota_that_put_a_run_off_and_not_of_one_that_came_later(build: Build) -> None:
    house = await build(governor=plan(runs_per_hour=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    await house.client.change_guild_quota("1", {"runs_per_day": 1})
    held = await house.why(put_off)
    assert held.limit == "runs_per_hour"
    assert parse(held.until or "") - house.clock.now() <= HOUR
    await house.client.change_guild_quota("1", {"runs_per_day": 0})
    assert (await house.why(put_off)).limit == "runs_per_hour"


async def test_what_was_charged_is_given_back_when_a_run_ends_without_an_attempt(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=5))
    house.hands.set_available(False)
    schedule = await house.schedule(policy={"overlap": "allow"})
    cancelled, kept = [await house.run_now(schedule) for _ in range(2)]
    assert await used(house) == 2
    await house.client.cancel_run(cancelled.id)
    assert await used(house) == 1
    house.hands.set_available(True)
    await house.ended(kept.id)
    assert await used(house) == 1
    house.hands.set_available(False)
    await house.run_now(schedule)
    await house.client.pause_schedule(schedule.id)
    assert await used(house) == 1


async def test_an_expired_run_gives_back_what_it_was_charged(build: Build) -> None:
    house = await build(governor=plan(runs_per_month=5))
    house.hands.set_available(False)
    schedule = await house.every(3600, policy={"catchup_window": "PT1M"})
    await house.heard("run.created", schedule_id=schedule.id)
    assert await used(house, "runs_per_month") == 1
    house.pass_time(61)
    await house.heard("run.skipped", schedule_id=schedule.id)
    assert await used(house, "runs_per_month") == 0


async def test_a_run_that_was_tried_keeps_its_charge(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=5))

    async def deed(ctx: Context, n: int) -> Any:
        raise OSError("away")

    house.hands.deed = deed
    run = await house.run_now(await house.schedule(policy={"retry": {"initial": "PT1H", "maximum": "PT1H"}}))
    await house.heard("run.waiting", run_id=run.id)
    await house.client.cancel_run(run.id)
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert await used(house) == 1


async def test_a_newer_run_takes_over_the_charge_of_the_one_it_supersedes(build: Build) -> None:
    """At the very limit: else each new due time would be sent to a later day although the day has room again."""
    house = await build(governor=plan(runs_per_day=1))
    house.hands.set_available(False)
    schedule = await house.every(60)
    for count in range(1, 4):
        await house.heard("run.created", count=count, schedule_id=schedule.id)
        assert await used(house) == 1
        house.clock.move(60)
    house.hands.set_available(True)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert await used(house) == 1


async def test_a_guilds_day_begins_at_its_own_midnight(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    await house.client.change_guild_settings("1", {"timezone": "Asia/Kathmandu"})
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    assert parse((await house.why(second)).until or "") == midnight_after(house, "Asia/Kathmandu")
    await house.kill()
    await house.open()
    third = await house.run_now(schedule)
    assert parse((await house.why(third)).until or "") % HOUR == 15 * MINUTE


async def test_entitlements_are_charged_in_the_ticks_own_transaction(build: Build) -> None:
    house = await build(run=False, governor=plan(runs_per_day=3))
    at = house.clock.in_s(0)
    items = [
        {"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "date", "at": at},
         "policy": {"on_quota": "skip"}}
    ] * 10  # fmt: skip
    await house.client.create_schedules(items)
    house.run()
    await house.heard("run.succeeded", count=3)
    await house.heard("run.skipped", count=7, reason="quota")
    assert await used(house) == 3


@pytest.mark.parametrize("on_quota", ["skip", "wait"])
async def test_under_fifty_creators_at_once_a_quota_is_exactly_its_limit(build: Build, on_quota: str) -> None:
    house = await build(governor=plan(runs_per_day=20))
    schedules = [await house.schedule(policy={"on_quota": on_quota}) for _ in range(50)]
    runs = await asyncio.gather(*(house.run_now(schedule) for schedule in schedules))
    charged = [run for run in runs if run.reason != "quota"]
    for run in charged:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    assert len(charged) == await used(house) == 20
    assert {run.state for run in runs if run.reason == "quota"} == {
        RunState.SKIPPED if on_quota == "skip" else RunState.WAITING
    }


async def test_under_fifty_creators_at_once_there_are_exactly_as_many_schedules_as_allowed(build: Build) -> None:
    house = await build(governor=plan(schedules=20))

    async def create() -> bool:
        try:
            await house.schedule()
        except QuotaExceeded:
            return False
        return True

    assert (await asyncio.gather(*(create() for _ in range(50)))).count(True) == 20
    assert await house.ledger.reader.schedules.count("1") == 20


async def test_a_run_sent_to_a_later_day_can_be_cancelled(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    async with asyncio.timeout(10):
        assert (await house.client.cancel_run(second.id)).state is RunState.CANCELLED


async def test_another_zone_is_no_new_beginning(build: Build) -> None:
    house = await build(governor=plan(runs_per_hour=2, runs_per_day=3))
    schedule = await house.schedule(policy={"overlap": "allow"})
    for _ in range(2):
        await house.ended((await house.run_now(schedule)).id)
    for zone in ("Pacific/Kiritimati", "Asia/Kolkata", "UTC", "America/New_York"):
        await house.client.change_guild_settings("1", {"timezone": zone})
        assert (await used(house, "runs_per_hour"), await used(house)) == (2, 2)
    assert (await house.why(await house.run_now(schedule))).until is not None


async def test_what_was_put_off_is_charged_once_whatever_zone_follows(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = [await house.run_now(schedule) for _ in range(2)]
    await house.client.change_guild_settings("1", {"timezone": "Asia/Kathmandu"})
    for run in put_off:
        await house.client.cancel_run(run.id)
    await house.client.change_guild_settings("1", {"timezone": "UTC"})
    tomorrow = midnight_after(house) + HOUR
    assert {each.used for each in await standing(house, tomorrow)} == {0}
    assert await used(house) == 1


SCOPES: dict[str, dict[str, Any]] = {
    "global": {"global_": Limits(runs_per_day=2)},
    "plan:small": {"plans": {"small": Plan(shared=Limits(runs_per_day=2))}},
    "method:hands.work": {"methods": {"hands.work": MethodQuota(runs_per_day=2)}},
    "guild:1": {"plans": {"small": Plan(runs_per_day=2)}},
}


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_quota_that_guilds_share_counts_the_runs_of_all(build: Build, scope: str) -> None:
    """Each scope says so by its own name; a guild's own quota counts only its own."""
    house = await build(
        governor=GovernorSettings(**({"plans": {"small": Plan()}} | SCOPES[scope]), default_plan="small")
    )
    mine, theirs = await house.schedule(policy={"overlap": "allow"}), await house.schedule(guild_id="2")
    await house.ended((await house.run_now(mine)).id)
    await house.ended((await house.run_now(theirs)).id)
    third = await house.run_now(mine)
    if scope == "guild:1":
        await house.ended(third.id)
        third = await house.run_now(mine)
    held = await house.why(third)
    assert (held.scope, held.limit, held.used, held.allowed) == (scope, "runs_per_day", 2, 2)
    assert parse(held.until or "") == midnight_after(house)
    event = await house.heard("quota.reached")
    assert (event.data["scope"], event.guild_id) == (scope, "1" if scope == "guild:1" else None)


async def test_each_schedule_may_have_a_quota_of_its_own(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=9, each_schedule=Limits(runs_per_hour=1)))
    first, second = [await house.schedule(policy={"overlap": "allow"}) for _ in range(2)]
    await house.ended((await house.run_now(first)).id)
    held = await house.why(await house.run_now(first))
    assert (held.scope, held.limit, held.allowed) == (f"schedule:{first.id}", "runs_per_hour", 1)
    await house.ended((await house.run_now(second)).id)
    event = await house.heard("quota.reached")
    assert (event.data["scope"], event.guild_id) == (f"schedule:{first.id}", "1")


async def test_the_operators_own_work_meets_what_all_share(build: Build) -> None:
    house = await build(governor=GovernorSettings(global_=Limits(runs_per_day=1)))
    schedule = await house.schedule(guild_id=None, policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    assert (await house.why(put_off)).scope == "global"
    house.pass_time((midnight_after(house) - house.clock.now()) / 1e6 + 0.1)
    assert (await house.ended(put_off.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("full", ["guild", "schedule", "global"])
async def test_in_one_tick_runs_of_many_schedules_take_exactly_what_each_scope_has(build: Build, full: str) -> None:
    most = {"guild": 9, "schedule": 9, "global": 9} | {full: 3}
    each = {"schedule": 1}.get(full, 9)
    governor = GovernorSettings(
        global_=Limits(runs_per_day=most["global"]), default_plan="small",
        plans={"small": Plan(runs_per_day=most["guild"], each_schedule=Limits(runs_per_day=each))},
    )  # fmt: skip
    house = await build(run=False, governor=governor)
    at, policy = house.clock.in_s(0), {"on_quota": "skip", "overlap": "allow"}
    item = {"handler": "hands", "method": "work", "guild_id": "1", "policy": policy}
    made = await house.client.create_schedules([{**item, "trigger": {"type": "date", "at": at}}] * 6)
    house.run()
    succeeded = 6 if full == "schedule" else 3
    await house.heard("run.succeeded", count=succeeded)
    if full == "schedule":
        again = await house.run_now(made.items[0].schedule or pytest.fail("it was made"))
        assert (again.state, again.reason) == (RunState.SKIPPED, "quota")
    else:
        await house.heard("run.skipped", count=3, reason="quota")
    assert len(await house.told("run.succeeded")) == succeeded


async def test_what_is_given_back_is_what_was_charged_whatever_the_plan_is_by_then(build: Build) -> None:
    """Not a quota that came meanwhile, which never counted the run."""
    house = await build(governor=plan(runs_per_day=5))
    house.hands.set_available(False)
    schedule = await house.schedule(policy={"overlap": "allow"})
    before = await house.run_now(schedule)
    await house.client.change_guild_quota("1", {"runs_per_hour": 5})
    after = await house.run_now(schedule)
    assert (await used(house), await used(house, "runs_per_hour")) == (2, 1)
    await house.client.cancel_run(before.id)
    assert (await used(house), await used(house, "runs_per_hour")) == (1, 1)
    await house.client.change_guild_quota("1", {"runs_per_hour": None})
    await house.client.cancel_run(after.id)
    await house.client.change_guild_quota("1", {"runs_per_hour": 5})
    assert (await used(house), await used(house, "runs_per_hour")) == (0, 0)


async def test_what_waits_when_the_zone_changes_gives_back_where_it_is_counted_now(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=5))
    house.hands.set_available(False)
    schedule = await house.schedule(policy={"overlap": "allow"})
    runs = [await house.run_now(schedule) for _ in range(2)]
    await house.client.change_guild_settings("1", {"timezone": "Pacific/Kiritimati"})  # it is tomorrow there
    assert await used(house) == 2
    for run in runs:
        await house.client.cancel_run(run.id)
    assert await used(house) == 0


async def test_where_tomorrow_begins_at_once_today_goes_on_counting_until_it_ends(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=2))
    schedule = await house.schedule(policy={"overlap": "allow"})
    for _ in range(2):
        await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    await house.client.change_guild_settings("1", {"timezone": "Pacific/Kiritimati"})
    assert await used(house) == 2
    held = [await house.why(run) for run in (put_off, await house.run_now(schedule))]
    assert [parse(each.until or "") for each in held] == [midnight_after(house)] * 2


@pytest.mark.parametrize(
    ("limit", "there", "at"), [("runs_per_day", "Pacific/Kiritimati", 9.98), ("runs_per_hour", "Asia/Kolkata", 0.49)]
)
async def test_whoever_changes_the_zone_again_and_again_gets_no_more_for_it(
    build: Build, limit: str, there: str, at: float
) -> None:
    """There shortly before a period begins on the other clocks, and back as soon as that has counted one."""
    house = await build(governor=plan(**{limit: 3}))
    schedule = await house.schedule(policy={"overlap": "allow", "on_quota": "skip"})
    length = 24 if limit == "runs_per_day" else 1

    async def as_many_as_may() -> int:
        for count in range(9):
            if (run := await house.run_now(schedule)).reason == "quota":
                return count
            await house.ended(run.id)
        return 9

    house.pass_time((midnight_after(house) - house.clock.now()) / 1e6 + 30)
    for _ in range(3):
        began = house.clock.now()
        ran = await as_many_as_may()
        house.pass_time(at * 3600)
        await house.client.change_guild_settings("1", {"timezone": there})
        house.pass_time(0.04 * 3600)
        ran += await as_many_as_may()
        await house.client.change_guild_settings("1", {"timezone": "UTC"})
        ran += await as_many_as_may()
        assert ran == 3
        house.pass_time(length * 3600 - (house.clock.now() - began) / 1e6)


async def test_another_zone_there_and_back_takes_nothing_of_the_periods_to_come(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=3))
    schedule = await house.schedule(policy={"overlap": "allow"})
    for _ in range(3):
        await house.ended((await house.run_now(schedule)).id)
    await house.client.change_guild_settings("1", {"timezone": "Pacific/Kiritimati"})
    await house.client.change_guild_settings("1", {"timezone": "UTC"})
    house.pass_time((midnight_after(house) - house.clock.now()) / 1e6 + 1)
    for _ in range(3):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.why(await house.run_now(schedule))).used == 3


async def test_a_run_put_off_is_counted_once_however_often_the_zone_is_changed(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=3, runs_per_hour=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    for zone in ("Pacific/Kiritimati", "UTC") * 3:
        await house.client.change_guild_settings("1", {"timezone": zone})
        assert await used(house) == 2
    await house.client.cancel_run(put_off.id)
    assert await used(house) == 1


async def test_zones_are_set_no_more_often_than_they_can_be_counted_by(build: Build) -> None:
    house = await build(governor=plan(runs_per_month=9))
    await house.run_now(await house.schedule())
    for hour in range(1, 14):
        await house.client.change_guild_settings("1", {"timezone": f"Etc/GMT+{hour}" if hour < 13 else "Asia/Tokyo"})
    for hour in range(1, 12):
        await house.client.change_guild_settings("1", {"timezone": f"Etc/GMT-{hour}"})
    with pytest.raises(Conflict, match="had 24 other time zones within a month"):
        await house.client.change_guild_settings("1", {"timezone": "Europe/Berlin"})
    await house.client.change_guild_settings("1", {"timezone": "Etc/GMT+1"})


@pytest.mark.parametrize("raised", [False, True])
async def test_a_quota_lets_no_run_begin_before_its_own_time(build: Build, raised: bool) -> None:
    house = await build(governor=plan(runs_per_day=1))
    parent = await house.schedule()
    child = await house.schedule(None, after=[{"schedule": parent.id, "when": "success", "delay": "PT14H"}])
    await house.ended((await house.run_now(parent)).id)
    await house.heard("run.created", schedule_id=child.id)
    (run,) = await house.runs(child.id)
    if raised:
        await house.client.change_guild_quota("1", {"runs_per_day": 9})
        await house.forwarded()
    assert parse((await house.why(run)).until or "") == parse(run.due)


async def test_a_larger_configured_quota_brings_forward_at_the_next_start_what_was_put_off(build: Build) -> None:
    house = await build(governor=GovernorSettings(global_=Limits(runs_per_day=1)))
    schedule = await house.schedule(guild_id=None, policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    put_off = await house.run_now(schedule)
    assert (await house.why(put_off)).limit == "runs_per_day"
    await house.close()
    house = await build(governor=GovernorSettings(global_=Limits(runs_per_day=2)))
    keeping = asyncio.create_task(house.service.measures.keep())
    assert (await house.ended(put_off.id)).state is RunState.SUCCEEDED
    keeping.cancel()
