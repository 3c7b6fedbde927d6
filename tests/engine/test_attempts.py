"""From a run to its outcome: dispatch, answers, retries by cause. On the real engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from core.engine.ports import Answer, Order
from schedule_zero.errors import Reject, RetryAfter
from schedule_zero.handler import Context, Handler, method
from schedule_zero.instant import SECOND
from schedule_zero.run import Progress, Run, RunState
from schedule_zero.schedule import Schedule
from tests.engine.house import House, Mute

Build = Callable[..., Awaitable[House]]
QUICK = {"retry": {"initial": "PT0.01S", "jitter": 0}}


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
    house.fail_with(OSError("once"))
    house.run()
    await house.heard("run.waiting", run_id=run.id)
    await house.client.patch_schedule(schedule.id, {"args": {"n": 3}})
    await house.ended(run.id)
    assert [n for _, _, n in house.hands.calls] == [2, 2]


async def test_long_work_is_marked_as_started(house: House) -> None:
    gate = house.hold()
    run = await house.run_now(await house.schedule())
    await house.heard("run.started", run_id=run.id)
    assert (await house.client.get_run(run.id)).state is RunState.RUNNING
    gate.set()
    assert (await house.ended(run.id)).attempts[0].started is not None


class Blocking(Handler):
    """Says how far it is from the thread its sync method runs in."""

    name = "blocking"

    @method()
    def work(self, ctx: Context) -> str:
        ctx.progress(0.5, "half")
        self.set_available(False)
        return "done"


async def test_what_a_sync_method_says_from_its_thread_is_heard_on_the_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, int]] = []
    answer, changed = house.engine.answer, house.engine.fleet_changed

    def note_answer(answers: Sequence[Answer]) -> None:
        heard.extend((one.kind, threading.get_ident()) for one in answers)
        answer(answers)

    def note_change() -> None:
        heard.append(("changed", threading.get_ident()))
        changed()

    monkeypatch.setattr(house.engine, "answer", note_answer)
    house.engine.serve(Blocking())
    monkeypatch.setattr(house.engine, "fleet_changed", note_change)
    run = await house.ended((await house.run_now(await house.schedule(handler="blocking"))).id)
    assert run.result == "done"
    here = threading.get_ident()
    assert heard == [("progress", here), ("changed", here), ("succeeded", here)]


async def test_progress_is_shown_while_it_runs(house: House) -> None:
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        ctx.progress(0.25, "a quarter")
        await gate.wait()

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.heard("run.started", run_id=run.id)
    assert (await house.client.get_run(run.id)).progress == Progress(fraction=0.25, note="a quarter")
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
    house.fail_with(*[ValueError("no")] * 9)
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
    house.fail_with(OSError("once"))
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
    house.fail_with(*[RetryAfter(0.01)] * 5)
    run = await house.ended((await house.run_now(await house.schedule())).id)
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 6)
    assert {each.cause for each in run.attempts[:-1]} == {"passing"}


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, -5.0])
async def test_retry_after_an_impossible_time_ends_nothing_but_the_attempt(house: House, seconds: float) -> None:
    house.fail_with(RetryAfter(seconds))
    run = await house.run_now(await house.schedule())
    await house.heard("run.waiting", run_id=run.id)
    other = await house.run_now(await house.schedule())
    assert (await house.ended(other.id)).state is RunState.SUCCEEDED


async def test_a_rejection_ends_the_run_at_once(house: House) -> None:
    house.fail_with(Reject("no_rights: the author may not write there"))
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
    house.fail_with(Reject("x"), Reject("x"), None, Reject("x"), Reject("x"))
    schedule = await house.schedule(policy={"failure_threshold": 3})
    for _ in range(5):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_passing_and_unknown_causes_never_block(house: House) -> None:
    house.fail_with(*[OSError("away")] * 10)
    schedule = await house.schedule(policy={"failure_threshold": 1, "retry": {"max_attempts": 1}})
    for _ in range(5):
        await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_needs_owner_stops_the_schedule_at_once(house: House) -> None:
    house.fail_with(Reject("needs_owner: the author left"))
    schedule = await house.every(3600)
    await house.heard("run.failed", schedule_id=schedule.id)
    await house.heard("schedule.blocked", schedule_id=schedule.id)
    stopped = await house.client.get_schedule(schedule.id)
    assert (stopped.state, stopped.next_fire_times) == ("needs_owner", ())


async def test_at_most_once_is_tried_once_whatever_happens(house: House) -> None:
    house.fail_with(OSError("away"), RetryAfter(0.01))
    for name, policy in (("once", {}), ("work", {"delivery": "at_most_once"})):
        run = await house.ended((await house.run_now(await house.schedule(method=name, policy=policy))).id)
        assert (run.state, run.attempt) == (RunState.FAILED, 1)


# ── whatever a method does to itself ───────────────────────────────────────────────────────────────────────────


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError("I have no words")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("half a pair: \ud800"), Speechless(), Reject(404), RetryAfter("soon"), KeyError("\x00"),  # type: ignore[arg-type]
        SystemError(), SystemExit(2), KeyboardInterrupt(), GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_whatever_a_method_raises_is_its_runs_outcome_and_nobody_elses_trouble(
    house: House, error: BaseException
) -> None:
    house.fail_with(*[error] * 9)
    run = await house.ended((await house.run_now(await house.schedule(policy=QUICK))).id)
    assert run.state is RunState.FAILED
    house.fail_with()
    assert (await house.ended((await house.run_now(await house.schedule())).id)).state is RunState.SUCCEEDED


async def test_a_method_that_cancels_itself_has_failed_and_is_not_tried_for_ever(house: House) -> None:
    async def deed(ctx: Context, n: int) -> Any:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    house.hands.deed = deed
    run = await house.ended((await house.run_now(await house.schedule(policy=QUICK))).id)
    assert (run.state, run.attempt) == (RunState.FAILED, 3)


async def test_what_a_failure_says_is_kept_whatever_characters_it_holds(house: House) -> None:
    house.fail_with(Reject("bad: before\0after \ud800 \U0001f600"))
    ended = await house.ended((await house.run_now(await house.schedule())).id)
    assert ended.attempts[0].error == "bad: before\N{REPLACEMENT CHARACTER}after ? \U0001f600"


async def test_a_handler_that_leaves_while_it_stops_does_not_keep_the_core_from_stopping(house: House) -> None:
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()
        raise SystemExit(3)

    house.hands.stop = stop  # type: ignore[method-assign]
    await house.engine.drain()
    assert stopped.is_set()
    del house.hands.stop
