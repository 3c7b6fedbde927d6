"""What the HTTP door asks of the rooms below it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from core.service.sessions import GuildHere, Session, TheirGuilds
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


class SessionDesk(Protocol):
    """Who is signed in to the pages (``core.service.sessions``), as a door sees it."""

    async def by_token(self, token: str, agent: str, before: str) -> str | None: ...
    async def by_link(self, code: str, agent: str, before: str) -> str: ...
    async def by_discord(self, who: str, name: str, guilds: TheirGuilds, agent: str, before: str) -> str: ...
    async def find(self, secret: str) -> Session | None: ...
    def is_stale(self, session: Session) -> bool: ...
    async def note_guilds(self, session: Session, guilds: TheirGuilds) -> Session: ...
    async def actor(self, session: Session, request: Request) -> Actor: ...
    async def actor_in(self, session: Session, guild_id: str | None) -> Actor: ...
    async def guilds(self, session: Session) -> list[GuildHere]: ...
    async def mine(self, session: Session) -> list[Session]: ...
    async def end(self, session: Session, id: str | None = None) -> None: ...
    async def end_all(self, session: Session) -> None: ...


class Door(Protocol):
    """The use cases (``core.service``), as a door sees them."""

    @property
    def sessions(self) -> SessionDesk:
        """Who is signed in to the pages."""
        ...

    async def handle(self, actor: Actor, request: Request) -> View:
        """Judge and do what is asked. Raises the errors of ``schedule_zero.errors``."""
        ...

    def follow(
        self, actor: Actor, after: str | None, *, kinds: tuple[str, ...] = (), guild_id: str | None = None
    ) -> AsyncIterator[Event]:
        """The journal from a place on, for ever; None starts with the next event."""
        ...

    async def calendar(self, whose: str, id: str, secret: str) -> str | None:
        """What is behind the link of a calendar, for whoever has it; None: it is none. Raises Unavailable."""
        ...

    def follow_log(self, actor: Actor, id: str, after: int) -> AsyncIterator[RunLog]:
        """The log of a run behind a line, a page at a time, until the run has ended."""
        ...
