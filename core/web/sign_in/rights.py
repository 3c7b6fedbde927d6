"""Rights: what a person may do where, as Discord says; asked anew when what is known is some minutes old.

The tokens it takes are kept in memory alone, and no longer than somebody may come back with the session: they are in no
file, no backup and no log. A core that has none, because it started again or another one has it, sends the browser through
Discord once more, which asks the person nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from core.service.sessions import IDLE, Session
from core.web.door import SessionDesk
from core.web.sign_in.discord import DiscordSignIn, NotLetIn
from schedule_zero.errors import Unauthorized, Unavailable
from schedule_zero.instant import SECOND

MOST: Final = 10_000
"""Tokens that are kept; the oldest goes for another one."""
AWAY_S: Final = 5.0
"""So long nobody is asked again who did not answer."""
KEPT_S: Final = IDLE / SECOND
_AWAY: Final = "Discord does not answer at the moment, so what you may do cannot be looked up; try again in a moment."


class SignInAgain(Unauthorized):
    """Who somebody is, is known; what they may do has to be asked of Discord, by way of their browser."""


class Rights:
    """Keeps what the sessions of people say of their guilds no older than it may be.

    Attributes:
        discord: where people sign in; None: they cannot.
    """

    def __init__(self, sessions: SessionDesk) -> None:
        self.discord: DiscordSignIn | None = None
        self._sessions = sessions
        self._tokens: dict[str, tuple[str, asyncio.TimerHandle]] = {}
        self._reading: dict[str, asyncio.Task[Session]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._away_until = 0.0

    def keep(self, digest: str, token: str) -> None:
        """Keep the token of a session, as long as it is not heard of for the time after which it would be over."""
        self._forget(digest)
        while len(self._tokens) >= MOST:
            self._forget(next(iter(self._tokens)))
        timer = asyncio.get_running_loop().call_later(KEPT_S, self._forget, digest)
        self._tokens[digest] = token, timer

    def drop(self, digest: str) -> None:
        """A session is over: Discord may forget its token, too."""
        token = self._forget(digest)
        if token is not None and self.discord is not None:
            leaving = asyncio.create_task(self.discord.give_back(token), name="a token is given back")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def fresh(self, session: Session) -> Session:
        """The session with rights that are fresh enough.

        Raises:
            SignInAgain: the browser has to go by way of Discord once more.
            Unavailable: Discord does not answer.
        """
        if not self._sessions.is_stale(session):
            return session
        reading = self._reading.get(session.digest)
        if reading is None:
            reading = asyncio.create_task(self._read(session), name="rights of a session")
            self._reading[session.digest] = reading
            reading.add_done_callback(lambda _: self._reading.pop(session.digest, None))
        return await asyncio.shield(reading)

    async def _read(self, session: Session) -> Session:
        token = self._tokens.get(session.digest, ("", None))[0]
        if self.discord is None or not token:
            raise SignInAgain("What you may do has to be asked of Discord again; open /sign-in.")
        if time.monotonic() < self._away_until:
            raise Unavailable(_AWAY)
        try:
            guilds = await self.discord.guilds(token)
        except NotLetIn:
            self._forget(session.digest)
            raise SignInAgain("Discord does not know this sign-in any more; open /sign-in.") from None
        except Unavailable:
            self._away_until = time.monotonic() + AWAY_S
            raise Unavailable(_AWAY) from None
        self.keep(session.digest, token)
        return await self._sessions.note_guilds(session, guilds)

    def _forget(self, digest: str) -> str | None:
        token, timer = self._tokens.pop(digest, (None, None))
        if timer is not None:
            timer.cancel()
        return token
