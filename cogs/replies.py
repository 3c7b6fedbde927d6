"""Which servers want everybody to see the answers to commands.

Whether an answer is for one person alone is said to Discord at once, before anybody can be asked; so it goes by what is
known. It is learned when a server is noted and when it is set through this bot, and looked up again, behind every command
it matters to: a change that was made elsewhere counts from the next command on.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from schedule_zero.client import CoreClient
from schedule_zero.views import GuildSettings

logger = logging.getLogger(__name__)


class Replies:
    """The servers that answer openly, as far as this process knows; all others answer the person alone."""

    def __init__(self) -> None:
        self._openly: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}

    def are_public(self, guild_id: str) -> bool:
        """Whether a server wants everybody to see answers."""
        return guild_id in self._openly

    def learn(self, settings: GuildSettings) -> None:
        """A server has set this."""
        if settings.ephemeral:
            self._openly.discard(settings.guild_id)
        else:
            self._openly.add(settings.guild_id)

    def look_up(self, core: CoreClient, guild_id: str) -> None:
        """Ask the core, while others go on; once at a time."""
        if guild_id not in self._asking:
            asking = self._asking[guild_id] = asyncio.create_task(self._ask(core, guild_id), name="who sees answers")
            asking.add_done_callback(partial(self._asked, guild_id))

    async def _ask(self, core: CoreClient, guild_id: str) -> None:
        try:
            self.learn(await core.guild_settings(guild_id))
        except Exception:  # nobody waits for it, and whatever is wrong, the command itself tells
            logger.info("who sees answers in server %s is not known at the moment", guild_id, exc_info=True)

    def _asked(self, guild_id: str, _asking: asyncio.Task[None]) -> None:
        del self._asking[guild_id]
