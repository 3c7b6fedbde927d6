"""``/admin guild``: verifying a server, and letting it start nothing for a while."""

from __future__ import annotations

from discord import ButtonStyle, app_commands

from cogs.admin.governor import by
from cogs.admin.options import GuildText, resolve_guild
from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, service_of
from cogs.options import WhyText
from cogs.quota_cards import suspended_line
from cogs.texts import one_line
from schedule_zero.views import GuildView

guild = app_commands.Group(name="guild", description="What is done to a server as a whole")


@guild.command(name="verify", description="Give a server the plan of verified ones")
@app_commands.describe(guild="Which server")
async def verify(interaction: Interaction, guild: GuildText) -> None:
    """Verify a server without a code."""
    await defer(interaction)
    core = service_of(interaction)
    done = await core.verify_guild(await resolve_guild(interaction, guild), by=by(interaction))
    await show(
        interaction, card(f"Verified: {_name(done)}", f"Its plan is **{one_line(done.plan, 60)}**.", _small(done))
    )


@guild.command(name="suspend", description="Let a server start nothing until it is resumed; nothing of it is lost")
@app_commands.describe(guild="Which server", why="The reason, which the server is told")
async def suspend(interaction: Interaction, guild: GuildText, why: WhyText | None = None) -> None:
    """Suspend a server."""
    await defer(interaction)
    core = service_of(interaction)
    done = await core.suspend_guild(await resolve_guild(interaction, guild), why or "", by=by(interaction))
    resume = CardButton("Resume", "guild_resume", done.guild_id, style=ButtonStyle.success)
    await show(interaction, card(f"Suspended: {_name(done)}", suspended_line(done), _small(done), buttons=[resume]))


@guild.command(name="resume", description="Let a suspended server go on")
@app_commands.describe(guild="Which server")
async def resume(interaction: Interaction, guild: GuildText) -> None:
    """Resume a server."""
    await defer(interaction)
    await _resume(interaction, await resolve_guild(interaction, guild))


@on_press("guild_resume")
async def press_resume(interaction: Interaction, guild_id: str, _detail: str) -> None:
    """Resume the server of a card."""
    await defer(interaction)
    await _resume(interaction, guild_id)


async def _resume(interaction: Interaction, guild_id: str) -> None:
    done = await service_of(interaction).resume_guild(guild_id, by=by(interaction))
    await show(interaction, card(f"Resumed: {_name(done)}", "What waited goes on.", _small(done)))


def _name(view: GuildView) -> str:
    return one_line(view.name or view.guild_id, 80)


def _small(view: GuildView) -> str:
    return f"-# `{view.guild_id}`"
