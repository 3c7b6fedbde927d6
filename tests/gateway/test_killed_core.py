"""A core killed while it tells events: a durable subscriber hears all that was committed, in order, once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from pathlib import Path

import pytest

from core.web.token import read_token
from schedule_zero.errors import Unavailable
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.zmq_client import ZmqClient
from schedule_zero.trigger import TextTrigger
from tests.up import Process

pytestmark = pytest.mark.slow
KILLS = 2


async def test_a_subscriber_hears_everything_once_though_the_core_is_killed_again_and_again(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    ports: dict[str, str] = {}
    core: Process | None = None

    def start() -> Process:
        made = Process(tmp_path, "core", **ports)
        made.came_up()
        ports["SCHEDULE_ZERO__HTTP__BIND"] = made.address.removeprefix("http://")
        ports["SCHEDULE_ZERO__ZMQ__CLIENTS"] = made.clients_at()
        return made

    try:
        core = await asyncio.to_thread(start)
        client = ZmqClient(ports["SCHEDULE_ZERO__ZMQ__CLIENTS"], read_token(tmp_path / "data"), patience=30)
        heard: list[tuple[int, str | None]] = []

        placed = asyncio.Event()

        async def hear() -> None:
            async for page in client.pages(subscriber="test"):
                placed.set()
                heard.extend((event.seq, event.schedule_id) for event in page.events if event.schedule_id is not None)

        async def make() -> str | None:
            spec = ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="every day at 9"))
            with contextlib.suppress(Unavailable):
                return (await client.create_schedule(spec)).id
            return None

        hearing = asyncio.create_task(hear())
        await asyncio.wait_for(placed.wait(), 20)
        made: list[str | None] = []
        for _ in range(KILLS):
            making = [asyncio.create_task(make()) for _ in range(60)]
            await asyncio.wait(making, timeout=chance.uniform(0.0, 0.15))
            core.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(core.clear_away)
            core = await asyncio.to_thread(start)
            made += await asyncio.gather(*making)
        assert None not in made, "each was asked for again under its key until there was an answer"
        async with asyncio.timeout(30):
            while len(heard) < len(made):
                await asyncio.sleep(0.05)
        assert [seq for seq, _ in heard] == sorted({seq for seq, _ in heard})
        assert sorted(id for _, id in heard if id is not None) == sorted(id for id in made if id is not None)
        assert (await client.status()).schedules == len(made) == KILLS * 60
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        await client.close()
    finally:
        if core is not None:
            core.clear_away()
