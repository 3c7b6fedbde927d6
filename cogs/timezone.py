"""``/timezone``: the zone a person's times are read in, everywhere."""

from __future__ import annotations

from typing import Final

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
    now = discord.utils.utcnow()
    note = (
        f"Times you write are read in **{saved.timezone}** from now on. It is {discord.utils.format_dt(now, 't')} now."
    )
    await show(interaction, notes_card("Time zone set", note, "-# What is scheduled already keeps its own zone."))


@timezone.command(name="show", description="Show which time zone your times are read in")
async def show_timezone(interaction: Interaction) -> None:
    """Show the caller's zone, and what applies where none is set."""
    await defer(interaction)
    core, home = core_of(interaction), home_of(interaction)
    own = await core.user_timezone(actor_of(interaction).id)
    lines = [f"Yours: **{own.timezone}**" if own.timezone else "Yours: not set; `/timezone set` sets it."]
    if home is not None:
        settings = await core.guild_settings(home)
        lines.append(f"This server's: **{settings.timezone}**")
    lines.append("-# A command's own `tz` comes first, then yours, then the server's, then UTC.")
    await show(interaction, notes_card("Time zones", "\n".join(lines)))
