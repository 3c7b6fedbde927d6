"""``/calendar holidays``: calendars of days off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import discord
import msgspec
from discord import app_commands, ui

from cogs.answers import defer
from cogs.answers import show as show_card
from cogs.calendar.affected import changes_since, glance, heeded_by
from cogs.calendar.days import Day, DayText, days_of, say_days, zone_of
from cogs.cards import card
from cogs.drafts import carry_out
from cogs.front import Interaction, core_of
from cogs.options import CalendarText, Choices, RegionText, Text, suggestions
from cogs.places import require_home
from cogs.refusals import Refusal, about
from cogs.texts import fit, list_of, one_line
from schedule_zero.closings import CalendarDays, CalendarView
from schedule_zero.errors import NotFound, RevisionMismatch
from schedule_zero.views import Suggestion, Suggestions

LARGEST_FILE: Final = 500_000
"""Bytes of an iCalendar file."""
LOOKS: Final = 5
"""Times a change is made to a calendar that others change at the same moment."""
_DAYS_TEXT: Final = 2_000
_NEXT: Final = 3
_NAMELESS: Final = "a day off"

holidays = app_commands.Group(name="holidays", description="Calendars of days off")


class Country(Text):
    """``country``: by name or by code."""

    option = "country"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(core_of(interaction).suggest_countries(str(value)), self.option)


class KeptDay(Day):
    """``date`` of a day that a calendar has."""

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_kept_days(interaction, str(value)), self.option)


CountryText = app_commands.Transform[str, Country]
KeptDayText = app_commands.Transform[str, KeptDay]


@holidays.command(name="add", description="Add days off to a calendar, or the public holidays of a country")
@app_commands.describe(
    name="Which calendar; a new name makes one",
    date="A day: 25 december, every 25 december, 24 december to 2 january",
    country="Whose public holidays: Germany, DE",
    region="Of which region of the country: BY",
)
async def add(
    interaction: Interaction,
    name: CalendarText,
    date: DayText | None = None,
    country: CountryText | None = None,
    region: RegionText | None = None,
) -> None:
    """Add a day or a country's holidays; a calendar that is not there yet is made."""
    await defer(interaction)
    if date is None and country is None:
        raise Refusal("Say what is off: a day in `date`, or a country in `country`.")
    if region is not None and country is None:
        raise Refusal("`region` is one of a country; give `country`, too.")
    await carry_out(interaction, partial(_add, name=name, country=country, region=region), date=date)


async def _add(
    interaction: Interaction, *, name: str, date: str | None, country: str | None, region: str | None
) -> None:
    day = None if date is None else await days_of(interaction, date, await zone_of(interaction))
    code = None if country is None else await _code_of(interaction, country)
    whole = code if code is None or region is None else f"{code}-{region.upper()}"

    def added(parts: CalendarDays) -> CalendarDays:
        if day is not None:
            if day in parts.dates:
                raise Refusal(f"{say_days(day)} is off in {name} already.")
            parts = msgspec.structs.replace(parts, dates=(*parts.dates, day))
        if whole is None:
            return parts
        if parts.country not in (None, whole):
            raise Refusal(
                f"{name} has the holidays of {parts.country}, and a calendar has those of one country. Remove them with "
                "`/calendar holidays remove`, or make another calendar."
            )
        return msgspec.structs.replace(parts, country=whole)

    with about("date" if whole is None else "country" if region is None else "region", "calendar"):
        await _change(interaction, name, added)


@holidays.command(name="remove", description="Remove a day or a country from a calendar, or the whole calendar")
@app_commands.describe(
    name="Which calendar",
    date="Which day; without it and without a country the whole calendar is deleted",
    country="Whose public holidays",
)
async def remove(
    interaction: Interaction, name: CalendarText, date: KeptDayText | None = None, country: CountryText | None = None
) -> None:
    """Remove a part of a calendar, or all of it."""
    await defer(interaction)
    core, home = core_of(interaction), require_home(interaction, "/calendar")
    if date is None and country is None:
        gone = await core.delete_calendar(home, name)
        await show_card(interaction, card(f"Calendar deleted: {gone.name}", "It was", _contents(gone)))
        return
    await carry_out(interaction, partial(_remove, name=name, country=country), date=date)


async def _remove(interaction: Interaction, *, name: str, date: str | None, country: str | None) -> None:
    known = await core_of(interaction).get_calendar(require_home(interaction, "/calendar"), name)
    day = None if date is None else await _kept_day(interaction, name, _parts(known), date)
    code = None if country is None else await _code_of(interaction, country)

    def left(parts: CalendarDays) -> CalendarDays:
        parts = msgspec.structs.replace(parts, dates=tuple(each for each in parts.dates if each != day))
        if code is not None:
            if parts.country is None or parts.country.partition("-")[0] != code:
                raise Refusal(f"{name} has no holidays of {code}; it has {parts.country or 'those of no country'}.")
            parts = msgspec.structs.replace(parts, country=None)
        if not parts.dates and parts.country is None:
            raise Refusal(f"That is all there is in {name}; leave `date` and `country` out to delete the calendar.")
        return parts

    await _change(interaction, name, left)


@holidays.command(name="list", description="List this server's calendars, or the days of one")
@app_commands.describe(name="Which calendar; left out, all")
async def list_holidays(interaction: Interaction, name: CalendarText | None = None) -> None:
    """List calendars, or the days of one."""
    await defer(interaction)
    core, home = core_of(interaction), require_home(interaction, "/calendar")
    if name is not None:
        await show_card(interaction, _calendar_card("Calendar", await core.get_calendar(home, name)))
        return
    lines = [_line(each) for each in (await core.list_calendars(home)).items]
    none = "There are none yet; `/calendar holidays add` makes one."
    await show_card(interaction, card("Calendars", fit(lines, 3_000) if lines else none))


