"""What ``/example_name`` promises."""

from __future__ import annotations

import discord
from discord import app_commands

from cogs.example_name import COMMANDS, sentence


def test_the_card_says_how_much_is_due() -> None:
    assert sentence(1200, 3) == "**1,200** due, **3** waiting."


def test_discord_would_take_the_command() -> None:
    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    for command in COMMANDS:
        tree.add_command(command)
        assert command.to_dict(tree)["description"] == "Show how much is due"
