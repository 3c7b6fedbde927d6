"""The group ``/admin``, put together. There in the operators' server alone."""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import app_commands

from cogs.admin.dead import dead
from cogs.admin.find import find
from cogs.admin.governor import governor
from cogs.admin.guild import guild
from cogs.admin.health import health, lag, queue, shards
from cogs.admin.sync import sync
from cogs.admin.upkeep import drain, maintenance
from cogs.admin.user import user

admin = app_commands.Group(
    name="admin",
    description="How the whole service is, for those who run it",
    default_permissions=discord.Permissions(administrator=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
_PARTS: tuple[app_commands.Command[Any, ..., Any] | app_commands.Group, ...] = (
    health, lag, queue, shards, governor, guild, dead, user, drain, maintenance, find, sync,
)  # fmt: skip
for _part in _PARTS:
    admin.add_command(_part)

OPERATORS_COMMANDS: Final = (admin,)
