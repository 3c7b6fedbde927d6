"""``/admin find``: a schedule, a run or a server, wherever it is."""

from __future__ import annotations

import asyncio
from typing import Final

from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, service_of
from cogs.job.cards import run_row
from cogs.job.work import hidden_in, work_of
from cogs.options import IdText, LineText
from cogs.refusals import Refusal
from cogs.texts import STATES, fit, one_line, owner_of, rule_of, runs_wait, stamp, title_of, waits_for
from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound
from schedule_zero.ids import is_id
from schedule_zero.run import Run
from schedule_zero.schedule import Schedule
from schedule_zero.shown.quota import MOST_WAITING

SHOWN: Final = 15
_ROOM: Final = 3_000

find = app_commands.Group(name="find", description="A schedule, a run or a server, wherever it is")


@find.command(name="item", description="Find schedules of all servers by id, or by words in their name or text")
@app_commands.describe(text="An id, or words")
async def find_item(interaction: Interaction, text: LineText) -> None:
    """Show a schedule, or list those that fit."""
    await defer(interaction)
    core = service_of(interaction)
    if is_id(text, "sch"):
        await show(interaction, await _schedule(core, await core.get_schedule(text)))
        return
    page = await core.list_schedules(any_guild=True, q=text, limit=SHOWN)
    rows = [_row(each) for each in page.items]
    more = "-# There are more; more words find fewer." if page.next else ""
    await show(interaction, notes_card("Schedules", fit(rows, _ROOM) or "Nothing fits.", more))


@find.command(name="run", description="Find a run by its id: where it belongs, how it stands, what it waits for")
@app_commands.describe(id="Its id")
async def find_run(interaction: Interaction, id: IdText) -> None:
    """Show a run with its schedule."""
    await defer(interaction)
    if not is_id(id, "run"):
        raise Refusal(f"`id`: {one_line(id, 60)} is no id of a run; it looks like `run_…`.")
    core = service_of(interaction)
    run = await core.get_run(id)
    schedule = await _schedule_of(core, run)
    work = None if schedule is None else await work_of(core, schedule)
    why = "" if run.why is None else f"**Waits**: {waits_for(run.why.words)}"
    belongs = "Its schedule is gone." if schedule is None else _row(schedule)
    where = f"**Server** {_server(run.guild_id)} · **Work** `{run.handler}.{run.method}`"
    await show(interaction, notes_card("Run", run_row(run, hidden_in(schedule, work, run)), why, where, belongs))


@find.command(name="guild", description="Find servers by id, or by the beginning of their name")
@app_commands.describe(text="An id, or a beginning")
async def find_guild(interaction: Interaction, text: LineText) -> None:
    """List servers with how busy they are."""
    await defer(interaction)
    core = service_of(interaction)
    page = await core.list_guilds(q=text, limit=SHOWN)
    views = await asyncio.gather(*(core.get_guild(each.guild_id) for each in page.items))
    rows = []
    for view in views:
        notes = [
            view.plan,
            *(["**suspended**"] if view.suspended else []),
            *(["left"] if view.present is False else []),
        ]
        notes += [runs_wait(view.waiting, most=MOST_WAITING)] if view.waiting else []
        rows.append(f"- **{one_line(view.name or 'unnamed', 60)}** {_server(view.guild_id)} · {' · '.join(notes)}")
    more = "-# There are more; more letters find fewer." if page.next else ""
    await show(interaction, notes_card("Servers", fit(rows, _ROOM) or "Nothing fits.", more))


async def _schedule(core: CoreClient, schedule: Schedule) -> ui.LayoutView:
    """A schedule as operators need it: whose it is and how it goes, and nothing of what it says."""
    runs = (await core.list_runs(schedule_id=schedule.id, limit=5)).items
    work = await work_of(core, schedule)
    whole = await asyncio.gather(*(core.get_run(run.id) for run in runs))
    rows = "\n".join(run_row(run, hidden_in(schedule, work, run)) for run in whole)
    due = f"**Next** {stamp(schedule.next_fire_times[0], 'R')}" if schedule.next_fire_times else ""
    note = f"**Note** {one_line(schedule.note, 300)}" if schedule.note else ""
    return notes_card(
        f"Schedule: {title_of(schedule)}", _row(schedule), f"**When** {rule_of(schedule)}", due, note,
        f"**Last runs**\n{rows}" if rows else "",
    )  # fmt: skip


async def _schedule_of(core: CoreClient, run: Run) -> Schedule | None:
    try:
        return await core.get_schedule(run.schedule_id)
    except NotFound:
        return None


def _row(schedule: Schedule) -> str:
    parts = [f"**{title_of(schedule)}**", STATES[schedule.state], f"`{schedule.handler}.{schedule.method}`"]
    parts += [f"server {_server(schedule.guild_id)}", f"of {owner_of(schedule)}", f"`{schedule.id}`"]
    return f"- {' · '.join(parts)}"


def _server(guild_id: str | None) -> str:
    return f"`{guild_id}`" if guild_id else "none"
