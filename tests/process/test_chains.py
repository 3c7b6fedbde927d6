"""Chains while their process is killed again and again: what follows an end is there when the end is."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schedule_zero import instant
from schedule_zero.schedule import After, ScheduleSpec
from schedule_zero.trigger import CronTrigger
from tests.process.conftest import FIGURES
from tests.process.house import House
from tests.process.remains import copy_of, read_remains

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(180)]

KILLS = 5


async def test_whenever_it_is_killed_each_end_that_is_committed_has_its_follower_once(
    house: House, tmp_path: Path, random: Random, record_property: Callable[[str, object], None]
) -> None:
    life = await house.start(connected=False)
    trigger = CronTrigger(expression="* * * * * *")
    echo: Any = {"handler": "echo", "method": "echo"}
    start = instant.spell(house.now() + 3 * instant.SECOND)  # until then everything that follows is there
    parent = await house.core.create_schedule(
        ScheduleSpec(trigger=trigger, start=start, args={"value": "beat"}, **echo)
    )
    after = (After(schedule=parent.id, when="any"),)
    args = {"value": "{parent.run_id} {parent.result|nothing}"}
    child = await house.core.create_schedule(ScheduleSpec(after=after, args=args, **echo))
    last = await house.core.create_schedule(
        ScheduleSpec(after=(After(schedule=child.id, when="any", delay="PT0.2S"),), args={"value": "end"}, **echo)
    )
    chain = {child.id: parent.id, last.id: child.id}
    followed = 0
    for number in range(KILLS + 1):
        await life.says('"outcomes committed"', after=life.place)
        await asyncio.sleep(random.uniform(0, 1.1))
        life.send(signal.SIGTERM) if number == KILLS else life.kill()
        assert await life.end() == (0 if number == KILLS else -signal.SIGKILL), life.last_words()
        remains = read_remains(copy_of(house.database, tmp_path / f"copy-{number}"))
        assert remains.damage == ()
        followers = Counter((run.schedule_id, run.occurrence) for run in remains.runs)
        ended = [run for run in remains.runs if run.ended]
        for follower, parent_id in chain.items():
            due = {(follower, f"c:{run.id}") for run in ended if run.schedule_id == parent_id}
            made = {key for key in followers if key[0] == follower}
            assert due == made
            followed += len(made)
        assert max(followers.values()) == 1
        if number < KILLS:
            life = await house.start(connected=False)
    record_property(FIGURES, f"chains: {KILLS} killed at any moment; {followed} followers, none lost, none doubled")
    assert followed > KILLS
