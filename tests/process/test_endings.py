"""Asked to stop while work is under way: the process ends with 0, and the work is done once."""

from __future__ import annotations

import signal

import pytest

from schedule_zero.run import RunState
from tests.discord_server import world
from tests.process.house import House, texts
from tests.process.life import PATIENCE
from tests.process.remains import copy_of, read_remains

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(180)]

POST = f"POST /channels/{world.GENERAL}/messages"
SOON = 300_000


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_asked_to_stop_it_finishes_what_runs_and_exits_with_0(asked: signal.Signals, house: House) -> None:
    life = await house.start()
    fault = await house.discord.fault(POST, "hang", when="after")
    tea = await house.remind_at(house.now() + SOON, "tea")
    await house.discord.wait_fault(fault.id, timeout=PATIENCE)
    life.send(asked)
    await life.says('"stopping"')
    await house.discord.act("clear_faults")
    assert await life.end() == 0, life.last_words()

    remains = read_remains(copy_of(house.database, house.data.parent / "copy"))
    run = remains.run_of(tea.id)
    assert run is not None
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 1)
    assert len(await texts(house.discord, [world.GENERAL])) == 1


async def test_work_that_does_not_end_in_time_is_handed_back_and_done_once_after_the_next_start(house: House) -> None:
    life = await house.start()
    fault = await house.discord.fault(POST, "hang", when="after")
    tea = await house.remind_at(house.now() + SOON, "tea")
    await house.discord.wait_fault(fault.id, timeout=PATIENCE)
    life.send(signal.SIGTERM)
    assert await life.end() == 0, life.last_words()
    await house.discord.act("clear_faults")

    await house.start()
    await house.ended([tea.id])
    run = (await house.core.list_runs(schedule_id=tea.id)).items[0]
    assert run.state == RunState.SUCCEEDED
    assert len(await texts(house.discord, [world.GENERAL])) == 1


async def test_what_was_made_before_an_ordinary_stop_comes_after_the_next_start(house: House) -> None:
    life = await house.start()
    made = await house.remind("in 2 seconds", "tea")
    life.send(signal.SIGTERM)
    assert await life.end() == 0, life.last_words()

    await house.start()
    await house.ended([made.id])
    assert len(await texts(house.discord, [world.GENERAL])) == 1
