"""When the store refuses or fails: what is refused waits and resumes by itself; what fails for good ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

import core.engine.dispatch as dispatching
import core.engine.settle as settling
import core.engine.tick as ticking
from core.app import App
from core.engine.ports import Pace
from core.governor.settings import GovernorSettings
from core.ledger.connection import Connection, Locked, Lost, Mark, NoRoom, Step, StepFailed
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from core.ledger.port import StoreError
from core.ledger.settings import StoreSettings
from core.ledger.space import FLOOR, DiskRoom
from schedule_zero.errors import StorageFull, Unavailable
from schedule_zero.run import RunState
from schedule_zero.trigger import DateTrigger, IntervalTrigger
from tests.engine.house import PACE, HandClock, Hands, House, Mute

Build = Callable[..., Awaitable[House]]


async def test_below_the_floor_what_is_scheduled_goes_on_nothing_new_comes_and_status_says_so(
    tmp_path: Path, clock: HandClock
) -> None:
    free = [1024 * FLOOR]
    room = DiskRoom(tmp_path, free=lambda _: free[0])
    house = House(lambda: StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", synchronous="normal", room=room)), clock)
    await house.open()
    try:
        series = await house.every(1)
        await house.heard("run.succeeded", schedule_id=series.id)
        assert (await house.client.status()).parts["store"].ok
        free[0], room._measured_at = FLOOR - 1, 0.0
        status = await house.client.status()
        assert (status.running, status.parts["store"].ok) == (False, False)
        with pytest.raises(StorageFull):
            await house.every(1)
        house.clock.move(1)
        await house.heard("run.succeeded", schedule_id=series.id, count=2)
        free[0], room._measured_at = FLOOR, 0.0
        assert (await house.client.status()).running
    finally:
        await house.kill()


async def test_what_the_store_refuses_counts_as_late(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a tick is refused its schedules stand in no heap; status must not say that all is well."""
    monkeypatch.setattr(ticking, "REFUSED_PAUSE_S", 0.5)
    house = await build()
    refused = asyncio.Event()

    async def write(unit: object) -> None:
        refused.set()
        raise StoreError("no")

    await house.every(1)
    monkeypatch.setattr(house.engine.tick._ledger, "write", write)
    await refused.wait()
    house.clock.move(40)
    status = await house.client.status()
    assert (status.due, status.parts["scheduler"].ok, status.running) == (1, False, False)


