"""``/job log``: what a run said, line by line; a long log comes as a file, too."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Final

import discord
import msgspec
from discord import app_commands, ui

from cogs.answers import add, defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.job.running import belonging_to
from cogs.job.runs import AnyRunText, resolve_run
from cogs.job.work import hidden_in
from cogs.presses import shown
from cogs.texts import plain_line, title_of
from schedule_zero import instant
from schedule_zero.client import CoreClient
from schedule_zero.masking import without
from schedule_zero.run import LogLine, Run
from schedule_zero.schedule import Schedule
from schedule_zero.views import RunLog

SHOWN: Final = 2_800
"""Characters of a log that a card has room for."""
_PAGE: Final = 1_000
_MOST: Final = 20_000
_LINE: Final = 500


@app_commands.command(name="log", description="Show what a run said while it worked")
@app_commands.describe(run="Which run")
async def log(interaction: Interaction, run: AnyRunText) -> None:
    """Show a run's log, with all of it as a file where it is long."""
    await defer(interaction)
    found = await resolve_run(interaction, run)
    lines, job = await _show(interaction, found)
    text = "\n".join(lines)
    if len(text) > SHOWN:
        name = f"{found.id}.log"
        file = discord.File(io.BytesIO(text.encode()), filename=name)
        await interaction.followup.send(
            f"All of it: {len(lines):,} lines of {_called(job, found)}.", file=file, ephemeral=True
        )


@on_press("log")
async def press_log(interaction: Interaction, run_id: str, detail: str) -> None:
    """Show the log of a card's run on a card of its own, or as it is now."""
    await defer(interaction)
    found = await core_of(interaction).get_run(run_id)
    await shown(interaction, found.schedule_id)
    await _show(interaction, found, beside=detail != "again")


async def _show(interaction: Interaction, run: Run, *, beside: bool = False) -> tuple[list[str], Schedule | None]:
    """Show the end of a log. Returns all its lines, and the job of the run."""
    job, work = await belonging_to(interaction, run)
    read = await whole_log(core_of(interaction), run.id)
    hidden = hidden_in(job, work, run)
    lines = [without(line, hidden) for line in spelled(read)]
    made = _card(run, job, lines, ended=read.ended)
    await (add(interaction, made) if beside else show(interaction, made))
    return lines, job


async def whole_log(core: CoreClient, run_id: str) -> RunLog:
    """The log of a run as far as it is there, in one page."""
    page = await core.run_log(run_id, limit=_PAGE)
    items = list(page.items)
    while page.items and len(items) < _MOST:
        page = await core.run_log(run_id, after=page.next, limit=_PAGE)
        items += page.items
    return msgspec.structs.replace(page, items=tuple(items))


def spelled(log: RunLog) -> list[str]:
    """A log as text: a line for each that was said, with its time in UTC, and for what was not kept."""
    lines: list[str] = []
    attempt = log.items[0].attempt if log.items else 0
    for line in log.items:
        if line.attempt != attempt:
            lines.append(f"── attempt {line.attempt}")
            attempt = line.attempt
        if line.left_out:
            lines.append(_left_out(line.left_out))
        lines.append(_said(line))
    return [*lines, _left_out(log.left_out)] if log.left_out else lines


def _said(line: LogLine) -> str:
    return f"{instant.to_datetime(instant.parse(line.at)):%H:%M:%S} {plain_line(line.text, _LINE)}"


def _left_out(count: int) -> str:
    return f"… {count:,} lines are not kept" if count > 1 else "… 1 line is not kept"


def _card(run: Run, job: Schedule | None, lines: Sequence[str], *, ended: bool) -> ui.LayoutView:
    standing = run.standing.replace("_", " ")
    silence = "It said nothing." if ended else "It has said nothing yet."
    said = f"```\n{_tail(lines)}\n```" if lines else silence
    buttons = [CardButton("Refresh", "log", run.id, "again"), CardButton("Run", "show_run", run.id)]
    small = f"-# `{run.id}` · {standing} · times in UTC"
    return card(f"Log: {_called(job, run)}", said, small, buttons=buttons)


def _tail(lines: Iterable[str]) -> str:
    """As much of the end as a card has room for."""
    kept: list[str] = []
    room = SHOWN
    for line in reversed(list(lines)):
        room -= len(line) + 1
        if room < 0:
            kept.append("… what came before stands in the file that `/job log` gives")
            break
        kept.append(line)
    return "\n".join(reversed(kept)).replace("```", "'''")


def _called(job: Schedule | None, run: Run) -> str:
    return f"{run.handler}.{run.method}" if job is None else title_of(job)
