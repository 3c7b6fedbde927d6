"""``/schedule list``, ``show`` and ``preview``."""

from __future__ import annotations

from functools import partial

import discord
from discord import app_commands

from cogs.answers import defer
from cogs.answers import show as show_card
from cogs.cards import fires_of
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, actor_of, core_of
from cogs.items import resolve_item
from cogs.lists import LONGEST_SEARCH, Listing, Sort, State, listing_card
from cogs.options import ChannelPlace, FromText, ItemText, RepeatText, WhenText, ZoneText
from cogs.refusals import Refusal
from cogs.shown import MOST_FIRES, preview_of, show_with_runs


@app_commands.command(name="list", description="List this server's schedules")
@app_commands.describe(
    channel="Only those that post here",
    owner="Only those of this person",
    state="Only those in this state",
    search="Only those with this in their name or text",
    sort="In which order; left out, by state and age",
    page="Which page",
)
async def list_schedules(
    interaction: Interaction,
    channel: ChannelPlace | None = None,
    owner: discord.User | None = None,
    state: State | None = None,
    search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None,
    sort: Sort | None = None,
    page: app_commands.Range[int, 1, 100] = 1,
) -> None:
    """List the guild's schedules."""
    await defer(interaction)
    listing = Listing(
        state=state,
        search=search or "",
        channel_id=str(channel.id) if channel is not None else "",
        owner_id=str(owner.id) if owner is not None else "",
        sort=sort,
        page=page,
    )
    await show_card(interaction, await listing_card(interaction, listing))


@app_commands.command(name="show", description="Show a schedule: rule, next times, last runs")
@app_commands.describe(item="Which schedule")
async def show(interaction: Interaction, item: ItemText) -> None:
    """Show a schedule with its last runs."""
    await defer(interaction)
    core = core_of(interaction)
    id = await resolve_item(interaction, item, loosely=True)
    await show_with_runs(interaction, await core.get_schedule(id))


@app_commands.command(name="preview", description="Show when something will be due, saved or not")
@app_commands.rename(start="from")
@app_commands.describe(
    item="Which schedule; or leave it out and write a time",
    when="When: every weekday at 9, a date, a cron line",
    repeat="How it repeats, if when is only the start",
    tz="Time zone to read the times in; default: yours, then the server's",
    n="How many times to show",
    start="Show what is due after this moment",
)
async def preview(
    interaction: Interaction,
    item: ItemText | None = None,
    when: WhenText | None = None,
    repeat: RepeatText | None = None,
    tz: ZoneText | None = None,
    n: app_commands.Range[int, 1, MOST_FIRES] = 10,
    start: FromText | None = None,
) -> None:
    """Preview a saved schedule, or words about time."""
    await defer(interaction)
    if item is not None:
        _require_nothing_unread(when, repeat, tz, start)
        await carry_out(interaction, partial(_preview_item, item=item, n=n, tz=tz), from_=start)
    elif when is not None or repeat is not None:
        await carry_out(interaction, partial(_preview_words, n=n, tz=tz), when=when, repeat=repeat, from_=start)
    else:
        raise Refusal("Give `item`, or a time in `when` or `repeat`.")


def _require_nothing_unread(when: str | None, repeat: str | None, tz: str | None, start: str | None) -> None:
    """Raises Refusal where something is said that the preview of a saved schedule does not heed."""
    unheeded = "when" if when is not None else "repeat" if repeat is not None else None
    if unheeded is not None:
        raise Refusal(f"`item` has its own time, so `{unheeded}` says nothing here; leave one of them out.")
    if tz is not None and start is None:
        raise Refusal(
            "`item` has its own time zone, and `tz` is only what `from` is read in; leave `tz` out, or give `from`."
        )


async def _preview_item(interaction: Interaction, *, item: str, n: int, tz: str | None, from_: str | None) -> None:
    core = core_of(interaction)
    id = await resolve_item(interaction, item, loosely=True)
    schedule = await core.get_schedule(id)
    after = None if from_ is None else await moment_of(interaction, from_, "from", tz or schedule.timezone)
    await show_card(interaction, await preview_of(interaction, schedule, n=n, after=after))


async def _preview_words(
    interaction: Interaction, *, when: str | None, repeat: str | None, from_: str | None, tz: str | None, n: int
) -> None:
    core, actor = core_of(interaction), actor_of(interaction)
    reading = await core.read_time(when or "", repeat, timezone=tz, guild_id=actor.guild_id, user_id=actor.id)
    after = None if from_ is None else await moment_of(interaction, from_, "from", reading.timezone)
    view = await core.preview(
        reading.trigger,
        timezone=reading.timezone,
        n=n,
        after=after,
        start=reading.start,
        until=reading.until,
        policy={"month_end": reading.month_end},
        guild_id=actor.guild_id,
    )
    await show_card(interaction, fires_of(view, "Preview"))
