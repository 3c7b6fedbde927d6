"""Following: who of the clients is told which events, and who follows under a durable subscriber's name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import quote

import msgspec
import structlog

from core.gateway.caller import Caller
from core.gateway.stream import Stream
from core.service.feeding import Feed, Wish
from schedule_zero import asking
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Forbidden, QuotaExceeded, ScheduleZeroError, Unavailable

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

    def meets(self, other: _Follower) -> bool:
        """Whether some guilds would be told of to both."""
        return not self.buckets or not other.buckets or bool(self.buckets & other.buckets)


class Following:
    """The streams of all clients."""

    def __init__(self, feeder: Feeder, actor_of: ActorOf, say: Say, fail: Fail) -> None:
        """``actor_of``: in whose name a client asks; it raises Forbidden. ``say``, ``fail``: tell a client."""
        self._feeder = feeder
        self._actor_of = actor_of
        self._say = say
        self._fail = fail
        self._subscribers: dict[str, list[_Follower]] = {}

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

    def left(self, caller: Caller) -> None:
        """A client is gone, and follows under no name any more."""
        for name, followers in list(self._subscribers.items()):
            self._subscribers[name] = [each for each in followers if each.caller is not caller]
            if not self._subscribers[name]:
                del self._subscribers[name]

    async def _stream(self, caller: Caller, follow: asking.Follow) -> None:
        try:
            await self._send_events(caller, follow)
        except ScheduleZeroError as error:
            self._fail(caller, follow.number, error)
        except Exception:  # as of a request
            log.exception("telling events failed")
            self._fail(
                caller, follow.number, Unavailable("Events cannot be told at the moment; the core's log says why.")
            )
        finally:
            mine = caller.streams.get(follow.number)
            if mine is not None and mine[0] is asyncio.current_task():
                del caller.streams[follow.number]

    async def _send_events(self, caller: Caller, follow: asking.Follow) -> None:
        subscriber = follow.subscriber
        if subscriber is not None and caller.row.guild_id is not None:
            # Whoever is confined takes no place of another's: neither one without a guild has such a name, nor any of
            # another guild, where keys may be called the same.
            subscriber = f"{quote(caller.row.guild_id, '')}/{caller.row.name}/{subscriber}"
        actor = self._actor_of(caller, follow.member)
        if subscriber is not None:
            if follow.member is not None:
                raise Forbidden("A durable place is kept for clients, not for members.")
            await self._take_over(subscriber, _Follower(caller, follow.number, frozenset(follow.buckets)))
        wish = Wish(
            after=follow.after, kinds=follow.kinds, guild_id=follow.guild_id, buckets=frozenset(follow.buckets),
            subscriber=subscriber,
        )  # fmt: skip
        stream = Stream(follow, await self._feeder.feed(actor, wish), lambda message: self._say(caller, message))
        task = asyncio.current_task()
        assert task is not None
        if caller.streams.get(follow.number, (None,))[0] is task:
            caller.streams[follow.number] = (task, stream)
            await stream.run()

    async def _take_over(self, subscriber: str, follower: _Follower) -> None:
        """One at a time follows under a name, or in each of its buckets: the newest. What others took is kept first."""
        others = self._subscribers.get(subscriber, [])
        before = [each for each in others if each.meets(follower)]
        self._subscribers[subscriber] = [*(each for each in others if each not in before), follower]
        for each in before:
            if (each.caller, each.number) == (follower.caller, follower.number):
                continue
            stream = each.caller.streams.get(each.number)
            if stream is not None:
                error = Conflict(f"Another client follows as {subscriber} now; only one at a time may.")
                each.caller.drop(each.number)
                self._fail(each.caller, each.number, error)
                if stream[1] is not None:
                    await stream[1].settled()
