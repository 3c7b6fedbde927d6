"""``/timezone``: the zone a person's times are read in, everywhere."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import discord
from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, actor_of, core_of, home_of
from cogs.options import ZoneText

timezone = app_commands.Group(
    name="timezone",
    description="The time zone your times are read in",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
)
COMMANDS: Final = (timezone,)


@timezone.command(name="set", description="Set your time zone")
@app_commands.describe(tz="Your zone: Europe/Berlin, or a city")
async def set_timezone(interaction: Interaction, tz: ZoneText) -> None:
    """Set the caller's zone."""
    await defer(interaction)
    saved = await core_of(interaction).set_user_timezone(actor_of(interaction).id, tz)
    # Discord's own way to write a time shows it on the reader's clock.
    there = discord.utils.utcnow().astimezone(ZoneInfo(saved.timezone or "UTC"))
    note = f"Times you write are read in **{saved.timezone}** from now on. It is {there:%H:%M on %A} there."
    await show(interaction, notes_card("Time zone set", note, "-# What is scheduled already keeps its own zone."))


@timezone.command(name="show", description="Show which time zone applies to you, or to somebody else")
@app_commands.describe(member="Whose time zone; left out, yours")
async def show_timezone(interaction: Interaction, member: discord.User | None = None) -> None:
    """Show the caller's zone and what applies where none is set; or somebody else's, if the core lets it be seen."""
    await defer(interaction)
    if member is None or member.id == interaction.user.id:
        lines = await _own(interaction)
    else:
        lines = await _somebodys(interaction, member)
    await show(interaction, notes_card("Time zones", "\n".join(lines)))


async def _own(interaction: Interaction) -> list[str]:
    core, home = core_of(interaction), home_of(interaction)
    own = await core.user_timezone(actor_of(interaction).id)
    lines = [f"Yours: **{own.timezone}**" if own.timezone else "Yours: not set; `/timezone set` sets it."]
    if home is not None:
        settings = await core.guild_settings(home)
        lines.append(f"This server's: **{settings.timezone}**")
    lines.append("-# A command's own `tz` comes first, then yours, then the server's, then UTC.")
    return lines


async def _somebodys(interaction: Interaction, member: discord.User) -> list[str]:
    theirs = await core_of(interaction).user_timezone(str(member.id))
    return [f"<@{member.id}>: **{theirs.timezone}**" if theirs.timezone else f"<@{member.id}> has set none."]
