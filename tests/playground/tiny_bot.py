"""A bot as small as can be that uses all a page offers: options with autocompletion, a form, a lasting button."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import discord
from discord import app_commands

WORDS = ("tea in 10 minutes", "tea tomorrow at 9", "coffee at noon")


class TinyBot(discord.AutoShardedClient):
    """Built like the real one: sharded, one intent, commands synced before READY."""

    def __init__(self) -> None:
        intents = discord.Intents.none()
        intents.guilds = True
        super().__init__(intents=intents, max_messages=None, allowed_mentions=discord.AllowedMentions.none())
        self.tree = app_commands.CommandTree(self)
        self.joined: list[int] = []
        self.silenced: asyncio.Queue[discord.Interaction[Any]] = asyncio.Queue()

    async def setup_hook(self) -> None:
        self.tree.add_command(note)
        self.tree.add_command(panel)
        self.tree.add_command(silent)
        self.tree.add_command(weigh)
        self.add_view(Panel())
        await self.tree.sync()

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self.joined.append(guild.id)


@app_commands.command(description="Take a note")
@app_commands.describe(when="What and when")
async def note(interaction: discord.Interaction[Any], when: str) -> None:
    await interaction.response.defer(ephemeral=True, thinking=True)
    await interaction.edit_original_response(content=f"noted: {when}")


@note.autocomplete("when")
async def suggest(_interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=words, value=words) for words in WORDS if typed.lower() in words]


@app_commands.command(description="A message with buttons")
async def panel(interaction: discord.Interaction[Any]) -> None:
    await interaction.response.send_message("panel", view=Panel())


@app_commands.command(description="Never answers")
async def silent(interaction: discord.Interaction[Any]) -> None:
    interaction.client.silenced.put_nowait(interaction)


@app_commands.command(description="Say how large a file is")
async def weigh(interaction: discord.Interaction[Any], file: discord.Attachment) -> None:
    await interaction.response.send_message(f"{file.filename} has {file.size} bytes")


class Form(discord.ui.Modal, title="A form"):
    """One field."""

    text: discord.ui.TextInput[Self] = discord.ui.TextInput(label="Text")

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await interaction.response.send_message(f"written: {self.text.value}")


class Panel(discord.ui.View):
    """Buttons that outlive the process: their ids are all they know."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Press", custom_id="tiny:press")
    async def press(self, interaction: discord.Interaction[Any], _button: discord.ui.Button[Self]) -> None:
        await interaction.response.edit_message(content="pressed")

    @discord.ui.button(label="Write", custom_id="tiny:write")
    async def write(self, interaction: discord.Interaction[Any], _button: discord.ui.Button[Self]) -> None:
        await interaction.response.send_modal(Form())