@holidays.command(name="import", description="Add the all-day events of an iCalendar file to a calendar")
@app_commands.describe(name="Which calendar; a new name makes one", file="An .ics file of at most 500 kB")
async def import_file(interaction: Interaction, name: CalendarText, file: discord.Attachment) -> None:
    """Add the days of a file; what is in the calendar stays."""
    await defer(interaction)
    ics = await _read(file)
    with about("file", "ics", "calendar"):
        await _change(interaction, name, lambda parts: msgspec.structs.replace(parts, ics=ics))


async def _read(file: discord.Attachment) -> str:
    if file.size > LARGEST_FILE:
        raise Refusal(f"`file` has {file.size:,} bytes; an iCalendar file may have at most {LARGEST_FILE:,}.")
    try:
        return (await file.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("`file` is no iCalendar file; export one (.ics) from a calendar program.") from None


async def _find(interaction: Interaction, name: str) -> CalendarView | None:
    try:
        return await core_of(interaction).get_calendar(require_home(interaction, "/calendar"), name)
    except NotFound:
        return None


def _parts(view: CalendarView | None) -> CalendarDays:
    return CalendarDays() if view is None else CalendarDays(dates=view.dates, country=view.country)


async def _change(interaction: Interaction, name: str, change: Callable[[CalendarDays], CalendarDays]) -> None:
    """Save what a calendar is made of after a change, and show what comes of it."""
    before = await glance(interaction)
    known, saved = await _put(interaction, require_home(interaction, "/calendar"), name, change, LOOKS)
    heading = "Calendar made" if known is None else "Calendar changed"
    await show_card(interaction, _calendar_card(heading, saved, await changes_since(interaction, before)))


async def _put(
    interaction: Interaction, home: str, name: str, change: Callable[[CalendarDays], CalendarDays], looks: int
) -> tuple[CalendarView | None, CalendarView]:
    """The calendar before and after a change. Where somebody else was quicker, it is made to what is there now.

    Raises:
        RevisionMismatch: somebody else was quicker every time.
    """
    known = await _find(interaction, name)
    parts, revision = change(_parts(known)), 0 if known is None else known.revision
    try:
        return known, await core_of(interaction).put_calendar(home, name, parts, revision=revision)
    except RevisionMismatch:
        if looks <= 1:
            raise
    return await _put(interaction, home, name, change, looks - 1)


async def _code_of(interaction: Interaction, text: str) -> str:
    """The code of a country, by code, name, or words that fit only one."""
    found = (await core_of(interaction).suggest_countries(text)).items
    exact = [
        each for each in found if text.casefold() in (each.value.casefold(), each.name.rpartition(" (")[0].casefold())
    ]
    found = tuple(exact) or found
    if len(found) == 1:
        return found[0].value
    which = f"; {', '.join(each.name for each in found[:5])} do" if found else ""
    raise Refusal(f"{'More than one' if found else 'No'} country fits {text!r}{which}. Pick one from the suggestions.")


async def _kept_day(interaction: Interaction, name: str, parts: CalendarDays, text: str) -> str:
    """The entry of a calendar that is meant: as it has it, without its name, or in words."""
    by_day = {each.partition(" ")[0]: each for each in parts.dates} | {each: each for each in parts.dates}
    if text in by_day:
        return by_day[text]
    day = await days_of(interaction, text, await zone_of(interaction))
    for spelled in (day, day[5:]):
        if spelled in by_day:
            return by_day[spelled]
    raise Refusal(f"{say_days(day)} is no day of its own in {name}. Pick one from the suggestions of `date`.")


async def _kept_days(interaction: Interaction, text: str) -> Suggestions:
    name = str(getattr(interaction.namespace, "name", "") or "")
    known = await _find(interaction, name) if name else None
    wanted = text.strip().casefold()
    found = [(say_days(day), day) for day in (() if known is None else known.dates)]
    return Suggestions(
        items=tuple(
            Suggestion(name=said, value=day) for said, day in found if wanted in said.casefold() or wanted in day
        )
    )


def _calendar_card(heading: str, view: CalendarView, changes: str = "") -> ui.LayoutView:
    coming = f"**Next days off**\n{_coming(view.next_days)}" if view.next_days else "No day off is to come."
    return card(
        f"{heading}: {view.name}", _contents(view), coming, heeded_by(view.used_by), changes,
        "-# A schedule heeds it once `/schedule policy` gives it this `calendar`.",
    )  # fmt: skip


def _contents(view: CalendarView) -> str:
    lines = [f"- public holidays of **{view.country}**"] if view.country else []
    lines += [f"- {one_line(say_days(day), 120)}" for day in view.dates]
    return fit(lines, _DAYS_TEXT)


def _coming(days: tuple[str, ...]) -> str:
    return list_of(map(_said, days))


def _said(day: str) -> str:
    """A day to come; one without a name of its own comes with words that say nothing."""
    return one_line(say_days(day.removesuffix(f" {_NAMELESS}")), 120)


def _line(view: CalendarView) -> str:
    parts = [f"holidays of {view.country}"] if view.country else []
    parts += [f"{len(view.dates)} day{'' if len(view.dates) == 1 else 's'} of its own"] if view.dates else []
    coming = ", ".join(map(_said, view.next_days[:_NEXT]))
    return f"- **{one_line(view.name, 60)}**: {', '.join(parts)} · next {coming or 'none'} · {heeded_by(view.used_by)}"
