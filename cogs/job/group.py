"""The group ``/job``, put together."""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import app_commands

from cogs.job.changes import delete, list_jobs, pause, preview, resume, show
from cogs.job.create import copy, create
from cogs.job.dead import dead
from cogs.job.edit import edit
from cogs.job.handlers import handlers
from cogs.job.log import log
from cogs.job.policy import policy
from cogs.job.running import cancel, retry, run
from cogs.job.runs import runs
from cogs.job.token import token

job = app_commands.Group(
    name="job",
    description="Work that other programs do for this server",
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
_SUBCOMMANDS: tuple[app_commands.Command[Any, ..., Any], ...] = (
    create, policy, list_jobs, show, edit, pause, resume, delete, copy, preview, run, cancel, retry, runs, log, dead, handlers, token,
)  # fmt: skip
for _command in _SUBCOMMANDS:
    job.add_command(_command)

COMMANDS: Final = (job,)
