"""The client's end of one stream of events: what arrives is put in order, nothing twice, and waits to be taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from schedule_zero import views
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.event import Event
from schedule_zero.transport import asking


class Page(msgspec.Struct, frozen=True):
    """Some events, in order.

    Attributes:
        events: those that are wanted; there may be none.
        epoch, seq: the place up to which there are no others.
        missed: the first and the last number of events that are not kept any more and will not come.
        new: the core did not know the subscriber before.
    """

    events: list[Event]
    epoch: int
    seq: int
    missed: tuple[int, int] | None = None
    new: bool = False

    @property
    def place(self) -> str:
        """The place behind this page, as ``events`` takes it."""
        return f"{self.epoch}-{self.seq}"


class Feed:
    """One stream. Whatever was received before a reconnect is not handed out again."""

    def __init__(self, follow: asking.Follow, say: Callable[[msgspec.Struct], None]) -> None:
        self._follow = follow
        self._say = say
        self._pages: asyncio.Queue[Page | ScheduleZeroError] = asyncio.Queue()
        self._received: tuple[int, int] | None = None
        self._taken: tuple[int, int] | None = None

    def begin(self) -> None:
        """Ask for the events, from where we are."""
        follow = self._follow
        if self._received is not None and follow.subscriber is None:
            epoch, seq = self._received
            follow = asking.Follow(
                follow.number, f"{epoch}-{seq}", follow.kinds, follow.guild_id, None, follow.buckets, follow.window,
                follow.member,
            )  # fmt: skip
        self._say(follow)

    async def next(self) -> Page:
        """The next page. Raises the core's refusal."""
        item = await self._pages.get()
        if isinstance(item, ScheduleZeroError):
            raise item
        return item

    def taken(self, page: Page) -> None:
        """The page was dealt with: there is room for more, and a durable place moves on."""
        self._taken = (page.epoch, page.seq)
        self._say(asking.Taken(self._follow.number, page.epoch, page.seq))

    def fail(self, error: ScheduleZeroError) -> None:
        """No more pages come."""
        self._pages.put_nowait(error)

    def hear(self, message: Any) -> None:
        """What the core says of this stream."""
        match message:
            case asking.Following():
                if self._received is None:
                    self._received = (message.epoch, message.seq)
                    if message.new:
                        self._pages.put_nowait(Page([], message.epoch, message.seq, new=True))
            case asking.Events():
                self._arrived(message)
            case asking.Missed():
                if not self._is_known(message.epoch, message.last):
                    self._received = (message.epoch, message.last)
                    self._pages.put_nowait(Page([], message.epoch, message.last, (message.first, message.last)))
            case asking.Failed():
                self.fail(views.error_of(message.problem))

    def _arrived(self, message: asking.Events) -> None:
        place = (message.epoch, message.seq)
        if self._is_known(*place):
            # Sent again after a reconnect. What is taken is said to be; the rest is, when it will be.
            if self._taken is not None and self._taken[0] == message.epoch:
                self._say(asking.Taken(self._follow.number, *self._taken))
            return
        events = [event for event in message.events if not self._is_known(event.epoch, event.seq)]
        self._received = place
        self._pages.put_nowait(Page(events, *place))

    def _is_known(self, epoch: int, seq: int) -> bool:
        return self._received is not None and self._received[0] == epoch and seq <= self._received[1]
