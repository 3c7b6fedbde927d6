"""The group ``/calendar``, put together."""

from __future__ import annotations

from typing import Final

import discord
from discord import app_commands

from cogs.calendar.agenda import agenda
from cogs.calendar.blackouts import blackout
from cogs.calendar.holidays import holidays
from cogs.calendar.hours import hours

calendar = app_commands.Group(
    name="calendar",
    description="Days off, hours and blackouts of this server",
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
calendar.add_command(hours)
calendar.add_command(holidays)
calendar.add_command(blackout)
calendar.add_command(agenda)

COMMANDS: Final = (calendar,)
