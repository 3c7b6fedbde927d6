"""The traps of APScheduler 4.0.0a6, each with its guard, on the real AsyncScheduler.

Every test is named after its trap and fails where the guard in ``core.engine.scheduler``, ``core.engine.tick`` or
``core.timing`` is taken away.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import apscheduler._schedulers.async_ as aps
import msgspec
import pytest
from apscheduler import SchedulerRole

import core.engine.admit as admitting
import core.engine.parts as assembly
import core.engine.tick as ticking
from core.engine.admit import Firing
from core.engine.plan import Plan
from core.engine.ports import Pace
from core.engine.scheduler import InstantTrigger, LedgerDataStore
from core.engine.tick_unit import TickUnit
from core.ledger.rows import ScheduleRow
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY, HOUR, SECOND, parse, to_datetime
from schedule_zero.run import RunState
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import PACE, House
from tests.ledger import making

pytestmark = pytest.mark.slow

Build = Callable[..., Awaitable[House]]


def break_rule(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the rules of schedules with these names raise when a tick asks them."""
    real = admitting.look

    def look(plan: Plan, due: int, now: int) -> Firing:
        if plan.row.name in names:
            raise RuntimeError("this rule is broken")
        return real(plan, due, now)

    monkeypatch.setattr(ticking, "look", look)


# ── a trigger that raises ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("broken", ["first", "second", "third"])
async def test_trigger_raising_anywhere_in_a_batch_blocks_that_schedule_and_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    break_rule(monkeypatch, broken)
    start = house.clock.in_s(0.2)
    made = {
        name: await house.schedule(IntervalTrigger(every="PT1H", start=start), name=name)
        for name in ("first", "second", "third")
    }
    event = await house.heard("schedule.blocked", schedule_id=made[broken].id)
    assert event.data["reason"] == "trigger"
    assert "this rule is broken" in event.data["error"]
    for name, schedule in made.items():
        if name != broken:
            await house.heard("run.succeeded", schedule_id=schedule.id)
    assert (await house.client.get_schedule(made[broken].id)).state == "blocked"
    assert await house.runs(made[broken].id) == []
    assert len(await house.told("schedule.blocked")) == 1


async def test_trigger_raising_does_not_lend_its_neighbour_its_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rule(monkeypatch, "broken")
    at = house.clock.in_s(0.2)
    hourly = await house.schedule(IntervalTrigger(every="PT1H", start=at), name="hourly")
    await house.schedule(IntervalTrigger(every="PT2H", start=at), name="broken")
    daily = await house.schedule(IntervalTrigger(every="P1D", start=at), name="daily")
    await house.heard("schedule.blocked")
    for schedule, step in ((hourly, HOUR), (daily, DAY)):
        await house.heard("run.created", schedule_id=schedule.id)
        row = await house.ledger.reader.schedules.get(schedule.id)
        assert row is not None
        assert row.next_due == parse(at) + step


