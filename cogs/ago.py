"""``since``: where a list of what has happened begins, as a length of time before now or as a date."""

from __future__ import annotations

import re
from typing import Final

import discord
from discord import app_commands

from cogs.durations import read_duration
from cogs.front import Interaction, actor_of, core_of
from cogs.options import TIME_TEXT, Choices, Text
from cogs.refusals import Refusal, about
from cogs.texts import shorten
from schedule_zero import instant
from schedule_zero.errors import Invalid

_OFFERED: Final = ("1 hour", "1 day", "7 days", "30 days")
_DAY: Final = re.compile(r"\d{4}-\d\d?-\d\d?")


class Ago(Text):
    """``since`` of what is past: a length of time, or a date."""

    option = "since"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        typed = str(value)[:TIME_TEXT].strip().casefold()
        return [app_commands.Choice(name=f"{each} ago", value=each) for each in _OFFERED if typed in f"{each} ago"]


AgoText = app_commands.Transform[str, Ago]


async def moment_before(interaction: Interaction, text: str) -> str:
    """The instant (RFC 3339) that ``since`` means: so long ago, or a date with its year, from its first minute on.

    Raises:
        Refusal: it is neither, or lies in the future.
    """
    at = await _moment(interaction, text)
    if instant.parse(at) > instant.from_datetime(discord.utils.utcnow()):
        raise Refusal(f"`since`: {shorten(text, 60)!r} lies in the future; nothing was changed since then.")
    return at


async def _moment(interaction: Interaction, text: str) -> str:
    plain = text.casefold().removesuffix("ago").strip()
    try:
        length = instant.parse_duration(read_duration("since", plain))
    except Refusal:
        return await _date(interaction, text)
    return instant.spell(instant.from_datetime(discord.utils.utcnow()) - length)


async def _date(interaction: Interaction, text: str) -> str:
    actor = actor_of(interaction)
    when = f"{text} 00:00" if _DAY.fullmatch(text) else text
    try:
        with about("since", "when", "trigger"):
            reading = await core_of(interaction).read_time(
                when, guild_id=actor.guild_id, user_id=actor.id, past=True
            )  # fmt: skip
    except Invalid:
        reading = None
    if reading is None or reading.recurring or not reading.fires:
        raise Refusal(
            f"`since`: {shorten(text, 60)!r} is neither a length of time nor a date; write for example `2 hours`, "
            "`7 days` or `2026-11-21 18:00`."
        )
    return reading.fires[0].at
