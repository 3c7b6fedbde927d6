"""Two things at the same instant, made so by holding SQLite's write lock until both are on their way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schedule_zero import instant
from schedule_zero.event import EventKind
from schedule_zero.trigger import DateTrigger
from tests.discord_server import world
from tests.process.house import House, texts
from tests.process.latch import Latch
from tests.process.remains import copy_of, read_remains

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(120)]

SOON = 3_000_000
"""Microseconds: long enough to hold the lock and to send the edits before the tick, shorter than a writer waits."""


async def test_edits_committed_before_a_tick_count_although_the_tick_was_under_way(
    house: House, tmp_path: Path
) -> None:
    life = await house.start()
    due = house.now() + SOON
    later = DateTrigger(at=instant.spell(due + 24 * instant.HOUR))
    tea = await house.post(due, "tea")
    cake = await house.post(due, "cake")
    async with Latch(house.database):
        edits = asyncio.gather(
            house.core.patch_schedule(tea.id, {"trigger": later}),
            house.core.patch_schedule(cake.id, {"args": cake.args | {"content": "biscuits"}}),
        )
        await life.says('"tick commits"')
    await edits

    await house.told([cake.id], [EventKind.RUN_SUCCEEDED])
    life.kill()
    await life.end()
    remains = read_remains(copy_of(house.database, tmp_path / "copy"))
    assert remains.due[tea.id] == due + 24 * instant.HOUR
    assert [run.schedule_id for run in remains.runs] == [cake.id]
    assert await texts(house.discord, [world.GENERAL]) == ["biscuits"]
