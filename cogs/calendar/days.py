"""Days as people say them, and as a calendar has them: ``2026-12-25``, ``12-25`` for every year, ``2026-12-24/2027-01-02``."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import discord
import msgspec
from discord import app_commands

from cogs.front import Interaction, actor_of, core_of
from cogs.options import Choices, Text, suggestions
from cogs.places import require_home
from cogs.refusals import Refusal
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.views import ReadingView, Suggestion, Suggestions

_SPELLED: Final = re.compile(r"\d{4}-\d{2}-\d{2}(/\d{4}-\d{2}-\d{2})?|\d{2}-\d{2}")
_TRY: Final = "; try "
_EXAMPLES: Final = "'tomorrow', '25 december' or '2026-12-25'"
_LEAP: Final = 2028
"""A year that has every day."""


async def zone_of(interaction: Interaction) -> str:
    """The guild's time zone: what concerns all of it is read there, whoever says it."""
    return (await core_of(interaction).guild_settings(require_home(interaction, "/calendar"))).timezone


async def days_of(interaction: Interaction, text: str, timezone: str) -> str:
    """Days as a calendar has them, from the same or from words: one day, a span with ``to``, a day of every year.

    Raises:
        Invalid: a day cannot be read, or could be several.
        Refusal: it comes again in another way than every year.
    """
    if _SPELLED.fullmatch(text.partition(" ")[0]):
        return text  # whether the days exist, and what their name may be, is the core's to say
    first, to, last = text.partition(" to ")
    if to:
        begin = await _end_of_span(interaction, first, timezone, before="", behind=f" to {last}")
        end = await _end_of_span(interaction, last, timezone, before=f"{first} to ", behind="")
        return f"{begin}/{end}"
    if text.casefold() == "today":
        return _today(timezone).isoformat()
    reading = await _read(interaction, text, timezone, "date")
    days = [date.fromisoformat(fire.local[:10]) for fire in reading.fires]
    if not reading.recurring:
        return days[0].isoformat()
    if len(days) > 1 and len({(day.month, day.day) for day in days}) == 1 and days[0].year + 1 == days[1].year:
        return f"{days[0]:%m-%d}"
    raise Refusal(
        f"{text!r} means {reading.words}; a day off is one day, a span, or a day of every year. Days of the week are "
        "closed with `/calendar hours set`."
    )


async def day_of(interaction: Interaction, text: str, timezone: str, option: str) -> date:
    """The one day that is meant.

    Raises:
        Invalid: it cannot be read, or could be several.
        Refusal: it comes again and again.
    """
    if text.strip().casefold() == "today":
        return _today(timezone)
    try:
        return date.fromisoformat(text)
    except ValueError:
        reading = await _read(interaction, text, timezone, option)
    if reading.recurring or not reading.fires:
        raise Refusal(f"`{option}` must be one day, and {text!r} means {reading.words}.")
    return date.fromisoformat(reading.fires[0].local[:10])


async def _end_of_span(interaction: Interaction, text: str, timezone: str, *, before: str, behind: str) -> date:
    """One end of a span; what is offered in its place means the whole span."""
    try:
        return await day_of(interaction, text, timezone, "date")
    except Invalid as error:
        whole = tuple(
            msgspec.structs.replace(reading, text=f"{before}{reading.text}{behind}") for reading in error.readings
        )
        raise Invalid(error.sentence, error.errors, whole) from None


def say_days(spelled: str) -> str:
    """Days as a calendar has them, for people; their name stays behind them."""
    days, _, name = spelled.partition(" ")
    first, slash, last = days.partition("/")
    try:
        if slash:
            said = f"{_said(date.fromisoformat(first))} to {_said(date.fromisoformat(last))}"
        elif len(first) == len("12-25"):
            said = f"{_plain(date.fromisoformat(f'{_LEAP}-{first}'))}, every year"
        else:
            said = _said(date.fromisoformat(first))
    except ValueError:
        return spelled
    return f"{said}: {name}" if name else said


class Day(Text):
    """A day in words, or as a calendar has it; what it means is offered while typing."""

    option = "date"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_offers(interaction, str(value).strip()), self.option)


DayText = app_commands.Transform[str, Day]


async def _offers(interaction: Interaction, text: str) -> Suggestions:
    if not text:
        return Suggestions(items=())
    try:
        found = [await days_of(interaction, text, await zone_of(interaction))]
    except Invalid as error:  # half-typed, or it can be meant in several ways
        found = [reading.next[:10] for reading in error.readings if reading.next is not None]
    except Refusal:
        found = []
    found = found or await _any_days(interaction)
    found += [f"{day[5:10]}{day[10:]}" for day in found if len(day.partition(" ")[0]) == len("2026-12-25")]
    return Suggestions(items=tuple(Suggestion(name=say_days(day), value=day) for day in found))


async def _any_days(interaction: Interaction) -> list[str]:
    """Days where nothing fits what was typed: today and tomorrow."""
    today = _today(await zone_of(interaction))
    return [day.isoformat() for day in (today, today + timedelta(days=1))]


async def _read(interaction: Interaction, text: str, timezone: str, option: str) -> ReadingView:
    """What words mean where days are asked for. Raises Invalid, said of the option."""
    actor = actor_of(interaction)
    try:
        return await core_of(interaction).read_time(text, timezone=timezone, guild_id=actor.guild_id, user_id=actor.id)
    except Invalid as error:
        said, tries, _ = error.sentence.partition(_TRY)  # what it names there are times, and rules
        sentence = f"{said}{_TRY}{_EXAMPLES}" if tries else error.sentence
        raise Invalid(sentence, (FieldError(option, sentence),), error.readings) from None


def _today(timezone: str) -> date:
    return discord.utils.utcnow().astimezone(ZoneInfo(timezone)).date()


def _said(day: date) -> str:
    return f"{day:%A} {_plain(day)} {day.year}"


def _plain(day: date) -> str:
    return f"{day.day} {day:%B}"
