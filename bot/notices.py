"""Notices: what people have to hear of, told once. A guild hears of its schedules in the channels it chose; what is for
one person alone (a reminder), or has no usable channel, is told to the schedule's owner in person.

A durable feed of the journal: pages come in order and again after a crash, and a notice's nonce comes from the place of
its events in the journal, so that a repeated page tells nothing twice. What cannot be told at the moment is put aside on
disk, and the page is acknowledged: a guild in trouble delays only itself, and hears in one message what waited for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import discord
import msgspec

from bot import destination
from bot.afar import is_elsewhere
from bot.aside import Aside
from bot.destination import Destination
from bot.digest import Digest, whose
from bot.faults import NO_CONNECTION, FateUnknown, closed_is_no_connection, judge
from bot.link import Link
from bot.nonce import nonce_of
from bot.notice_letters import Notice, is_told, letter_of, notice_of, outcome_of, return_of, suspicions_of
from bot.outbox import Entry
from bot.outcomes import Outcomes
from bot.rights import person, snowflake
from bot.sender import Sender
from cogs.job.work import hidden_of
from schedule_zero import instant
from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound, Reject, RetryAfter, ScheduleZeroError, Unavailable
from schedule_zero.event import Event, EventKind
from schedule_zero.schedule import Schedule
from schedule_zero.views import GuildChannels

logger = logging.getLogger(__name__)

PATIENCE: Final = 15.0
"""Seconds that telling one guild or person may hold up the journal."""
KEPT: Final = 7 * 86_400
"""Seconds after which a notice is no news any more."""
_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0
_AT_ONCE: Final = 16

R = TypeVar("R")
Sleep = Callable[[float], Any]
Find = Callable[[discord.Client], Any]


class Tried(msgspec.Struct, frozen=True):
    """What became of telling one guild or person.

    Attributes:
        left: what found no usable channel and is for its owners in person.
        pause: seconds until it should be tried again; None: it is done.
    """

    left: list[Notice] = []
    pause: float | None = None


class Notices:
    """Reads the journal and tells."""

    def __init__(
        self,
        core: CoreClient,
        link: Link,
        sender: Sender,
        aside: Aside,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Sleep | None = None,
        operators_guild: str | None = None,
    ) -> None:
        """``operators_guild``: the server in which operators hear of what concerns them."""
        self._core = core
        self._link = link
        self._sender = sender
        self._aside = aside
        self._clock = clock
        self._sleep = sleep or _sleep
        self._operators_guild = operators_guild
        self._few = asyncio.Semaphore(_AT_ONCE)
        self._returning: dict[str, asyncio.Task[None]] = {}
        self._digest = Digest(aside, clock)
        self._telling: set[str] = set()
        self._outcomes = Outcomes(core, self._schedule)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Notices]:
        """Come back to what was put aside, now and whenever more is, until the block ends.

        Raises:
            OutboxError: what an earlier process put aside cannot be read.
        """
        await self._aside.open()
        self._return_to(dict.fromkeys(self._aside.whose(), 0.0))
        try:
            yield self
        finally:
            returning = list(self._returning.values())
            for task in returning:
                task.cancel()
            await asyncio.gather(*returning, return_exceptions=True)

    async def deliver(self, events: Sequence[Event]) -> None:
        """Take a page. Returns when all of it is told, or put aside on disk; waits while Discord is away."""
        notices = [notice for event in events for notice in await self._notices_of(event)]
        if not notices:
            return
        while self._aside.is_full:
            await self._sleep(_PAUSE)
        await self._link.wait()
        aside = self._aside.places()
        news = self._new([notice for notice in notices if notice.place not in aside])
        news, later = self._digest.divide(news, lambda place: self._sender.covering(place) is not None)
        if later:
            pauses = self._digest.gather(later, self._telling)
            await self._save()
            self._return_to(pauses)
        left = await self._tell_all([notice for notice in news if notice.guild_id is not None])
        await self._tell_all([*(notice for notice in news if notice.guild_id is None), *left], in_person=True)

    # ── what there is to tell ──

    async def _notices_of(self, event: Event) -> list[Notice]:
        suspicions = suspicions_of(event, self._operators_guild)
        if suspicions:
            return suspicions
        notice = await self._notice_of(event)
        return [] if notice is None else [notice]

    async def _notice_of(self, event: Event) -> Notice | None:
        again = self._digest.again(event)
        if again is not None:
            return again
        if event.kind == EventKind.GUILD_RETURNED:
            found = [(await self._schedule(each["schedule_id"]), each["count"]) for each in event.data.get("most", ())]
            return return_of(event, [(schedule, count) for schedule, count in found if schedule is not None])
        telling = await self._asked(partial(self._outcomes.telling, event), None)
        if event.schedule_id is None or not (is_told(event) or telling):
            return None
        schedule = await self._schedule(event.schedule_id)
        if schedule is None:
            return None
        hidden = await self._asked(partial(hidden_of, self._core, schedule, event.run_id), None)
        if hidden is None:  # then nobody knows what in its error is a secret
            event, hidden = _without_error(event), frozenset[str]()
        if not is_told(event) and telling is not None:
            return outcome_of(event, schedule, telling, hidden)
        notice = notice_of(event, schedule, hidden)
        self._digest.learn(event, notice)
        return notice if telling is None else msgspec.structs.replace(notice, channel_id=telling.channel_id)

    async def _asked(self, ask: Callable[[], Awaitable[R]], otherwise: R) -> R:
        """What the core answers, once it does; ``otherwise`` where it refuses."""
        while True:
            try:
                return await ask()
            except Unavailable as error:
                logger.warning("the core cannot answer at the moment: %s", error.sentence)
                await self._sleep(_PAUSE)
            except ScheduleZeroError as error:
                logger.warning("the core does not say what is to be told: %s", error.sentence)
                return otherwise

    async def _schedule(self, schedule_id: str) -> Schedule | None:
        while True:
            try:
                return await self._core.get_schedule(schedule_id)
            except NotFound:
                return None
            except ScheduleZeroError as error:
                logger.warning("the core cannot show %s at the moment: %s", schedule_id, error.sentence)
                await self._sleep(_PAUSE)

    def _new(self, notices: Sequence[Notice]) -> list[Notice]:
        """Those that are still news."""
        since = (self._clock() - KEPT) * instant.SECOND
        news = [notice for notice in notices if instant.parse(notice.at) >= since]
        if len(news) < len(notices):
            logger.warning("%d notices are too old to be told", len(notices) - len(news))
        return news

    # ── telling it, or putting it aside ──

    async def _tell_all(self, notices: Sequence[Notice], *, in_person: bool = False) -> list[Notice]:
        """Tell each guild or person, all at the same time; what is left is for the owners in person."""
        told = _by_whom(notices, in_person=in_person)
        waiting = [whom for whom in told if self._aside.of(whom)]  # theirs joins what waits for them already
        asked = [whom for whom in told if whom not in waiting]
        tried = await asyncio.gather(*(self._try(whom, told[whom]) for whom in asked))
        troubled = {whom: each.pause for whom, each in zip(asked, tried, strict=True) if each.pause is not None}
        if waiting or troubled:
            for whom in (*waiting, *troubled):
                self._aside.put(whom, told[whom])
            await self._save()
            # Who went to tell those that wait may have come home meanwhile.
            self._return_to({**dict.fromkeys(waiting, 0.0), **troubled})
        return [notice for each in tried for notice in each.left]

    async def _try(self, whom: str, notices: Sequence[Notice]) -> Tried:
        try:
            async with asyncio.timeout(PATIENCE), self._few:
                if whom.startswith("@"):
                    await self._tell_person(notices)
                    return Tried()
                return Tried(left=await self._tell_guild(whose(whom), notices))
        except RetryAfter as error:
            logger.info("%s cannot be told at the moment, so their notices are put aside: %s", whom, error)
            return Tried(pause=max(1.0, error.seconds))
        except TimeoutError:
            # Should the message be out already, the outbox knows its nonce and finds it.
            logger.info("telling %s takes too long, so their notices are put aside", whom)
            return Tried(pause=_PAUSE)
        except Exception:  # what nobody foresaw in one guild must not silence the others
            logger.exception("telling %s failed", whom)
            return Tried(pause=_LONGEST_PAUSE)

    def _return_to(self, pauses: dict[str, float]) -> None:
        for whom, pause in pauses.items():
            if whom not in self._returning:
                self._returning[whom] = asyncio.create_task(self._return(whom, pause), name=f"notices for {whom}")

    async def _return(self, whom: str, pause: float) -> None:
        """Come back until nothing waits for this guild or person any more."""
        least = _PAUSE
        while self._aside.of(whom):
            await self._sleep(pause * random.uniform(1.0, 1.2))
            await self._link.wait()
            waiting = self._aside.of(whom)
            places = {notice.place for notice in waiting}
            self._telling |= places
            try:
                tried = await self._try(whom, self._new(waiting))
            finally:
                self._telling -= places
            if tried.pause is not None:
                pause = max(tried.pause, least)
                least = min(least * 2, _LONGEST_PAUSE)
                continue
            persons = _by_whom(tried.left, in_person=True)
            self._aside.take(whom, waiting)
            for owner, notices in persons.items():
                self._aside.put(owner, notices)
            await self._save()
            self._return_to(dict.fromkeys(persons, 0.0))
            self._digest.tells(whom)
            pause, least = self._digest.pause(whom), _PAUSE
        del self._returning[whom]

    async def _save(self) -> None:
        while True:
            try:
                return await self._aside.save()
            except OSError as error:
                logger.error("the notices put aside cannot be written: %s", error.strerror or error)
                await self._sleep(_PAUSE)

    # ── where it is told ──

    async def _tell_guild(self, guild_id: str, notices: Sequence[Notice]) -> list[Notice]:
        if self._has_left(guild_id):
            logger.info("server %s is not told of what happens, since the bot is not there any more", guild_id)
            return []
        channels = await self._channels(guild_id)
        by_places: dict[tuple[int, ...], list[Notice]] = {}
        for notice in notices:
            by_places.setdefault(_chosen(channels, notice), []).append(notice)
        left: list[Notice] = []
        for chosen, some in by_places.items():
            for begun, group in self._groups(some):
                if begun is None:
                    places = chosen
                elif await self._was_in_person(begun, group[0]):
                    places = ()
                else:
                    places = (begun.channel_id, *chosen)
                if not places or not await self._tell(group, begun, [_in_channel(id, guild_id) for id in places]):
                    left += group
        return [notice for notice in left if notice.purpose == "failures"]

    def _has_left(self, guild_id: str) -> bool:
        """Whether the bot is not in that guild any more; one that Discord cannot serve at the moment is not left."""
        bot, id = self._link.bot, snowflake(guild_id)
        return bot is not None and id is not None and bot.get_guild(id) is None and not is_elsewhere(bot, id)

    async def _tell_person(self, notices: Sequence[Notice]) -> None:
        owner = person(notices[0].owner_id) if notices else None
        for begun, group in self._groups(notices):
            if not await self._tell(group, begun, [] if owner is None else [_in_person(owner)]):
                logger.warning("nobody could be told: %s", ", ".join(notice.gist for notice in group))

    def _groups(self, notices: Sequence[Notice]) -> Iterable[tuple[Entry | None, list[Notice]]]:
        """What belongs into one message: what was begun together, and all that is new; not what is told already."""
        groups: dict[str, tuple[Entry | None, list[Notice]]] = {}
        for notice in notices:
            begun = self._sender.covering(notice.place)
            if begun is None or begun.message_id is None:
                groups.setdefault("" if begun is None else begun.key, (begun, []))[1].append(notice)
        return groups.values()

    async def _tell(self, group: Sequence[Notice], begun: Entry | None, places: Iterable[Find]) -> bool:
        """Tell it in the first place that takes it; whether there was one.

        What was begun keeps its key and the events it covers: which of them can still be told of may have changed.
        """
        if begun is None:
            covers = tuple(notice.place for notice in group)
            key = nonce_of("notice", covers[0], list(covers))
        else:
            key, covers = begun.key, begun.covers
        for find in places:
            try:
                await self._sender.send(key, await self._found(find), letter_of(group), covers=covers)
            except FateUnknown as error:
                logger.warning("notice %s may have been told already, so it is not repeated: %s", covers[0], error)
            except Reject as error:
                logger.info("notice %s: %s; trying the next place", covers[0], error.reason)
                continue
            return True
        if begun is not None:
            self._sender.withdraw(key)
        return False

    async def _found(self, find: Find) -> Destination:
        bot = self._link.bot
        if bot is None:
            raise RetryAfter(_PAUSE, "Discord is not connected")
        try:
            with closed_is_no_connection():
                found: Destination = await find(bot)
        except (discord.DiscordException, *NO_CONNECTION) as error:
            if isinstance(error, NO_CONNECTION):
                self._link.broke()
            raise judge(error) from error
        return found

    async def _was_in_person(self, begun: Entry, notice: Notice) -> bool:
        """Whether a message was begun in its owner's direct messages, because no channel could be used then."""
        owner = person(notice.owner_id)
        if owner is None:
            return False
        try:
            return (await self._found(_in_person(owner))).channel.id == begun.channel_id
        except Reject:
            return False

    async def _channels(self, guild_id: str) -> GuildChannels:
        try:
            return (await self._core.guild_settings(guild_id)).channels
        except Unavailable as error:
            raise RetryAfter(_PAUSE, error.sentence) from error
        except ScheduleZeroError as error:
            logger.warning("the settings of server %s cannot be read: %s", guild_id, error.sentence)
            return GuildChannels()


def _without_error(event: Event) -> Event:
    return msgspec.structs.replace(event, data={key: value for key, value in event.data.items() if key != "error"})


def _by_whom(notices: Sequence[Notice], *, in_person: bool) -> dict[str, list[Notice]]:
    """By guild, or by owner."""
    found: dict[str, list[Notice]] = {}
    for notice in notices:
        whom = f"@{notice.owner_id}" if in_person else notice.whom
        found.setdefault(whom, []).append(notice)
    return found


def _chosen(channels: GuildChannels, notice: Notice) -> tuple[int, ...]:
    """The channels to try, best first: the one chosen for this schedule, that for the purpose, the guild's default."""
    own = channels.failures if notice.purpose == "failures" else channels.log
    wanted = (notice.channel_id, own, channels.default)
    return tuple(dict.fromkeys(id for channel in wanted if channel and (id := snowflake(channel)) is not None))


def _in_channel(channel_id: int, guild_id: str) -> Find:
    return lambda bot: destination.in_guild(bot, channel_id, snowflake(guild_id) or 0)


def _in_person(user_id: int) -> Find:
    return lambda bot: destination.direct(bot, user_id)


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)
