"""``/schedule pause``, ``resume``, ``run_now``, ``delete`` and ``undo``."""

from __future__ import annotations

from functools import partial
from typing import Final

from discord import app_commands

from cogs.answers import defer, show, tell
from cogs.cards import card, run_line
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, core_of
from cogs.items import resolve_item
from cogs.job.work import hidden_of
from cogs.options import ItemText, TokenText, UntilText
from cogs.refusals import Refusal
from cogs.shown import card_of, show_change
from cogs.texts import place_of, title_of
from cogs.watching import watched
from schedule_zero.schedule import Schedule

WATCHED: Final = 5.0
"""Seconds that ``run_now`` waits for the outcome, before it shows how far the run is."""


@app_commands.command(name="pause", description="Pause a schedule")
@app_commands.describe(item="Which schedule", until="When it resumes by itself")
async def pause(interaction: Interaction, item: ItemText, until: UntilText | None = None) -> None:
    """Pause a schedule, for good or until a moment."""
    await defer(interaction)
    await carry_out(interaction, partial(_pause, item=item), until=until)


async def _pause(interaction: Interaction, *, item: str, until: str | None) -> None:
    core = core_of(interaction)
    id = await resolve_item(interaction, item)
    at = None
    if until is not None:
        schedule = await core.get_schedule(id)
        at = await moment_of(interaction, until, "until", schedule.timezone)
    await show_change(interaction, await core.pause_schedule(id, until=at), "Paused", already="It is paused already")


@app_commands.command(name="resume", description="Resume a paused or blocked schedule")
@app_commands.describe(item="Which schedule")
async def resume(interaction: Interaction, item: ItemText) -> None:
    """Resume a schedule."""
    await defer(interaction)
    id = await resolve_item(interaction, item)
    resumed = await core_of(interaction).resume_schedule(id)
    await show_change(interaction, resumed, "Resumed", already="It is active already")


@app_commands.command(name="delete", description="Delete a schedule; you can undo it")
@app_commands.describe(item="Which schedule")
async def delete(interaction: Interaction, item: ItemText) -> None:
    """Delete a schedule."""
    await defer(interaction)
    id = await resolve_item(interaction, item)
    await show_change(interaction, await core_of(interaction).delete_schedule(id), "Deleted")


@app_commands.command(name="undo", description="Take a change back, up to 15 minutes later")
@app_commands.describe(token="Which change")  # noqa: S106  # a description, not a password
async def undo(interaction: Interaction, token: TokenText) -> None:
    """Take a change back."""
    await defer(interaction)
    schedule = await core_of(interaction).undo(token)
    await show(interaction, await card_of(interaction, schedule, "Taken back"))


@app_commands.command(name="run_now", description="Run a schedule once now; its times stay as they are")
@app_commands.describe(
    item="Which schedule",
    test="Show you alone what it would post, and run nothing",
    keep_anchor="Its times stay as they are; always so",
)
async def run_now(interaction: Interaction, item: ItemText, test: bool = False, keep_anchor: bool = True) -> None:
    """Run a schedule now and show what came of it; or show its message to the person who asks."""
    await defer(interaction, public=False if test else None)
    if not keep_anchor:
        raise Refusal("Running a schedule now never moves its times; leave `keep_anchor` out.")
    core = core_of(interaction)
    id = await resolve_item(interaction, item)
    schedule = await core.get_schedule(id)
    if test:
        await _rehearse(interaction, schedule)
        return
    run = await core.run_schedule(id, key=f"interaction:{interaction.id}")
    run = await watched(core, run, WATCHED)
    line = run_line(run, await hidden_of(core, schedule, run.id))
    await show(interaction, card(f"Run now: {title_of(schedule)}", line, f"-# `{run.id}` of `{id}`"))


async def _rehearse(interaction: Interaction, schedule: Schedule) -> None:
    """The message as it would come, to the person alone; nobody is mentioned by it, whatever it says."""
    content = schedule.args.get("content")
    if schedule.handler != "discord" or not isinstance(content, str):
        raise Refusal("`test` shows what a message will look like, and this schedule does other work.")
    facts = [f"**Where**: {place_of(schedule)}"]
    mentions = schedule.args.get("mentions")
    if mentions:
        facts.append(f"**May mention**: {' '.join(mentions)}")
    facts.append("-# Below is what it would post. Nothing was posted, and nobody was mentioned.")
    await show(interaction, card(f"Test: {title_of(schedule)}", "\n".join(facts)))
    await tell(interaction, content)
