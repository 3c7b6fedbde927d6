"""``/quota``: what a server may use and uses, and which limit something waits for or was refused by."""

from __future__ import annotations

from typing import Final

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.buttons import on_press
from cogs.cards import notes_card
from cogs.custom_ids import WHICH_LIMIT
from cogs.front import Interaction, core_of
from cogs.gauges import fill_of, fullest, gauge_line, is_counted, number
from cogs.items import resolve_item
from cogs.options import ItemText
from cogs.places import require_home
from cogs.quota_cards import quota_card, suspended_line
from cogs.texts import STATES, explained, list_of, moment, one_line, sentence_case, stamp, title_of, waits_for
from schedule_zero.client import CoreClient
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.instant import parse
from schedule_zero.run import Run, SkipReason
from schedule_zero.schedule import Schedule
from schedule_zero.views import RefusalView

RUNS_SHOWN: Final = 5
_FETCHED: Final = 50
_SUSPENDED: Final = "suspended"

quota = app_commands.Group(
    name="quota",
    description="What may be used here, and what waits for it",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
COMMANDS: Final = (quota,)


@quota.command(name="show", description="Show what this server may use, and how much of it is in use")
async def show_quota(interaction: Interaction) -> None:
    """Show the server's gauges to those who manage it, to others their own."""
    await defer(interaction)
    await show(interaction, quota_card(await core_of(interaction).get_guild(_home(interaction))))


@quota.command(name="explain", description="Say which limit something waits for, or was refused by")
@app_commands.describe(item="What waits; left out, what was refused to you last")
async def explain(interaction: Interaction, item: ItemText | None = None) -> None:
    """Explain why a schedule's runs wait, or the last refusal."""
    await defer(interaction)
    if item is None:
        await show(interaction, await _last_refusal(interaction))
    else:
        await show(interaction, await _why(interaction, await resolve_item(interaction, item, loosely=True)))


@on_press(WHICH_LIMIT)
async def which_limit(interaction: Interaction, _subject: str, _detail: str) -> None:
    """Explain the refusal the button stands under, or a later one."""
    await defer(interaction)
    await show(interaction, await _last_refusal(interaction))


async def _why(interaction: Interaction, schedule_id: str) -> ui.LayoutView:
    """Why runs of a schedule wait or were left out; where none does, whether the next one could start."""
    core = core_of(interaction)
    schedule = await core.get_schedule(schedule_id)
    waiting = (await core.list_runs(schedule_id=schedule.id, state="waiting", limit=_FETCHED)).items
    skipped = (await core.list_runs(schedule_id=schedule.id, state="skipped", limit=_FETCHED)).items
    left_out = [run for run in skipped if run.reason == SkipReason.QUOTA]
    return notes_card(
        f"Why it waits: {title_of(schedule)}",
        _rests(schedule),
        _waiting(waiting) or await _next(core, schedule),
        f"**Left out because of a limit**: {', '.join(stamp(run.due, 'f') for run in left_out[:RUNS_SHOWN])}"
        if left_out
        else "",
    )


def _rests(schedule: Schedule) -> str:
    if schedule.state == "active":
        return ""
    note = f": {one_line(schedule.note, 200)}" if schedule.note else ""
    return f"It is **{STATES[schedule.state]}**{note}. No limit holds it back; nothing of it starts as it stands."


def _waiting(runs: tuple[Run, ...]) -> str:
    """The oldest first: it goes on first."""
    lines = [f"due {stamp(run.due, 'R')}: {_said(run)}" for run in runs[::-1][:RUNS_SHOWN]]
    more = f"\n… and {len(runs) - RUNS_SHOWN} more" if len(runs) > RUNS_SHOWN else ""
    return f"**Waiting runs**\n{list_of(lines)}{more}" if lines else ""


def _said(run: Run) -> str:
    return "no limit holds it back; its turn comes at once." if run.why is None else explained(run.why)


async def _next(core: CoreClient, schedule: Schedule) -> str:
    nothing = "None of its runs waits."
    if schedule.state != "active":
        return nothing
    try:
        check = await core.check_run(schedule.id)
    except ScheduleZeroError:
        return nothing  # a right or an argument is missing to run it; why it would wait is not known then
    if check.skipped is not None:
        return f"{nothing} One that was started now would be left out: {one_line(check.skipped, 300)}"
    if check.why is None:
        return f"{nothing} One that was started now could begin at once."
    return f"{nothing} One that was started now would wait: {explained(check.why)}"


async def _last_refusal(interaction: Interaction) -> ui.LayoutView:
    """What was refused to the person here, and whether there is room again; what of theirs waits."""
    core, home = core_of(interaction), _home(interaction)
    refusal, view = await core.last_refusal(home), await core.get_guild(home)
    waiting = (await core.list_runs(guild_id=home, state="waiting", limit=_FETCHED)).items
    blocks = [suspended_line(view)]
    if refusal.sentence is None:
        blocks.append("Nothing was refused to you here since the service started.")
    else:
        at = f" {stamp(refusal.at, 'R')}" if refusal.at else ""
        room = (
            _room(refusal) if refusal.limit != _SUSPENDED else "" if view.suspended else "It is not suspended any more."
        )
        blocks += [f"**Refused{at}**: {waits_for(sentence_case(refusal.sentence))}", room]
    blocks.append(_waiting(waiting) or "None of the runs you may see here waits.")
    met_next = fullest(view.gauges)
    if refusal.sentence is None and not waiting and met_next is not None:
        blocks.append(f"**The limit that would be met next**\n{gauge_line(met_next)}")
    return notes_card("Which limit?", *blocks)


def _room(refusal: RefusalView) -> str:
    """Whether what was refused could be done now."""
    now = refusal.now
    if now is not None and is_counted(now):
        if fill_of(now) == "full":
            return f"There is no room yet.\n{gauge_line(now)}"
        return f"There is room again.\n{gauge_line(now)}"
    if now is not None and now.allowed is None and refusal.used is not None:
        return "There is no such limit any more."
    if refusal.until is not None:
        over = parse(refusal.until) <= discord.utils.utcnow().timestamp() * 1e6
        return "There should be room again." if over else f"There is room again {moment(refusal.until)}."
    if refusal.used is not None and refusal.allowed is not None:
        return f"It was {number(refusal.used)} of {number(refusal.allowed)}."
    return ""


def _home(interaction: Interaction) -> str:
    return require_home(interaction, "/quota")
