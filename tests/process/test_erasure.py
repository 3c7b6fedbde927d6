"""`kill -9` in the middle of an erasure: the next life goes on with it, and nothing is left in the end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from random import Random

import msgspec
import pytest

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.trigger import CronTrigger
from tests.discord_server import world
from tests.process.house import House, message
from tests.process.life import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(240)]

CANARY = "kanarienvogel"
KILLS = 3
STEP = '"an errand goes on"'


async def test_an_erasure_goes_on_after_every_kill(house: House, random: Random) -> None:
    await house.start()
    item = message(CronTrigger("0 9 1 1 *"), CANARY, world.GENERAL)
    for _ in range(2):
        made = await house.core.create_schedules([msgspec.to_builtins(item)] * 450)
        assert all(each.status == 201 for each in made.items)
    asked = str(world.GUILD)
    for _ in range(KILLS):
        house.life.kill_when_it_says(*[STEP] * random.randint(1, 6), delay=0.0)
        with contextlib.suppress(ScheduleZeroError):
            await house.core.erase_guild(asked)
        assert await house.life.end() < 0, "it was done before it could be killed"
        await house.start(connected=False)
    async with asyncio.timeout(PATIENCE):
        while not (await house.core.erase_guild(asked)).finished:
            await asyncio.sleep(0)
    assert (await house.core.list_schedules(guild_id=asked)).items == ()
    for path in house.data.glob("schedule-zero.sqlite3*"):
        assert CANARY.encode() not in path.read_bytes(), path.name
    database = sqlite3.connect(house.database)
    lines = database.execute("SELECT action FROM audit WHERE guild_id = ?", (asked,)).fetchall()
    database.close()
    assert [action for (action,) in lines].count("guild.erase") >= 1
