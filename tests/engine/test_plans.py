"""Plans in memory are only hints: what leaves them, or grows old in them, costs time and never a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from core.ledger.port import Transaction
from core.ledger.rows import ScheduleRow
from schedule_zero.errors import Reject
from schedule_zero.handler import Context
from tests.engine.conftest import Build
from tests.engine.house import House


async def test_a_plan_dropped_while_others_are_read_fires_all_the_same(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build()
    refuse = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        if n == 7:
            await refuse.wait()
            raise Reject("no_rights: no")

    house.hands.deed = deed
    failing = await house.every(60, args={"n": 7}, policy={"overlap": "allow"})
    await house.heard("run.dispatched", schedule_id=failing.id)
    unread = await house.every(60, first_in=60)
    house.pass_time(31)  # close enough to its time to be compiled ahead
    await house.until(lambda: house.engine.book.known(unread.id) is not None)
    house.engine.book.drop(unread.id)
    reads = house.ledger.reader.schedules
    get_many = reads.get_many

    async def slow(ids: Sequence[str]) -> dict[str, ScheduleRow]:
        found = await get_many(ids)
        if unread.id in ids and not refuse.is_set():
            refuse.set()
            await house.until(lambda: house.engine.book.known(failing.id) is None)
        return found

    monkeypatch.setattr(reads, "get_many", slow)
    house.pass_time(29.5)
    await house.heard("run.created", schedule_id=unread.id)
    assert len(await house.runs(failing.id)) == 2
    assert refuse.is_set()


async def test_a_plan_from_before_a_change_is_refused_once_and_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = await house.schedule()
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    house.engine.book.add(msgspec.structs.replace(row, failures=1))
    tries: list[int] = []
    write = house.ledger.write

    async def counted(unit: Callable[[Transaction], Awaitable[Any]]) -> Any:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "dispatch":
            tries[-1] += 1
        return await write(unit)

    monkeypatch.setattr(house.ledger, "write", counted)
    for _ in range(3):
        tries.append(0)
        await house.ended((await house.run_now(schedule)).id)
    assert tries == [2, 1, 1]


async def test_a_run_starts_with_the_newest_arguments_although_the_plan_at_hand_is_from_before_the_edit(
    house: House,
) -> None:
    schedule = await house.schedule(args={"n": 1})
    before = await house.ledger.reader.schedules.get(schedule.id)
    assert before is not None
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    house.engine.book.add(before)
    run = await house.ended((await house.run_now(schedule)).id)
    assert [n for _, _, n in house.hands.calls] == [2]
    assert len(run.attempts) == 1
