"""Whereabouts: the core is told in which guilds the bot is, and learns of what happened while either of them was away.

The gateway tells of guilds as they come and go. What it told nobody, because no bot was connected, shows at the next
READY: that lists every guild of a shard, those that are not available at the moment too. A guild that Discord cannot
serve for a while is not left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import discord
from discord.state import AutoShardedConnectionState

from schedule_zero.client import CoreClient
from schedule_zero.errors import ScheduleZeroError, Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

NOTE_AGAIN: Final = 5.0
"""Seconds after which a core that was away is told, or asked, again."""


class RememberingState(AutoShardedConnectionState[Any]):
    """The library's memory of a connection, without the guilds that a new READY does not list any more: with several
    shards it would keep them for ever."""

    def parse_ready(self, data: Any) -> None:
        shard = data["shard"][0]
        listed = {int(guild["id"]) for guild in data["guilds"]}
        for guild in list(self.guilds):
            if guild.shard_id == shard and guild.id not in listed:
                self._remove_guild(guild)
                self.dispatch("guild_remove", guild)
        super().parse_ready(data)


class Whereabouts:
    """Tells the core where a bot is, as long as that bot is the one that is connected."""

    def __init__(
        self, bot: discord.AutoShardedClient, core: CoreClient, noted: Callable[[str], None] = lambda _: None
    ) -> None:
        """``noted``: called with the id of a guild that the bot is in, once the core knows of it."""
        self._noted = noted
        self._bot = bot
        self._core = core
        self._news: dict[int, object] = {}

    async def note(self, guild_id: int, name: str, *, present: bool) -> None:
        """Tell of one guild, as soon as the core can be told; what is newer of the same guild counts."""
        news = self._news[guild_id] = object()
        await self._answered(
            lambda: self._core.note_guild(str(guild_id), name, present=present),
            f"did not take note of server {guild_id}",
            lambda: self._news.get(guild_id) is news,
        )
        if present:
            self._noted(str(guild_id))
        if self._news.get(guild_id) is news:
            del self._news[guild_id]

    async def compare(self, shard: int) -> None:
        """Tell of the guilds of a shard that the core believes the bot to be in, and that it has left."""
        shards, cursor = self._bot.shard_count or 1, None
        while True:
            page = await self._answered(
                lambda place=cursor: self._core.present_guilds(shard, shards, place),  # type: ignore[misc]
                f"does not say in which servers of shard {shard} it believes the bot to be",
            )
            if page is None:
                return
            for id in page.items:
                # What the gateway tells meanwhile is known to the bot before anybody else.
                if self._bot.get_guild(int(id)) is None:
                    logger.info("the bot left server %s while it was not told so", id)
                    await self.note(int(id), "", present=False)
            cursor = page.next
            if cursor is None:
                return

    async def _answered(
        self, ask: Callable[[], Awaitable[T]], failed: str, wanted: Callable[[], bool] = lambda: True
    ) -> T | None:
        """What the core answers, once it does; None where it refuses, nobody wants it any more, or the bot is closed:
        another one begins anew then."""
        while wanted() and not self._bot.is_closed():
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(NOTE_AGAIN)
            except ScheduleZeroError as error:
                # The core learns of it at the next start at the latest; guilds are told then again.
                logger.warning("the core %s: %s", failed, error.sentence)
                return None
        return None
