"""What a command knows of its surroundings: the bot's client to the core, and who asks, where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol, cast

import discord

from cogs.banner import LastBanner
from cogs.incidents import Incidents
from cogs.known_commands import KnownCommands
from cogs.operators import Operators
from cogs.replies import Replies
from cogs.undo import RecentUndos
from schedule_zero.actor import Actor
from schedule_zero.client import CoreClient
from schedule_zero.errors import Forbidden, Unavailable
from schedule_zero.event import Event
from schedule_zero.requests import Request
from schedule_zero.views import View

PATIENCE: Final = 20.0
"""Seconds a command waits for one answer of the core; it deferred before, so Discord waits longer."""

Interaction = discord.Interaction[Any]


class Front(Protocol):
    """The part of the bot that commands rely on."""

    core: CoreClient
    incidents: Incidents
    undos: RecentUndos
    operators: Operators
    replies: Replies
    banner: LastBanner
    known_commands: KnownCommands


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
    permissions, owner = 0, False
    roles: tuple[str, ...] = ()
    if home is not None and isinstance(member, discord.Member):
        permissions, roles = member.guild_permissions.value, roles_of(member)
        owner = member.guild.owner_id == member.id
    return Actor(
        kind="member", id=str(member.id), guild_id=home, permissions=permissions, roles=roles, owner=owner, via="discord"
    )  # fmt: skip


def roles_of(member: discord.Member) -> tuple[str, ...]:
    """The ids of a member's roles, without the one that everybody has. A role that is gone is none any more."""
    return tuple(str(role.id) for role in member.roles if not role.is_default())


class _Bounded(CoreClient):
    """The core, given up on after a while: a command that waits for ever is never answered at all."""

    def __init__(self, core: CoreClient) -> None:
        self._core = core

    async def send(self, request: Request) -> View:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._core.send(request)
        except TimeoutError:
            raise Unavailable(
                "The service does not answer at the moment. What you asked for may be done all the same: look before "
                "you try again."
            ) from None

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        return self._core.events(after, kinds=kinds)

    def acting_as(self, actor: Actor) -> CoreClient:
        return _Bounded(self._core.acting_as(actor))


def core_of(interaction: Interaction) -> CoreClient:
    """The core, asked in the person's own name, and not for ever."""
    return _Bounded(front_of(interaction).core.acting_as(actor_of(interaction)))


def service_of(interaction: Interaction) -> CoreClient:
    """The core, asked for the whole service, and not for ever.

    Raises:
        Forbidden: it is no operator who asks, or not in the operators' server.
    """
    operators_server(interaction)
    return _Bounded(front_of(interaction).core)


def operators_server(interaction: Interaction) -> discord.Object:
    """The server of those who run the service, where one of them asks, there.

    Raises:
        Forbidden: it is no operator who asks, or not in the operators' server.
    """
    operators = front_of(interaction).operators
    if operators.guild is None or not operators.include(interaction):
        raise Forbidden("This is for those who run the service, in their own server.")
    return operators.guild
