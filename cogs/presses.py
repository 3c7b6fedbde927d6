"""What the buttons of a schedule's card do. A card that shows an older revision is refreshed instead of obeyed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import discord

from cogs.answers import add, defer, show, tell
from cogs.buttons import on_press, take_off
from cogs.cards import run_line
from cogs.front import Interaction, core_of
from cogs.items import may_act
from cogs.refusals import Refusal
from cogs.shown import card_of, preview_of, show_change
from cogs.texts import moment, noun_of, seconds, unix
from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict, Invalid, RevisionMismatch
from schedule_zero.run import RETRIABLE
from schedule_zero.schedule import Schedule

AGAIN_ALREADY: Final = "It was posted again already, so nothing was done now; `/schedule show` has the last runs."
STALE: Final = "This card was older than the schedule, so nothing was done; it shows the schedule as it is now."

Change = Callable[[CoreClient, Schedule], Awaitable[Schedule]]


async def shown(interaction: Interaction, schedule_id: str) -> Schedule:
    """The schedule of a button, for those who may act on it: cards and notices may stand where everybody reads.

    Raises:
        Refusal: it is somebody else's.
    """
    schedule = await core_of(interaction).get_schedule(schedule_id)
    if not await may_act(interaction, schedule):
        raise Refusal("This schedule is somebody else's; its buttons take the right Manage Messages in this server.")
    return schedule


async def _change(interaction: Interaction, schedule_id: str, revision: str, heading: str, change: Change) -> None:
    await defer(interaction)
    schedule = await shown(interaction, schedule_id)
    if str(schedule.revision) != revision:
        await show_stale(interaction, schedule)
        return
    await show_change(interaction, await change(core_of(interaction), schedule), heading)


async def show_stale(interaction: Interaction, schedule: Schedule) -> None:
    """Show a schedule as it is now instead of doing what an older card offered."""
    await show(interaction, await card_of(interaction, schedule, noun_of(schedule)))
    await tell(interaction, STALE)


@on_press("pause")
async def pause(interaction: Interaction, schedule_id: str, revision: str) -> None:
    """Pause until somebody resumes it."""
    await _change(interaction, schedule_id, revision, "Paused", lambda core, seen: core.pause_schedule(seen.id))


@on_press("resume")
async def resume(interaction: Interaction, schedule_id: str, revision: str) -> None:
    """Resume a paused or blocked schedule."""
    await _change(interaction, schedule_id, revision, "Resumed", lambda core, seen: core.resume_schedule(seen.id))


@on_press("skip")
async def skip(interaction: Interaction, schedule_id: str, detail: str) -> None:
    """Leave the next due time out: the one the card showed, which may have passed since."""
    revision, _, due = detail.partition(".")
    await defer(interaction)
    schedule = await shown(interaction, schedule_id)
    times = schedule.next_fire_times
    passed = not times or seconds(times[0]) <= unix(discord.utils.utcnow())
    if passed or str(schedule.revision) != revision or str(seconds(times[0])) != due:
        await show_stale(interaction, schedule)
        return
    try:
        changed = await core_of(interaction).skip_occurrence(schedule.id, times[0])
    except (Invalid, RevisionMismatch):  # somebody else was quicker
        await show_stale(interaction, await shown(interaction, schedule_id))
        return
    await show_change(interaction, changed, "Skipped", done=f"Left out: {moment(times[0])}")


@on_press("delete")
async def delete(interaction: Interaction, schedule_id: str, revision: str) -> None:
    """Delete, with the way back on the card."""
    await _change(
        interaction,
        schedule_id,
        revision,
        "Deleted",
        lambda core, seen: core.delete_schedule(seen.id, revision=seen.revision),
    )


@on_press("refresh")
async def refresh(interaction: Interaction, schedule_id: str, _revision: str) -> None:
    """Show the schedule as it is now."""
    await defer(interaction)
    schedule = await shown(interaction, schedule_id)
    await show(interaction, await card_of(interaction, schedule, noun_of(schedule)))


@on_press("preview")
async def preview(interaction: Interaction, schedule_id: str, _revision: str) -> None:
    """Show the next ten due times on a card of their own."""
    await defer(interaction)
    schedule = await shown(interaction, schedule_id)
    await add(interaction, await preview_of(interaction, schedule))


@on_press("undo")
async def undo(interaction: Interaction, token: str, _detail: str) -> None:
    """Take the change back that the card reports."""
    await defer(interaction)
    schedule = await core_of(interaction).undo(token)
    await show(interaction, await card_of(interaction, schedule, "Taken back"))


@on_press("again")
async def again(interaction: Interaction, run_id: str, _detail: str) -> None:
    """Post a message again whose fate is unknown. However often it is pressed, and by whom, it is one new run."""
    await defer(interaction)
    core = core_of(interaction)
    try:
        run = await core.retry_run(run_id, key=f"again:{run_id}")
    except Conflict:
        if not await _can_be_retried(core, run_id):
            raise
        said = AGAIN_ALREADY
    else:
        said = f"It is posted again: {run_line(run)}"
    await take_off(interaction)
    await tell(interaction, said)


async def _can_be_retried(core: CoreClient, run_id: str) -> bool:
    """Whether nothing about the run or its schedule forbids a retry; then what forbade it is an earlier retry."""
    run = await core.get_run(run_id)
    schedule = await core.get_schedule(run.schedule_id)
    return run.state in RETRIABLE and schedule.state != "deleted"
