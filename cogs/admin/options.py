"""What options of operators mean: a server, a limit, and what it shall be. Offered to operators alone."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec
from discord import app_commands

from cogs.durations import read_duration
from cogs.front import Interaction, service_of
from cogs.gauges import label_of, number
from cogs.naming import called, nothing_fits, several_fit
from cogs.options import CHOICES, TIME_TEXT, Choices, Text, suggestions
from cogs.refusals import Refusal
from cogs.texts import shorten
from schedule_zero.each_schedule import EACH_SCHEDULE, EXAMPLE, FIELDS, read_limits, say_limits
from schedule_zero.instant import say_duration
from schedule_zero.shown.quota import say_handlers
from schedule_zero.views import GuildSummary, QuotaView, Suggestion, Suggestions

PLAN: Final = "plan"
RESET: Final = frozenset({"default", "plan"})
"""What is written for a value to have the limit as in the plan again."""
UNLIMITED: Final = frozenset({"none", "no limit", "unlimited"})
_FETCHED: Final = 200
_ID: Final = re.compile(r"\d{15,20}")
_SIZE: Final = re.compile(r"(\d{1,12})\s*(b|kib|kb|k|mib|mb|m)?")
_UNITS: Final = {None: 1, "b": 1, "kib": 1024, "kb": 1024, "k": 1024, "mib": 1024**2, "mb": 1024**2, "m": 1024**2}
_TEXTS: Final = frozenset({"rate", "sends_per_channel"})


class Reset:
    """The limit shall be as in the plan again."""


Value = int | float | str | list[str] | dict[str, int | str] | Reset | None


class GuildChoice(Text):
    """``guild``: a server that is known here, by its id or its exact name."""

    option = "guild"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_guilds_like(interaction, str(value)[:TIME_TEXT].strip()), self.option)


class LimitChoice(Text):
    """``limit``: one that can be set, with what it is now."""

    option = "limit"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_limits_like(interaction, str(value)[:TIME_TEXT].strip()), self.option)


class LimitValue(Text):
    """``value``: what a limit shall be; what it may be is shown while one types."""

    option = "value"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_values_like(interaction, str(value)[:TIME_TEXT].strip()), self.option)


GuildText = app_commands.Transform[str, GuildChoice]
LimitText = app_commands.Transform[str, LimitChoice]
ValueText = app_commands.Transform[str, LimitValue]


async def resolve_guild(interaction: Interaction, text: str) -> str:
    """The id of the server that was named.

    Raises:
        NotFound: there is none with that id.
        Refusal: no server is called that, or several are.
    """
    core = service_of(interaction)
    if _ID.fullmatch(text):
        return (await core.get_guild(text)).guild_id
    found = (await core.list_guilds(q=text, limit=_FETCHED)).items
    fitting = [each for each in found if each.guild_id == text] or called(text, found, lambda each: each.name or "")
    if not fitting:
        raise nothing_fits("server", text, "guild")
    if len(fitting) > 1:
        raise several_fit(len(fitting), "server", text, "guild")
    return fitting[0].guild_id


def read_limit(text: str, quota: QuotaView) -> str:
    """The name of a limit that was written, by its name or by what people call it. Raises Refusal."""
    wanted = text.casefold().replace(" ", "_")
    for name in (*quota.limits, PLAN):
        if wanted == name or text.casefold() == label_of(name).casefold():
            return name
    raise Refusal(f"`limit`: {shorten(text, 60)!r} is no limit; there are {', '.join(quota.limits)}, and plan.")


def read_value(limit: str, text: str) -> Value:
    """What a limit shall be. Raises Refusal where it cannot be that kind of thing; the core judges the rest."""
    plain = text.casefold()
    if plain in RESET:
        return Reset()
    if limit == PLAN:
        return text
    if plain in UNLIMITED and limit != "weight":
        return None
    if limit in _TEXTS:
        return text
    if limit == "min_interval":
        return read_duration("value", text)
    if limit == "handlers":
        return [name.strip() for name in text.split(",") if name.strip()]
    if limit == "weight":
        return _weight(text)
    if limit == EACH_SCHEDULE:
        return _each_schedule(text)
    match = _SIZE.fullmatch(plain.replace(",", "").replace("_", ""))
    if match is None or (match[2] is not None and not limit.endswith("_bytes")):
        example = "16384 or 16 KiB" if limit.endswith("_bytes") else "50"
        raise Refusal(
            f"`value`: {shorten(text, 60)!r} is no whole number, 0 or more; write for example {example}, `none` for no limit, or "
            "`default` for what the plan says."
        )
    return int(match[1]) * _UNITS[match[2]]


def said_value(limit: str, value: Any) -> str:
    """What a limit is, in words."""
    if value is None:
        return "as many as the rate says" if limit == "burst" else "no limit"
    if limit == "min_interval":
        return say_duration(value)
    if isinstance(value, dict):
        return say_limits(value) or "no limit"
    if isinstance(value, list | tuple):
        return say_handlers(value)
    return number(value) if isinstance(value, int | float) else str(value)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise Refusal(f"`value`: {shorten(text, 60)!r} is no number; write for example 2, or `default`.")
    return weight


def _each_schedule(text: str) -> dict[str, int | str]:
    try:
        return read_limits(text)
    except ValueError as error:
        raise Refusal(f"`value`: {error}.") from None


async def _guilds_like(interaction: Interaction, typed: str) -> Suggestions:
    page = await service_of(interaction).list_guilds(q=typed or None, limit=CHOICES)
    return Suggestions(items=tuple(Suggestion(name=_guild_label(each), value=each.guild_id) for each in page.items))


def _guild_label(guild: GuildSummary) -> str:
    notes = [guild.plan] + (["suspended"] if guild.suspended else []) + (["left"] if guild.present is False else [])
    return f"{guild.name or 'unnamed'} · {guild.guild_id} · {', '.join(notes)}"


async def _quota_of_typed(interaction: Interaction) -> QuotaView | None:
    """What the server may use that is named beside it, if it can be told which."""
    guild = str(getattr(interaction.namespace, "guild", "") or "").strip()
    if not guild:
        return None
    return await service_of(interaction).guild_quota(await resolve_guild(interaction, guild))


async def _limits_like(interaction: Interaction, typed: str) -> Suggestions:
    quota = await _quota_of_typed(interaction)
    if quota is None:
        return Suggestions(items=())
    now = {**quota.limits, PLAN: quota.plan}
    rows = [
        Suggestion(name=f"{label_of(name)} ({name}): {said_value(name, value)}", value=name)
        for name, value in now.items()
    ]
    return Suggestions(items=tuple(row for row in rows if typed.casefold() in row.name.casefold())[:CHOICES])


async def _values_like(interaction: Interaction, typed: str) -> Suggestions:
    """What is being typed, and what is often wanted: twice as much, no limit, as in the plan."""
    quota = await _quota_of_typed(interaction)
    written = str(getattr(interaction.namespace, "limit", "") or "").strip()
    rows = [Suggestion(name=typed, value=typed)] if typed else []
    if quota is not None and written:
        name = read_limit(written, quota)
        now = quota.limits.get(name)
        if isinstance(now, int) and name != "weight":
            rows += [Suggestion(name=f"{said_value(name, 2 * now)}: twice as much as now", value=str(2 * now))]
        if name == EACH_SCHEDULE:
            rows.append(Suggestion(name=f"{EXAMPLE}: for example", value=EXAMPLE))
        if name not in (PLAN, "weight"):
            rows.append(Suggestion(name="none: no limit", value="none"))
    rows.append(Suggestion(name="default: as in the plan", value="default"))
    return Suggestions(items=tuple({row.value: row for row in rows}.values()))


def spelled_value(value: Any) -> str:
    """A value as a button's id carries it, which has little room: of what is said of each schedule, the numbers alone."""
    if isinstance(value, dict):
        value = [value.get(name) for name in FIELDS]
    return msgspec.json.encode(value).decode()


def read_spelled(limit: str, text: str) -> Any:
    """The value of a limit that ``spelled_value`` spelled."""
    value = msgspec.json.decode(text)
    if limit == EACH_SCHEDULE and value is not None:
        return {name: part for name, part in zip(FIELDS, value, strict=True) if part is not None}
    return value
