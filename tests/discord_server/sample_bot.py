"""A small real bot to try the server with, and how to point discord.py at a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import yarl
from discord import app_commands

from tests.discord_server.state import Settings


class Question(discord.ui.Modal, title="Remind me"):
    """A modal with one field."""

    text: discord.ui.TextInput["Question"] = discord.ui.TextInput(label="Text", custom_id="text")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"modal: {self.text.value}", ephemeral=True)


class Buttons(discord.ui.View):
    """A persistent button that edits its own message."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Undo", custom_id="undo:1")
    async def undo(self, interaction: discord.Interaction, button: discord.ui.Button["Buttons"]) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="undone", view=None)


class Bot(discord.Client):
    """A client with a command tree, guild intent only, as the product's bot is."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(intents=intents or discord.Intents(guilds=True), guild_ready_timeout=0.05)
        self.tree = app_commands.CommandTree(self)
        self.up = asyncio.Event()
        self.seen: list[discord.Interaction] = []
        self.deleted: asyncio.Queue[int] = asyncio.Queue()
        self.tree.add_command(_remind_group(self))

    async def setup_hook(self) -> None:
        self.add_view(Buttons())
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library would sleep five seconds before it identifies again."""

    async def on_ready(self) -> None:
        self.up.set()

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        self.deleted.put_nowait(channel.id)


def _remind_group(bot: Bot) -> app_commands.Group:
    group = app_commands.Group(name="remind", description="Reminders")

    @group.command(name="me", description="Remind me")
    async def me(
        interaction: discord.Interaction,
        when: str,
        channel: discord.TextChannel | None = None,
        member: discord.Member | None = None,
    ) -> None:
        bot.seen.append(interaction)
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content=f"{when} in {channel} for {member}", view=Buttons())

    @me.autocomplete("when")
    async def readings(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{current} minutes", value=f"in {current} minutes")]

    @group.command(name="ask", description="Ask in a modal")
    async def ask(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Question())

    @group.command(name="silent", description="Never answers")
    async def silent(interaction: discord.Interaction) -> None:
        bot.seen.append(interaction)

    return group


def point_at(api_url: str, gateway_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch what discord.py 2.7.1 has fixed: the REST base, and the gateway a plain Client never asks for."""
    monkeypatch.setattr(discord.http.Route, "BASE", api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(gateway_url))


@asynccontextmanager
async def running(bot: Bot, token: str = Settings().token) -> AsyncIterator[Bot]:
    """The bot from ready to closed; what kept it from getting ready is raised."""
    task = asyncio.create_task(bot.start(token))
    up = asyncio.create_task(bot.up.wait())
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    up.cancel()
    try:
        if not bot.up.is_set():
            await asyncio.wait_for(task, 0)
        yield bot
    finally:
        await bot.close()
        await asyncio.gather(task, return_exceptions=True)
