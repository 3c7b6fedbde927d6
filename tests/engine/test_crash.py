"""What a start makes of what the last end left open. Killed here → this happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.engine.ports import ADOPTION_S
from core.engine.stopping import wanted_stopped
from core.ledger.ledger import StoredLedger
from core.ledger.port import Transaction
from core.ledger.rows import Move
from schedule_zero.errors import RetryAfter
from schedule_zero.handler import Context
from schedule_zero.run import RunState
from schedule_zero.trigger import DateTrigger
from tests.engine.house import PATIENCE_S, House, Mute

Build = Callable[..., Awaitable[House]]
QUICK = {"retry": {"initial": "PT0.01S", "jitter": 0}}


async def test_killed_while_it_ran_here_it_is_lost_at_once_not_counted_and_tried_again(house: House) -> None:
    gate = house.hold()
    run = await house.run_now(await house.schedule(policy={"retry": {"max_attempts": 1}}))
    await house.hands.begun.get()
    await house.kill()
    gate.set()
    await house.open()
    done = await house.ended(run.id)
    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 2)
    assert done.attempts[0].outcome == "lost"


async def test_killed_again_and_again_it_uses_up_no_attempt_but_ends_at_the_cap(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("outcome", "recovery"):  # twenty lives would wait for one another's back-off
        monkeypatch.setattr(f"core.engine.{module}.CRASH_CAP", 6)
    house = await build(run=False, serve=False)
    run = await house.run_now(await _saved(house))
    await house.kill()
    for life in range(1, 9):
        house.hold()
        await house.open()
        if (await house.client.get_run(run.id)).state is RunState.FAILED:
            break
        ctx = await house.hands.begun.get()
        assert ctx.attempt == life
        await house.kill()
    done = await house.client.get_run(run.id)
    assert (done.state, done.attempt, done.reason) == (RunState.FAILED, 6, "lost")


async def test_a_kill_after_many_asks_for_later_does_not_end_the_run(house: House) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        if ctx.attempt < 30:
            raise RetryAfter(0)
        await gate.wait()

    house.hands.deed = deed
    quick = {"retry": {"initial": "PT0.001S", "maximum": "PT0.001S"}}
    run = await house.run_now(await house.schedule(policy=quick))
    async with asyncio.timeout(PATIENCE_S):
        while (await house.hands.begun.get()).attempt < 30:
            pass
    await house.kill()
    gate.set()
    await house.open()
    done = await house.ended(run.id)
    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 31)


async def _saved(house: House) -> Any:
    link = house.engine.serve(house.hands)
    schedule = await house.schedule(policy={"retry": {"max_attempts": 3}})
    house.engine.fleet.leave(link.instance)
    return schedule


async def test_killed_at_most_once_it_has_failed_as_lost_and_only_a_retry_runs_it_again(house: House) -> None:
    for method, policy in (("work", {"delivery": "at_most_once"}), ("once", {})):
        gate = house.hold()
        schedule = await house.schedule(method=method, policy=policy)
        run = await house.run_now(schedule)
        await house.hands.begun.get()
        await house.kill()
        gate.set()
        await house.open()
        done = await house.ended(run.id)
        assert (done.state, done.attempt, done.reason) == (RunState.FAILED, 1, "lost")
        again = await house.client.retry_run(run.id)
        assert again.id != run.id
        assert (await house.ended(again.id)).state is RunState.SUCCEEDED


async def test_killed_while_it_ran_elsewhere_the_handler_is_adopted_when_it_comes_back(house: House) -> None:
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    run = await house.run_now(await house.schedule(handler="far"))
    async with asyncio.timeout(10):
        order = await link.orders.get()
    await house.kill()
    await house.open()
    back = Mute(house.engine)
    house.engine.fleet.join(back.instance, back)
    house.engine.fleet_changed()
    house.pass_time(ADOPTION_S - 3)
    back.answer(order, value='"adopted"')
    done = await house.ended(run.id)
    assert (done.state, done.attempt, done.result) == (RunState.SUCCEEDED, 1, "adopted")
    lately = house.engine.tally.lately("far", ("work",), house.clock.monotonic())
    assert (lately.counts, lately.times) == ([1, 0, 0], {})  # how long it took nobody here knows
    assert back.orders.empty()


async def test_killed_while_it_ran_elsewhere_it_is_lost_when_nobody_comes_back(house: House) -> None:
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    run = await house.run_now(await house.schedule(handler="far", policy={"retry": {"max_attempts": 1}}))
    async with asyncio.timeout(10):
        await link.orders.get()
    await house.kill()
    await house.open()
    assert (await house.client.get_run(run.id)).state is RunState.DISPATCHED
    house.pass_time(ADOPTION_S + 1)
    done = await house.ended(run.id)
    assert (done.state, done.reason) == (RunState.FAILED, "lost")


async def test_killed_after_a_cancel_was_answered_the_run_is_not_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.inprocess.CANCELLED_BY_S", 0.02)
    gate = house.hold(obedient=False)
    run = await house.run_now(await house.schedule())
    await house.heard("run.dispatched", run_id=run.id)
    assert (await house.client.cancel_run(run.id)).state is RunState.DISPATCHED
    await house.kill()
    gate.set()
    house.hands.deed = None
    await house.open()
    ended = await house.ended(run.id)
    assert (ended.state, ended.attempt, len(house.hands.calls)) == (RunState.CANCELLED, 1, 1)
    assert await wanted_stopped(house.ledger.reader.notes) == set()


async def test_killed_after_a_newer_run_cancelled_the_one_before_only_the_newer_one_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.inprocess.CANCELLED_BY_S", 0.02)
    gate = house.hold(obedient=False)
    schedule = await house.schedule(policy={"overlap": "cancel_previous"})
    first = await house.run_now(schedule, n=1)
    await house.heard("run.dispatched", run_id=first.id)
    second = await house.run_now(schedule, n=2)
    await house.kill()
    gate.set()
    house.hands.deed = None
    await house.open()
    assert (await house.ended(first.id)).state is RunState.CANCELLED
    assert (await house.ended(second.id)).state is RunState.SUCCEEDED
    assert [n for _, _, n in house.hands.calls] == [1, 2]


async def test_killed_while_it_ran_elsewhere_a_cancelled_run_is_stopped_when_its_handler_comes_back(
    house: House,
) -> None:
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    run = await house.run_now(await house.schedule(handler="far"))
    order = await link.orders.get()
    await house.client.cancel_run(run.id)
    await house.kill()
    await house.open()
    back = Mute(house.engine)
    house.engine.fleet.join(back.instance, back)
    house.engine.beat(back.instance.name, [(order.run_id, order.attempt)])
    back.answer(order, "failed", error="stopped in the middle")
    assert (await house.ended(run.id)).state is RunState.CANCELLED


async def test_a_cancel_that_is_committed_while_the_attempt_is_ending_is_heeded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        await gate.wait()
        raise OSError("try again")

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.heard("run.dispatched", run_id=run.id)
    monkeypatch.setattr(
        house.engine.consequences, "cancel_open", lambda run_ids: gate.set()
    )  # memory learns of it too late
    await house.client.cancel_run(run.id)
    ended = await house.ended(run.id)
    assert (ended.state, ended.attempt) == (RunState.CANCELLED, 1)
    assert await wanted_stopped(house.ledger.reader.notes) == set()


async def test_a_wish_to_stop_that_came_too_late_is_forgotten_at_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = house.hold()
    run = await house.run_now(await house.schedule())
    await house.heard("run.dispatched", run_id=run.id)
    monkeypatch.setattr(house.engine.consequences, "cancel_open", lambda run_ids: gate.set())
    await house.client.cancel_run(run.id)
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    await house.kill()
    await house.open()
    assert await wanted_stopped(house.ledger.reader.notes) == set()


async def test_killed_before_an_outcome_was_committed_the_work_is_done_again(house: House) -> None:
    """At least once: the answer was only in memory."""
    run = await house.run_now(await house.schedule())
    await house.ended(run.id)
    house.engine.settler.take = lambda answers: None  # type: ignore[method-assign]
    other = await house.run_now(await house.schedule())
    await house.until(lambda: len(house.hands.calls) == 2)
    await house.kill()
    await house.open()
    assert (await house.ended(other.id)).attempt == 2
    assert (await house.client.get_run(run.id)).attempt == 1


async def test_waiting_runs_go_on_in_the_order_of_their_due_times(build: Build) -> None:
    house = await build(run=False)
    runs = [await house.run_now(await house.schedule(), n=n) for n in range(5)]
    await house.kill()
    await house.open()
    for run in runs:
        await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [0, 1, 2, 3, 4]


async def test_a_run_between_two_tries_keeps_its_place_before_later_ones_of_its_schedule(build: Build) -> None:
    house = await build()

    async def once(ctx: Context, n: int) -> Any:
        if ctx.attempt == 1 and n == 1:
            raise OSError("try again")

    house.hands.deed = once
    schedule = await house.schedule(policy={"retry": {"initial": "PT30S", "jitter": 0}})
    first = await house.run_now(schedule, n=1)
    await house.heard("run.waiting", run_id=first.id)
    second = await house.run_now(schedule, n=2)
    await house.kill()
    house.hands.calls.clear()
    await house.open()
    await house.until(lambda: house.engine.room.in_line(second.id) == (1, 1))
    house.pass_time(31)
    await house.ended(first.id)
    await house.ended(second.id)
    assert [n for _, _, n in house.hands.calls] == [1, 2]


async def test_due_times_of_an_outage_are_caught_up_with_once(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.every(60)
    await house.kill()
    house.clock.move(630)
    await house.open()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    missed, run = await house.runs(schedule.id)
    assert missed.missed is not None
    assert (missed.state, missed.missed.count, run.state) == (RunState.SKIPPED, 10, RunState.SUCCEEDED)


async def test_a_one_shot_that_came_due_while_the_core_was_down_runs_however_late(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(1)))
    await house.kill()
    house.clock.move(30 * 86_400)
    await house.open()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    ctx = await house.hands.begun.get()
    assert ctx.late_by > 29 * 86_400 * 1_000_000


async def test_an_orderly_end_lets_running_work_end_and_leaves_nothing_open(house: House) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        await asyncio.sleep(0.03)
        return "done"

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    await house.close()
    await house.open(run=False)
    assert (await house.client.get_run(run.id)).state is RunState.SUCCEEDED
    assert await house.ledger.reader.runs.open() == []


async def test_an_orderly_end_gives_out_nothing_more_and_loses_nothing_it_gave_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts whose commit is under way when the end begins are still sent and waited for: at most once stays once."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    real = StoredLedger.write

    async def write(ledger: StoredLedger, unit: Any) -> Any:
        if "Dispatcher" in unit.__qualname__:
            reached.set()
            await go_on.wait()
        return await real(ledger, unit)

    monkeypatch.setattr(StoredLedger, "write", write)
    run = await house.run_now(await house.schedule(method="once"))
    await reached.wait()
    closing = asyncio.create_task(house.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    await house.open(run=False)
    assert (await house.client.get_run(run.id)).state is RunState.SUCCEEDED


async def test_an_orderly_end_is_not_held_up_by_work_that_will_not_stop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.engine.DRAIN_S", 0.02)
    monkeypatch.setattr("core.engine.inprocess.CANCELLED_BY_S", 0.02)
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    async with asyncio.timeout(5):
        await house.close()
    gate.set()
    house.hands.deed = None
    await house.open()
    done = await house.ended(run.id)
    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 2)


async def test_what_a_restart_finds_running_is_counted_against_its_limits(build: Build) -> None:
    """Also while attempts that died with the last process are counted off."""
    house = await build()
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    gate = house.hold()
    elsewhere = await house.run_now(await house.schedule(handler="far"))
    here = await house.run_now(await house.schedule(policy={"retry": {"max_attempts": 1}}))
    async with asyncio.timeout(10):
        order = await link.orders.get()
        await house.hands.begun.get()
    await house.kill()
    await house.open(run=False)
    assert house.engine.governor._global.running.used == 1
    gate.set()
    house.run()
    await house.ended(here.id)
    assert house.engine.governor._global.running.used == 1
    house.engine.answer([])
    house.engine.settler.take([_done(order)])
    await house.ended(elsewhere.id)
    assert house.engine.governor._global.running.used == 0


def _done(order: Any) -> Any:
    from core.engine.ports import Answer

    return Answer(run_id=order.run_id, attempt=order.attempt, instance=order.instance, kind="succeeded")


async def test_a_run_that_left_the_room_unseen_is_not_tried_for_ever(house: House) -> None:
    """The room believed it to be waiting; the ledger knows better, and nothing spins."""
    house.engine.dispatcher._paused = True
    run = await house.run_now(await house.schedule())

    async def end_it(tx: Transaction) -> None:
        await tx.runs.move(
            [Move(run_id=run.id, before=RunState.WAITING, before_attempt=0, after=RunState.CANCELLED, attempt=0, at=1)]
        )

    await house.ledger.write(end_it)
    house.engine.dispatcher._paused = False
    house.engine.dispatcher.wake()
    await house.until(lambda: len(house.engine.room) == 0)
    assert house.engine.queue.waiting() == 0
    assert house.engine.governor._global.running.used == 0
    assert house.hands.calls == []
