"""``/calendar agenda``: what a server's schedules will do, day by day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import discord
import msgspec
from discord import app_commands

from cogs.answers import defer, show
from cogs.calendar.affected import glance
from cogs.calendar.blackouts import line_of
from cogs.calendar.days import Day, day_of, zone_of
from cogs.cards import card
from cogs.drafts import carry_out
from cogs.front import Interaction, core_of
from cogs.places import require_home
from cogs.refusals import Refusal
from cogs.texts import fit, list_of, one_line, place_of, title_of
from schedule_zero import instant
from schedule_zero.client import CoreClient
from schedule_zero.schedule import Schedule
from schedule_zero.views import Fire

LONGEST: Final = 31
"""Days."""
USUAL: Final = 7
EACH: Final = 100
"""Due times of one schedule that are looked at."""
_AT_ONCE: Final = 10
_CLOCKS: Final = 6
_TEXT: Final = 3_200


class _FromDay(Day):
    option = "from"


class _ToDay(Day):
    option = "to"


class Row(msgspec.Struct, frozen=True):
    """What one schedule does on one day. ``more``: times that are not listed."""

    day: date
    clocks: tuple[str, ...]
    more: int
    schedule: Schedule
    notes: tuple[str, ...]


@app_commands.command(name="agenda", description="Show what this server's schedules will do, day by day")
@app_commands.rename(first="from", last="to")
@app_commands.describe(first="The first day; left out, today", last="The last day; left out, a week in all")
async def agenda(
    interaction: Interaction,
    first: app_commands.Transform[str, _FromDay] | None = None,
    last: app_commands.Transform[str, _ToDay] | None = None,
) -> None:
    """Show the due times of the guild's schedules on some days, in the guild's zone."""
    await defer(interaction)
    await carry_out(interaction, _show_agenda, from_=first, to=last)


async def _show_agenda(interaction: Interaction, *, from_: str | None, to: str | None) -> None:
    home, timezone = require_home(interaction, "/calendar"), await zone_of(interaction)
    begin = await day_of(interaction, from_ or "today", timezone, "from")
    end = begin + timedelta(days=USUAL - 1)
    if to is not None:
        end = await day_of(interaction, to, timezone, "to")
    if not 0 <= (end - begin).days < LONGEST:
        raise Refusal(f"`to` must be {begin.isoformat()} or up to {LONGEST - 1} days later, and is {end.isoformat()}.")
    place = ZoneInfo(timezone)
    after = max(discord.utils.utcnow(), datetime.combine(begin, time(), place) - timedelta(microseconds=1))
    until = datetime.combine(end + timedelta(days=1), time(), place)
    found = await glance(interaction)
    schedules = [each for each in found.schedules.values() if _is_due_before(each, until)]
    rows, cut = await _rows(core_of(interaction), schedules, after, until, place)
    blackouts = [
        each
        for each in (await core_of(interaction).list_blackouts(home)).items
        if datetime.fromisoformat(each.begin) < until and datetime.fromisoformat(each.end) > after
    ]
    notes = [f"-# Times in {timezone}. Reminders are not listed."]
    notes += ["-# `/data calendar` gives a link by which calendar programs show it."]
    notes += [] if found.whole else [found.note]
    notes += [f"-# Of {', '.join(cut)} only the first {EACH} times were looked at."] if cut else []
    await show(
        interaction,
        card(
            f"Agenda, {begin.isoformat()} to {end.isoformat()}",
            f"**Blackouts**\n{list_of(map(line_of, blackouts))}" if blackouts else "",
            fit(list(_lines(rows)), _TEXT, "… and {count} more lines; ask for fewer days") or "Nothing is due.",
            "\n".join(notes),
        ),
    )


def _is_due_before(schedule: Schedule, until: datetime) -> bool:
    return any(datetime.fromisoformat(at) < until for at in schedule.next_fire_times[:1])


async def _rows(
    core: CoreClient, schedules: list[Schedule], after: datetime, until: datetime, place: ZoneInfo
) -> tuple[list[Row], list[str]]:
    """What is due, by day and time; and the schedules with more due times than were looked at."""
    doors, since = asyncio.Semaphore(_AT_ONCE), instant.spell(instant.from_datetime(after))

    async def fires_of(schedule: Schedule) -> tuple[Fire, ...]:
        async with doors:
            return (await core.preview_schedule(schedule.id, n=EACH, after=since)).fires

    rows: list[Row] = []
    cut: list[str] = []
    for schedule, fires in zip(schedules, await asyncio.gather(*map(fires_of, schedules)), strict=True):
        due = [fire for fire in fires if datetime.fromisoformat(fire.at) < until]
        if len(due) == EACH:
            cut.append(title_of(schedule))
        rows += _by_day(schedule, due, place)
    rows.sort(key=lambda row: (row.day, row.clocks, row.schedule.id))
    return rows, cut


def _by_day(schedule: Schedule, fires: list[Fire], place: ZoneInfo) -> list[Row]:
    days: dict[date, list[tuple[datetime, Fire]]] = {}
    for fire in fires:
        local = datetime.fromisoformat(fire.at).astimezone(place)
        days.setdefault(local.date(), []).append((local, fire))
    return [
        Row(
            day=day,
            clocks=tuple(f"{local:%H:%M}" for local, _ in due[:_CLOCKS]),
            more=max(0, len(due) - _CLOCKS),
            schedule=schedule,
            notes=tuple(dict.fromkeys(note for _, fire in due for note in fire.notes)),
        )
        for day, due in days.items()
    ]


def _lines(rows: Iterable[Row]) -> Iterable[str]:
    day: date | None = None
    for row in rows:
        if row.day != day:
            day = row.day
            yield f"**{day:%a} {day.isoformat()}**"
        clocks = " ".join(f"`{clock}`" for clock in row.clocks) + (f" and {row.more} more" if row.more else "")
        where = place_of(row.schedule)
        parts = [clocks, title_of(row.schedule), *([where] if where else [])]
        parts += [one_line("; ".join(row.notes), 150)] if row.notes else []
        yield " · ".join(parts)  # no list: a heading behind one would be taken for a part of it
