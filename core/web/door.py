"""What the HTTP door asks of the rooms below it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from schedule_zero.actor import Actor
from schedule_zero.event import Event
from schedule_zero.requests import Request
from schedule_zero.views import RunLog, View

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

TokenCheck = Callable[[str], Actor | None]
"""Who holds this token; None for nobody. Takes the same time whatever the token."""


class Door(Protocol):
    """The use cases (``core.service``), as a door sees them."""

    async def handle(self, actor: Actor, request: Request) -> View:
        """Judge and do what is asked. Raises the errors of ``schedule_zero.errors``."""
        ...

    def follow(
        self, actor: Actor, after: str | None, *, kinds: tuple[str, ...] = (), guild_id: str | None = None
    ) -> AsyncIterator[Event]:
        """The journal from a place on, for ever; None starts with the next event."""
        ...

    def follow_log(self, actor: Actor, id: str, after: int) -> AsyncIterator[RunLog]:
        """The log of a run behind a line, a page at a time, until the run has ended."""
        ...