class Trouble:
    """Stands between the ledger and its connection, and lets commits fail while ``error`` is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.refused = 0

    def wrap(self, connection: Connection) -> Connection:
        return _Troubled(connection, self)


class _Troubled:
    def __init__(self, connection: Connection, trouble: Trouble) -> None:
        self._connection, self._trouble = connection, trouble

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        for index, step in enumerate(steps):
            if step.statement is Mark.COMMIT and self._trouble.error is not None:
                if index:
                    await self._connection.run(steps[:index])
                self._trouble.refused += 1
                raise StepFailed(index, self._trouble.error)
        return await self._connection.run(steps)

    async def close(self) -> None:
        await self._connection.close()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def make_ledger(trouble: Trouble) -> Iterator[Callable[[], StoredLedger]]:
    """Rows in memory behind a connection that can be told to fail."""
    database = MemoryDatabase()
    yield lambda: StoredLedger(MemoryDriver(lambda: trouble.wrap(database.connect())))
    database.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    for module in (ticking, dispatching, settling):
        monkeypatch.setattr(module, "REFUSED_PAUSE_S", 0.005)


REFUSALS = [NoRoom("the disk is full"), Locked("the database is locked by another program")]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
async def test_due_schedules_wait_while_the_store_refuses_and_fire_once_when_it_takes_them(
    house: House, trouble: Trouble, refusal: Exception
) -> None:
    series = await house.schedule(IntervalTrigger(every="PT1H", start=house.clock.in_s(0.1)))
    shot = await house.schedule(DateTrigger(at=house.clock.in_s(0.1)))
    trouble.error = refusal
    await house.until(lambda: trouble.refused >= 5)
    trouble.error = None
    for schedule in (series, shot):
        await house.heard("run.succeeded", schedule_id=schedule.id)
        assert len(await house.runs(schedule.id)) == 1


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
async def test_attempts_wait_while_the_store_refuses_and_take_nothing_meanwhile(
    house: House, trouble: Trouble, refusal: Exception
) -> None:
    house.hands.set_available(False)
    run = await house.run_now(await house.schedule())
    trouble.error = refusal
    house.hands.set_available(True)
    await house.until(lambda: trouble.refused >= 5)
    assert house.hands.calls == []
    trouble.error = None
    assert (await house.ended(run.id)).attempt == 1
    await house.until(lambda: house.engine.governor._global.running.used == 0)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
async def test_outcomes_wait_while_the_store_refuses_and_nothing_is_done_twice(
    house: House, trouble: Trouble, refusal: Exception
) -> None:
    async def deed(ctx: Any, n: int) -> Any:
        trouble.error = refusal
        return "done"

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.until(lambda: trouble.refused >= 5)
    trouble.error = None
    done = await house.ended(run.id)
    assert (done.state, done.attempt, done.result) == (RunState.SUCCEEDED, 1, "done")
    assert len(house.hands.calls) == 1


async def test_runs_that_expire_while_the_store_refuses_expire_when_it_takes_them(
    house: House, trouble: Trouble
) -> None:
    house.hands.set_available(False)
    schedule = await house.every(3600, policy={"catchup_window": "PT1M"})
    event = await house.heard("run.created", schedule_id=schedule.id)
    trouble.error = NoRoom("the disk is full")
    house.pass_time(61)
    await house.until(lambda: trouble.refused >= 3)
    trouble.error = None
    assert (await house.ended(event.run_id or "")).reason == "missed"


async def test_people_are_told_and_nothing_is_changed(house: House, trouble: Trouble) -> None:
    schedule = await house.schedule()
    trouble.error = NoRoom("the disk is full")
    with pytest.raises(StorageFull, match="Free some space"):
        await house.schedule()
    trouble.error = Locked("the database is locked by another program; close it, then try again")
    with pytest.raises(Unavailable, match="locked by another program"):
        await house.client.pause_schedule(schedule.id)
    trouble.error = None
    assert (await house.client.get_schedule(schedule.id)).state == "active"
    assert len((await house.client.list_schedules(guild_id="1")).items) == 1


@pytest.mark.parametrize("part", ["tick", "dispatch", "settle", "service"])
async def test_a_disk_that_fails_ends_the_engine_whoever_meets_it(house: House, trouble: Trouble, part: str) -> None:
    if part == "tick":
        await house.schedule(DateTrigger(at=house.clock.in_s(0.05)))
        trouble.error = Lost("input/output error")
    elif part == "dispatch":
        house.hands.set_available(False)
        await house.run_now(await house.schedule())
        trouble.error = Lost("input/output error")
        house.hands.set_available(True)
    elif part == "settle":

        async def deed(ctx: Any, n: int) -> Any:
            trouble.error = Lost("input/output error")

        house.hands.deed = deed
        await house.run_now(await house.schedule())
    else:
        trouble.error = Lost("input/output error")
        with pytest.raises(Unavailable):
            await house.schedule()
        with pytest.raises(Unavailable, match="nothing can be saved any more"):
            await house.schedule()
        async with asyncio.timeout(10):
            assert isinstance(await house.ledger.failed, Lost)
        return
    error = await house.crashed()
    assert isinstance(error, BaseExceptionGroup)
    assert error.subgroup(StoreError) is not None


async def test_a_disk_that_fails_ends_the_app_with_a_store_error(
    trouble: Trouble, make_ledger: Callable[[], StoredLedger], clock: HandClock, tmp_path: Path
) -> None:
    app = App(
        store=StoreSettings(url="memory"), data_dir=tmp_path, governor=GovernorSettings(default_plan="trusted"),
        clock=clock, pace=PACE, ledger=make_ledger(),
    )  # fmt: skip
    app.serve(Hands())
    async with app.running():
        house = House(make_ledger, clock)
        house.client = app.client
        await house.schedule(DateTrigger(at=clock.in_s(0.05)))
        trouble.error = Lost("input/output error")
        with pytest.raises(StoreError, match="input/output error"):
            async with asyncio.timeout(10):
                await app.wait()


async def test_a_core_with_a_full_disk_starts_serves_and_stops(
    trouble: Trouble, make_ledger: Callable[[], StoredLedger], clock: HandClock, tmp_path: Path
) -> None:
    app = App(
        store=StoreSettings(url="memory"), data_dir=tmp_path, governor=GovernorSettings(default_plan="trusted"),
        clock=clock, pace=Pace(janitor_s=0.01), ledger=make_ledger(),
    )  # fmt: skip
    hands = Hands()
    app.serve(hands)
    told: list[Any] = []

    async def listen(events: Sequence[Any]) -> None:
        told.extend(events)

    app.subscribe("somebody new", listen)
    trouble.error = NoRoom("the disk is full")
    async with app.running():
        assert (await app.client.list_schedules(any_guild=True)).items == ()
        trouble.error = None
        house = House(make_ledger, clock)
        house.client = app.client

        async def deed(ctx: Any, n: int) -> Any:
            trouble.error = NoRoom("the disk is full")

        hands.deed = deed
        await house.schedule(DateTrigger(at=clock.in_s(0)))
        async with asyncio.timeout(10):
            await hands.begun.get()
        ending = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - ending < 5
    trouble.error = None


async def test_answers_that_are_repeated_while_the_store_refuses_are_held_once_and_not_without_bound(
    build: Build, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "LATE_HELD", 50)
    house = await build(serve=False)
    mute = Mute(house.engine)
    house.engine.join(mute)
    run = await house.run_now(await house.schedule(handler="far"))
    order = await mute.orders.get()
    trouble.error = NoRoom("the disk is full")
    for _ in range(100):
        mute.answer(order)
    settler = house.engine.settler
    await house.until(lambda: (settler.pending(), len(settler._late)) == (1, 1))
    for attempt in range(2, 200):
        mute.answer(msgspec.structs.replace(order, attempt=attempt))
    await house.until(lambda: len(settler._late) == 50)
    trouble.error = None
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    await house.until(lambda: not settler._late)
    assert len(set(mute.acknowledged)) == 50  # the others are told again, and acknowledged then
    mute.answer(msgspec.structs.replace(order, attempt=199))
    await house.until(lambda: (run.id, 199) in mute.acknowledged)
