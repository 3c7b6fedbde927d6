"""Discord is away: the service is ready all the same, runs wait, and each message comes once when it is back."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.event import EventKind
from schedule_zero.run import RunState
from tests.discord_server import world
from tests.discord_server.process import DiscordProcess
from tests.ports import Port
from tests.process.house import House, texts

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(180)]

SOON = 300_000


@pytest.fixture
def free() -> Iterator[Port]:
    with Port() as port:
        yield port


async def test_a_start_without_discord_is_ready_and_what_is_due_comes_once_discord_does(
    tmp_path: Path, free: Port
) -> None:
    port = free.number
    discord = DiscordProcess(port=port)
    async with House(tmp_path, discord, api_base=f"http://127.0.0.1:{port}/api/v10") as house:
        life = await house.start(connected=False)
        await life.says("Discord cannot be reached")
        status, ready = await asyncio.to_thread(_get, f"{house.core.address}/ready")
        assert status == 200
        assert ready["running"]
        assert not ready["parts"]["discord"]["ok"]
        tea = await house.remind_at(house.now() + SOON, "tea")
        await life.says('"tick committed"')

        async with discord:
            await house.ended([tea.id])
            run = (await house.core.list_runs(schedule_id=tea.id)).items[0]
            assert (run.state, run.attempt) == (RunState.SUCCEEDED, 1)
            assert len(await texts(discord, [world.GENERAL])) == 1
            assert (await house.core.status()).parts["discord"].ok


async def test_discord_away_in_the_middle_makes_runs_wait_and_doubles_nothing(house: House) -> None:
    await house.start()
    await house.discord.fault("*", "drop", count=None)
    await house.discord.disconnect(code=None)
    dues = [await house.remind_at(house.now() + SOON, f"tea {number}") for number in range(3)]
    await house.told([dues[0].id], [EventKind.RUN_WAITING])
    waiting = (await house.core.list_runs(schedule_id=dues[0].id)).items[0]
    assert waiting.state == RunState.WAITING

    await house.discord.act("clear_faults")
    await house.ended([due.id for due in dues])
    standing = await texts(house.discord, [world.GENERAL])
    assert sorted(text.count("tea") for text in standing) == [1, 1, 1]
    for due in dues:
        run = (await house.core.list_runs(schedule_id=due.id)).items[0]
        assert run.state == RunState.SUCCEEDED


def _get(address: str) -> tuple[int, Any]:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.status, json.load(answer)
