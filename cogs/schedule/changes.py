"""``/schedule pause``, ``resume``, ``run_now``, ``delete`` and ``undo``."""

from __future__ import annotations

import asyncio
from typing import Final

from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import card, run_line, schedule_card
from cogs.drafts import moment_of
from cogs.front import Interaction, core_of, front_of
from cogs.items import resolve_item
from cogs.options import ItemText, TokenText, UntilText
from cogs.texts import title_of
from schedule_zero.client import CoreClient
from schedule_zero.run import TERMINAL, Run
from schedule_zero.schedule import Schedule

WATCHED: Final = 5.0
"""Seconds that ``run_now`` waits for the outcome, before it shows how far the run is."""
_LOOK: Final = 0.25


@app_commands.command(name="pause", description="Pause a schedule")
@app_commands.describe(item="Which schedule", until="When it resumes by itself")
async def pause(interaction: Interaction, item: ItemText, until: UntilText | None = None) -> None:
    """Pause a schedule, for good or until a moment."""
    await defer(interaction)
    core = core_of(interaction)
    id = await resolve_item(interaction, item)
    at = None
    if until is not None:
        schedule = await core.get_schedule(id)
        at = await moment_of(interaction, until, "until", schedule.timezone)
    await _show_change(interaction, await core.pause_schedule(id, until=at), "Paused")


@app_commands.command(name="resume", description="Resume a paused or blocked schedule")
@app_commands.describe(item="Which schedule")
async def resume(interaction: Interaction, item: ItemText) -> None:
    """Resume a schedule."""
    await defer(interaction)
    id = await resolve_item(interaction, item)
    await _show_change(interaction, await core_of(interaction).resume_schedule(id), "Resumed")


@app_commands.command(name="delete", description="Delete a schedule; you can undo it")
@app_commands.describe(item="Which schedule")
async def delete(interaction: Interaction, item: ItemText) -> None:
    """Delete a schedule."""
    await defer(interaction)
    id = await resolve_item(interaction, item)
    await _show_change(interaction, await core_of(interaction).delete_schedule(id), "Deleted")


@app_commands.command(name="undo", description="Take a change back, up to 15 minutes later")
@app_commands.describe(token="Which change")  # noqa: S106  # a description, not a password
async def undo(interaction: Interaction, token: TokenText) -> None:
    """Take a change back."""
    await defer(interaction)
    await show(interaction, schedule_card(await core_of(interaction).undo(token), "Taken back"))


@app_commands.command(name="run_now", description="Run a schedule once now; its times stay as they are")
@app_commands.describe(item="Which schedule")
async def run_now(interaction: Interaction, item: ItemText) -> None:
    """Run a schedule now and show what came of it."""
    await defer(interaction)
    core = core_of(interaction)
    id = await resolve_item(interaction, item)
    schedule = await core.get_schedule(id)
    run = await core.run_schedule(id, key=f"interaction:{interaction.id}")
    run = await _watch(core, run)
    await show(interaction, card(f"Run now: {title_of(schedule)}", run_line(run), f"-# `{run.id}` of `{id}`"))


async def _watch(core: CoreClient, run: Run) -> Run:
    """The run once it ended, or as it stands after a few seconds."""
    waited = 0.0
    while run.state not in TERMINAL and waited < WATCHED:
        await asyncio.sleep(_LOOK)
        waited += _LOOK
        run = await core.get_run(run.id)
    return run


async def _show_change(interaction: Interaction, schedule: Schedule, heading: str) -> None:
    front_of(interaction).undos.remember(interaction.user.id, schedule, f"{heading}: {title_of(schedule)}")
    await show(interaction, schedule_card(schedule, heading))
