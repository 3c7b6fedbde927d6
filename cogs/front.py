"""What a command knows of its surroundings: the bot's client to the core, and who asks, where."""

from __future__ import annotations

from typing import Any, Protocol, cast

import discord

from cogs.incidents import Incidents
from cogs.undo import RecentUndos
from schedule_zero.actor import Actor
from schedule_zero.client import CoreClient

Interaction = discord.Interaction[Any]


class Front(Protocol):
    """The part of the bot that commands rely on."""

    core: CoreClient
    incidents: Incidents
    undos: RecentUndos


def front_of(interaction: Interaction) -> Front:
    """The bot that received the interaction."""
    return cast("Front", interaction.client)


def home_of(interaction: Interaction) -> str | None:
    """The guild an interaction happens in, if the bot is a member there.

    A person who installed the bot for themselves may call it in guilds that know nothing of it; for us such a place is
    a direct message.
    """
    guild_id = interaction.guild_id
    if guild_id is None or interaction.client.get_guild(guild_id) is None:
        return None
    return str(guild_id)


def actor_of(interaction: Interaction) -> Actor:
    """Who asks: the member, in the guild, with the rights they hold in all of it; none outside a guild.

    ``interaction.permissions`` are those in one channel, overwrites included: whoever was given a channel of their own
    would moderate everybody's schedules from there. They say only whether somebody may write in that channel.
    """
    home = home_of(interaction)
    member = interaction.user
    # Every interaction carries the member with their roles, and the gateway told what those may: no member list needed.
    permissions = 0
    if home is not None and isinstance(member, discord.Member):
        permissions = member.guild_permissions.value
    return Actor(kind="member", id=str(member.id), guild_id=home, permissions=permissions)


def core_of(interaction: Interaction) -> CoreClient:
    """The core, asked in the person's own name."""
    return front_of(interaction).core.acting_as(actor_of(interaction))
