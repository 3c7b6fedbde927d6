from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from simcord import _dpy_internals as sdk

from bot.playground import playground, simcord_internals
from bot.playground.playground import Playground
from bot.playground.simcord_internals import LiveEnv
from tests.playground.tiny_bot import TinyBot

Start = Callable[[], Awaitable["Started"]]


class Started:
    """A running playground and its bot."""

    def __init__(self, playground: Playground, bot: TinyBot) -> None:
        self.playground = playground
        self.bot = bot
        self.site = playground.asgi

    @property
    def env(self) -> LiveEnv:
        """The simulated Discord behind it."""
        assert self.playground._running is not None
        return self.playground._running.env

    def channel(self, name: str, guild: str = "Playground") -> int:
        """A channel's id by its name."""
        found = next(each for each in self.bot.guilds if each.name == guild)
        return next(channel.id for channel in found.channels if channel.name == name)

    async def post(self, text: str, channel: str = "general", **options: object) -> int:
        """Let the bot post; the message's id."""
        sent = await self.bot.get_partial_messageable(self.channel(channel)).send(text, **options)  # type: ignore[call-overload]
        return int(sent.id)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """People's eyes need no more than five pictures a second; a test need not wait for them."""
    monkeypatch.setattr(simcord_internals, "PUBLISH_EVERY", 0.01)
    monkeypatch.setattr(playground, "SAVE_EVERY", 0.05)
    set_timeout = sdk.set_guild_ready_timeout
    monkeypatch.setattr(sdk, "set_guild_ready_timeout", lambda bot, _: set_timeout(bot, 0.01))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a playground in this test's data folder, any number of times one after the other."""
    running: list[Started] = []

    async def begin() -> Started:
        if running:
            await running.pop().playground.close()
        bot = TinyBot()
        playground = Playground(bot, tmp_path)
        await playground.start()
        running.append(Started(playground, bot))
        return running[0]

    yield begin
    for started in running:
        await started.playground.close()


@pytest.fixture
async def started(start: Start) -> Started:
    return await start()
