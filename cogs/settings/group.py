"""The group ``/settings``, put together."""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import app_commands

from cogs.settings.lists import set_channels, set_mentions, set_roles
from cogs.settings.simple import (
    set_format,
    set_locale,
    set_policy,
    set_replies,
    set_retention,
    set_timezone,
    show_settings,
)
from cogs.settings.verify import verify

settings = app_commands.Group(
    name="settings",
    description="What applies to this whole server",
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
_SUBCOMMANDS: tuple[app_commands.Command[Any, ..., Any], ...] = (
    show_settings, set_timezone, set_locale, set_format, set_roles, set_mentions, set_policy, set_channels, set_replies,
    set_retention, verify,
)  # fmt: skip
for _command in _SUBCOMMANDS:
    settings.add_command(_command)

COMMANDS: Final = (settings,)
