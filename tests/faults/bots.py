"""The bot, a process of its own beside a Discord of real sockets, is killed while it posts."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from core.engine.ports import LEASE_S
from schedule_zero import instant
from schedule_zero.trigger import DateTrigger
from tests.discord_server import world
from tests.discord_server.process import DiscordProcess
from tests.faults.asked import Single
from tests.faults.load import PERSISTENT, Load, now
from tests.faults.stage import Stage, until
from tests.process.house import CONNECTED, message, texts
from tests.process.life import Life

CHANNELS = (world.GENERAL, world.NEWS, world.OTHER_GENERAL)
AHEAD = (200_000, 1_500_000)
"""How far ahead a message is due, microseconds."""
FIRST = 10
"""Messages that stand in their channels before the first kill."""


async def kill_bot(stage: Stage, load: Load, times: int) -> None:
    """`kill -9` of the bot at random moments; every message is posted once."""
    async with DiscordProcess() as discord:
        bot = await _start(stage, discord)
        posted: dict[str, str] = {}
        enough = asyncio.Event()
        posting = asyncio.create_task(_post(stage, load, posted, enough), name="posting")
        try:
            await until(lambda: len(posted) >= FIRST or posting.done(), "no messages were asked for")
            for _ in range(times):
                await asyncio.sleep(stage.random.uniform(0.2, 3.0))
                with stage.episode("bot killed", LEASE_S):
                    bot.kill()
                    await bot.end()
                    await asyncio.sleep(stage.random.uniform(0.0, 1.0))
                    bot = await _start(stage, discord)
            enough.set()
            await posting
        finally:
            posting.cancel()
        await _settle(stage, discord, load, posted)
        bot.kill()
        await bot.end()


async def _start(stage: Stage, discord: DiscordProcess) -> Life:
    """A bot that is connected to this Discord."""
    command = [sys.executable, "-m", "core.cli", "bot", "--config", str(stage.config)]
    environ = {"DISCORD_TOKEN": discord.settings.token, "DISCORD_API_BASE": discord.api_url}
    bot = stage.start(command, **environ)
    await bot.says(CONNECTED)
    return bot


async def _post(stage: Stage, load: Load, posted: dict[str, str], enough: asyncio.Event) -> None:
    """Messages in several channels, until there are enough."""
    while not enough.is_set():
        text, due = f"message {len(posted)}", now() + stage.random.randint(*AHEAD)
        spec = message(DateTrigger(at=instant.spell(due)), text, stage.random.choice(CHANNELS),
                       policy={"retry": PERSISTENT, "failure_threshold": 1000})  # fmt: skip
        made = await load.create(spec)
        posted[text] = made.id
        load.asked.singles.append(Single(made.id, "send_message", due, "succeeds"))
        await asyncio.sleep(stage.random.uniform(0.05, 0.3))


async def _settle(stage: Stage, discord: DiscordProcess, load: Load, posted: dict[str, str]) -> None:
    """Until every message's run is over; then each stands in its channel once, if nobody stopped it."""
    ids, follower = set(posted.values()), stage.follower
    await follower.until(lambda: ids <= follower.completed, 60, "all is due")
    runs = {event.run_id for event in follower.events if event.schedule_id in ids}
    await follower.until(lambda: not runs & follower.under_way, 60, "all is posted")
    standing = Counter(await texts(discord, CHANNELS))
    stopped = {event.schedule_id for event in follower.events if event.run_id in load.asked.stopped}
    for text, id in posted.items():
        if standing[text] != 1 and not (standing[text] == 0 and id in stopped):
            stage.wrong.append(f"{text!r} was posted {standing[text]} times")
    stage.notes.append(f"{len(posted)} messages")
