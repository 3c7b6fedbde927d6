"""From a run to its outcome: dispatch, answers, retries by cause, time-outs, leases. On the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.engine.flights import CANCEL_GRACE_S
from core.engine.ports import LEASE_S, Order
from schedule_zero.errors import Reject, RetryAfter
from schedule_zero.handler import Context, Handler, method
from schedule_zero.instant import SECOND, parse
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House, Mute

Build = Callable[..., Awaitable[House]]
QUICK = {"retry": {"initial": "PT0.01S", "jitter": 0}}


def fail_with(house: House, *errors: BaseException | None) -> None:
    """The hands raise these, call after call; None and after the last: they succeed."""
    left = list(errors)

    async def deed(ctx: Context, n: int) -> Any:
        error = left.pop(0) if left else None
        if error is not None:
            raise error
        return n

    house.hands.deed = deed


def hold(house: House, *, obedient: bool = True) -> asyncio.Event:
    """The hands hold every call until the event is set; disobedient ones do so even when asked to stop."""
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                if obedient:
                    raise
        return "done"

    house.hands.deed = deed
    return gate


async def far(house: House, **fields: Any) -> tuple[Mute, Schedule]:
    """A mute link, and a schedule for the handler behind it."""
    link = Mute(house.engine)
    house.engine.fleet.join(link.instance, link)
    house.engine.fleet_changed()
    return link, await house.schedule(handler="far", **fields)


async def give_out(house: House, link: Mute, schedule: Schedule) -> tuple[Run, Order]:
    run = await house.run_now(schedule)
    async with asyncio.timeout(10):
        return run, await link.orders.get()


# ── one attempt ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_attempt_is_committed_before_it_is_sent_and_its_outcome_after(house: House) -> None:
    seen: list[tuple[RunState, int, int]] = []

    async def deed(ctx: Context, n: int) -> Any:
        row = await house.ledger.reader.runs.get(ctx.run_id)
        assert row is not None
        seen.append((row.state, row.attempt, ctx.attempt))
        return {"answer": n}

    house.hands.deed = deed
    run = await house.ended((await house.run_now(await house.schedule(), n=42)).id)
    assert seen == [(RunState.DISPATCHED, 1, 1)]
    assert (run.state, run.result, run.attempt) == (RunState.SUCCEEDED, {"answer": 42}, 1)
    assert [event.kind for event in await house.told() if event.run_id == run.id] == [
        "run.created", "run.dispatched", "run.succeeded",
    ]  # fmt: skip


async def test_a_run_takes_the_newest_arguments_before_its_first_attempt_and_keeps_them_after(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(args={"n": 1}, policy=QUICK)
    run = await house.run_now(schedule)
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    fail_with(house, OSError("once"))
    house.run()
    await house.heard("run.waiting", run_id=run.id)
    await house.client.patch_schedule(schedule.id, {"args": {"n": 3}})
    await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [2, 2]


async def test_long_work_is_marked_as_started(house: House) -> None:
    gate = hold(house)
    run = await house.run_now(await house.schedule())
    await house.heard("run.started", run_id=run.id)
    assert (await house.client.get_run(run.id)).state is RunState.RUNNING
    gate.set()
    assert (await house.ended(run.id)).attempts[0].started is not None


async def test_progress_is_shown_while_it_runs(house: House) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        ctx.progress(0.25, "a quarter")
        await gate.wait()

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.heard("run.started", run_id=run.id)
    assert (await house.client.get_run(run.id)).progress == 0.25
    gate.set()
    await house.ended(run.id)


@pytest.mark.parametrize("value", [object(), {1: object()}, "\ud800", {("a",): 1}, float("nan"), "x" * 100_000])
async def test_work_that_is_done_has_succeeded_whatever_it_returns(house: House, value: Any) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        return value

    house.hands.deed = deed
    run = await house.ended((await house.run_now(await house.schedule())).id)
    assert run.state is RunState.SUCCEEDED
    assert len(house.hands.calls) == 1


# ── retries by cause ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_cause_is_tried_again_with_back_off_until_attempts_are_used_up(house: House) -> None:
    fail_with(house, *[ValueError("no")] * 9)
    schedule = await house.schedule(policy=QUICK)
    run = await house.ended((await house.run_now(schedule)).id)
    assert (run.state, run.attempt, run.reason) == (RunState.FAILED, 3, "error")
    assert [(each.outcome, each.cause, each.error) for each in run.attempts] == [
        ("failed", "unknown", "ValueError: no")
    ] * 3
    assert (await house.client.get_schedule(schedule.id)).state == "active"
    assert await house.told("schedule.blocked") == []


async def test_a_retry_waits_for_its_back_off(build: Build) -> None:
    house = await build(run=False)
    fail_with(house, OSError("once"))
    schedule = await house.schedule(policy={"retry": {"initial": "PT30S", "jitter": 0}})
    run = await house.run_now(schedule)
    house.run()
    event = await house.heard("run.waiting", run_id=run.id)
    waiting = await house.client.get_run(run.id)
    assert waiting.why is not None
    assert (waiting.why.limit, waiting.why.used, waiting.why.allowed) == ("retry", 1, 3)
    assert event.data["not_before"] - house.clock.now() <= 30 * SECOND
    house.pass_time(29)
    assert len(house.hands.calls) == 1
    house.pass_time(1.1)
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_retry_after_uses_up_no_attempt_and_is_obeyed(house: House) -> None:
    fail_with(house, *[RetryAfter(0.01)] * 5)
    run = await house.ended((await house.run_now(await house.schedule())).id)
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 6)
    assert {each.cause for each in run.attempts[:-1]} == {"passing"}


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, -5.0])
async def test_retry_after_an_impossible_time_ends_nothing_but_the_attempt(house: House, seconds: float) -> None:
    fail_with(house, RetryAfter(seconds))
    run = await house.run_now(await house.schedule())
    await house.heard("run.waiting", run_id=run.id)
    other = await house.run_now(await house.schedule())
    assert (await house.ended(other.id)).state is RunState.SUCCEEDED


async def test_a_rejection_ends_the_run_at_once(house: House) -> None:
    fail_with(house, Reject("no_rights: the author may not write there"))
    run = await house.ended((await house.run_now(await house.schedule())).id)
    assert (run.state, run.attempt, run.reason) == (RunState.FAILED, 1, "no_rights")
    assert run.attempts[0].cause == "lasting"


async def test_arguments_that_do_not_fit_are_a_lasting_cause(build: Build) -> None:
    """A handler whose declaration changed while its runs were waiting."""

    class Changed(Handler):
        name = "hands"

        @method()
        async def work(self, ctx: Context, n: str) -> None:
            raise AssertionError("never called with a number")

    house = await build(run=False)
    run = await house.run_now(await house.schedule(), n=1)
    await house.kill()
    house.hands = Changed()  # type: ignore[assignment]
    await house.open()
    done = await house.ended(run.id)
    assert (done.state, done.reason, done.attempt) == (RunState.FAILED, "bad_arguments", 1)


async def test_lasting_failures_in_a_row_block_at_the_threshold_with_exactly_one_event(house: House) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        if n:
            await gate.wait()
        raise Reject("gone: no such channel")

    house.hands.deed = deed
    schedule = await house.schedule(policy={"failure_threshold": 3, "overlap": "allow"})
    for _ in range(2):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).state == "active"
    together = [await house.run_now(schedule, n=1) for _ in range(3)]
    gate.set()
    for run in together:
        await house.ended(run.id)
    event = await house.heard("schedule.blocked", schedule_id=schedule.id)
    assert (event.data["failures"], event.data["reason"]) == (3, "gone")
    assert len(await house.told("schedule.blocked")) == 1
    blocked = await house.client.get_schedule(schedule.id)
    assert (blocked.state, blocked.next_fire_times, blocked.note) == ("blocked", (), "gone: no such channel")


async def test_a_success_begins_the_count_of_failures_anew(house: House) -> None:
    fail_with(house, Reject("x"), Reject("x"), None, Reject("x"), Reject("x"))
    schedule = await house.schedule(policy={"failure_threshold": 3})
    for _ in range(5):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_passing_and_unknown_causes_never_block(house: House) -> None:
    fail_with(house, *[OSError("away")] * 10)
    schedule = await house.schedule(policy={"failure_threshold": 1, "retry": {"max_attempts": 1}})
    for _ in range(5):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_needs_owner_stops_the_schedule_at_once(house: House) -> None:
    fail_with(house, Reject("needs_owner: the author left"))
    schedule = await house.every(3600)
    await house.heard("run.failed", schedule_id=schedule.id)
    await house.heard("schedule.blocked", schedule_id=schedule.id)
    stopped = await house.client.get_schedule(schedule.id)
    assert (stopped.state, stopped.next_fire_times) == ("needs_owner", ())


async def test_at_most_once_is_tried_once_whatever_happens(house: House) -> None:
    fail_with(house, OSError("away"), RetryAfter(0.01))
    for name, policy in (("once", {}), ("work", {"delivery": "at_most_once"})):
        run = await house.ended((await house.run_now(await house.schedule(method=name, policy=policy))).id)
        assert (run.state, run.attempt) == (RunState.FAILED, 1)


# ── whatever a method does to itself ───────────────────────────────────────────────────────────────────────────


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError("I have no words")


@pytest.mark.parametrize(
    "error",
    [ValueError("half a pair: \ud800"), Speechless(), Reject(404), RetryAfter("soon"), KeyError("\x00"), SystemError()],  # type: ignore[arg-type]
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_method_raises_is_its_runs_outcome_and_nobody_elses_trouble(
    house: House, error: Exception
) -> None:
    fail_with(house, *[error] * 9)
    run = await house.ended((await house.run_now(await house.schedule(policy=QUICK))).id)
    assert run.state is RunState.FAILED
    fail_with(house)
    assert (await house.ended((await house.run_now(await house.schedule())).id)).state is RunState.SUCCEEDED


async def test_a_method_that_cancels_itself_has_failed_and_is_not_tried_for_ever(house: House) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    house.hands.deed = deed
    run = await house.ended((await house.run_now(await house.schedule(policy=QUICK))).id)
    assert (run.state, run.attempt) == (RunState.FAILED, 3)


# ── time-outs and stopping ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_time_out_asks_to_stop_is_tried_again_and_ends_as_timed_out(house: House) -> None:
    hold(house)
    schedule = await house.schedule(method="brief", policy={"retry": {"max_attempts": 2, "initial": "PT0.01S"}})
    run = await house.ended((await house.run_now(schedule)).id)
    assert (run.state, run.attempt, run.reason) == (RunState.TIMED_OUT, 2, "timed_out")
    assert run.attempts[0].error == "took longer than 0.03 s"
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_a_handler_that_ignores_the_stop_is_left_behind_after_the_grace(build: Build) -> None:
    house = await build()
    gate = hold(house, obedient=False)
    schedule = await house.schedule(method="brief", policy={"retry": {"max_attempts": 1}})
    run = await house.run_now(schedule)
    ctx = await house.hands.begun.get()
    await house.until(lambda: ctx.cancelled)
    assert (await house.client.get_run(run.id)).state in (RunState.DISPATCHED, RunState.RUNNING)
    flight = house.engine.flights.current(run.id)
    assert flight is not None
    while flight.stop_by is not None and house.clock.monotonic() < flight.stop_by:
        house.engine.beat(flight.instance, [(run.id, 1)])
        house.pass_time(1)
    done = await house.ended(run.id)
    assert done.state is RunState.TIMED_OUT
    gate.set()


async def test_two_attempts_of_one_run_may_be_alive_and_only_the_later_one_counts(build: Build) -> None:
    """The first attempt was given up and works on; its end takes nothing from the second."""
    house = await build()
    gates = {1: asyncio.Event(), 2: asyncio.Event()}

    async def deed(ctx: Context, n: int) -> Any:
        while not gates[ctx.attempt].is_set():
            try:
                await gates[ctx.attempt].wait()
            except asyncio.CancelledError:
                pass
        return ctx.attempt

    house.hands.deed = deed
    schedule = await house.schedule(policy={"timeout": "PT1S", "retry": {"initial": "PT0.01S", "jitter": 0}})
    run = await house.run_now(schedule)
    await house.hands.begun.get()
    flight = house.engine.flights.current(run.id)
    assert flight is not None
    for _ in range(3):
        house.pass_time(2)
        house.engine.beat(flight.instance, [(run.id, 1)])
    while house.engine.flights.get(run.id, 1) is not None:
        house.engine.beat(flight.instance, [(run.id, 1)])
        house.pass_time(1)
    second = await house.hands.begun.get()
    assert second.attempt == 2
    gates[1].set()
    await house.until(lambda: len(house.engine.fleet.links()[0]._running) == 1)  # type: ignore[attr-defined]
    assert (await house.client.get_run(run.id)).state is not RunState.SUCCEEDED
    gates[2].set()
    done = await house.ended(run.id)
    assert (done.state, done.result) == (RunState.SUCCEEDED, 2)


async def test_a_cancelled_run_under_way_is_asked_to_stop(house: House) -> None:
    hold(house)
    run = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    await house.client.cancel_run(run.id)
    assert (await house.ended(run.id)).state is RunState.CANCELLED


async def test_a_cancelled_run_that_is_done_anyway_has_succeeded(house: House) -> None:
    gate = hold(house, obedient=False)
    run = await house.run_now(await house.schedule())
    ctx = await house.hands.begun.get()
    await house.client.cancel_run(run.id)
    await house.until(lambda: ctx.cancelled)
    gate.set()
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


# ── leases, late and doubled answers ───────────────────────────────────────────────────────────────────────────


async def test_an_answer_of_another_attempt_is_kept_acknowledged_and_changes_nothing(house: House) -> None:
    link, schedule = await far(house, policy=QUICK)
    run, first = await give_out(house, link, schedule)
    link.answer(first, "failed", cause="passing", error="try again")
    async with asyncio.timeout(10):
        second = await link.orders.get()
    assert second.attempt == 2
    link.answer(first, "succeeded", value='"too late"')
    await house.until(lambda: link.acknowledged.count((run.id, 1)) == 2)
    assert (await house.client.get_run(run.id)).state is RunState.DISPATCHED
    link.answer(second, value='"in time"')
    done = await house.ended(run.id)
    assert (done.state, done.result) == (RunState.SUCCEEDED, "in time")
    assert [each.outcome for each in done.attempts] == ["failed", "succeeded"]


async def test_a_doubled_answer_changes_nothing_and_is_acknowledged_twice(house: House) -> None:
    link, schedule = await far(house)
    run, order = await give_out(house, link, schedule)
    link.answer(order, value="1")
    link.answer(order, value="2")
    link.answer(order, "failed", cause="lasting", error="x")
    done = await house.ended(run.id)
    await house.until(lambda: link.acknowledged.count((run.id, 1)) == 3)
    assert (done.state, done.result) == (RunState.SUCCEEDED, 1)
    assert (await house.client.get_run(run.id)).result == 1
    assert len([event for event in await house.told("run.succeeded") if event.run_id == run.id]) == 1


async def test_an_answer_for_a_run_nobody_knows_is_acknowledged_and_forgotten(house: House) -> None:
    link, schedule = await far(house)
    _, order = await give_out(house, link, schedule)
    stranger = Order(**{**{name: getattr(order, name) for name in Order.__struct_fields__}, "run_id": "run_nobody"})
    link.answer(stranger)
    await house.until(lambda: ("run_nobody", 1) in link.acknowledged)
    link.answer(order)
    await house.heard("run.succeeded", run_id=order.run_id)


async def test_a_mute_handler_loses_its_lease_and_the_run_is_tried_again(house: House) -> None:
    link, schedule = await far(house, policy=QUICK)
    run, first = await give_out(house, link, schedule)
    house.pass_time(LEASE_S + 0.1)
    await house.heard("run.waiting", run_id=run.id)
    house.engine.dispatcher.wake()
    async with asyncio.timeout(10):
        second = await link.orders.get()
    assert (first.attempt, second.attempt) == (1, 2)
    attempts = (await house.client.get_run(run.id)).attempts
    assert (attempts[0].outcome, attempts[0].cause) == ("lost", "passing")


async def test_a_lost_lease_uses_up_attempts(house: House) -> None:
    link, schedule = await far(house, policy={"retry": {"max_attempts": 2, "initial": "PT0.01S", "jitter": 0}})
    run, _ = await give_out(house, link, schedule)
    house.pass_time(LEASE_S + 0.1)
    async with asyncio.timeout(10):
        await link.orders.get()
    house.pass_time(LEASE_S + 0.1)
    done = await house.ended(run.id)
    assert (done.state, done.attempt, done.reason) == (RunState.FAILED, 2, "lost")


async def test_beats_extend_a_lease_for_as_long_as_they_come_and_only_their_own(house: House) -> None:
    link, schedule = await far(house)
    run, order = await give_out(house, link, schedule)
    for _ in range(4):
        house.pass_time(4)
        house.engine.beat(link.instance.name, [(run.id, 1)])
        house.engine.beat("somebody@else", [(run.id, 1)])
    assert house.engine.flights.get(run.id, 1) is not None
    house.pass_time(4)
    house.engine.beat("somebody@else", [(run.id, 1)])
    house.engine.beat(link.instance.name, [(run.id, 2)])
    house.pass_time(4)
    await house.until(lambda: house.engine.flights.get(run.id, 1) is None)
    link.answer(order)


async def test_a_loop_that_stood_still_moves_all_leases_by_the_gap(house: House) -> None:
    link, schedule = await far(house)
    run, order = await give_out(house, link, schedule)
    flight = house.engine.flights.current(run.id)
    assert flight is not None
    house.engine.leases.turn()
    before = (flight.lease_until, flight.timeout_at)
    house.clock.move(3600)
    house.engine.leases.turn()
    assert flight.lease_until - before[0] == pytest.approx(3600, abs=1)
    assert flight.timeout_at - before[1] == pytest.approx(3600, abs=1)
    link.answer(order)
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_a_time_out_far_away_is_told_to_the_handler_and_closed_after_the_grace(house: House) -> None:
    link, schedule = await far(house, policy={"timeout": "PT5S", "retry": {"max_attempts": 1}})
    run, order = await give_out(house, link, schedule)
    for _ in range(int((5 + CANCEL_GRACE_S) / 2) + 1):
        house.engine.beat(link.instance.name, [(run.id, 1)])
        house.pass_time(2)
    async with asyncio.timeout(10):
        assert await link.cancelled.get() == (order.run_id, 1)
    assert (await house.ended(run.id)).state is RunState.TIMED_OUT


async def test_what_an_order_says(house: House) -> None:
    link, schedule = await far(house, args={"n": 7}, metadata={"team": "ops"}, policy={"timeout": "PT9S"})
    run, order = await give_out(house, link, schedule)
    assert (order.schedule_id, order.guild_id, order.owner_id) == (schedule.id, "1", "operator")
    assert (order.args, order.metadata, order.timeout_s) == ('{"n":7}', '{"team":"ops"}', 9.0)
    assert order.due == parse(run.due)
    assert abs(order.deadline - house.clock.now() - 9 * SECOND) < 5 * SECOND
    link.answer(order)
    await house.ended(run.id)


async def test_an_instance_is_given_no_more_than_its_credit(house: House) -> None:
    link = Mute(house.engine, credit=2)
    house.engine.fleet.join(link.instance, link)
    schedule = await house.schedule(handler="far", policy={"overlap": "allow"})
    runs = [await house.run_now(schedule) for _ in range(3)]
    async with asyncio.timeout(10):
        orders = [await link.orders.get() for _ in range(2)]
    await house.until(lambda: house.engine.queue.why(runs[2].id) is not None)
    waiting = (await house.client.get_run(runs[2].id)).why
    assert waiting is not None
    assert (waiting.scope, waiting.limit) == ("handler:far", "available")
    link.answer(orders[0])
    async with asyncio.timeout(10):
        assert (await link.orders.get()).run_id == runs[2].id
