"""What holds a run back: its handler, its guild's limits, memory; and that it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from core.engine.waiting import CAPACITY, WaitingRoom
from core.governor.settings import GovernorSettings, GuildQuota, Limits, MethodQuota
from core.ledger.port import StoreError, Transaction
from core.ledger.rows import RunRow
from schedule_zero.handler import Context
from schedule_zero.instant import SECOND, parse
from schedule_zero.run import RunState, Why
from tests.engine.house import House, plan
from tests.engine.rows import run_row

Build = Callable[..., Awaitable[House]]


# ── the handler ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_while_its_handler_is_not_available_a_run_waits_and_uses_up_no_attempt(house: House) -> None:
    house.hands.set_available(False)
    run = await house.run_now(await house.schedule())
    words = "Handler hands is connected, but cannot work at the moment."
    assert await house.why(run) == Why(scope="handler:hands", limit="available", used=0, allowed=0, words=words)
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
    assert (await house.client.status()).due_times_missed == 1


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


# ── the guild's limits ─────────────────────────────────────────────────────────────────────────────────────────


async def test_running_of_a_guild_holds_back_its_own_runs_only(build: Build) -> None:
    house = await build(governor=plan(running=1))
    gate = house.hold()
    first = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    second = await house.run_now(await house.schedule())
    other = await house.run_now(await house.schedule(guild_id="2"))
    assert (await house.hands.begun.get()).run_id == other.id
    words = "Guild 1 has 1 of 1 runs going at once; the next can start when one of them ends."
    assert await house.why(second) == Why(scope="guild:1", limit="running", used=1, allowed=1, words=words)
    gate.set()
    for run in (first, second, other):
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_rate_of_a_guild_says_when_the_next_one_may_start(build: Build) -> None:
    house = await build(governor=plan(rate="1/min"))
    schedule = await house.schedule(policy={"overlap": "allow"})
    first, second = [await house.run_now(schedule) for _ in range(2)]
    await house.ended(first.id)
    held = await house.why(second)
    assert (held.scope, held.limit, held.used, held.allowed) == ("guild:1", "rate", 1, 1)
    assert 50 * SECOND < parse(held.until or "") - house.clock.now() <= 60 * SECOND
    house.pass_time(60)
    assert (await house.ended(second.id)).state is RunState.SUCCEEDED


async def test_a_rate_is_remembered_over_a_restart(build: Build) -> None:
    house = await build(governor=plan(rate="1/h"))
    schedule = await house.schedule(policy={"overlap": "allow"})
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    assert (await house.why(second)).limit == "rate"
    third = await house.run_now(await house.schedule(guild_id="2"))
    await house.ended(third.id)
    await house.kill()
    await house.open()
    assert (await house.why(second)).limit == "rate"


async def test_the_limits_of_a_method_and_of_the_whole_service_hold_too(build: Build) -> None:
    governor = GovernorSettings(
        default_plan="trusted", global_=Limits(running=2), methods={"hands.work": MethodQuota(running=1)}
    )
    house = await build(governor=governor)
    gate = house.hold()
    runs = [await house.run_now(await house.schedule(guild_id=str(n))) for n in range(2)]
    await house.hands.begun.get()
    assert (await house.why(runs[1])).scope == "method:hands.work"
    others = [await house.run_now(await house.schedule(guild_id=str(n), method="once")) for n in (7, 8)]
    await house.hands.begun.get()
    assert (await house.why(others[1])).scope == "global"
    gate.set()
    for run in (*runs, *others):
        await house.ended(run.id)


# ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_does_not_fit_into_memory_is_read_again_when_there_is_room(build: Build) -> None:
    house = await build(run=False)
    house.engine.room.capacity = 4
    at = house.clock.in_s(0)
    items = [{"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "date", "at": at}}] * 30
    await house.client.create_schedules(items)
    house.run()
    await house.heard("run.succeeded", count=30)
    assert len({run_id for run_id, _, _ in house.hands.calls}) == len(house.hands.calls) == 30


@pytest.mark.slow
async def test_one_guilds_sixty_thousand_waiting_runs_do_not_hide_anothers(build: Build) -> None:
    """Before it starts and while it runs: the other guild's run goes at once."""
    governor = GovernorSettings(default_plan="trusted", guilds={"1": GuildQuota(running=0)})
    house = await build(governor=governor, run=False)
    flood = await house.schedule(policy={"overlap": "allow"})
    now = house.clock.now()
    rows = [
        run_row(id=f"run_{number:016}", schedule_id=flood.id, due=now - 1_000_000 + number) for number in range(60_000)
    ]
    for start in range(0, len(rows), 5000):
        await house.ledger.write(partial(_insert, rows[start : start + 5000]))
    before = await house.run_now(await house.schedule(guild_id="2"))
    await house.kill()
    await house.open()
    assert (await house.ended(before.id)).state is RunState.SUCCEEDED
    after = await house.run_now(await house.schedule(guild_id="2"))
    assert (await house.ended(after.id)).state is RunState.SUCCEEDED
    assert house.engine.room.overflowed
    assert 0 < len(house.engine.room) < CAPACITY


async def _insert(rows: list[RunRow], tx: Transaction) -> None:
    await tx.runs.insert(rows)


async def test_every_run_of_guilds_that_crowd_in_has_its_turn(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.usher.PAGE", 5)
    house = await build(run=False)
    house.engine.room.capacity = 10
    at = house.clock.in_s(0)
    items = [
        {"handler": "hands", "method": "work", "guild_id": str(number % 12), "trigger": {"type": "date", "at": at}}
        for number in range(120)
    ]
    await house.client.create_schedules(items)
    house.run()
    await house.heard("run.succeeded", count=120)
    assert len({run_id for run_id, _, _ in house.hands.calls}) == len(house.hands.calls) == 120


async def test_what_was_left_in_the_ledger_is_read_when_the_store_answers_again(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.dispatch.REFUSED_PAUSE_S", 0.01)
    house = await build(run=False)
    house.engine.room.capacity = 4
    reads = house.ledger.reader.runs
    refused: list[Any] = []
    whole = reads.waiting_of

    async def trouble(*args: Any) -> list[RunRow]:
        if len(refused) < 2:
            refused.append(args)
            raise StoreError("the store is busy")
        return await whole(*args)

    monkeypatch.setattr(reads, "waiting_of", trouble)
    runs = [await house.run_now(await house.schedule()) for _ in range(12)]
    house.run()
    for run in runs:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    assert len(refused) == 2


async def test_more_waiting_runs_than_memory_holds_are_found_after_a_restart(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(run=False)
    runs = [await house.run_now(await house.schedule()) for _ in range(12)]
    await house.kill()
    monkeypatch.setattr(WaitingRoom.__init__, "__defaults__", (3, None))
    monkeypatch.setattr("core.engine.usher.PAGE", 5)
    await house.open()
    for run in runs:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
