"""``/job pause``, ``resume``, ``delete`` and ``preview``, ``list`` and ``show``: what any schedule has, for jobs."""

from __future__ import annotations

from functools import partial

import discord
from discord import app_commands

from cogs.answers import defer
from cogs.answers import show as show_card
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, core_of
from cogs.items import resolve_job
from cogs.lists import LONGEST_SEARCH, Listing, Sort, State, listing_card
from cogs.options import FromText, JobText, UntilText
from cogs.shown import MOST_FIRES, preview_of, show_change, show_with_runs


@app_commands.command(name="list", description="List this server's jobs")
@app_commands.describe(
    owner="Only those of this person",
    state="Only those in this state",
    search="Only those with this in their name or arguments",
    sort="In which order; left out, by state and age",
    page="Which page",
)
async def list_jobs(
    interaction: Interaction,
    owner: discord.User | None = None,
    state: State | None = None,
    search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None,
    sort: Sort | None = None,
    page: app_commands.Range[int, 1, 100] = 1,
) -> None:
    """List the guild's jobs."""
    await defer(interaction)
    owner_id = str(owner.id) if owner is not None else ""
    listing = Listing(kind="j", state=state, search=search or "", owner_id=owner_id, sort=sort, page=page)
    await show_card(interaction, await listing_card(interaction, listing))


@app_commands.command(name="show", description="Show a job: work, arguments, next times, last runs")
@app_commands.describe(item="Which job")
async def show(interaction: Interaction, item: JobText) -> None:
    """Show a job with its last runs."""
    await defer(interaction)
    await show_with_runs(interaction, await resolve_job(interaction, item, loosely=True))


@app_commands.command(name="preview", description="Show when a job will be due")
@app_commands.rename(start="from")
@app_commands.describe(item="Which job", n="How many times to show", start="Show what is due after this moment")
async def preview(
    interaction: Interaction,
    item: JobText,
    n: app_commands.Range[int, 1, MOST_FIRES] = 10,
    start: FromText | None = None,
) -> None:
    """Preview a job."""
    await defer(interaction)
    await carry_out(interaction, partial(_preview, item=item, n=n), from_=start)


async def _preview(interaction: Interaction, *, item: str, n: int, from_: str | None) -> None:
    job = await resolve_job(interaction, item, loosely=True)
    after = None if from_ is None else await moment_of(interaction, from_, "from", job.timezone)
    await show_card(interaction, await preview_of(interaction, job, n=n, after=after))


@app_commands.command(name="pause", description="Pause a job")
@app_commands.describe(item="Which job", until="When it resumes by itself")
async def pause(interaction: Interaction, item: JobText, until: UntilText | None = None) -> None:
    """Pause a job, for good or until a moment."""
    await defer(interaction)
    await carry_out(interaction, partial(_pause, item=item), until=until)


async def _pause(interaction: Interaction, *, item: str, until: str | None) -> None:
    job = await resolve_job(interaction, item)
    at = None if until is None else await moment_of(interaction, until, "until", job.timezone)
    paused = await core_of(interaction).pause_schedule(job.id, until=at)
    await show_change(interaction, paused, "Paused", already="It is paused already")


@app_commands.command(name="resume", description="Resume a paused or blocked job")
@app_commands.describe(item="Which job")
async def resume(interaction: Interaction, item: JobText) -> None:
    """Resume a job."""
    await defer(interaction)
    job = await resolve_job(interaction, item)
    resumed = await core_of(interaction).resume_schedule(job.id)
    await show_change(interaction, resumed, "Resumed", already="It is active already")


@app_commands.command(name="delete", description="Delete a job; you can undo it")
@app_commands.describe(item="Which job")
async def delete(interaction: Interaction, item: JobText) -> None:
    """Delete a job."""
    await defer(interaction)
    job = await resolve_job(interaction, item)
    await show_change(interaction, await core_of(interaction).delete_schedule(job.id), "Deleted")
