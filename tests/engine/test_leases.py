"""Attempts that take too long, and answers that come late, twice or never. On the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from core.engine.flights import CANCEL_GRACE_S
from core.engine.inprocess import InProcessLink
from core.engine.ports import LEASE_S, Answer, Order
from core.ledger.port import Transaction
from schedule_zero.handler import Context, MethodInfo
from schedule_zero.instant import SECOND, parse, spell_duration
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House, Mute

Build = Callable[..., Awaitable[House]]
QUICK = {"retry": {"initial": "PT0.01S", "jitter": 0}}


def long(lease: float | None) -> MethodInfo:
    return MethodInfo(name="long", doc="", timeout=3600.0, at_most_once=False, schema={}, lease=lease)


async def far(house: House, *, credit: int = 64, lease: float | None = None, **fields: Any) -> tuple[Mute, Schedule]:
    """A mute link, and a schedule for the handler behind it, whose method ``long`` may take an hour. ``lease``: its."""
    link = Mute(house.engine, credit=credit, further=[long(lease)])
    house.engine.fleet.join(link.instance, link)
    house.engine.fleet_changed()
    return link, await house.schedule(handler="far", **fields)


async def give_out(house: House, link: Mute, schedule: Schedule) -> tuple[Run, Order]:
    run = await house.run_now(schedule)
    async with asyncio.timeout(10):
        return run, await link.orders.get()


class Heard:
    """Keeps what a link brings."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers

    def answer(self, answers: Sequence[Answer]) -> None:
        self._answers += answers

    def beat(self, instance: str, running: Sequence[tuple[str, int]]) -> None:
        """Nothing here waits long enough for one."""

    def fleet_changed(self) -> None:
        """There is no fleet."""


# ── time-outs and stopping ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_time_out_asks_to_stop_is_tried_again_and_ends_as_timed_out(house: House) -> None:
    house.hold()
    schedule = await house.schedule(method="brief", policy={"retry": {"max_attempts": 2, "initial": "PT0.01S"}})
    run = await house.ended((await house.run_now(schedule)).id)
    assert (run.state, run.attempt, run.reason) == (RunState.TIMED_OUT, 2, "timed_out")
    assert run.attempts[0].error == "took longer than 0.03 s"
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_a_handler_that_ignores_the_stop_is_left_behind_after_the_grace(build: Build) -> None:
    house = await build()
    gate = house.hold(obedient=False)
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


async def test_a_handler_that_ignores_the_stop_loses_credit_until_it_has_ended_what_it_does(house: House) -> None:
    link, schedule = await far(house, credit=1, policy={"timeout": "PT1S", "retry": {"max_attempts": 1}})
    run, order = await give_out(house, link, schedule)
    while house.engine.flights.current(run.id) is not None:
        house.engine.beat(link.instance.name, [(run.id, 1)])
        house.pass_time(1)
    assert (await house.ended(run.id)).state is RunState.TIMED_OUT  # nobody waits for it any longer
    other = await house.run_now(await house.schedule(handler="far"))
    assert (await house.why(other)).scope == "handler:far"
    assert (link.orders.qsize(), link.instance.in_flight) == (0, 1)
    link.answer(order, "cancelled")
    async with asyncio.timeout(10):
        link.answer(await link.orders.get())
    assert (await house.ended(other.id)).state is RunState.SUCCEEDED
    await house.until(lambda: link.instance.in_flight == 0)


async def test_a_handler_that_goes_away_with_what_it_would_not_stop_starts_anew(house: House) -> None:
    link, schedule = await far(house, credit=1, policy={"timeout": "PT1S", "retry": {"max_attempts": 1}})
    run, _ = await give_out(house, link, schedule)
    while house.engine.flights.current(run.id) is not None:
        house.engine.beat(link.instance.name, [(run.id, 1)])
        house.pass_time(1)
    await house.ended(run.id)
    house.engine.leave(link.instance, "killed")
    house.engine.join(Mute(house.engine, credit=1))
    (instance,) = house.engine.fleet.instances("far")
    assert instance.in_flight == 0


@pytest.mark.parametrize(
    ("method", "said", "takes"),
    [("work", {}, 30.0), ("long", {}, 3600.0), ("long", {"timeout": "PT9S"}, 9.0), ("work", {"timeout": "PT9S"}, 9.0),
     ("long", {"timeout": "PT2H"}, 7200.0), ("long", {"timeout": None}, 3600.0)],
)  # fmt: skip
async def test_what_the_policy_says_about_time_wins_over_the_method_and_that_over_the_default(
    house: House, method: str, said: dict[str, Any], takes: float
) -> None:
    link, schedule = await far(house, method=method, policy=said)
    assert schedule.policy.timeout == spell_duration(int(takes * SECOND))
    assert (await house.client.get_schedule(schedule.id)).policy.timeout == schedule.policy.timeout
    _, order = await give_out(house, link, schedule)
    assert order.timeout_s == takes


async def test_a_change_that_says_nothing_about_time_leaves_it_to_the_method(house: House) -> None:
    _, schedule = await far(house, method="long", policy={"timeout": "PT9S"})
    named = await house.client.patch_schedule(schedule.id, {"policy": {"priority": "high"}})
    assert named.policy.timeout == "PT9S"
    followed = await house.client.patch_schedule(schedule.id, {"policy": {"timeout": None}})
    assert followed.policy.timeout == "PT1H"
    moved = await house.client.patch_schedule(schedule.id, {"method": "work"})
    assert moved.policy.timeout == "PT30S"


