"""Visitors: who a request comes from. It shows a token, or is a browser's that is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from core.service.keyring import digest_of
from core.service.sessions import GuildHere, Session
from core.web.door import SessionDesk, TokenCheck
from core.web.sign_in import forms
from core.web.sign_in.cookies import SESSION, Cookies
from core.web.sign_in.rights import Rights, SignInAgain
from schedule_zero.actor import Actor, Via
from schedule_zero.errors import Forbidden, Invalid, Unauthorized, Unavailable
from schedule_zero.printable import printable
from schedule_zero.requests import Request
from schedule_zero.routes import COMMAND_LINE

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_NAMED: Final = 25
"""Of somebody's guilds, in a refusal."""
_NO_TOKEN: Final = (
    "Send the API token as 'Authorization: Bearer TOKEN'; it is in the file api-token of the data folder."  # noqa: S105  # words
)
_WRONG_TOKEN: Final = "This is not the API token of this core; it is in the file api-token of the data folder."  # noqa: S105  # words
_NOT_FROM_HERE: Final = (
    "Who is signed in by a browser changes something only with the header X-CSRF-Token; every form of the pages has its "
    "value as csrf."
)


class Caller(Protocol):
    """Who asks something of the API."""

    async def actor(self, request: Request) -> Actor:
        """As whom this is asked. Raises Unauthorized, Unavailable."""
        ...


class Holder:
    """Somebody who shows a token."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    async def actor(self, request: Request) -> Actor:
        return self._actor


class Visitor:
    """Somebody whose browser is signed in.

    Attributes:
        csrf: what their forms carry.
    """

    def __init__(self, sessions: SessionDesk, session: Session, secret: str) -> None:
        self._sessions = sessions
        self.session = session
        self.csrf = forms.token_of(secret)

    @property
    def name(self) -> str:
        """What they are called."""
        return self.session.known.name

    @property
    def operates(self) -> bool:
        """Whether they operate the service, or a guild's part of it."""
        return self.session.operates

    async def actor(self, request: Request) -> Actor:
        """Who they are in the guild that a request is about. Raises Invalid: it is about all of several."""
        if _is_about_all(request, self.session.known.who):
            self._require_one(await self.guilds())
        return _on_a_page(await self._sessions.actor(self.session, request))

    async def in_guild(self, guild_id: str | None) -> Actor:
        """Who they are in a guild."""
        return _on_a_page(await self._sessions.actor_in(self.session, guild_id))

    async def guilds(self) -> list[GuildHere]:
        """Their guilds that the bot is in; of an operator none, for all are."""
        return [] if self.operates else await self._sessions.guilds(self.session)

    @staticmethod
    def _require_one(guilds: list[GuildHere]) -> None:
        """A person is judged in one guild at a time. Raises Invalid where they have any to be judged in."""
        if guilds:
            named = ", ".join(f"{each.guild_id} ({printable(each.name)})" for each in guilds[:_MOST_NAMED])
            more = f" and {len(guilds) - _MOST_NAMED} more" if len(guilds) > _MOST_NAMED else ""
            raise Invalid.at(
                "guild_id", f"is needed, since you are judged in one server at a time: {named}{more}, or null for none"
            )


def _is_about_all(request: Request, who: str) -> bool:
    """Whether a request is about every guild, and not about what lies in one of them or is that person's own."""
    if not getattr(request, "any_guild", False):
        return False
    return getattr(request, "schedule_id", None) is None and getattr(request, "owner_id", None) != who


class Visitors:
    """Finds out who a request comes from."""

    def __init__(self, check: TokenCheck, sessions: SessionDesk, rights: Rights, cookies: Cookies) -> None:
        self._check = check
        self._sessions = sessions
        self._rights = rights
        self._cookies = cookies

    async def caller(self, headers: Mapping[bytes, bytes], method: str) -> Caller:
        """Who asks something of the API.

        Raises:
            Unauthorized: nobody we know.
            Forbidden: it changes something, and nothing says that a page of ours wants it.
            Unavailable: Discord does not answer.
        """
        if b"authorization" in headers:
            is_command = headers.get(b"user-agent") == COMMAND_LINE.encode()
            return self._holder(headers[b"authorization"].decode("latin-1"), "cli" if is_command else "http")
        visitor = await self.visitor(headers)
        if visitor is None:
            raise Unauthorized(_NO_TOKEN)
        given = headers.get(forms.HEADER, b"").decode("latin-1")
        if method not in HARMLESS and not forms.fits(self.secret(headers), given):
            raise Forbidden(_NOT_FROM_HERE)
        return visitor

    async def visitor(self, headers: Mapping[bytes, bytes], *, anyhow: bool = False) -> Visitor | None:
        """Whose browser this is, with rights that are fresh; None: it is not signed in.

        Args:
            anyhow: rights that cannot be had anew may be old: what is asked for takes none.

        Raises:
            SignInAgain, Unavailable: see ``Rights.fresh``.
        """
        secret = self.secret(headers)
        session = await self._sessions.find(secret)
        if session is None:
            if secret:
                self._rights.drop(digest_of(secret))
            return None
        try:
            session = await self._rights.fresh(session)
        except (SignInAgain, Unavailable):
            if not anyhow:
                raise
        return Visitor(self._sessions, session, secret)

    def secret(self, headers: Mapping[bytes, bytes]) -> str:
        """What a browser shows of its session."""
        return self._cookies.value(headers.get(b"cookie", b""), SESSION)

    def _holder(self, header: str, via: Via) -> Holder:
        scheme, _, token = header.strip().partition(" ")
        if not token:
            raise Unauthorized(_NO_TOKEN)
        actor = self._check(token.strip()) if scheme.lower() == "bearer" else None
        if actor is None:
            raise Unauthorized(_WRONG_TOKEN)
        return Holder(msgspec.structs.replace(actor, via=via))


def _on_a_page(actor: Actor) -> Actor:
    return msgspec.structs.replace(actor, via="page")
