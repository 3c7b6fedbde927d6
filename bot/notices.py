"""Notices: what a guild has to hear of, told once, in the channel it chose.

A durable feed of the journal: pages come in order and again after a crash, and a notice's nonce comes from the place of
its events in the journal, so that a repeated page tells nothing twice. Several events of one guild in one page make one
digest; after an outage a guild gets one message, not fifty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import discord
import msgspec

from bot import destination
from bot.destination import Destination
from bot.faults import NO_CONNECTION, FateUnknown, judge
from bot.link import Link
from bot.nonce import nonce_of
from bot.rights import person
from bot.sender import Letter, Sender
from cogs.buttons import CardButton
from cogs.texts import CONTENT, fit, moment, one_line, title_of
from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound, Reject, RetryAfter, ScheduleZeroError
from schedule_zero.event import Event, EventKind
from schedule_zero.schedule import Schedule
from schedule_zero.views import GuildChannels

logger = logging.getLogger(__name__)

_PAUSE: Final = 5.0
_BUTTONS: Final = 5

Sleep = Callable[[float], Any]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell.

    Attributes:
        place: of its event in the journal, ``epoch-seq``.
        schedule_id: what it is about; the key of who is told where nobody chose a channel.
        line: the words.
        purpose: which of the guild's channels it is for.
        button: what can be done about it, as (label, verb, subject, detail).
    """

    place: str
    guild_id: str | None
    schedule_id: str
    line: str
    purpose: str = "failures"
    button: tuple[str, str, str, str] | None = None
    owner_id: str = ""


class Notices:
    """Reads the journal and tells."""

    def __init__(self, core: CoreClient, link: Link, sender: Sender, *, sleep: Sleep | None = None) -> None:
        self._core = core
        self._link = link
        self._sender = sender
        self._sleep = sleep or _sleep

    async def deliver(self, events: Sequence[Event]) -> None:
        """Tell what a page holds. Returns when all of it is told, or cannot be; waits while Discord is away."""
        notices = [notice for event in events if (notice := await self._notice_of(event)) is not None]
        for group in self._groups(notices):
            await self._tell(group)

    # ── what there is to tell ──

    async def _notice_of(self, event: Event) -> Notice | None:
        wanted = event.schedule_id is not None and (
            event.kind == EventKind.SCHEDULE_BLOCKED
            or (event.kind == EventKind.RUN_FAILED and event.data.get("reason") == "unknown")
            or (event.kind == EventKind.RUN_SKIPPED and event.data.get("reason") == "missed")
        )
        if not wanted or event.schedule_id is None:
            return None
        schedule = await self._schedule(event.schedule_id)
        return None if schedule is None else _notice(event, schedule)

    async def _schedule(self, schedule_id: str) -> Schedule | None:
        while True:
            try:
                return await self._core.get_schedule(schedule_id)
            except NotFound:
                return None
            except ScheduleZeroError as error:
                logger.warning("the core cannot show %s at the moment: %s", schedule_id, error.sentence)
                await self._sleep(_PAUSE)

    def _groups(self, notices: Sequence[Notice]) -> Iterable[list[Notice]]:
        """What belongs into one message: the same guild (or person) and channel, and what was begun together."""
        groups: dict[tuple[str, ...], list[Notice]] = {}
        for notice in notices:
            begun = self._sender.covering(notice.place)
            if begun is not None and begun.message_id is not None:
                continue
            whom = notice.guild_id or f"@{notice.owner_id}"
            key = (whom, notice.purpose, begun.key if begun is not None else "")
            groups.setdefault(key, []).append(notice)
        return groups.values()

    # ── telling it ──

    async def _tell(self, notices: list[Notice]) -> None:
        key = nonce_of("notice", notices[0].place, [notice.place for notice in notices])
        letter = _letter(notices)
        covers = tuple(notice.place for notice in notices)
        for find in await self._places(notices[0]):
            while True:
                bot = await self._link.wait()
                try:
                    await self._sender.send(key, await _found(find, bot), letter, covers=covers)
                    return
                except RetryAfter as error:
                    await self._sleep(max(1.0, error.seconds))
                except FateUnknown as error:
                    logger.warning("notice %s may have been told already, so it is not repeated: %s", covers[0], error)
                    return
                except Reject as error:
                    logger.info("notice %s: %s; trying the next place", covers[0], error.reason)
                    break
        if notices[0].purpose == "failures":
            logger.warning("nobody could be told: %s", "; ".join(notice.line for notice in notices))

    async def _places(self, notice: Notice) -> list[Find]:
        """Where to tell it, best first: the chosen channel, the guild's default, then the owner in person."""
        places: list[Find] = []
        if notice.guild_id is not None:
            channels = await self._channels(notice.guild_id)
            chosen = dict.fromkeys((getattr(channels, notice.purpose), channels.default))
            guild_id = int(notice.guild_id) if notice.guild_id.isdecimal() else 0
            places += [_in_channel(int(channel), guild_id) for channel in chosen if channel and channel.isdecimal()]
        owner = person(notice.owner_id)
        if owner is not None and notice.purpose == "failures":
            places.append(_in_person(owner))
        return places

    async def _channels(self, guild_id: str) -> GuildChannels:
        try:
            return (await self._core.guild_settings(guild_id)).channels
        except ScheduleZeroError as error:
            logger.warning("the settings of server %s cannot be read: %s", guild_id, error.sentence)
            return GuildChannels()


