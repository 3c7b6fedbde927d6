"""The group ``/schedule``, put together."""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import app_commands

from cogs.schedule.changes import delete, pause, resume, run_now, undo
from cogs.schedule.message import message
from cogs.schedule.occurrences import move, skip
from cogs.schedule.policy import policy
from cogs.schedule.reading import list_schedules, preview, show

schedule = app_commands.Group(
    name="schedule",
    description="Messages this server sends by itself",
    default_permissions=discord.Permissions(manage_messages=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
_SUBCOMMANDS: tuple[app_commands.Command[Any, ..., Any], ...] = (
    message, policy, list_schedules, show, preview, pause, resume, skip, move, run_now, delete, undo,
)  # fmt: skip
for _command in _SUBCOMMANDS:
    schedule.add_command(_command)

COMMANDS: Final = (schedule,)
