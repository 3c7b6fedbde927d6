"""Two cores on one database, each a process of its own, where people sign in with the Discord beside them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from schedule_zero.transport.http import HttpClient
from tests.discord_server import world
from tests.discord_server.process import DiscordProcess
from tests.process.house import DOOR_OPEN
from tests.process.life import PATIENCE, Life

CLAIMED = '"buckets claimed"'
_TOKEN = "pair-" + "0123456789" * 4
_AGAIN_S = 0.02
_HELD = re.compile(r"\) (\d+)\b")


class Core:
    """One of the two.

    Attributes:
        address: of its HTTP door.
        client: its operator's.
    """

    def __init__(self, life: Life) -> None:
        self.life = life
        self.address = ""
        self.client = HttpClient("http://127.0.0.1:1")


class Pair:
    """Starts both, and ends both."""

    def __init__(self, folder: Path, discord: DiscordProcess, database_url: str) -> None:
        self._folder = folder
        self._discord = discord
        self._database_url = database_url
        self.first: Core
        self.second: Core
        self._lives: list[Life] = []

    async def __aenter__(self) -> Self:
        self.first, self.second = await self._core("first"), await self._core("second")
        for core in (self.first, self.second):
            await core.life.says(CLAIMED)
        await until(self._shared_out)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for core in (getattr(self, "first", None), getattr(self, "second", None)):
            if core is not None:
                await core.client.close()
        for number, life in enumerate(self._lives):
            await asyncio.to_thread(life.close)
            (self._folder / f"life-{number}.log").write_text("\n".join(life.log), encoding="utf-8")

    async def _core(self, name: str) -> Core:
        data = self._folder / name
        data.mkdir()
        token = data / "api-token"
        token.touch(mode=0o600)
        token.write_text(_TOKEN, encoding="utf-8")
        settings: dict[str, Any] = {
            "data_dir": str(data), "store": {"url": self._database_url},
            "http": {"bind": "127.0.0.1:0", "oauth": {"client_id": str(world.BOT), "client_secret": self._discord.settings.client_secret}},
            "zmq": dict.fromkeys(("handlers", "clients", "events"), "tcp://127.0.0.1:*"),
            "discord": {"api_base": self._discord.api_url}, "governor": {"default_plan": "trusted"},
            "log": {"level": "info", "format": "json"},
        }  # fmt: skip
        config = self._folder / f"{name}.yaml"
        config.write_bytes(msgspec.yaml.encode(settings))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEDULE_", "DISCORD_"))}
        command = [sys.executable, "-m", "core.cli", "core", "--config", str(config)]
        core = Core(Life(command, kept | {"PYTHONUNBUFFERED": "1"}))
        self._lives.append(core.life)
        core.address = msgspec.json.decode(await core.life.says(DOOR_OPEN))["address"]
        core.client = HttpClient(core.address, _TOKEN, timeout=PATIENCE)
        return core

    async def _shared_out(self) -> bool:
        """Whether each works for its part of the guilds."""
        details = [(await core.client.status()).parts["cluster"].detail for core in (self.first, self.second)]
        return all(sorted(_HELD.findall(detail)) == ["32", "33"] for detail in details)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(_AGAIN_S)