# ── long leases ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_work_that_was_declared_to_stop_the_beats_keeps_its_lease_so_long(house: House) -> None:
    link, schedule = await far(house, method="long", lease=60.0)
    run, order = await give_out(house, link, schedule)
    house.pass_time(59)
    assert house.engine.flights.current(run.id) is not None
    link.answer(order)
    assert (await house.ended(run.id)).attempt == 1
    again, _ = await give_out(house, link, schedule)
    house.pass_time(61)
    waiting = await house.heard("run.waiting", run_id=again.id)
    assert waiting.data["outcome"] == "lost"


async def test_a_lease_is_three_beats_where_less_is_declared_and_an_hour_where_more_is(house: House) -> None:
    for declared, kept in ((0.5, LEASE_S), (None, LEASE_S), (60.0, 60.0), (7200.0, 3600.0)):
        link, schedule = await far(house, method="long", lease=declared)
        run, _ = await give_out(house, link, schedule)
        flight = house.engine.flights.current(run.id)
        assert flight is not None
        assert flight.lease_s == kept


async def test_other_work_of_a_process_that_cannot_beat_is_excused_with_it(house: House) -> None:
    link, schedule = await far(house, method="long", lease=20.0)
    long, _ = await give_out(house, link, schedule)
    short, order = await give_out(house, link, await house.schedule(handler="far"))
    house.pass_time(15)
    assert house.engine.flights.current(short.id) is not None
    link.answer(order)
    assert (await house.ended(short.id)).attempt == 1
    other, _ = await give_out(house, link, await house.schedule(handler="far"))
    house.pass_time(6)  # with the declared time the excuse is over, for all
    for run in (long, other):
        assert (await house.heard("run.waiting", run_id=run.id)).data["outcome"] == "lost"


async def test_a_long_lease_outlives_the_core_that_gave_it(build: Build) -> None:
    house = await build()
    link, schedule = await far(house, method="long", lease=60.0, policy={"timeout": "PT1H"})
    run, order = await give_out(house, link, schedule)
    await house.kill()
    await house.open()
    again = Mute(house.engine, further=[long(60.0)])
    house.pass_time(50)  # it cannot even say hello meanwhile
    assert house.engine.flights.current(run.id) is not None
    house.engine.join(again)
    again.answer(order)
    assert (await house.ended(run.id)).attempt == 1


async def test_nobody_calls_silent_who_said_that_it_would_be(house: House) -> None:
    link, schedule = await far(house, method="long", lease=60.0)
    link.heard = house.clock.monotonic()
    _, order = await give_out(house, link, schedule)
    for _ in range(10):
        house.pass_time(2)
        house.engine.health.look()
    assert link.instance.ailing is None
    link.answer(order)
    await house.ended(order.run_id)
    house.engine.health.look()
    assert link.instance.ailing == "its beats stopped"  # now there is nothing that keeps it from them


async def test_who_is_silent_gets_nothing_new_also_where_that_was_declared(house: House) -> None:
    """It could not begin it: the time-out would run, and others have nothing to do."""
    link, schedule = await far(house, method="long", lease=3600.0, policy={"timeout": "PT1H"})
    link.heard = house.clock.monotonic()
    await give_out(house, link, schedule)
    for _ in range(5):
        house.pass_time(2)
        house.engine.health.look()
    assert link.instance.ailing is None
    run = await house.run_now(await house.schedule(handler="far", policy={"overlap": "allow"}))
    assert (await house.why(run)).limit == "available"
    assert link.orders.empty()
    other = Mute(house.engine, name="far@free")
    house.engine.join(other)
    async with asyncio.timeout(10):
        other.answer(await other.orders.get())
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    other.instance.draining = True
    waits = await house.run_now(await house.schedule(handler="far"))
    link.heard = house.clock.monotonic()
    house.engine.health.look()
    async with asyncio.timeout(10):
        assert (await link.orders.get()).run_id == waits.id


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
    house.hold()
    run = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    await house.client.cancel_run(run.id)
    assert (await house.ended(run.id)).state is RunState.CANCELLED


async def test_work_that_is_cancelled_before_it_began_ends_at_once(house: House) -> None:
    link, schedule = await far(house)
    _, order = await give_out(house, link, schedule)
    answers: list[Answer] = []
    near = InProcessLink(house.hands, Heard(answers), "core_near")
    near.send([msgspec.structs.replace(order, handler="hands")])
    near.cancel(order.run_id, order.attempt)
    await asyncio.sleep(0)
    assert [(each.run_id, each.attempt, each.kind) for each in answers] == [(order.run_id, 1, "cancelled")]
    assert house.hands.calls == []
    async with asyncio.timeout(5):
        await near.close(0.0)


async def test_a_cancelled_run_that_is_done_anyway_has_succeeded(house: House) -> None:
    gate = house.hold(obedient=False)
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


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.parametrize("waits", ["for its turn", "for the disk"])
async def test_a_slow_store_uses_up_neither_lease_nor_time_out(
    house: House, delivery: str, waits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, schedule = await far(house, policy={"delivery": delivery, "timeout": "PT9S", "retry": {"max_attempts": 1}})
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    house.engine.book.add(row)  # so that the attempt is built before it waits
    write = house.ledger.write

    async def slow(unit: Callable[[Transaction], Awaitable[Any]]) -> Any:
        task = asyncio.current_task()
        if task is None or task.get_name() != "dispatch":
            return await write(unit)
        if waits == "for its turn":
            house.pass_time(10)
        done = await write(unit)
        if waits == "for the disk":
            house.pass_time(10)
        return done

    monkeypatch.setattr(house.ledger, "write", slow)
    run, order = await give_out(house, link, schedule)
    assert abs(order.deadline - house.clock.now() - 9 * SECOND) < 5 * SECOND
    assert order.late_by >= 10 * SECOND
    house.pass_time(LEASE_S - 1)
    link.answer(order)
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    assert link.cancelled.empty()


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
