"""Following: who of the clients is told which events, and who follows under a durable subscriber's name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import quote
from weakref import WeakValueDictionary

import msgspec
import structlog

from core.gateway.caller import Caller
from core.gateway.stream import Stream
from core.service.feeding import Feed, Wish
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Forbidden, QuotaExceeded, ScheduleZeroError, Unavailable
from schedule_zero.transport import asking

log = structlog.get_logger("schedule_zero.clients")

MOST_STREAMS: Final = 64

Say = Callable[[Caller, msgspec.Struct], None]
Fail = Callable[[Caller, int, ScheduleZeroError], None]
ActorOf = Callable[[Caller, asking.Member | None], Actor]


class Feeder(Protocol):
    """The use case of the journal."""

    async def feed(self, actor: Actor, wish: Wish) -> Feed: ...


class _Follower(msgspec.Struct, frozen=True, eq=False):
    """Who follows under a durable subscriber's name, in which buckets (none: all)."""

    caller: Caller
    number: int
    buckets: frozenset[int]
    stream: Stream

    def meets(self, buckets: frozenset[int]) -> bool:
        """Whether some guilds would be told of to it and to who follows in these."""
        return not self.buckets or not buckets or bool(self.buckets & buckets)


class Following:
    """The streams of all clients."""

    def __init__(self, feeder: Feeder, actor_of: ActorOf, say: Say, fail: Fail) -> None:
        """``actor_of``: in whose name a client asks; it raises Forbidden. ``say``, ``fail``: tell a client."""
        self._feeder = feeder
        self._actor_of = actor_of
        self._say = say
        self._fail = fail
        self._followers: dict[str, list[_Follower]] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def follow(self, caller: Caller, follow: asking.Follow) -> None:
        """Tell a client what it asks for, from now on."""
        if len(caller.streams) >= MOST_STREAMS:
            error = QuotaExceeded(f"A connection may follow {MOST_STREAMS} times at most.", retry_after=None)
            self._fail(caller, follow.number, error)
            return
        before = caller.streams.pop(follow.number, None)
        if before is not None:
            before[0].cancel()
        task = asyncio.create_task(self._stream(caller, follow), name="events")
        caller.streams[follow.number] = (task, None)

    async def _stream(self, caller: Caller, follow: asking.Follow) -> None:
        try:
            await self._send_events(caller, follow)
        except ScheduleZeroError as error:
            self._fail(caller, follow.number, error)
        except Exception:  # a defect in telling one client must not end what serves all of them
            log.exception("telling events failed")
            self._fail(
                caller, follow.number, Unavailable("Events cannot be told at the moment; the core's log says why.")
            )
        finally:
            mine = caller.streams.get(follow.number)
            if mine is not None and mine[0] is asyncio.current_task():
                del caller.streams[follow.number]

    async def _send_events(self, caller: Caller, follow: asking.Follow) -> None:
        actor = self._actor_of(caller, follow.member)
        wish = Wish(
            after=follow.after, kinds=follow.kinds, guild_id=follow.guild_id, buckets=frozenset(follow.buckets),
            subscriber=_subscriber(caller, follow),
        )  # fmt: skip
        if wish.subscriber is None:
            await self._begun(caller, follow, await self._feeder.feed(actor, wish)).run()
            return
        follower = await self._take_over(caller, follow, actor, wish, wish.subscriber)
        try:
            await follower.stream.run()
        finally:
            self._followers[wish.subscriber].remove(follower)
            if not self._followers[wish.subscriber]:
                del self._followers[wish.subscriber]

    def _begun(self, caller: Caller, follow: asking.Follow, feed: Feed) -> Stream:
        """The stream of a feed, at the number its client has given it."""
        stream = Stream(follow, feed, lambda message: self._say(caller, message))
        task, _ = caller.streams[follow.number]  # whoever leaves cancels this task, and does not come here
        caller.streams[follow.number] = (task, stream)
        return stream

    async def _take_over(
        self, caller: Caller, follow: asking.Follow, actor: Actor, wish: Wish, subscriber: str
    ) -> _Follower:
        """One at a time follows under a name, or in each of its buckets: the newest, once it is not refused.

        What the others took is kept before the place is read, and they go on until it is.
        """
        opening = self._opening.setdefault(subscriber, asyncio.Lock())
        async with opening:
            for each in self._before(subscriber, wish.buckets):
                await each.stream.settled()
            stream = self._begun(caller, follow, await self._feeder.feed(actor, wish))
            for each in self._before(subscriber, wish.buckets):
                if each.caller.streams.get(each.number, (None, None))[1] is each.stream:
                    error = Conflict(f"Another client follows as {subscriber} now; only one at a time may.")
                    each.caller.drop(each.number)
                    self._fail(each.caller, each.number, error)
            follower = _Follower(caller, follow.number, wish.buckets, stream)
            self._followers.setdefault(subscriber, []).append(follower)
            return follower

    def _before(self, subscriber: str, buckets: frozenset[int]) -> list[_Follower]:
        """Who follows under this name already, in some of these buckets."""
        return [each for each in self._followers.get(subscriber, ()) if each.meets(buckets)]


def _subscriber(caller: Caller, follow: asking.Follow) -> str | None:
    """Under which name the place is kept. Raises Forbidden: none is for this one."""
    if follow.subscriber is None:
        return None
    if follow.member is not None:
        raise Forbidden("A durable place is kept for clients, not for members.")
    if caller.row.guild_id is None:
        return follow.subscriber
    # Whoever is confined takes no place of another's: neither one without a guild has such a name, nor any of another
    # guild, where keys may be called the same.
    return f"{quote(caller.row.guild_id, '')}/{caller.row.name}/{follow.subscriber}"
