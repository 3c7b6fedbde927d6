"""One stream of events to one client: at most a window of them under way, the rest where it is kept, in the journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from core.service.feeding import Feed, Portion
from schedule_zero.transport import asking

CHUNK: Final = 256
Say = Callable[[msgspec.Struct], None]


class Stream:
    """Sends a feed's portions as there is room for them."""

    def __init__(self, follow: asking.Follow, feed: Feed, say: Say) -> None:
        self._follow = follow
        self._feed = feed
        self._say = say
        self._under_way: deque[tuple[int, int]] = deque()
        self._room = asyncio.Event()

    async def run(self) -> None:
        """For ever, until cancelled. Raises Forbidden when who follows is banned."""
        number, feed = self._follow.number, self._feed
        self._say(asking.Following(number, feed.epoch, feed.seq, feed.new))
        async with contextlib.aclosing(feed.portions()) as portions:
            async for portion in portions:
                if portion.missed is not None:
                    self._say(asking.Missed(number, feed.epoch, *portion.missed))
                    self._under_way.append((portion.seq, 0))
                else:
                    await self._send(portion)
        feed.require_welcome()

    async def _send(self, portion: Portion) -> None:
        events = portion.events
        chunk = min(CHUNK, self._follow.window)
        for at in range(0, max(1, len(events)), chunk):
            some = events[at : at + chunk]
            await self._has_room(len(some))
            self._feed.require_welcome()
            seq = portion.seq if at + chunk >= len(events) else some[-1].seq
            self._under_way.append((seq, len(some)))
            self._say(asking.Events(self._follow.number, some, self._feed.epoch, seq))

    def taken(self, epoch: int, seq: int) -> None:
        """The client has dealt with everything up to a place it was told of."""
        if epoch != self._feed.epoch:
            return
        last = None
        while self._under_way and self._under_way[0][0] <= seq:
            last = self._under_way.popleft()[0]
        if last is not None:
            self._feed.keep(last)
            self._room.set()

    async def settled(self) -> None:
        """Until what was taken is kept."""
        await self._feed.settled()

    async def _has_room(self, more: int) -> None:
        while self._under_way and sum(count for _, count in self._under_way) + more > self._follow.window:
            self._room.clear()
            await self._room.wait()
