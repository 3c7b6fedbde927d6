"""The options commands share: what they accept, and what they offer while somebody types.

A transformer only tidies and bounds: meaning is the core's business, asked after the command deferred. Suggestions
come from the core within a quarter of a second, or not at all; an error there is nobody's business but the log's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Annotated, Any, Final

import discord
from discord import app_commands

from cogs.channels import POSTABLE
from cogs.front import Interaction, actor_of, core_of, front_of, home_of
from cogs.refusals import Refusal
from cogs.texts import plain_line, shorten, unix
from schedule_zero import instant
from schedule_zero.closings import Named
from schedule_zero.views import Suggestion, Suggestions

logger = logging.getLogger(__name__)

TIME_TEXT: Final = 200
CHOICES: Final = 25
CHOICE_TEXT: Final = 100
BUDGET: Final = 0.25
"""Seconds a suggestion may take; Discord shows nothing at all when an answer comes too late."""

NOTHING: Final = "none"
"""What is written for a calendar or for hours that a schedule shall heed no more."""

Choices = list[app_commands.Choice[str]]


async def suggestions(asked: Awaitable[Suggestions], doing: str) -> Choices:
    """The core's suggestions as Discord wants them; none when the core is slow or in trouble."""
    try:
        async with asyncio.timeout(BUDGET):
            found = await asked
    except TimeoutError:
        logger.info("no suggestions for %s within %.2f s", doing, BUDGET)
        return []
    except Exception:  # an autocompletion cannot tell of errors; the command itself will
        logger.warning("no suggestions for %s", doing, exc_info=True)
        return []
    return [
        app_commands.Choice(name=plain_line(item.name, CHOICE_TEXT) or item.value, value=item.value)
        for item in found.items[:CHOICES]
        if item.value.strip() and len(item.value) <= CHOICE_TEXT
    ]


class Text(app_commands.Transformer):
    """A text that is tidied and bounded."""

    option: str = "text"

    async def transform(self, interaction: Interaction, value: Any, /) -> str:
        text = " ".join(str(value).split())
        if not text:
            raise Refusal(f"`{self.option}` is empty; write something in it.")
        if len(text) > TIME_TEXT:
            raise Refusal(f"`{self.option}` has {len(text)} characters; at most {TIME_TEXT} can be read.")
        return text


class Line(Text):
    """A line of words about which nothing is offered. ``option``: what people know it by, which a refusal names."""

    def __init__(self, option: str = "text") -> None:
        self.option = option


class _Time(Text):
    """A time in words, with readings while typing."""

    field = "when"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        actor = actor_of(interaction)
        timezone = getattr(interaction.namespace, "tz", None) or None
        asked = core_of(interaction).suggest_times(
            self.field,
            str(value)[:TIME_TEXT],
            timezone=timezone,
            guild_id=actor.guild_id,
            user_id=actor.id,
        )
        return await suggestions(asked, self.option)


class When(_Time):
    """``when``: a moment, or a rule."""

    option = "when"


class Until(_Time):
    """``until``: the end of a series."""

    option = "until"


class From(_Time):
    """``from``: where a preview begins."""

    option = "from"


class Since(_Time):
    """``since``: where a list begins."""

    option = "since"


class To(_Time):
    """``to``: the end of a stretch, or where something moves to."""

    option = "to"


class Repeat(_Time):
    """``repeat``: a rule."""

    option = "repeat"
    field = "repeat"


class Zone(Text):
    """``tz``: a time zone, by its name or a city's."""

    option = "tz"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(core_of(interaction).suggest_zones(str(value)[:TIME_TEXT]), self.option)


class FromZone(Zone):
    """``from``: the zone a time is said in."""

    option = "from"


class ToZones(Zone):
    """``to``: one zone or several, with commas between them; the one being typed is completed."""

    option = "to"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        before, comma, last = str(value)[:TIME_TEXT].rpartition(",")
        found = await suggestions(core_of(interaction).suggest_zones(last.strip()), self.option)
        if not comma:
            return found
        texts = [f"{before.strip()}, {choice.value}" for choice in found]
        return [app_commands.Choice(name=text, value=text) for text in texts if len(text) <= CHOICE_TEXT]


