"""A series that fires every second while its process is killed again and again, at any moment."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from schedule_zero import instant
from schedule_zero.trigger import CronTrigger
from tests.discord_server import world
from tests.process.accounts import settle_series
from tests.process.conftest import FIGURES
from tests.process.house import House, message
from tests.process.remains import copy_of, read_remains

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(180)]

KILLS = 4


async def test_every_second_of_a_series_has_its_run_or_its_place_in_a_missed_row_whenever_it_is_killed(
    house: House, tmp_path: Path, random: Random, record_property: Callable[[str, object], None]
) -> None:
    life = await house.start()
    beat = await house.core.create_schedule(
        message(CronTrigger(expression="* * * * * *"), "beat", world.GENERAL, guild_id=None)
    )
    for number in range(KILLS):
        # The next message of this life is on its way: from here on any moment will do.
        await life.says(f"posting to channel {world.GENERAL}", after=life.place)
        await asyncio.sleep(random.uniform(0, 1.2))
        life.kill()
        assert await life.end() == -signal.SIGKILL
        assert read_remains(copy_of(house.database, tmp_path / f"copy-{number}")).damage == ()
        life = await house.start()
    await life.says(f"posted to channel {world.GENERAL}", after=life.place)
    paused = await house.core.pause_schedule(beat.id)
    life.send(signal.SIGTERM)
    assert await life.end() == 0, life.last_words()

    remains = read_remains(copy_of(house.database, tmp_path / "end"))
    runs = [run for run in remains.runs if run.schedule_id == beat.id]
    first = instant.parse(beat.next_fire_times[0])
    last = max(int(run.occurrence.removeprefix("t:")) for run in runs if run.missed is None)
    dues = range(first, last + 1, instant.SECOND)
    posted = [entry["id"] for entry in await house.discord.history(world.GENERAL)]
    accounts = settle_series(dues, runs, posted)
    record_property(
        FIGURES,
        f"a series: {KILLS} killed at any moment; {len(dues)} due times, {len(posted)} messages, "
        f"{len(accounts.lost)} lost, {len(accounts.doubled)} doubled",
    )
    assert paused.state == "paused"
    assert accounts.balanced, accounts.words
