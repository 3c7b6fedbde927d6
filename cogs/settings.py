"""``/settings``: what applies to a whole guild."""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.channels import missing_to_post, named
from cogs.front import Interaction, core_of, home_of
from cogs.options import ChannelPlace, Place, ZoneText
from cogs.refusals import Refusal
from schedule_zero.views import GuildSettings

settings = app_commands.Group(
    name="settings",
    description="What applies to this whole server",
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
COMMANDS: Final = (settings,)

_PURPOSES: Final = {
    "default": "what is not for another channel",
    "log": "what was missed while the service was away",
    "review": "requests for approval",
    "failures": "schedules that are blocked, and messages whose fate is unknown",
}


@settings.command(name="show", description="Show everything that is set for this server")
async def show_settings(interaction: Interaction) -> None:
    """Show the guild's settings with the defaults marked."""
    await defer(interaction)
    await show(interaction, _settings_card("Settings", await core_of(interaction).guild_settings(_home(interaction))))


@settings.command(name="timezone", description="Set this server's time zone")
@app_commands.describe(tz="The zone: Europe/Berlin, or a city")
async def set_timezone(interaction: Interaction, tz: ZoneText) -> None:
    """Set the zone that applies to people who set none."""
    await defer(interaction)
    saved = await core_of(interaction).change_guild_settings(_home(interaction), {"timezone": tz})
    await show(interaction, _settings_card("Time zone set", saved))


@settings.command(name="channels", description="Choose where notices go")
@app_commands.describe(
    default="Notices that have no channel of their own",
    log="What was missed while the service was away",
    review="Requests for approval",
    failures="Blocked schedules, and messages whose fate is unknown",
)
async def set_channels(
    interaction: Interaction,
    default: ChannelPlace | None = None,
    log: ChannelPlace | None = None,
    review: ChannelPlace | None = None,
    failures: ChannelPlace | None = None,
) -> None:
    """Set the channels that are named; without any, show them."""
    chosen = {"default": default, "log": log, "review": review, "failures": failures}
    for name, channel in chosen.items():
        if channel is not None:
            _require_bot_rights(interaction, name, channel)
    await defer(interaction)
    core, home = core_of(interaction), _home(interaction)
    current = await core.guild_settings(home)
    changes: dict[str, Any] = {name: str(channel.id) for name, channel in chosen.items() if channel is not None}
    if changes:
        kept = {name: getattr(current.channels, name) for name in _PURPOSES}
        current = await core.change_guild_settings(home, {"channels": {**kept, **changes}})
    await show(interaction, _settings_card("Channels set" if changes else "Channels", current))


def _home(interaction: Interaction) -> str:
    home = home_of(interaction)
    if home is None:
        raise Refusal("`/settings` works in servers the bot is in.")
    return home


def _require_bot_rights(interaction: Interaction, option: str, place: Place) -> None:
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    channel = guild.get_channel_or_thread(place.id) if guild is not None else None
    if guild is None or channel is None:
        raise Refusal(f"The bot cannot see `{option}`, <#{place.id}>; give it View Channel there.")
    missing = missing_to_post(channel.permissions_for(guild.me), channel.type)
    if missing:
        raise Refusal(f"The bot lacks {named(missing)} in `{option}`, <#{place.id}>.")


def _settings_card(heading: str, guild: GuildSettings) -> ui.LayoutView:
    def line(label: str, field: str, value: str) -> str:
        mark = " (default)" if field in guild.defaults else ""
        return f"**{label}**: {value}{mark}"

    general = [
        line("Time zone", "timezone", guild.timezone),
        line("Time of day when none is given", "default_time", guild.default_time),
        line("Clock", "hour24", "24 h" if guild.hour24 else "12 h"),
        line("Language", "locale", guild.locale),
    ]
    channels = []
    for name, purpose in _PURPOSES.items():
        channel = getattr(guild.channels, name)
        channels.append(f"**{name}**: {f'<#{channel}>' if channel else 'not set'} ({purpose})")
    return notes_card(heading, "\n".join(general), "**Channels for notices**\n" + "\n".join(channels))
