"""``/settings show``, ``timezone``, ``locale``, ``format``, ``policy``, ``replies`` and ``retention``."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from discord import app_commands

from cogs.answers import defer
from cogs.front import Interaction
from cogs.options import CHOICES, NOTHING, ZoneText
from cogs.refusals import Refusal
from cogs.settings.parts import FORMAT, LOCALE, POLICY, REPLIES, RETENTION, SHOW, TIMEZONE, Part, show_part
from cogs.settings.words import LANGUAGES
from schedule_zero.schedule import Catchup, ClockChange, MonthEnd

_RESET: Final = "Back to the defaults"
_CLOCK: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)")
_NONE: Final = f"{NOTHING}: ask what 03/04 means"


async def change(interaction: Interaction, part: Part, group: str | None, sent: dict[str, Any], *, reset: bool) -> None:
    """Set the fields that are named (None: not named), of a group or by themselves; or all of them to their default.

    Raises:
        Refusal: a field is named, and all shall go back to their default.
    """
    await defer(interaction)
    named = {name: value for name, value in sent.items() if value is not None}
    if reset and named:
        raise Refusal(f"`reset` sets all of it back, and `{next(iter(named))}` sets some of it; leave one of them out.")
    changes = dict.fromkeys(sent) if reset else named
    await show_part(interaction, part, {group: changes} if group is not None and changes else changes)


@app_commands.command(name="show", description="Show everything that is set for this server")
async def show_settings(interaction: Interaction) -> None:
    """Show the guild's settings with the defaults marked."""
    await defer(interaction)
    await show_part(interaction, SHOW, {})


@app_commands.command(name="timezone", description="Set this server's time zone")
@app_commands.describe(tz="The zone: Europe/Berlin, or a city")
async def set_timezone(interaction: Interaction, tz: ZoneText) -> None:
    """Set the zone that applies to people who set none."""
    await defer(interaction)
    await show_part(interaction, TIMEZONE, {"timezone": tz})


async def _languages(_interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
    wanted = text.strip().casefold()
    found = [
        app_commands.Choice(name=f"{name} ({code})", value=code)
        for code, name in sorted(LANGUAGES.items(), key=lambda item: item[1])
        if wanted in name.casefold() or code.casefold().startswith(wanted)
    ]
    return [*found[: CHOICES - 1], app_commands.Choice(name=_NONE, value=NOTHING)]


@app_commands.command(name="locale", description="Set in which order dates are written here")
@app_commands.describe(locale="The language whose order of day and month applies; none: both readings are offered")
@app_commands.autocomplete(locale=_languages)
async def set_locale(interaction: Interaction, locale: app_commands.Range[str, 1, 20] | None = None) -> None:
    """Set the language that dates are read by."""
    await defer(interaction)
    changes = {} if locale is None else {"locale": None if locale.strip() == NOTHING else locale.strip()}
    await show_part(interaction, LOCALE, changes)


@app_commands.command(name="format", description="Set how times of day are said here")
@app_commands.choices(
    clock=[
        app_commands.Choice(name="12 h, such as 6:30pm", value=12),
        app_commands.Choice(name="24 h, such as 18:30", value=24),
    ]
)
@app_commands.describe(
    clock="How hours are said", default_time="The time of day when none is given: 09:00", reset=_RESET
)
async def set_format(
    interaction: Interaction,
    clock: app_commands.Choice[int] | None = None,
    default_time: app_commands.Range[str, 1, 10] | None = None,
    reset: bool = False,
) -> None:
    """Set the clock and the time of day that is taken where nobody says one."""
    sent = {
        "hour24": None if clock is None else clock.value == 24,
        "default_time": None if default_time is None else _clock(default_time),
    }
    await change(interaction, FORMAT, None, sent, reset=reset)


@app_commands.command(name="policy", description="Set what new schedules do where they say nothing")
@app_commands.describe(
    catchup="What becomes of times missed while the service was away",
    dst="What becomes of times the clocks skip or repeat",
    month_end="What becomes of a day that a month lacks",
    reset=_RESET,
)
async def set_policy(
    interaction: Interaction,
    catchup: Catchup | None = None,
    dst: ClockChange | None = None,
    month_end: MonthEnd | None = None,
    reset: bool = False,
) -> None:
    """Set the defaults of new schedules."""
    sent = {"catchup": catchup, "dst": dst, "month_end": month_end}
    await change(interaction, POLICY, "policy", sent, reset=reset)


@app_commands.command(name="replies", description="Set who sees the answers to commands")
@app_commands.describe(ephemeral="Only the person who asks; off: everybody in the channel")
async def set_replies(interaction: Interaction, ephemeral: Literal["on", "off"] | None = None) -> None:
    """Set whether answers are for the person alone."""
    await change(
        interaction, REPLIES, None, {"ephemeral": None if ephemeral is None else ephemeral == "on"}, reset=False
    )


@app_commands.command(name="retention", description="Set how long what is over is kept")
@app_commands.describe(
    days="How many days runs, events and what is done are kept; at most as long as the operator keeps them",
    delete_on_leave="Delete everything of this server some days after the bot has left it",
    reset=_RESET,
)
async def set_retention(
    interaction: Interaction,
    days: app_commands.Range[int, 1, 3650] | None = None,
    delete_on_leave: bool | None = None,
    reset: bool = False,
) -> None:
    """Set how long history is kept, and what happens when the bot leaves."""
    sent = {"history_days": days, "delete_on_leave": delete_on_leave}
    await change(interaction, RETENTION, "retention", sent, reset=reset)


def _clock(text: str) -> str:
    """A time of day in two figures each, as far as it is one; the core says what is wrong with another."""
    found = _CLOCK.fullmatch(text.strip())
    return text.strip() if found is None else f"{int(found['hour']):02}:{found['minute']}"
