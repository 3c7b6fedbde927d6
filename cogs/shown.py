"""A schedule shown as what it is: a message, or a job with its work and arguments."""

from __future__ import annotations

from collections.abc import Sequence

from discord import ui

from cogs.answers import show
from cogs.buttons import CardButton
from cogs.cards import fires_of_schedule, schedule_buttons, schedule_card
from cogs.front import Interaction, core_of, front_of
from cogs.job.cards import job_buttons, job_card
from cogs.job.work import with_args, work_of
from cogs.texts import is_job, label_of, noun_of
from schedule_zero.run import Run
from schedule_zero.schedule import Schedule

MOST_FIRES: int = 50
"""The most due times that a preview shows."""


async def card_of(
    interaction: Interaction,
    schedule: Schedule,
    heading: str,
    *,
    done: str = "",
    notes: Sequence[str] = (),
    runs: Sequence[Run] = (),
) -> ui.LayoutView:
    """The card of a schedule, whatever it does."""
    if not is_job(schedule):
        return schedule_card(schedule, heading, done=done, notes=notes, runs=runs)
    core = core_of(interaction)
    work, runs = await work_of(core, schedule), await with_args(core, runs)
    return job_card(schedule, heading, work, done=done, notes=notes, runs=runs)


async def show_change(
    interaction: Interaction, schedule: Schedule, heading: str, *, done: str = "", already: str | None = None
) -> None:
    """Show a schedule after a change, which can be undone from then on.

    Args:
        already: the heading where nothing was to be done: then there is nothing to undo either.
    """
    if already is not None and schedule.undo is None:
        heading = already
    remember(interaction, schedule, heading)
    await show(interaction, await card_of(interaction, schedule, heading, done=done))


async def show_with_runs(interaction: Interaction, schedule: Schedule, heading: str | None = None) -> None:
    """Show a schedule with its last runs, under a heading or as what it is."""
    runs = await core_of(interaction).list_runs(guild_id=schedule.guild_id, schedule_id=schedule.id, limit=5)
    await show(interaction, await card_of(interaction, schedule, heading or noun_of(schedule), runs=runs.items))


async def preview_of(
    interaction: Interaction, schedule: Schedule, *, n: int = 10, after: str | None = None
) -> ui.LayoutView:
    """The due times to come of a schedule."""
    view = await core_of(interaction).preview_schedule(schedule.id, n=n, after=after)
    return fires_of_schedule(view, schedule)


def buttons_of(schedule: Schedule) -> list[CardButton]:
    """What can be done with a schedule, whatever it does."""
    return job_buttons(schedule) if is_job(schedule) else schedule_buttons(schedule)


def remember(interaction: Interaction, schedule: Schedule, heading: str) -> None:
    """Keep the way back that a changed schedule came with, for ``/schedule undo``."""
    front_of(interaction).undos.remember(interaction.user.id, schedule, f"{heading}: {label_of(schedule)}")
