"""``/settings``: what applies to a whole guild."""

from __future__ import annotations

from typing import Final, Literal

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, core_of
from cogs.options import ChannelPlace, ZoneText
from cogs.places import require_bot_rights, require_home
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

Clearable = Literal["default", "log", "review", "failures", "all"]
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
    clear="Take a channel away again",
)
async def set_channels(
    interaction: Interaction,
    default: ChannelPlace | None = None,
    log: ChannelPlace | None = None,
    review: ChannelPlace | None = None,
    failures: ChannelPlace | None = None,
    clear: Clearable | None = None,
) -> None:
    """Set the channels that are named and forget the cleared ones; without any, show them."""
    await defer(interaction)
    chosen = {"default": default, "log": log, "review": review, "failures": failures}
    changes: dict[str, str | None] = {name: None for name in chosen if clear in {name, "all"}}
    for name, channel in chosen.items():
        if channel is None:
            continue
        if name in changes:
            raise Refusal(f"`{name}` is both set and cleared; leave one of them out.")
        await require_bot_rights(interaction, channel.id, name)
        changes[name] = str(channel.id)
    core, home = core_of(interaction), _home(interaction)
    if changes:
        card = _settings_card("Channels set", await core.change_guild_settings(home, {"channels": changes}))
    else:
        card = _settings_card("Channels", await core.guild_settings(home))
    await show(interaction, card)


def _home(interaction: Interaction) -> str:
    return require_home(interaction, "/settings")


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