async def test_trigger_raising_does_not_end_the_scheduler(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    break_rule(monkeypatch, "broken")
    await house.schedule(DateTrigger(at=house.clock.in_s(0.1)), name="broken")
    await house.heard("schedule.blocked")
    later = await house.schedule(DateTrigger(at=house.clock.in_s(0.05)))
    await house.heard("run.succeeded", schedule_id=later.id)


async def test_a_stored_rule_that_cannot_be_compiled_blocks_its_schedule(build: Build) -> None:
    house = await build(run=False)
    broken = await house.every(1, name="broken")
    fine = await house.every(1, name="fine")
    await house.rewrite(broken.id, trigger='{"type":"cron","expression":"not a rule"}')
    house.engine.book.drop(broken.id)
    house.run()
    await house.heard("schedule.blocked", schedule_id=broken.id)
    await house.heard("run.succeeded", schedule_id=fine.id)
    assert len(await house.told("schedule.blocked")) == 1


def test_an_instant_trigger_answers_twice_at_most_and_never_raises() -> None:
    class Rules:
        def look(self, id: str) -> int | None:
            return {"sch_later": 2 * HOUR, "sch_sooner": HOUR, "sch_last": None}[id]

    broken, *sound = rows = [making.schedule(id) for id in ("sch_broken", "sch_later", "sch_sooner", "sch_last")]
    trigger = InstantTrigger(Rules(), rows)  # type: ignore[arg-type]
    assert trigger.next() == to_datetime(HOUR)
    assert trigger.next() is None
    assert trigger.firing == sound
    assert trigger.failures == [(broken, "KeyError: 'sch_broken'")]
    with pytest.raises(TypeError, match="lives in memory"):
        trigger.__getstate__()


# ── waking and sleeping ────────────────────────────────────────────────────────────────────────────────────────


async def test_lost_wake_up_a_schedule_saved_between_the_query_and_the_sleep_is_seen(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The query never suspends, so nothing can be saved between it and the sleep."""
    house = await build(pace=Pace(longest_sleep_s=60.0))
    query = house.engine.scheduler.store.get_next_schedule_run_time()
    with pytest.raises(StopIteration):
        query.send(None)
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0.05)))
    await house.heard("run.succeeded", schedule_id=schedule.id)


async def test_lost_wake_up_the_due_times_of_a_tick_under_way_are_slept_for(build: Build, slow: Slow) -> None:
    """While a tick commits, its schedules stand in no heap; the next of their times must bound the sleep all the same."""
    house = await build(pace=Pace(longest_sleep_s=60.0))
    schedule = await house.every(1)
    await slow.reached.wait()
    next_due = house.engine.tick.look_at()
    assert next_due in [parse(time) for time in schedule.next_fire_times[1:]]
    latest = await house.engine.scheduler.store.get_next_schedule_run_time()
    assert latest == to_datetime(next_due)
    slow.go_on.set()
    await house.heard("run.created", schedule_id=schedule.id)


async def test_lost_wake_up_what_the_horizon_had_no_room_for_is_not_slept_over(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far more is due than the horizon holds: it runs empty, and knows that it does not know what comes next."""
    monkeypatch.setattr(assembly, "HORIZON_CAPACITY", 8)
    house = await build(run=False, pace=Pace(longest_sleep_s=60.0))
    at = house.clock.in_s(3600)
    for n in range(30):
        await house.schedule(DateTrigger(at=at), guild_id=str(n))
    house.clock.move(3601)
    await house.kill()
    await house.open()
    await house.heard("run.succeeded", count=30)


async def test_sleep_is_bounded_so_a_lost_event_costs_no_more_than_that(build: Build) -> None:
    house = await build(pace=PACE)
    store = house.engine.scheduler.store
    now = house.clock.now()
    await house.until(lambda: house.engine.tick.look_at() > now)
    latest = await store.get_next_schedule_run_time()
    assert latest is not None
    assert now <= int(latest.timestamp() * 1e6) <= house.clock.now() + int(PACE.longest_sleep_s * SECOND) + 1
    # Behind everybody's back: no event says so, and it is found by looking.
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(3600)))
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    house.engine.tick.note(msgspec.structs.replace(row, revision=2, next_due=house.clock.now()))
    await house.rewrite(schedule.id, revision=2, next_due=house.clock.now())
    house.engine.tick.note((await house.ledger.reader.schedules.get_many([schedule.id]))[schedule.id])
    await house.heard("run.succeeded", schedule_id=schedule.id)


async def test_a_schedule_due_sooner_than_all_others_wakes_the_scheduler(build: Build) -> None:
    house = await build(pace=Pace(longest_sleep_s=60.0))
    await house.schedule(DateTrigger(at=house.clock.in_s(3600)))
    await house.until(lambda: house.engine.scheduler.store._offset is not None)
    soon = await house.schedule(DateTrigger(at=house.clock.in_s(0.05)))
    await house.heard("run.succeeded", schedule_id=soon.id)


async def test_an_overdue_paused_schedule_does_not_spin(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build(pace=Pace(longest_sleep_s=0.2))
    schedule = await house.every(1)
    await house.heard("run.created", schedule_id=schedule.id)
    await house.client.pause_schedule(schedule.id)
    turns = 0
    real = LedgerDataStore.get_next_schedule_run_time

    async def counted(self: LedgerDataStore) -> Any:
        nonlocal turns
        turns += 1
        return await real(self)

    monkeypatch.setattr(LedgerDataStore, "get_next_schedule_run_time", counted)
    house.clock.move(60)
    other = await house.schedule(DateTrigger(at=house.clock.in_s(0.3)))
    await house.heard("run.succeeded", schedule_id=other.id)
    assert turns < 20


async def test_a_clock_that_jumps_is_noticed_and_followed(house: House) -> None:
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(3600)))
    await house.until(lambda: house.engine.scheduler.store._offset is not None)
    house.clock.set(3601)
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert house.engine.scheduler.store.clock_jumps == 1


# ── catching up ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_catch_up_walk_a_second_s_cron_after_a_year_off_does_not_block(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(CronTrigger(expression="* * * * * *", timezone="Europe/Berlin"))
    house.clock.move(365 * 86_400)
    longest = 0.0

    async def heartbeat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    beating = asyncio.create_task(heartbeat())
    house.run()
    await house.heard("run.created", schedule_id=schedule.id)
    beating.cancel()
    missed = (await house.runs(schedule.id))[0]
    assert missed.missed is not None
    assert missed.missed.count > 31_000_000 or missed.missed.count == 1_000_001
    assert longest < 1.0


