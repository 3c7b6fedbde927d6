"""The front: what of the bot outlives a single connection. Clients come and go, these parts stay.

Outbox, sender and handler serve runs; the notices read the journal; each new bot is put on the same link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from bot.aside import Aside
from bot.client import ScheduleZeroBot
from bot.discord_handler import DiscordHandler
from bot.link import Link
from bot.notices import Notices
from bot.outbox import Outbox
from bot.sender import Sender
from bot.shards import Part
from bot.sync import TreeSync
from cogs.banner import LastBanner
from cogs.incidents import Incidents
from cogs.operators import Operators
from cogs.replies import Replies
from cogs.undo import RecentUndos
from schedule_zero.client import CoreClient
from schedule_zero.event import Event
from schedule_zero.handler import Handler
from schedule_zero.views import GuildSettings

logger = logging.getLogger(__name__)

wall_clock: Callable[[], float] = time.time
"""What intents are dated with: it must mean the same after a restart."""

OUTBOX: Final = "discord-outbox.jsonl"
OUTBOXES: Final = "discord-outbox*.jsonl"
ASIDE: Final = "discord-notices.json"
TREE: Final = "command-tree.json"
SUBSCRIBER: Final = "discord.notices"
PART: Final = "discord"
SENDING_ENDS: Final = 5.0
CLOSING_ENDS: Final = 5.0
"""Seconds that messages under way, and then the connections, get to end."""


class Host(Protocol):
    """What the front needs of the service it runs beside. ``client`` may be used once the service runs."""

    @property
    def client(self) -> CoreClient: ...

    def serve(self, handler: Handler, /) -> None: ...

    def subscribe(self, name: str, deliver: Callable[[Sequence[Event]], Awaitable[None]], /) -> None: ...

    def report(self, part: str, *, ok: bool, detail: str) -> None: ...


class Front:
    """The lasting parts, built once per process.

    Args:
        data_dir: where outbox, notices put aside and command hash are kept; None keeps them in memory.
        operators: who gets the commands of operators, and where.
        forgetful: the Discord beside it knows no commands at its start (the playground), so it is told every time.
        part: the shards of this process, where there are several; None: all.
    """

    def __init__(
        self,
        host: Host,
        data_dir: Path | None,
        *,
        forgetful: bool = False,
        operators: Operators | None = None,
        part: Part | None = None,
    ) -> None:
        self._host = host
        self._operators = operators or Operators()
        self._part = part
        self._sync = TreeSync(None if forgetful or data_dir is None else data_dir / TREE)
        self._incidents = Incidents()
        self._undos = RecentUndos()
        self._replies = Replies()
        self._banner = LastBanner()
        self.link = Link()
        beside = None if part is None else OUTBOXES
        own = None if data_dir is None else data_dir / _of(part, OUTBOX)
        self.outbox = Outbox(own, clock=wall_clock, beside=beside)
        self._aside = Aside(None if data_dir is None else data_dir / _of(part, ASIDE))
        self.sender = Sender(self.link, self.outbox)
        self.handler = DiscordHandler(self.link, self.sender, settings=self._settings_of)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Front]:
        """Open the outbox, then serve runs and tell notices. The host must be running.

        Raises:
            OutboxError: the outbox, or what was put aside, cannot be used.
        """
        await self.outbox.open()
        try:
            self._host.serve(self.handler)
            notices = Notices(
                self._host.client, self.link, self.sender, self._aside, clock=wall_clock,
                operators_guild=None if self._operators.guild is None else str(self._operators.guild.id),
            )  # fmt: skip
            async with notices.running():
                self._host.subscribe(SUBSCRIBER, notices.deliver)
                yield self
        finally:
            await self.link.close()
            await self.outbox.close()

    async def _settings_of(self, guild_id: str) -> GuildSettings:
        return await self._host.client.guild_settings(guild_id)

    def make_bot(self, *, shards: int | None = None, elsewhere: bool = False) -> ScheduleZeroBot:
        """A fresh bot on this front; once it is ready, messages go through it."""
        return ScheduleZeroBot(
            self._host.client,
            sync=self._sync if self._part is None or self._part.leads else None,
            shards=shards,
            part=self._part,
            elsewhere=elsewhere,
            incidents=self._incidents,
            undos=self._undos,
            replies=self._replies,
            operators=self._operators,
            banner=self._banner,
            on_state=self._heard,
        )

    def _heard(self, bot: ScheduleZeroBot, connected: bool) -> None:
        if connected:
            self.link.use(bot)
            self._host.report(PART, ok=True, detail=f"connected as {bot.user}")
        else:
            self._host.report(PART, ok=False, detail="the gateway connection was lost; reconnecting")

    async def close_bot(self, bot: ScheduleZeroBot) -> None:
        """Take a bot off the link, let what it is sending be sent, and close its connections."""
        self.link.drop(bot)
        self._sync.stop()
        await self.sender.drain(SENDING_ENDS)
        try:
            async with asyncio.timeout(CLOSING_ENDS):
                await bot.close()
        except TimeoutError:
            logger.warning("the connection to Discord did not close in time and was given up")


def _of(part: Part | None, file: str) -> str:
    """The name of a process's own file."""
    stem, _, ending = file.rpartition(".")
    return file if part is None else f"{stem}.{part.label}.{ending}"
