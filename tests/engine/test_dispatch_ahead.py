"""While the store writes one batch of attempts the next is chosen: one ahead, and never at the cost of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.engine import dispatch
from core.governor.limits import REMEMBERED
from core.ledger.port import StoreClosed, StoreError, Transaction
from schedule_zero.run import RunState
from tests.engine.conftest import Build
from tests.engine.house import PACE, House, plan


class SlowStore:
    """The writes that begin attempts are held until they may go on, or are refused."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = house.ledger.write
        self.held = 0
        self.refuses_with: StoreError | None = None
        self.go_on = asyncio.Event()
        monkeypatch.setattr(house.ledger, "write", self._hold)

    async def _hold(self, unit: Callable[[Transaction], Awaitable[Any]]) -> Any:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "dispatch" and not self.go_on.is_set():
            self.held += 1
            await self.go_on.wait()
            if self.refuses_with is not None:
                raise self.refuses_with
        return await self._write(unit)


async def test_the_next_attempts_are_chosen_while_the_last_are_written_but_no_more_than_those(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SlowStore(house, monkeypatch)
    runs = []
    for ahead in (1, 2):
        runs.append(await house.run_now(await house.schedule()))
        await house.until(lambda ahead=ahead: store.held == ahead)  # type: ignore[misc]
    runs.append(await house.run_now(await house.schedule()))
    await house.until(lambda: runs[-1].id in house.engine.room)
    for _ in range(20):  # as many turns of the loop as choosing takes, and more
        await asyncio.sleep(0)
    assert store.held == 2
    store.go_on.set()
    assert [(await house.ended(run.id)).state for run in runs] == [RunState.SUCCEEDED] * 3


@pytest.mark.parametrize("batches", [1, 2])
async def test_batches_that_are_refused_are_all_begun_later(
    build: Build, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(pace=msgspec.structs.replace(PACE, dispatch_s=600.0))
    monkeypatch.setattr(dispatch, "REFUSED_PAUSE_S", 0.001)
    store = SlowStore(house, monkeypatch)
    store.refuses_with = StoreError("no")
    runs = []
    for ahead in range(1, batches + 1):
        runs.append(await house.run_now(await house.schedule()))
        await house.until(lambda ahead=ahead: store.held == ahead)  # type: ignore[misc]
    store.go_on.set()
    for run in runs:
        done = await house.ended(run.id)
        assert (done.state, done.attempt) == (RunState.SUCCEEDED, 1)


async def test_a_store_that_refused_is_not_asked_again_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "REFUSED_PAUSE_S", 600.0)
    store = SlowStore(house, monkeypatch)
    store.refuses_with = StoreError("no")
    run = await house.run_now(await house.schedule())
    await house.until(lambda: store.held == 1)
    store.go_on.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert (await house.client.get_run(run.id)).state is RunState.WAITING


async def test_a_store_that_is_gone_ends_the_engine(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SlowStore(house, monkeypatch)
    store.refuses_with = StoreClosed("gone")
    await house.run_now(await house.schedule())
    await house.until(lambda: store.held == 1)
    store.go_on.set()
    ended = await house.crashed()
    assert isinstance(ended, BaseExceptionGroup)
    assert [type(error) for error in ended.exceptions] == [StoreClosed]


async def test_a_run_whose_attempt_is_being_written_does_not_expire_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SlowStore(house, monkeypatch)
    schedule = await house.every(3600, policy={"catchup_window": "PT10M"})
    await house.until(lambda: store.held == 1)
    house.pass_time(601)
    for _ in range(20):
        await asyncio.sleep(0)
    store.go_on.set()
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert not await house.told("run.skipped")


async def test_what_is_settled_has_reached_its_link(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SlowStore(house, monkeypatch)
    run = await house.run_now(await house.schedule())
    await house.until(lambda: store.held == 1)
    pause = asyncio.create_task(house.engine.dispatcher.pause())
    await asyncio.sleep(0)
    assert not pause.done()
    store.go_on.set()
    await pause
    assert house.engine.flights.current(run.id) is not None or (await house.ended(run.id)).attempt == 1
    later = await house.run_now(await house.schedule())
    await house.until(lambda: later.id in house.engine.room)
    assert (await house.client.get_run(later.id)).state is RunState.WAITING


async def test_what_is_settled_has_read_what_it_was_reading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, go_on = asyncio.Event(), asyncio.Event()

    async def refill() -> None:
        house.engine.room.take_left("1")
        reads.set()
        await go_on.wait()

    monkeypatch.setattr(house.engine.usher, "refill", refill)
    house.engine.room.leave_out("1", (0, ""))
    house.engine.dispatcher.wake()
    await reads.wait()
    settled = asyncio.create_task(house.engine.dispatcher.settled())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not settled.done()
    go_on.set()
    await settled


async def test_nothing_is_read_again_while_attempts_are_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    store, reads = SlowStore(house, monkeypatch), asyncio.Event()

    async def refill() -> None:
        house.engine.room.take_left("1")
        reads.set()

    monkeypatch.setattr(house.engine.usher, "refill", refill)
    await house.run_now(await house.schedule())
    await house.until(lambda: store.held == 1)
    house.engine.room.leave_out("1", (0, ""))
    house.engine.dispatcher.wake()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not reads.is_set()
    store.go_on.set()
    await reads.wait()


def test_every_admission_that_may_have_to_be_undone_is_remembered() -> None:
    assert REMEMBERED >= dispatch.BATCH * (dispatch.AHEAD + 1)


async def test_what_is_read_of_a_run_that_is_being_given_out_and_was_cancelled_is_passed_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SlowStore(house, monkeypatch)
    run = await house.run_now(await house.schedule())
    await house.until(lambda: store.held == 1)
    row = await house.ledger.reader.runs.get(run.id)
    assert row is not None
    await house.client.cancel_run(run.id)
    house.engine.consequences.runs_created([row])
    store.go_on.set()
    assert (await house.ended(run.id)).state is RunState.CANCELLED
    assert run.id not in house.engine.room


async def test_the_rate_that_is_kept_is_the_newest_although_its_batch_was_written_first(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(governor=plan(rate="10/min", burst=10))
    older, newer = [await house.schedule() for _ in range(2)]
    gates, write, begun = [asyncio.Event(), asyncio.Event()], house.ledger.write, 0

    async def in_turn(unit: Callable[[Transaction], Awaitable[Any]]) -> Any:
        nonlocal begun
        task = asyncio.current_task()
        if task is not None and task.get_name() == "dispatch" and begun < len(gates):
            begun += 1
            await gates[begun - 1].wait()
        return await write(unit)

    monkeypatch.setattr(house.ledger, "write", in_turn)
    runs = []
    for place, schedule in enumerate((older, newer)):
        runs.append(await house.run_now(schedule))
        await house.until(lambda place=place: begun == place + 1)  # type: ignore[misc]
    await house.rewrite(older.id, note="x")  # so that the older batch is looked through, and written last
    kept = []
    for gate, run in zip(reversed(gates), reversed(runs), strict=True):
        gate.set()
        await house.ended(run.id)
        (ahead,) = (await house.ledger.reader.notes.all(dispatch.RATE)).values()
        kept.append(float(ahead))
    assert kept[1] == kept[0] > 6.0
