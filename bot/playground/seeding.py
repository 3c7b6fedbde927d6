"""Building the world inside the simulated Discord, each thing at the instant its number stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import discord
import msgspec
from simcord import ChannelHandle, Env, GuildHandle, MemberActor, RoleHandle, UserHandle

from bot.playground.exchange import Place
from bot.playground.world import Guild, Person, Rights, World

_MODERATOR: Final = discord.Permissions(manage_messages=True, manage_channels=True, kick_members=True)
_NO_WRITING: Final = discord.PermissionOverwrite(send_messages=False)
_WRITING: Final = discord.PermissionOverwrite(send_messages=True)
_HIDDEN: Final = discord.PermissionOverwrite(view_channel=False)
_SHOWN: Final = discord.PermissionOverwrite(view_channel=True)


class Opening(msgspec.Struct, frozen=True):
    """A channel that gets a page, and who can be looked through the eyes of there (the first one at first)."""

    place: Place
    channel: ChannelHandle
    viewers: tuple[MemberActor | UserHandle, ...]


def seed(env: Env, stand_at: Callable[[int], None], world: World) -> list[Opening]:
    """Build the world; ``stand_at`` sets the clock that ids are made of to a thing's number."""
    users: dict[Person, UserHandle] = {}
    direct: dict[Person, ChannelHandle] = {}
    for person in world.people:
        stand_at(person.number)
        users[person] = env.create_user(person.name, global_name=person.shown)
        direct[person] = users[person].dm_channel
    openings = [opening for guild in world.guilds for opening in _seed_guild(env, stand_at, guild, users)]
    for person, channel in direct.items():
        place = Place(f"dm-{person.name}", f"@{person.name}", "Direct messages", channel.id)
        openings.append(Opening(place, channel, (users[person],)))
    return openings


def _seed_guild(
    env: Env, stand_at: Callable[[int], None], guild: Guild, users: dict[Person, UserHandle]
) -> list[Opening]:
    stand_at(guild.number)
    handle = env.create_guild(guild.name, owner=users[guild.owner])
    stand_at(guild.admin_role)
    admins = handle.create_role("Admins", permissions=discord.Permissions(administrator=True))
    stand_at(guild.moderator_role)
    moderators = handle.create_role("Moderators", permissions=_MODERATOR)
    team = [handle.add_member(users[guild.owner], roles=[admins])]
    team += [handle.add_member(users[person], roles=[moderators]) for person in guild.moderators]
    others = [handle.add_member(users[person]) for person in guild.members]
    openings = []
    for channel in guild.channels:
        stand_at(channel.number)
        made = handle.create_text_channel(
            channel.name, topic=channel.topic, overwrites=_overwrites(env, handle, moderators, channel.rights)
        )
        place = Place(channel.path, f"#{channel.name}", guild.name, made.id)
        openings.append(Opening(place, made, tuple(team if channel.rights == "staff" else team + others)))
    return openings


def _overwrites(
    env: Env, guild: GuildHandle, moderators: RoleHandle, rights: Rights
) -> dict[Any, discord.PermissionOverwrite]:
    everybody, bot = guild.default_role, UserHandle(env, env.backend.bot_user)
    if rights == "announcements":
        return {everybody: _NO_WRITING, moderators: _WRITING, bot: _WRITING}
    if rights == "read_only":
        return {everybody: _NO_WRITING, bot: _NO_WRITING}
    if rights == "staff":
        return {everybody: _HIDDEN, moderators: _SHOWN, bot: _SHOWN}
    return {}