Find = Callable[[discord.Client], Any]


def _in_channel(channel_id: int, guild_id: int) -> Find:
    return lambda bot: destination.in_guild(bot, channel_id, guild_id)


def _in_person(user_id: int) -> Find:
    return lambda bot: destination.direct(bot, user_id)


async def _found(find: Find, bot: discord.Client) -> Destination:
    try:
        found: Destination = await find(bot)
    except (discord.DiscordException, *NO_CONNECTION) as error:
        raise judge(error) from error
    return found


def _notice(event: Event, schedule: Schedule) -> Notice:
    title = title_of(schedule)
    why = one_line(str(event.data.get("error") or event.data.get("reason") or ""), 200)
    purpose, button = "failures", None
    if event.kind == EventKind.SCHEDULE_BLOCKED:
        state = "waits for a new owner" if schedule.state == "needs_owner" else "is blocked"
        line = f"⛔ **{title}** {state} and will not run until somebody resumes it: {why}"
        button = ("Resume", "resume", schedule.id, str(schedule.revision))
    elif event.kind == EventKind.RUN_FAILED:
        line = f"❓ **{title}**: whether a message came out is not known, so it was not repeated ({why})."
        button = ("Post again", "again", event.run_id or "", "")
    else:
        purpose = "log"
        line = f"⏭ **{title}** was missed while the service was away: {_missed(event)}"
    return Notice(
        place=f"{event.epoch}-{event.seq}",
        guild_id=schedule.guild_id,
        owner_id=schedule.owner_id,
        schedule_id=schedule.id,
        line=f"{line} `{schedule.id}`",
        purpose=purpose,
        button=button,
    )


def _missed(event: Event) -> str:
    missed = event.data.get("missed")
    if not isinstance(missed, dict):
        return f"due {moment(event.at)}"
    count = missed.get("count", 1)
    times = "once" if count == 1 else f"{count} times"
    return f"{times}, from {moment(str(missed['from']))} to {moment(str(missed['to']))}"


def _letter(notices: Sequence[Notice]) -> Letter:
    buttons = [notice.button for notice in notices if notice.button is not None][:_BUTTONS]
    view = None
    if buttons:
        view = discord.ui.View(timeout=None)
        for label, verb, subject, detail in buttons:
            view.add_item(CardButton(label, verb, subject, detail))
    return Letter(content=fit([notice.line for notice in notices], CONTENT - 100), view=view)


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)
