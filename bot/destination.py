"""Where a message goes: fetched before it is judged, of the run's own guild, and open to the bot.

Not being cached says nothing about a channel (complaint 2 of the studies: items deleted because of a cache miss), so
Discord is asked before anything is called gone.
"""

from __future__ import annotations

from typing import Final

import discord

from bot.afar import guild_from_afar, is_elsewhere
from cogs.channels import missing_to_post, named
from schedule_zero.errors import Reject, RetryAfter

_GUILD_PAUSE: Final = 15.0

GuildPlace = discord.TextChannel | discord.VoiceChannel | discord.Thread
"""Announcement channels are text channels to the library; forum posts are threads."""


class Destination:
    """A channel one may send to, and what is possible there.

    Attributes:
        channel: where to send.
        guild: its guild; None for a direct message.
        me: the bot's own id.
        readable: whether the bot could find its own messages there.
        embeds: whether the bot may send embeds there.
    """

    __slots__ = ("_judge", "channel", "embeds", "guild", "me", "readable")

    def __init__(
        self,
        channel: GuildPlace | discord.DMChannel,
        guild: discord.Guild | None,
        me: int,
        *,
        readable: bool,
        embeds: bool,
        judge: discord.abc.GuildChannel | discord.Thread | None = None,
    ) -> None:
        """``judge`` is the channel of a guild that decides who may do what there: itself, or a thread's parent."""
        self.channel = channel
        self.guild = guild
        self.me = me
        self.readable = readable
        self.embeds = embeds
        self._judge = judge

    def rights_of(self, member: discord.Member) -> discord.Permissions:
        """What somebody may do there."""
        return discord.Permissions.none() if self._judge is None else self._judge.permissions_for(member)


async def in_guild(bot: discord.Client, channel_id: int, guild_id: int | None) -> Destination:
    """The channel of a guild's own schedule; ``guild_id`` None is the operator's, who may post wherever the bot may.

    Raises:
        Reject: it belongs elsewhere, is no place for messages, is locked, or the bot lacks rights there.
        RetryAfter: Discord has not delivered the guild yet.
        discord.DiscordException, OSError: Discord refused, or did not answer.
    """
    channel = bot.get_channel(channel_id) or await bot.fetch_channel(channel_id)
    if isinstance(channel, discord.abc.PrivateChannel):
        raise Reject("the channel is a direct message, not a channel of this server")
    if guild_id is not None and channel.guild.id != guild_id:
        raise Reject("the channel belongs to another server")
    if not isinstance(channel, GuildPlace):
        raise Reject(f"messages cannot be posted in a channel of the kind {channel.type.name.replace('_', ' ')}")
    guild = bot.get_guild(channel.guild.id)
    if is_elsewhere(bot, channel.guild.id):
        guild, me = await guild_from_afar(bot, channel.guild.id)
        channel.guild = guild  # the one that came with it knows no roles
    elif guild is None or guild.unavailable:
        raise RetryAfter(_GUILD_PAUSE, "Discord says the server is not available at the moment")
    else:
        me = guild.me
    judge = await _judge_of(channel)
    rights = judge.permissions_for(me)
    _require_post(channel, rights)
    readable = rights.read_message_history and rights.view_channel
    return Destination(channel, guild, me.id, readable=readable, embeds=rights.embed_links, judge=judge)


async def direct(bot: discord.Client, user_id: int) -> Destination:
    """The direct messages of a person.

    Raises:
        discord.DiscordException, OSError: Discord refused, or did not answer.
    """
    channel = await bot.create_dm(discord.Object(user_id))
    return Destination(channel, None, channel.me.id, readable=True, embeds=True)


async def _judge_of(channel: GuildPlace) -> discord.abc.GuildChannel | discord.Thread:
    if isinstance(channel, discord.Thread) and channel.parent is None:
        # The parent decides what is allowed in a thread; not cached, it is fetched and used for the question alone.
        parent = await channel.guild.fetch_channel(channel.parent_id)
        if isinstance(parent, discord.abc.GuildChannel):
            return parent
    return channel


def _require_post(channel: GuildPlace, rights: discord.Permissions) -> None:
    missing = missing_to_post(rights, channel.type)
    if missing:
        raise Reject(f"the bot lacks {named(missing)} in #{channel.name}")
    if isinstance(channel, discord.Thread) and channel.locked and not rights.manage_threads:
        # Sending opens an archived thread again, a locked one only for somebody with Manage Threads.
        raise Reject(f"the thread {channel.name} is locked")