class _Item(Text):
    option = "item"
    reminders = False
    jobs = False

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        asked = core_of(interaction).suggest_schedules(
            str(value)[:TIME_TEXT],
            guild_id=home_of(interaction),
            reminders=self.reminders,
            jobs=self.jobs,
        )
        return await suggestions(asked, self.option)


class Item(_Item):
    """``item``: a schedule of this guild."""


class After(_Item):
    """``after``: what something runs after."""

    option = "after"


class Job(_Item):
    """``item``: work that another program does for this guild."""

    jobs = True


class Reminder(_Item):
    """``item``: one of the person's own reminders."""

    reminders = True


class _Closing(Text):
    """The name of something a guild keeps; on its way into a new one it is a name like any other."""

    kind: Named

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(self.known(interaction, str(value)[:TIME_TEXT]), self.option)

    async def known(self, interaction: Interaction, text: str) -> Suggestions:
        """The names there are that fit."""
        home = home_of(interaction)
        return (
            Suggestions(items=())
            if home is None
            else await core_of(interaction).suggest_closings(home, self.kind, text)
        )


class CalendarName(_Closing):
    """``name`` of a calendar."""

    option = "name"
    kind = "calendar"


class HoursName(_Closing):
    """``name`` of hours."""

    option = "name"
    kind = "hours"


class _Heeded(_Closing):
    """What a schedule shall heed; or nothing of the kind any more."""

    async def known(self, interaction: Interaction, text: str) -> Suggestions:
        found = await super().known(interaction, text)
        if NOTHING.startswith(text.strip().casefold()):
            return Suggestions(items=(*found.items, Suggestion(name=f"{NOTHING}: heed no more", value=NOTHING)))
        return found


class HeededCalendar(_Heeded):
    """``calendar`` of a schedule."""

    option = "calendar"
    kind = "calendar"


class HeededHours(_Heeded):
    """``active_hours`` of a schedule."""

    option = "active_hours"
    kind = "hours"


class UndoToken(Text):
    """``token``: a change that can still be taken back."""

    option = "token"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        now = unix(discord.utils.utcnow()) * instant.SECOND
        recent = front_of(interaction).undos.of(interaction.user.id, str(value), now)
        return [
            app_commands.Choice(name=shorten(undo.label, CHOICE_TEXT), value=undo.token)
            for undo in recent[:CHOICES]
            if len(undo.token) <= CHOICE_TEXT
        ]


class PostableChannel(app_commands.Transformer):
    """``channel``: a place for messages, taken as Discord resolved it, with the caller's rights, cached or not."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        return list(POSTABLE)

    async def transform(self, interaction: Interaction, value: Any, /) -> Place:
        if not isinstance(value, Place):
            raise Refusal("`channel` is no channel that messages can be posted in.")
        return value


Place = app_commands.AppCommandChannel | app_commands.AppCommandThread

WhenText = app_commands.Transform[str, When]
UntilText = app_commands.Transform[str, Until]
LineText = Annotated[str, Line()]
WhyText = Annotated[str, Line("why")]
IdText = Annotated[str, Line("id")]
CodeText = Annotated[str, Line("code")]
HandlerText = Annotated[str, Line("handler")]
AnyItemText = Annotated[str, Line("item")]
RegionText = Annotated[str, Line("region")]
DaysText = Annotated[str, Line("days")]
BeginText = Annotated[str, Line("from")]
EndText = Annotated[str, Line("to")]
ToText = app_commands.Transform[str, To]
CalendarText = app_commands.Transform[str, CalendarName]
HoursText = app_commands.Transform[str, HoursName]
HeededCalendarText = app_commands.Transform[str, HeededCalendar]
HeededHoursText = app_commands.Transform[str, HeededHours]
FromText = app_commands.Transform[str, From]
SinceText = app_commands.Transform[str, Since]
RepeatText = app_commands.Transform[str, Repeat]
FromZoneText = app_commands.Transform[str, FromZone]
ToZonesText = app_commands.Transform[str, ToZones]
ZoneText = app_commands.Transform[str, Zone]
ItemText = app_commands.Transform[str, Item]
AfterText = app_commands.Transform[str, After]
JobText = app_commands.Transform[str, Job]
ReminderText = app_commands.Transform[str, Reminder]
TokenText = app_commands.Transform[str, UndoToken]
ChannelPlace = app_commands.Transform[Place, PostableChannel]
