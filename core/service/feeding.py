"""Feeding: the journal told on to those who acknowledge it, with a place the core keeps for them where they wish so.

Who reads at leisure is behind by as much as it likes and costs nothing but its place; what was removed meanwhile is
said, once, as missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from core.engine.standing import Standing
from core.service.bans import Bans
from core.service.desk import Desk
from core.service.watching import place_of, scope_of
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict
from schedule_zero.event import Event, bucket_of

SKIPPED: Final = 1000
"""So many events nobody wanted, and the place is told all the same."""


class Wish(msgspec.Struct, kw_only=True, frozen=True):
    """What somebody wants to hear.

    Attributes:
        after: a place (``epoch-seq``); None: from now on.
        kinds, guild_id: only these, only this guild's.
        buckets: only guilds of these buckets.
        subscriber: the name under which the core keeps the place; then ``after`` is not heeded.
    """

    after: str | None = None
    kinds: tuple[str, ...] = ()
    guild_id: str | None = None
    buckets: frozenset[int] = frozenset()
    subscriber: str | None = None


class Portion(msgspec.Struct, frozen=True):
    """Wanted events, and the place up to which there are no others; or the numbers that were missed."""

    events: list[Event]
    seq: int
    missed: tuple[int, int] | None = None


class Feed:
    """One reader's way through the journal.

    Attributes:
        epoch: of the journal; ``seq``: where it begins; ``new``: the subscriber was not known.
    """

    def __init__(
        self, desk: Desk, bans: Bans, actor: Actor, wish: Wish, scope: str | None, epoch: int, stands: Standing
    ) -> None:
        self._publisher = desk.engine.publisher
        self._desk = desk
        self._bans = bans
        self._actor = actor
        self._wish = wish
        self._scope = scope
        self._wanted_place: int | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stands = stands
        self.epoch, self.seq, self.new = epoch, stands.seq, stands.new

    def portions(self) -> AsyncGenerator[Portion, None]:
        """What is wanted, until who reads is banned. Portions may be empty: they say how far nothing was."""
        return self._bans.while_welcome(self._actor, self._portions())

    def require_welcome(self) -> None:
        """Raises Forbidden where who reads is banned by now."""
        self._bans.require_welcome(self._actor)

    async def _portions(self) -> AsyncGenerator[Portion, None]:
        seq = told = self.seq
        if seq > 0 or self._wish.subscriber is not None:
            missed = await self._missed(seq)
            if missed is not None:
                seq = told = missed[1]
                yield Portion([], seq, missed)
        pages = self._publisher.pages(seq)
        try:
            async for page in pages:
                if page:
                    if page[0].seq > seq + 1 and seq > 0 and (missed := await self._missed(seq)) is not None:
                        told = missed[1]
                        yield Portion([], told, missed)
                    seq = page[-1].seq
                events = [event for event in page if self._is_wanted(event)]
                if events or seq - told >= SKIPPED or (not page and seq > told):
                    told = seq
                    yield Portion(events, seq)
        finally:
            await pages.aclose()

    def keep(self, seq: int) -> None:
        """The reader has dealt with everything up to here. Written behind, the newest place alone."""
        if self._wish.subscriber is None:
            return
        self._wanted_place = max(seq, self._wanted_place or 0)
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="cursor")

    async def settled(self) -> None:
        """Until the place is kept."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])  # which goes on when nobody waits for it any more

    async def _keep(self) -> None:
        try:
            while self._wanted_place is not None:
                seq, self._wanted_place = self._wanted_place, None
                await self._publisher.keep(self._stands, self.epoch, seq)
        finally:
            self._keeping = None

    async def _missed(self, seq: int) -> tuple[int, int] | None:
        """The numbers after a place that are not kept any more."""
        journal = self._desk.reader.journal
        _, head = await journal.head()  # first: what is appended between the two questions is not missed
        tail = await journal.tail() or head + 1
        return (seq + 1, tail - 1) if tail > seq + 1 else None

    def _is_wanted(self, event: Event) -> bool:
        wish = self._wish
        return (
            (not wish.kinds or event.kind in wish.kinds)
            and (self._scope is None or event.guild_id == self._scope)
            and (not wish.buckets or bucket_of(event.guild_id) in wish.buckets)
            and self._stands.wants(event)
        )


class Feeding:
    """Opening feeds."""

    def __init__(self, desk: Desk, bans: Bans) -> None:
        self._desk = desk
        self._bans = bans

    async def open(self, actor: Actor, wish: Wish) -> Feed:
        """A feed for an actor, at its place.

        Raises:
            Forbidden, Invalid: it may not be heard by them; ``after`` is no place.
            Conflict: the subscriber is in this process.
        """
        self._bans.require_welcome(actor)
        scope = scope_of(await self._desk.placed(actor), wish.guild_id)
        publisher = self._desk.engine.publisher
        epoch, head = await self._desk.reader.journal.head()
        if wish.subscriber is not None:
            if publisher.serves(wish.subscriber):
                raise Conflict(
                    f"The subscriber {wish.subscriber} is part of this core; two of a name do not go together."
                )
            stands = await publisher.standing(wish.subscriber, wish.buckets)
        else:
            place = place_of(wish.after, epoch)
            stands = Standing("", head if place is None else min(place, head), new=False)
        return Feed(self._desk, self._bans, actor, wish, scope, epoch, stands)
