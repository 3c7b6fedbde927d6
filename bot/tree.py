"""The command tree: which modules it is made of, all or none, and one place where its errors end."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Final

import discord
from discord import app_commands

from cogs.buttons import verbs
from cogs.refusals import refuse

COGS: Final = (
    "cogs.remind",
    "cogs.schedule.group",
    "cogs.job.group",
    "cogs.chain",
    "cogs.calendar.group",
    "cogs.timezone",
    "cogs.quota",
    "cogs.data",
    "cogs.settings.group",
    "cogs.audit",
    "cogs.status",
    "cogs.help",
    "cogs.reminders",
    "cogs.presses",
    "cogs.lists",
)
"""The modules with commands (``COMMANDS``) or with what buttons do; nothing is found by searching."""

ADMIN: Final = "cogs.admin.group"
"""The module with the commands of operators (``OPERATORS_COMMANDS``), which are there in their own server alone."""

BUTTONS: Final = frozenset(
    {"pause", "resume", "skip", "delete", "refresh", "preview", "undo", "again", "done", "snooze", "list",
     "run", "edit", "runs", "retry", "cancel", "show_run", "dead", "log", "audit", "change", "take_back",
     "unset", "which_limit"}
)  # fmt: skip
"""Every verb a button of ours may carry; each must be served by a module above."""

ADMIN_BUTTONS: Final = frozenset({"quota_back", "guild_resume", "drain_off", "unban"})
"""The verbs of buttons that operators alone see."""


class CogsFailed(Exception):
    """The commands could not be loaded, so none is; the sentence names the module and the cause."""


class Tree(app_commands.CommandTree[Any]):
    """The tree with our way of telling errors."""

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        await refuse(interaction, error)


def load(
    tree: app_commands.CommandTree[Any], modules: Iterable[str] = COGS, *, operators: discord.Object | None = None
) -> None:
    """Add every module's commands to the tree, or none of them.

    Args:
        operators: the operators' server, which gets commands of its own.

    Raises:
        CogsFailed: a module cannot be imported, two commands share a name, or a button would do nothing.
    """
    commands = [command for name in modules for command in _commands_of(name, "COMMANDS")]
    for_operators = [] if operators is None else _commands_of(ADMIN, "OPERATORS_COMMANDS")
    idle = (BUTTONS if operators is None else BUTTONS | ADMIN_BUTTONS) - verbs()
    if idle:
        raise CogsFailed(f"no module says what these buttons do: {', '.join(sorted(idle))}")
    try:
        for command in commands:
            tree.add_command(command)
        for command in for_operators:
            tree.add_command(command, guild=operators)
    except app_commands.AppCommandError as error:
        tree.clear_commands(guild=None)
        raise CogsFailed(f"the commands could not be put together: {error}") from error


def _commands_of(module: str, name: str) -> list[app_commands.Command[Any, ..., Any] | app_commands.Group]:
    try:
        return list(getattr(importlib.import_module(module), name, ()))
    except Exception as error:  # whatever a module raises while it is imported
        raise CogsFailed(f"the commands of {module} could not be loaded: {type(error).__name__}: {error}") from error
