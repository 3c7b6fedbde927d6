"""The bot: a Discord client with our commands, that needs to know guilds and nothing else.

It keeps no members and no messages, mentions nobody unless a message says so, and reads no text: one intent, guilds.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

import discord

from bot import endpoint, wire
from bot.known_commands import ToldCommands
from bot.shards import Part
from bot.sync import TreeSync
from bot.tree import Tree, load
from bot.whereabouts import RememberingState, Whereabouts
from cogs.banner import LastBanner
from cogs.buttons import CardButton
from cogs.incidents import Incidents
from cogs.operators import Operators
from cogs.replies import Replies
from cogs.settings.pickers import ChannelPicker, RolePicker
from cogs.undo import RecentUndos
from schedule_zero.client import CoreClient

logger = logging.getLogger(__name__)

RATE_LIMIT_WAIT: Final = 30.0
"""Seconds the library may wait for a rate limit by itself; a longer one is raised, and the run waits in the core."""

GUILDS_WAIT: Final = 1.0
"""Seconds after the last guild that READY waits for another one; a guild that comes later is noted all the same."""


class GatewayUnreachable(Exception):
    """The gateway did not take a shard; a fresh client has to begin again."""


class ScheduleZeroBot(discord.AutoShardedClient):
    """The bot of one process.

    Args:
        core: the client to the core, allowed to speak for others.
        sync: how Discord is told the commands; None: another process does.
        shards: how many; None asks Discord.
        part: which of them are this process's; None: all.
        elsewhere: talk to the Discord that ``DISCORD_API_BASE`` names, whose gateway must be asked for.
        on_state: told of every READY and resumption (True), and when a shard's connection is lost (False).
    """

    def __init__(
        self,
        core: CoreClient,
        *,
        sync: TreeSync | None,
        shards: int | None = None,
        part: Part | None = None,
        elsewhere: bool = False,
        incidents: Incidents | None = None,
        undos: RecentUndos | None = None,
        operators: Operators | None = None,
        replies: Replies | None = None,
        banner: LastBanner | None = None,
        on_state: Callable[[ScheduleZeroBot, bool], None] | None = None,
    ) -> None:
        # This bot speaks in no voice channel, so it is no news that the libraries for that are not installed.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        dealt: dict[str, Any] = {} if part is None else {"shard_ids": part.ids}
        intents = discord.Intents.none()
        intents.guilds = True
        super().__init__(
            intents=intents,
            shard_count=shards if part is None else part.count,
            **dealt,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=RATE_LIMIT_WAIT,
            http_trace=wire.trace(),
            guild_ready_timeout=GUILDS_WAIT,
        )
        self.core = core
        self.incidents = incidents or Incidents()
        self.undos = undos or RecentUndos()
        self.operators = operators or Operators()
        self.replies = replies or Replies()
        self.banner = banner or LastBanner()
        self.tree: Tree = Tree(self)
        self._sync = sync
        self.known_commands = ToldCommands(self, self.tree, sync or TreeSync(None))
        self._elsewhere = elsewhere
        self._on_state = on_state
        self._launching: set[int] = set()
        self._whereabouts = Whereabouts(self, core, lambda guild_id: self.replies.look_up(core, guild_id))

    def _get_state(self, **options: Any) -> RememberingState:
        return RememberingState(
            dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options
        )

    async def setup_hook(self) -> None:
        """Before the gateway: the commands, all or none; the buttons; Discord told of changes; the way in."""
        load(self.tree, operators=self.operators.guild)
        self.add_dynamic_items(CardButton, RolePicker, ChannelPicker)
        if self._sync is not None:
            whom = self.known_commands.whom
            await self._sync.sync(self.tree, whom=whom, operators=self.operators.guild)
        if self._elsewhere or self.shard_count is None:
            wanted = await endpoint.ask_gateway(self.http)
            self.shard_count = self.shard_count or wanted

    async def launch_shard(self, gateway: Any, shard_id: int, *, initial: bool = False) -> None:
        """Launch a shard, once.

        The library answers a failure by calling this again from inside itself, for ever, one frame deeper each time;
        we let the failure out, and ``bot.main`` begins again with a fresh client.

        Raises:
            GatewayUnreachable: the gateway did not take it.
        """
        if shard_id in self._launching:
            raise GatewayUnreachable(f"the gateway did not take shard {shard_id}")
        self._launching.add(shard_id)
        try:
            await super().launch_shard(gateway, shard_id, initial=initial)
        finally:
            self._launching.discard(shard_id)

    async def on_ready(self) -> None:
        """At every READY (there may be several): messages can be sent."""
        logger.info("connected to Discord as %s, in %d servers", self.user, len(self.guilds))
        self._tell(connected=True)

    async def on_shard_resumed(self, _shard_id: int) -> None:
        """A lost gateway connection went on where it stopped."""
        self._tell(connected=True)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """The gateway connection of a shard was lost; the library reconnects, and sending goes on meanwhile."""
        if not self.is_closed():
            logger.warning("shard %d lost its connection to Discord", shard_id)
            self._tell(connected=False)

    def _tell(self, *, connected: bool) -> None:
        if self._on_state is not None:
            self._on_state(self, connected)

    async def on_shard_ready(self, shard_id: int) -> None:
        """The guilds of a shard are known: whoever removed the bot while it was away shows now."""
        await self._whereabouts.compare(shard_id)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        await self._whereabouts.note(guild.id, guild.name or "", present=True)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self._whereabouts.note(guild.id, guild.name or "", present=True)

    async def on_guild_update(self, _before: discord.Guild, guild: discord.Guild) -> None:
        await self._whereabouts.note(guild.id, guild.name or "", present=True)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self._whereabouts.note(guild.id, guild.name or "", present=False)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """An error in one of our event handlers: named and logged, the bot goes on."""
        error = sys.exc_info()[1]
        if error is not None:
            self.incidents.record(error, f"handling the event {event_method}")
