"""`core` and `bot` as two processes: what `up` is in one, and either may die without the other."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schedule_zero.client import CoreClient
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.up import Process

pytestmark = pytest.mark.slow
NO_DISCORD = """\
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("discord", "aiohttp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocked())
"""


class Apart:
    """A core without discord.py, and a bot beside it, on one data folder."""

    def __init__(self, folder: Path, server: DiscordServer) -> None:
        self.folder = folder
        self._server = server
        self._ports: dict[str, str] = {}
        self.processes: list[Process] = []
        (folder / "bare").mkdir()
        (folder / "bare" / "sitecustomize.py").write_text(NO_DISCORD, encoding="utf-8")

    def core(self) -> Process:
        """Start a core, and wait until it answers; its ports stay the same."""
        bare = {"PYTHONPATH": f"{self.folder / 'bare'}:{Path(__file__).parents[2]}"}
        core = Process(self.folder, "core", **bare, **self._ports)
        self.processes.append(core)
        core.came_up()
        self._ports = {
            "SCHEDULE_ZERO__HTTP__BIND": core.address.removeprefix("http://"),
            "SCHEDULE_ZERO__ZMQ__HANDLERS": core.handlers_at(),
            "SCHEDULE_ZERO__ZMQ__CLIENTS": core.clients_at(),
        }
        return core

    def bot(self, *options: str, **environ: str) -> Process:
        discord = {"DISCORD_TOKEN": self._server.settings.token, "DISCORD_API_BASE": self._server.api_url}
        bot = Process(self.folder, "bot", *options, **{**self._ports, **discord, **environ})
        self.processes.append(bot)
        return bot

    async def connected(self, client: CoreClient, part: str = "discord") -> None:
        """Until the core says that the bot is connected."""
        async with asyncio.timeout(30):
            while (found := (await client.status()).parts.get(part)) is None or not found.ok:
                await asyncio.sleep(0.05)


@pytest.fixture
async def apart(server: DiscordServer, tmp_path: Path) -> AsyncIterator[Apart]:
    made = Apart(tmp_path, server)
    yield made
    for process in made.processes:
        process.clear_away()


async def test_a_core_without_discord_and_a_bot_beside_it_are_what_up_is(apart: Apart, server: DiscordServer) -> None:
    core = await asyncio.to_thread(apart.core)
    client = core.client()
    assert "discord" not in (await client.status()).parts
    bot = apart.bot()
    await apart.connected(client)
    await server.invoke("remind me", {"when": "in 1 second", "text": "tea"})
    await server.wait_messages(1, channel_id=world.GENERAL, contains="tea")
    code, err = await asyncio.to_thread(bot.ended, signal.SIGTERM)
    assert (code, "Traceback" in err) == (0, False), err
    assert "discord" not in (await client.status()).parts
    await client.close()
    code, err = await asyncio.to_thread(core.ended, signal.SIGTERM)
    assert (code, "Traceback" in err) == (0, False), err


async def test_a_bot_whose_core_is_away_says_so_and_goes_on_when_it_is_back(
    apart: Apart, server: DiscordServer
) -> None:
    core = await asyncio.to_thread(apart.core)
    apart.bot()
    client = core.client()
    await apart.connected(client)
    await asyncio.to_thread(core.ended, signal.SIGKILL)
    answer = await server.invoke("remind me", {"when": "in 1 hour", "text": "tea"})
    assert "The service cannot be reached at the moment; nothing was done. Try again shortly." in answer.content
    await asyncio.to_thread(apart.core)
    await apart.connected(client)
    async with asyncio.timeout(20):
        while len((await client.list_events(kinds=("handler.connected",))).items) < 2:
            await asyncio.sleep(0.05)
    await server.invoke("remind me", {"when": "in 1 second", "text": "coffee"})
    await server.wait_messages(1, channel_id=world.GENERAL, contains="coffee")
    await client.close()


async def test_a_message_due_while_the_bot_is_dead_comes_once_when_it_is_back(
    apart: Apart, server: DiscordServer
) -> None:
    core = await asyncio.to_thread(apart.core)
    client = core.client()
    bot = apart.bot()
    await apart.connected(client)
    await asyncio.to_thread(bot.ended, signal.SIGKILL)
    made = await client.create_schedule(
        ScheduleSpec(
            handler="discord", method="send_message", args={"channel_id": str(world.NEWS), "content": "late"},
            trigger=TextTrigger(text="in 1 second"), guild_id=str(world.GUILD),
        )
    )  # fmt: skip
    apart.bot()
    await server.wait_messages(1, channel_id=world.NEWS, contains="late")
    async with asyncio.timeout(20):
        while not (runs := (await client.list_runs(schedule_id=made.id, state="succeeded", any_guild=True)).items):
            await asyncio.sleep(0.05)
    assert len(runs) == 1
    assert len(server.messages(world.NEWS)) == 1
    await client.close()


async def test_two_bots_share_the_shards_and_every_message_and_notice_comes_once(
    apart: Apart, server: DiscordServer
) -> None:
    core = await asyncio.to_thread(apart.core)
    client = core.client()
    for shard in (0, 1):
        apart.bot("--shards", f"{shard}/2")
    for shard in (0, 1):
        await apart.connected(client, f"discord.{shard}-{shard}-of-2")
    async with asyncio.timeout(20):
        while len((await client.list_events(kinds=("handler.connected",))).items) < 2:
            await asyncio.sleep(0.05)
    places = ((world.GUILD, world.NEWS), (world.OTHER_GUILD, world.OTHER_GENERAL))
    for guild, channel in places:
        await client.change_guild_settings(str(guild), {"channels": {"default": str(channel)}})
        spec = ScheduleSpec(
            handler="discord", method="send_message", args={"channel_id": str(channel), "content": f"for {guild}"},
            trigger=TextTrigger(text="every day at 9"), guild_id=str(guild), policy={"overlap": "allow"},
        )  # fmt: skip
        made = await client.create_schedule(spec)
        for _ in range(6):
            await client.run_schedule(made.id)
        gone = await client.create_schedule(msgspec.structs.replace(spec, args={"channel_id": "1", "content": "x"}))
        for _ in range(10):
            await client.run_schedule(gone.id)
    for guild, channel in places:
        await server.wait_messages(6, channel_id=channel, contains=f"for {guild}")
        await server.wait_messages(1, channel_id=channel, contains="is blocked")
    async with asyncio.timeout(20):
        while (await client.list_runs(any_guild=True, state="running")).items:
            await asyncio.sleep(0.05)
    for _, channel in places:
        assert len(server.messages(channel)) == 7
    instances = {run.attempts[-1].instance for run in (await client.list_runs(any_guild=True, state="succeeded")).items}
    assert len(instances) == 2
    await client.close()


@pytest.mark.parametrize("text", ["0-4/4", "3", "-1/2", "2-1/4", "0/0"])
def test_shards_there_are_not_are_one_sentence(tmp_path: Path, text: str) -> None:
    bot = Process(tmp_path, "bot", "--shards", text, DISCORD_TOKEN="x")
    code, err = bot.ended()
    assert (code, len(err.splitlines())) == (2, 1)
    assert text in err


async def test_a_second_bot_beside_up_is_refused_in_one_sentence(apart: Apart, tmp_path: Path) -> None:
    up = Process(tmp_path, "up")
    apart.processes.append(up)
    await asyncio.to_thread(up.playground)
    apart._ports = {}
    code, err = await asyncio.to_thread(apart.bot(SCHEDULE_ZERO__ZMQ__HANDLERS="tcp://127.0.0.1:*").ended)
    assert code == 2
    assert "zmq.clients takes a free port" in err


def test_without_a_token_the_bot_says_where_the_playground_is(tmp_path: Path) -> None:
    bot = Process(tmp_path, "bot")
    code, err = bot.ended()
    assert code == 2
    assert err.startswith("there is no Discord token: set DISCORD_TOKEN; ")
    assert len(err.splitlines()) == 1
