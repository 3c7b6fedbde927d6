"""The bot on a Discord of real sockets, beside a host that only remembers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bot.discord_handler import DiscordHandler
from bot.main import run_discord
from bot.shards import Part
from schedule_zero.event import Event
from schedule_zero.handler import Context, Handler, methods_of
from schedule_zero.instant import SECOND
from tests.bot.fake_core import FakeCore
from tests.discord_server import world
from tests.discord_server.app import DiscordServer

Deliver = Callable[[Sequence[Event]], Awaitable[None]]
POST_MESSAGE = "POST /channels/*/messages"


class BotSettings(msgspec.Struct, frozen=True):
    """What of the configuration the bot reads."""

    api_base: str | None
    shards: Any = "auto"
    operator_ids: tuple[str, ...] = ()
    operator_guild_id: str | None = None


class Host:
    """The service beside the bot, as the bot sees it."""

    def __init__(self) -> None:
        self.client = FakeCore()
        self.handlers: list[Handler] = []
        self.subscribers: dict[str, Deliver] = {}
        self.reports: list[tuple[bool, str]] = []
        self._changed = asyncio.Event()

    def serve(self, handler: Handler) -> None:
        self.handlers.append(handler)

    def subscribe(self, name: str, deliver: Deliver) -> None:
        self.subscribers[name] = deliver

    def report(self, part: str, *, ok: bool, detail: str) -> None:
        assert part == "discord"
        self.reports.append((ok, detail))
        self._changed.set()

    @property
    def handler(self) -> DiscordHandler:
        """The handler of the newest bot."""
        handler = self.handlers[-1]
        assert isinstance(handler, DiscordHandler)
        return handler

    def takes_work(self) -> bool:
        """Whether the engine would give the handler anything."""
        return self.handler.available

    async def wait_up(self) -> None:
        """Until messages can be sent."""
        async with asyncio.timeout(20):
            await self.handler._link.wait()

    async def wait_report(self, words: str, *, seconds: float = 20.0) -> None:
        """Until something was reported in which these words stand; looked for from the start."""
        async with asyncio.timeout(seconds):
            while not any(words in detail for _, detail in self.reports):
                self._changed.clear()
                await self._changed.wait()

    async def send(self, method: str = "send_message", *, context: Context | None = None, **args: Any) -> Any:
        """Call a method of the handler as the engine does."""
        declared = methods_of(self.handler)[method]
        return await declared(context or make_context(), declared.check(args))


class ShiftedClock:
    """The wall clock, put forward by the test."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def make_context(run_id: str = "run_1", **fields: Any) -> Context:
    """A run of a guild's own schedule, on time."""
    plain: dict[str, Any] = {
        "run_id": run_id,
        "attempt": 1,
        "due": 1_700_000_000 * SECOND,
        "deadline": 1_700_000_060 * SECOND,
        "schedule_id": "sch_00000000000000000001",
        "guild_id": str(world.GUILD),
        "owner_id": str(world.MODERATOR),
    }
    return Context(**(plain | fields))


@contextlib.asynccontextmanager
async def connected(
    server: DiscordServer,
    folder: Path | None,
    *,
    token: str | None = None,
    wait: bool = True,
    shards: Any = "auto",
    part: Part | None = None,
    operator_guild_id: str | None = None,
    host: Host | None = None,
) -> AsyncIterator[Host]:
    """The bot running against the server; connected when the block begins, stopped in order when it ends."""
    host = host or Host()
    settings = BotSettings(
        api_base=server.api_url, shards=shards, operator_ids=() if operator_guild_id is None else ("1",),
        operator_guild_id=operator_guild_id,
    )  # fmt: skip
    task = asyncio.create_task(run_discord(host, settings, token or server.settings.token, data_dir=folder, part=part))
    try:
        if wait:
            await host.wait_report("connected as")
        yield host
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
