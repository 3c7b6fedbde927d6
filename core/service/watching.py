"""Watching: the journal, by the page and as it grows, for those who may see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from core.service import access
from core.service.desk import Desk
from core.service.finding import page_length
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid
from schedule_zero.event import Event
from schedule_zero.requests import ListEvents
from schedule_zero.views import EventPage

LONGEST_PAGE: Final = 1000
LONGEST_PLACE: Final = 40


class Watching:
    """Reading events."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, actor: Actor, request: ListEvents) -> EventPage:
        """Events after a place; ``next`` is the place to go on from."""
        guild_id = scope_of(actor, request.guild_id)
        journal = self._desk.reader.journal
        epoch, _ = await journal.head()
        seq = place_of(request.after, epoch) or 0
        limit = page_length(request.limit, LONGEST_PAGE)
        items = await journal.after(seq, limit, kinds=request.kinds, guild_id=guild_id)
        last = items[-1].seq if items else seq
        return EventPage(items=tuple(items), next=f"{epoch}-{last}")

    async def follow(
        self, actor: Actor, after: str | None, *, kinds: tuple[str, ...], guild_id: str | None
    ) -> AsyncGenerator[Event, None]:
        """Wanted events after a place, or from now on."""
        actor = await self._desk.placed(actor)
        scope = scope_of(actor, guild_id)
        epoch, _ = await self._desk.reader.journal.head()
        seq = place_of(after, epoch)

        def wanted(event: Event) -> bool:
            return (not kinds or event.kind in kinds) and (scope is None or event.guild_id == scope)

        async for event in self._desk.engine.publisher.follow(seq, wanted):
            yield event


def place_of(text: str | None, epoch: int) -> int | None:
    """A place in the journal: a bare seq, or ``epoch-seq``; one of another epoch starts this epoch over.

    Raises:
        Invalid: it is neither.
    """
    if text is None:
        return None
    head, dash, tail = text.rpartition("-")
    if len(text) > LONGEST_PLACE or not tail.isdecimal() or len(tail) > 18 or (dash and not head.isdecimal()):
        message = (
            f"{text[:LONGEST_PLACE]!r} is no place in the journal; write a number, or epoch-number as in an event's id"
        )
        raise Invalid.at("after", message)
    return int(tail) if not head or int(head) == epoch else 0


def scope_of(actor: Actor, guild_id: str | None) -> str | None:
    """The guild whose events are told; None for all. Who speaks in a guild, or is confined to one, hears that one's."""
    scope = actor.guild_id if guild_id is None else guild_id
    access.require_events(actor, scope)
    return scope
