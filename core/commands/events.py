"""``schedule-zero events``: what happened, and what happens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import click
import msgspec

from core.commands.output import quiet_end
from core.commands.remote import Remote
from schedule_zero.client import CoreClient
from schedule_zero.event import Event
from schedule_zero.printable import printable
from schedule_zero.views import EventPage

PAGE = 500


class Events(Remote):
    """The journal of one core."""

    def page(self, after: str | None, kinds: tuple[str, ...], limit: int) -> None:
        """Print what came after a place, at most so many, and say where it goes on."""

        async def read(client: CoreClient) -> None:
            left, place = limit, after
            while left:
                page: EventPage = await client.list_events(after=place, kinds=kinds, limit=min(left, PAGE))
                for event in page.items:
                    self._say(event)
                left, place = left - len(page.items), page.next
                if not page.items:
                    return
            click.echo(f"more with --after {place}", err=True)

        with quiet_end():
            self._ask(read)

    def follow(self, after: str | None, kinds: tuple[str, ...]) -> None:
        """Print what comes after a place, or from now on, until stopped."""

        async def listen(client: CoreClient) -> None:
            events = client.events(after, kinds=kinds)
            assert isinstance(events, AsyncGenerator)
            async with contextlib.aclosing(events):
                async for event in events:
                    self._say(event)

        with quiet_end():
            self._ask(listen)

    def _say(self, event: Event) -> None:
        if self._as_json:
            click.echo(msgspec.json.encode(event))
        else:
            click.echo(_line(event))


def _line(event: Event) -> str:
    about = (event.guild_id and f"guild {event.guild_id}", event.schedule_id, event.run_id)
    data = msgspec.json.encode(event.data).decode() if event.data else ""
    words = (f"{event.epoch}-{event.seq}", event.at, event.kind, *about, data)
    return printable("  ".join(word for word in words if word))
