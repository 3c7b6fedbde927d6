"""Answering an interaction: defer first, then one edit.

Discord waits three seconds for the first answer, and whether it is for one person only is decided by it. So a command
defers before it asks the core, and what comes of it replaces the placeholder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import discord

from cogs.front import Interaction, core_of, front_of, home_of

_ANSWERED: Final = "answered"
_PUBLIC: Final = "public"
_COMMAND: Final = "command"
_SHARED: Final = frozenset({"calendar", "chain", "job", "schedule"})
"""The groups about what belongs to a whole server; all others answer to one person."""
_SECRET: Final = frozenset({"job log", "job token"})


async def defer(interaction: Interaction, *, public: bool | None = None) -> None:
    """Say that the answer is on its way. For a button: the card it sits on will change.

    Args:
        public: whether everybody in the channel sees it; None: as the server wants it, where it is no secret and no single
            person's own.
    """
    if interaction.response.is_done():
        return
    if interaction.type is discord.InteractionType.component:
        await interaction.response.defer()
    else:
        public = _is_answered_openly(interaction) if public is None else public
        interaction.extras[_PUBLIC] = public
        await interaction.response.defer(ephemeral=not public, thinking=True)


async def show(interaction: Interaction, card: discord.ui.LayoutView, *, public: bool = False) -> None:
    """Show a card: in place of the placeholder, or of the card whose button was pressed.

    A message that is no card (a notice, a reminder) cannot become one; then the card comes beside it, to the person
    alone.
    """
    if not interaction.response.is_done():
        await interaction.response.send_message(view=card, ephemeral=not public)
    elif _sits_on_text(interaction):
        await add(interaction, card)
    else:
        await interaction.edit_original_response(view=card)
    interaction.extras[_ANSWERED] = True  # only now: a card that Discord refused leaves the placeholder to the error


async def add(interaction: Interaction, card: discord.ui.LayoutView) -> None:
    """Show one more card, to the person alone."""
    await interaction.followup.send(view=card, ephemeral=True)


async def tell(interaction: Interaction, text: str, buttons: Sequence[discord.ui.Button[Any]] = ()) -> None:
    """Say a sentence to the person alone, with buttons under it; a card that is there stays."""
    view = _view_of(buttons)
    if not interaction.response.is_done():
        await interaction.response.send_message(text, ephemeral=True, view=view or discord.utils.MISSING)
    elif interaction.type is discord.InteractionType.component or interaction.extras.get(_ANSWERED):
        await interaction.followup.send(text, ephemeral=True, view=view or discord.utils.MISSING)
    elif interaction.extras.get(_PUBLIC):
        # The first message after a placeholder takes its place and its publicity, so it is filled before it goes.
        await interaction.edit_original_response(content="Not done.")
        await interaction.followup.send(text, ephemeral=True, view=view or discord.utils.MISSING)
        await interaction.delete_original_response()
    else:
        interaction.extras[_ANSWERED] = True
        await interaction.edit_original_response(content=text, view=view)
    if view is not None:
        view.stop()  # what the buttons do stands in their ids; this view must not answer for them


def _view_of(buttons: Sequence[discord.ui.Button[Any]]) -> discord.ui.View | None:
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view


def command_of(interaction: Interaction) -> str:
    """The whole name of the command that is answered; empty where it is none."""
    command = interaction.command
    return str(interaction.extras.get(_COMMAND, "" if command is None else command.qualified_name))


def answers_command(interaction: Interaction, name: str) -> None:
    """Note that a form was opened by a command, whose answer this is."""
    interaction.extras[_COMMAND] = name


def _is_answered_openly(interaction: Interaction) -> bool:
    """Whether the server wants everybody to see the answer to this command, as far as that is known."""
    name, home = command_of(interaction), home_of(interaction)
    if home is None or name in _SECRET or name.partition(" ")[0] not in _SHARED:
        return False
    replies = front_of(interaction).replies
    replies.look_up(core_of(interaction), home)
    return replies.are_public(home)


def _sits_on_text(interaction: Interaction) -> bool:
    message = interaction.message
    is_press = interaction.type is discord.InteractionType.component
    return is_press and message is not None and not message.flags.components_v2
