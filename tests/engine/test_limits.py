"""What holds a run back: its handler, its schedule's other runs, its guild's limits; and that it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.engine.waiting import WaitingRoom
from core.governor.settings import GovernorSettings, Limits, MethodQuota, Plan
from schedule_zero.handler import Context
from schedule_zero.instant import HOUR, MINUTE, SECOND, from_datetime, parse, to_datetime
from schedule_zero.run import Run, RunState, Why
from tests.engine.house import House

Build = Callable[..., Awaitable[House]]


def holding(house: House) -> asyncio.Event:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        await gate.wait()
        return n

    house.hands.deed = deed
    return gate


def plan(**limits: Any) -> GovernorSettings:
    return GovernorSettings(plans={"small": Plan(**limits)}, default_plan="small")


async def why(house: House, run: Run) -> Why:
    """What a run waits for, once something does hold it back."""
    async with asyncio.timeout(10):
        while True:
            found = (await house.client.get_run(run.id)).why
            if found is not None:
                return found
            await asyncio.sleep(0.001)


# ── the handler ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_while_its_handler_is_not_available_a_run_waits_and_uses_up_no_attempt(house: House) -> None:
    house.hands.set_available(False)
    run = await house.run_now(await house.schedule())
    assert await why(house, run) == Why(scope="handler:hands", limit="available", used=0, allowed=0)
    house.hands.set_available(True)
    done = await house.ended(run.id)
    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 1)


async def test_a_run_whose_time_to_start_passes_while_it_waits_is_missed(build: Build) -> None:
    house = await build()
    house.hands.set_available(False)
    schedule = await house.every(3600, policy={"catchup_window": "PT10M"})
    event = await house.heard("run.created", schedule_id=schedule.id)
    house.pass_time(599)
    assert (await house.client.get_run(event.run_id or "")).state is RunState.WAITING
    house.pass_time(2)
    done = await house.ended(event.run_id or "")
    assert (done.state, done.reason, done.attempt) == (RunState.SKIPPED, "missed", 0)


async def test_a_run_that_was_tried_and_may_not_start_again_has_failed_as_expired(build: Build) -> None:
    house = await build()

    async def deed(ctx: Context, n: int) -> Any:
        house.hands.set_available(False)
        raise OSError("away")

    house.hands.deed = deed
    schedule = await house.every(3600, policy={"catchup_window": "PT10M", "retry": {"initial": "PT1S"}})
    event = await house.heard("run.waiting", schedule_id=schedule.id)
    house.pass_time(602)
    done = await house.ended(event.run_id or "")
    assert (done.state, done.reason, done.attempt) == (RunState.FAILED, "expired", 1)


async def test_an_outage_of_the_handler_leaves_one_message_of_a_series(build: Build) -> None:
    house = await build()
    house.hands.set_available(False)
    schedule = await house.every(60)
    for count in range(1, 6):
        await house.heard("run.created", count=count, schedule_id=schedule.id)
        house.clock.move(60)
    await house.heard("run.created", count=6, schedule_id=schedule.id)
    house.hands.set_available(True)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    runs = await house.runs(schedule.id)
    assert [run.state for run in runs] == [RunState.SKIPPED] * 5 + [RunState.SUCCEEDED]
    assert {run.reason for run in runs[:-1]} == {"superseded"}
    assert len(house.hands.calls) == 1


async def test_catch_up_all_keeps_so_many_and_works_them_off_one_by_one(build: Build) -> None:
    house = await build()
    house.hands.set_available(False)
    schedule = await house.every(60, policy={"catchup": "all", "catchup_limit": 3, "overlap_limit": 5})
    for count in range(1, 6):
        await house.heard("run.created", count=count, schedule_id=schedule.id)
        house.clock.move(60)
    await house.heard("run.created", count=6, schedule_id=schedule.id)
    alive, most = 0, 0

    async def deed(ctx: Context, n: int) -> Any:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        await asyncio.sleep(0)
        alive -= 1

    house.hands.deed = deed
    house.hands.set_available(True)
    await house.heard("run.succeeded", count=3, schedule_id=schedule.id)
    runs = await house.runs(schedule.id)
    assert [run.state for run in runs] == [RunState.SKIPPED] * 3 + [RunState.SUCCEEDED] * 3
    assert most == 1


# ── the other runs of the schedule ─────────────────────────────────────────────────────────────────────────────


async def test_overlap_queue_lets_so_many_run_and_the_rest_stand_in_line(house: House) -> None:
    gate = holding(house)
    schedule = await house.schedule(policy={"overlap_limit": 2})
    runs = [await house.run_now(schedule, n=n) for n in range(4)]
    for _ in range(2):
        await house.hands.begun.get()
    assert await why(house, runs[2]) == Why(scope=f"schedule:{schedule.id}", limit="overlap", used=2, allowed=2)
    assert len(house.hands.calls) == 2
    gate.set()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [0, 1, 2, 3]


async def test_overlap_allow_lets_all_run(house: House) -> None:
    gate = holding(house)
    schedule = await house.schedule(policy={"overlap": "allow"})
    runs = [await house.run_now(schedule) for _ in range(3)]
    for _ in runs:
        await house.hands.begun.get()
    gate.set()
    for run in runs:
        await house.ended(run.id)


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_skip_skips_while_one_is_under_way(house: House, by: str) -> None:
    gate = holding(house)
    schedule = await house.every(60, policy={"overlap": "skip"})
    await house.hands.begun.get()
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    await house.heard("run.skipped", schedule_id=schedule.id, reason="overlap")
    gate.set()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    again = await house.run_now(schedule)
    assert (await house.ended(again.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_cancel_previous_stops_the_old_run_and_then_starts(house: House, by: str) -> None:
    gate = holding(house)
    schedule = await house.every(60, policy={"overlap": "cancel_previous"})
    first = await house.hands.begun.get()
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    assert (await house.ended(first.run_id)).state is RunState.CANCELLED
    second = await house.hands.begun.get()
    assert second.run_id != first.run_id
    gate.set()
    assert (await house.ended(second.run_id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("by", ["tick", "hand"])
async def test_overlap_cancel_previous_also_ends_a_run_that_waits_for_its_next_try(house: House, by: str) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        if len(house.hands.calls) == 1:
            raise OSError("once")

    house.hands.deed = deed
    policy = {"overlap": "cancel_previous", "retry": {"initial": "PT1H"}, "catchup_window": None}
    schedule = await house.every(60, policy=policy)
    first = await house.heard("run.waiting", schedule_id=schedule.id)
    if by == "tick":
        house.clock.move(60)
    else:
        await house.run_now(schedule)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert (await house.client.get_run(first.run_id or "")).state is RunState.CANCELLED
    await house.heard("run.cancelled", run_id=first.run_id)


async def test_runs_of_a_guild_start_in_the_order_of_their_due_times(build: Build) -> None:
    house = await build(run=False, governor=plan(running=1))
    schedules = [await house.schedule(args={"n": n}) for n in range(4)]
    runs = [await house.run_now(schedule) for schedule in schedules]
    house.run()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [0, 1, 2, 3]


async def test_high_priority_goes_before_low(build: Build) -> None:
    house = await build(run=False, governor=plan(running=1))
    runs = []
    for n, priority in enumerate(("low", "normal", "high")):
        schedule = await house.schedule(args={"n": n}, policy={"priority": priority})
        runs.append(await house.run_now(schedule))
    house.run()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [2, 1, 0]


# ── the guild's limits ─────────────────────────────────────────────────────────────────────────────────────────


async def test_running_of_a_guild_holds_back_its_own_runs_only(build: Build) -> None:
    house = await build(governor=plan(running=1))
    gate = holding(house)
    first = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    second = await house.run_now(await house.schedule())
    other = await house.run_now(await house.schedule(guild_id="2"))
    assert (await house.hands.begun.get()).run_id == other.id
    assert await why(house, second) == Why(scope="guild:1", limit="running", used=1, allowed=1)
    gate.set()
    for run in (first, second, other):
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_rate_of_a_guild_says_when_the_next_one_may_start(build: Build) -> None:
    house = await build(governor=plan(rate="1/min"))
    schedule = await house.schedule(policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.ended(first.id)
    held = await why(house, second)
    assert (held.scope, held.limit, held.used, held.allowed) == ("guild:1", "rate", 1, 1)
    assert 50 * SECOND < parse(held.until or "") - house.clock.now() <= 60 * SECOND
    house.pass_time(60)
    assert (await house.ended(second.id)).state is RunState.SUCCEEDED


async def test_a_rate_is_remembered_over_a_restart(build: Build) -> None:
    house = await build(governor=plan(rate="1/h"))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    assert (await why(house, second)).limit == "rate"
    third = await house.run_now(await house.schedule(guild_id="2"))
    await house.ended(third.id)
    await house.kill()
    await house.open()
    assert (await why(house, second)).limit == "rate"


async def test_the_limits_of_a_method_and_of_the_whole_service_hold_too(build: Build) -> None:
    governor = GovernorSettings(
        default_plan="trusted", global_=Limits(running=2), methods={"hands.work": MethodQuota(running=1)}
    )
    house = await build(governor=governor)
    gate = holding(house)
    runs = [await house.run_now(await house.schedule(guild_id=str(n))) for n in range(2)]
    await house.hands.begun.get()
    assert (await why(house, runs[1])).scope == "method:hands.work"
    others = [await house.run_now(await house.schedule(guild_id=str(n), method="once")) for n in (7, 8)]
    await house.hands.begun.get()
    assert (await why(house, others[1])).scope == "global"
    gate.set()
    for run in (*runs, *others):
        await house.ended(run.id)


# ── calendar quotas ────────────────────────────────────────────────────────────────────────────────────────────


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
    held = await why(house, second)
    assert (held.scope, held.limit, held.used, held.allowed) == ("guild:1", "runs_per_day", 1, 1)
    assert parse(held.until or "") == midnight_after(house)
    third = await house.run_now(schedule)
    assert parse((await why(house, third)).until or "") == midnight_after(house) + 24 * HOUR
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
    run = await house.run_now(await house.schedule(policy={"retry": {"initial": "PT1H"}}))
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
    assert parse((await why(house, second)).until or "") == midnight_after(house, "Asia/Kathmandu")
    await house.kill()
    await house.open()
    third = await house.run_now(schedule)
    assert parse((await why(house, third)).until or "") % HOUR == 15 * MINUTE


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


# ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_does_not_fit_into_memory_is_read_again_when_there_is_room(build: Build) -> None:
    house = await build(run=False)
    house.engine.room._capacity = 4
    at = house.clock.in_s(0)
    items = [{"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "date", "at": at}}] * 30
    await house.client.create_schedules(items)
    house.run()
    await house.heard("run.succeeded", count=30)
    assert len({run_id for run_id, _, _ in house.hands.calls}) == len(house.hands.calls) == 30


async def test_more_waiting_runs_than_memory_holds_are_found_after_a_restart(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(run=False)
    runs = [await house.run_now(await house.schedule()) for _ in range(12)]
    await house.kill()
    monkeypatch.setattr(WaitingRoom.__init__, "__defaults__", (3,))
    monkeypatch.setattr("core.engine.recovery.PAGE", 5)
    await house.open()
    for run in runs:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
