"""Calendar quotas: charged with the run, given back without an attempt, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schedule_zero.errors import QuotaExceeded
from schedule_zero.handler import Context
from schedule_zero.instant import HOUR, MINUTE, from_datetime, parse, to_datetime
from schedule_zero.run import RunState
from tests.engine.house import House, plan

Build = Callable[..., Awaitable[House]]


async def used(house: House, limit: str = "runs_per_day") -> int:
    standing = await house.engine.entitler.standing(house.ledger.reader.usage, "1", house.clock.now())
    return next(count for period, count in standing if period.limit == limit)


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
    await house.heard("run.skipped", run_id=second.id, reason="quota")


async def test_a_quota_of_nothing_skips_at_once_instead_of_looking_for_a_better_day(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=0))
    run = await house.run_now(await house.schedule())
    assert (run.state, run.reason) == (RunState.SKIPPED, "quota")


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
    standing = await house.engine.entitler.standing(house.ledger.reader.usage, "1", tomorrow)
    assert [count for _, count in standing] == [0]
    assert await used(house) == 1
