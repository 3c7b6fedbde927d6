"""``/example_name``: how much is due, until it is changed into what it shall be."""

from __future__ import annotations

from typing import Any, Final

from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, core_of


@app_commands.command(name="example_name", description="Show how much is due")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def command(interaction: Interaction) -> None:
    """Defer, ask the core in the person's own name, show a card."""
    await defer(interaction)
    core = await core_of(interaction).status()
    await show(interaction, notes_card("/example_name", sentence(core.due, core.waiting)))


def sentence(due: int, waiting: int) -> str:
    """What the card says."""
    return f"**{due:,}** due, **{waiting:,}** waiting."


COMMANDS: Final[tuple[app_commands.Command[Any, ..., Any], ...]] = (command,)
