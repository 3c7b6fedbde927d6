"""``/status``: whether everything works, for everybody."""

from __future__ import annotations

import math
from typing import Any, Final

import discord
from discord import app_commands

from cogs.answers import defer, show
from cogs.banner import banner_line
from cogs.cards import notes_card
from cogs.front import Interaction, core_of, front_of
from cogs.texts import moment
from schedule_zero.instant import say_duration
from schedule_zero.views import Status


@app_commands.command(name="status", description="Show whether everything works")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.allowed_installs(guilds=True, users=True)
async def status(interaction: Interaction) -> None:
    """Show how the core and the bot are doing."""
    await defer(interaction)
    core = await core_of(interaction).status()
    front_of(interaction).banner.remember(core.maintenance)
    await show(
        interaction, notes_card("Status", banner_line(core.maintenance), _core(core), _parts(core), _bot(interaction))
    )


COMMANDS: Final[tuple[app_commands.Command[Any, ..., Any], ...]] = (status,)


def _core(core: Status) -> str:
    state = "accepts and fires" if core.running else "does not fire at the moment"
    tick = f"Last tick {moment(core.last_tick)}" if core.last_tick else "No tick yet"
    runs = f"{core.runs_executed:,} run{'' if core.runs_executed == 1 else 's'}"
    schedules = f"{core.schedules:,} schedule{'' if core.schedules == 1 else 's'}"
    return (
        f"The core **{state}** (version {core.version}).\n"
        f"{schedules}, {core.due:,} due, {core.waiting:,} waiting, {runs} done.\n"
        f"{tick}, lag {say_duration(core.lag)}."
    )


def _parts(core: Status) -> str:
    return "\n".join(f"{'✅' if part.ok else '⚠️'} {name}: {part.detail}" for name, part in sorted(core.parts.items()))


def _bot(interaction: Interaction) -> str:
    client: discord.Client = interaction.client
    lag = f"{client.latency * 1000:.0f} ms" if math.isfinite(client.latency) else "unknown"
    incidents = front_of(interaction).incidents
    last = f", the last one {discord.utils.format_dt(incidents.recent[-1][0], 'R')}" if incidents.recent else ""
    return (
        f"Shard {interaction.guild.shard_id if interaction.guild else 0} of {client.shard_count or 1}, "
        f"gateway lag {lag}, {len(client.guilds):,} servers.\n"
        f"Incidents since the start: {incidents.count}{last}."
    )
