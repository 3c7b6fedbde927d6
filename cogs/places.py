"""Where something is asked for, and whether the bot can post where somebody wants it to, asked before anything is saved."""

from __future__ import annotations

import discord

from cogs.channels import missing_to_post, named
from cogs.front import Interaction, core_of, home_of
from cogs.refusals import Refusal
from schedule_zero.permitted import why_not_there


def require_home(interaction: Interaction, command: str) -> str:
    """The guild a command is for.

    Raises:
        Refusal: the bot is not in it.
    """
    home = home_of(interaction)
    if home is None:
        raise Refusal(f"`{command}` works in servers the bot is in.")
    return home


async def require_open(interaction: Interaction, channel_id: int, option: str) -> None:
    """Schedules must be able to post there: by the rights of the bot, and by what the server has set. Defer first.

    Raises:
        Refusal: as of ``require_bot_rights``; or the server's settings are against it.
    """
    channel = await require_bot_rights(interaction, channel_id, option)
    settings = await core_of(interaction).guild_settings(str(channel.guild.id))
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    why = why_not_there(settings.channels, str(channel_id), None if parent is None else str(parent))
    if why is not None:
        raise Refusal(f"`{option}`: {why}.")


async def require_bot_rights(
    interaction: Interaction, channel_id: int, option: str
) -> discord.abc.GuildChannel | discord.Thread:
    """The bot must be able to post there. Discord is asked when the channel is not cached, so defer first.

    Raises:
        Refusal: the channel is gone, hidden, or a right is missing.
    """
    client = interaction.client
    guild = client.get_guild(interaction.guild_id or 0)
    try:
        channel = client.get_channel(channel_id) or await client.fetch_channel(channel_id)
    except discord.NotFound:
        raise Refusal(f"`{option}` was deleted meanwhile; pick another one.") from None
    except discord.Forbidden:
        raise Refusal(f"The bot lacks View Channel in <#{channel_id}>; allow it there, or pick another one.") from None
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread) or channel.guild.id != interaction.guild_id:
        raise Refusal(f"`{option}` is no channel of this server.")
    if guild is None or (isinstance(channel, discord.Thread) and channel.parent is None):
        return channel  # the parent is not cached, so its rights are not known; the handler asks when it posts
    rights = channel.permissions_for(guild.me)
    missing = missing_to_post(rights, channel.type)
    if missing:
        raise Refusal(f"The bot lacks {named(missing)} in <#{channel_id}>; allow it there, or pick another one.")
    if isinstance(channel, discord.Thread) and channel.locked and not rights.manage_threads:
        raise Refusal(f"The thread <#{channel_id}> is locked; unlock it, or pick another one.")
    return channel