async def test_misfire_and_coalesce_are_not_used_our_own_catch_up_is(build: Build) -> None:
    house = await build(run=False)
    schedules = [await house.every(60, policy={"catchup": policy}) for policy in ("once", "all")]
    house.clock.move(5 * 60 + 1)
    house.run()
    for schedule in schedules:
        await house.heard("run.created", schedule_id=schedule.id)
    assert [run.missed.count if run.missed else 1 for run in await house.runs(schedules[0].id)] == [5, 1]
    assert (await house.client.status()).due_times_missed == 5
    assert len(await house.runs(schedules[1].id)) == 6


# ── edits against a tick under way ─────────────────────────────────────────────────────────────────────────────


class Slow:
    """Holds the tick's transaction open at its advance, until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        real = ticking.Tick._settle

        async def settle(tick: ticking.Tick, made: TickUnit) -> None:
            self.reached.set()
            await self.go_on.wait()
            await real(tick, made)

        monkeypatch.setattr(ticking.Tick, "_settle", settle)


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    """A slow tick, which goes on when the test has ended, whatever came of it."""
    slow = Slow(monkeypatch)
    yield slow
    slow.go_on.set()


async def test_edit_while_being_processed_is_not_lost(house: House, slow: Slow) -> None:
    schedule = await house.schedule(IntervalTrigger(every="PT1M", start=house.clock.in_s(0.1)))
    await slow.reached.wait()
    far = house.clock.in_s(7200)
    edited = await house.client.patch_schedule(
        schedule.id, {"trigger": {"type": "interval", "every": "PT1H", "start": far}}
    )
    slow.go_on.set()
    await house.until(lambda: all(task.done() for task, _ in house.engine.tick._committing))
    after = await house.client.get_schedule(schedule.id)
    assert (after.revision, after.next_fire_times[0]) == (edited.revision, edited.next_fire_times[0])
    assert await house.runs(schedule.id) == []


async def test_edit_while_its_broken_rule_is_being_blocked_is_not_lost(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(pace=Pace(longest_sleep_s=60.0))
    break_rule(monkeypatch, "broken")
    reached, go_on, real = asyncio.Event(), asyncio.Event(), ticking.Tick.block

    async def block(tick: ticking.Tick, row: ScheduleRow, reason: str) -> None:
        reached.set()
        await go_on.wait()
        await real(tick, row, reason)

    monkeypatch.setattr(ticking.Tick, "block", block)
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0.05)), name="broken")
    await reached.wait()
    soon = {"type": "date", "at": house.clock.in_s(0.5)}
    await house.client.patch_schedule(schedule.id, {"name": "mended", "trigger": soon})
    go_on.set()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert await house.told("schedule.blocked") == []


async def test_pause_while_being_processed_is_not_lost(house: House, slow: Slow) -> None:
    schedule = await house.every(1)
    await slow.reached.wait()
    await house.client.pause_schedule(schedule.id)
    slow.go_on.set()
    await house.until(lambda: all(task.done() for task, _ in house.engine.tick._committing))
    after = await house.client.get_schedule(schedule.id)
    assert (after.state, after.next_fire_times) == ("paused", ())
    assert await house.runs(schedule.id) == []


async def test_a_tick_that_overtakes_an_edit_of_the_arguments_keeps_both(house: House, slow: Slow) -> None:
    """The due time that the refused tick held is not lost: it fires with the new arguments."""
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0.1)), args={"n": 1})
    await slow.reached.wait()
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    slow.go_on.set()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert [n for _, _, n in house.hands.calls] == [2]


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
async def test_several_thousand_due_at_once_all_fire_once_though_the_limit_says_100(build: Build) -> None:
    house = await build(run=False)
    at = house.clock.in_s(0)
    items = [{"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "date", "at": at}}] * 1000
    for _ in range(3):
        view = await house.client.create_schedules(items)
        assert all(item.status == 201 for item in view.items)
    house.run()
    await house.heard("run.created", count=3000)
    created = await house.told("run.created")
    assert len({event.schedule_id for event in created}) == len(created) == 3000


async def test_more_at_one_instant_than_the_horizon_holds_all_fire(build: Build) -> None:
    house = await build(run=False)
    house.engine.tick._horizon.capacity = 20
    at = house.clock.in_s(0)
    items = [{"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "date", "at": at}}] * 100
    await house.client.create_schedules(items)
    await house.kill()
    await house.open(run=False)
    house.engine.tick._horizon.capacity = 20
    house.run()
    await house.heard("run.created", count=100)


def test_a6_asks_for_100_and_takes_what_it_is_given() -> None:
    """The contract our store relies on when it returns 1,000: a6 loops over all of them and does not cut."""
    source = inspect.getsource(aps.AsyncScheduler._process_schedules)
    assert "self.identity, self.lease_duration, 100" in source
    assert "for schedule in schedules:" in source


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_jitter_does_not_change_the_key(build: Build) -> None:
    house = await build(run=False)
    start = house.clock.in_s(0.05)
    policy = {"jitter": "PT30S"}
    schedule = await house.schedule(IntervalTrigger(every="PT1H", start=start), policy=policy)
    house.run()
    await house.heard("run.created", schedule_id=schedule.id)
    (run,) = await house.runs(schedule.id)
    assert parse(run.occurrence[2:]) == parse(start)
    assert parse(start) <= parse(run.due) <= parse(start) + 30 * SECOND


async def test_jitter_never_reaches_the_next_due_time(build: Build) -> None:
    """Else every run would be superseded by the next one before it began."""
    house = await build()
    schedule = await house.every(1, policy={"jitter": "PT30S"})
    for count in (1, 2, 3, 4):
        await house.heard("run.created", count=count, schedule_id=schedule.id)
        house.clock.move(0.999)
        house.engine.dispatcher.wake()
        await house.heard("run.succeeded", count=count, schedule_id=schedule.id)
    assert [event for event in await house.told("run.skipped") if event.data["reason"] == "superseded"] == []


# ── what is not used ───────────────────────────────────────────────────────────────────────────────────────────


async def test_impossible_cron_is_refused(house: House) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.schedule(CronTrigger(expression="0 0 30 2 *"))
    assert refusal.value.errors[0].field.startswith("trigger")
    assert (await house.client.list_schedules(guild_id="1")).items == ()


async def test_interval_in_utc_steps_evenly_over_a_clock_change(build: Build) -> None:
    house = await build(run=False)
    trigger = IntervalTrigger(every="PT30M", start="2026-03-29T00:00:00+01:00", timezone="Europe/Berlin")
    preview = await house.client.preview(trigger, after="2026-03-29T00:30:00+01:00", n=6)
    instants = [parse(fire.at) for fire in preview.fires]
    assert [later - earlier for earlier, later in itertools.pairwise(instants)] == [30 * 60 * SECOND] * 5


async def test_everything_that_is_kept_elsewhere_refuses_with_a_type_error(house: House) -> None:
    store = house.engine.scheduler.store
    refused: list[Callable[[], Awaitable[Any]]] = [
        store.get_schedules,
        lambda: store.add_schedule(None, None),  # type: ignore[arg-type]
        lambda: store.remove_schedules(["x"]),
        lambda: store.add_task(None),  # type: ignore[arg-type]
        lambda: store.remove_task("x"),
        lambda: store.get_task("x"),
        lambda: store.acquire_jobs("x", None),  # type: ignore[arg-type]
        lambda: store.release_job("x", None, None),  # type: ignore[arg-type]
        lambda: store.get_job_result(uuid4()),
    ]
    for call in refused:
        with pytest.raises(TypeError, match="through the service, not through APScheduler"):
            await call()
    assert (await store.get_tasks(), await store.get_jobs()) == ([], [])
    await store.reap_abandoned_jobs("x")
    await store.cleanup()
    scheduler = house.engine.scheduler._scheduler
    assert scheduler.role is SchedulerRole.scheduler
    assert scheduler.cleanup_interval is None
    with pytest.raises(TypeError):
        await scheduler.remove_schedule("x")


@pytest.mark.slow
def test_stock_stores_and_brokers_are_not_even_imported() -> None:
    """Each would bring a dependency of its own, and the SQLAlchemy store a missing one."""
    script = (
        "import sys, core.app; "
        "print(sorted(name for name in sys.modules if name.startswith('apscheduler.') and "
        "('sqlalchemy' in name or 'psycopg' in name or 'asyncpg' in name or 'mongodb' in name or 'redis' in name "
        "or 'mqtt' in name or 'cbor' in name)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_store_that_fails_for_good_ends_the_engine(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crash-only: nothing is caught and carried on with; the ledger holds the truth and the next start goes on."""

    async def broken(self: ticking.Tick, limit: int) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr(ticking.Tick, "take", broken)
    await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    error = await house.crashed()
    assert error is not None
    assert "the disk is gone" in repr(error) or isinstance(error, BaseExceptionGroup)


async def test_a_run_exists_exactly_when_its_schedule_has_advanced(build: Build) -> None:
    """Killed between the fire and its commit: both are absent, and the next start fires it, once."""
    house = await build(run=False)
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    taken = await house.engine.tick.take(10)
    assert [plan.row.id for plan, _ in taken] == [schedule.id]
    house.engine.tick.look(schedule.id)
    house.engine.tick.fire(schedule.id)
    await house.kill()
    await house.open()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert [run.state for run in await house.runs(schedule.id)] == [RunState.SUCCEEDED]
