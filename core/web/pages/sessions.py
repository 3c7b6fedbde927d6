"""Sessions: who has shown a token once is known by a cookie for a while, and for as long as the token is good."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

import msgspec

from core.web.door import TokenCheck
from schedule_zero.actor import Actor

COOKIE: Final = "schedule_zero_session"
LASTS_S: Final = 12 * 3600
MOST: Final = 1000


class Sessions:
    """In memory: a restart ends them all."""

    def __init__(self, check: TokenCheck, *, now: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._now = now
        self._known: dict[str, tuple[str, float]] = {}

    def begin(self, token: str) -> str | None:
        """A session for who holds this token; None for nobody."""
        if self._check(token) is None:
            return None
        now = self._now()
        self._known = {id: kept for id, kept in self._known.items() if kept[1] > now}
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        id = secrets.token_urlsafe(32)
        self._known[id] = token, now + LASTS_S
        return id

    def actor(self, cookies: bytes) -> Actor | None:
        """Whose session a Cookie header names. The token is asked about each time, for it may have been revoked."""
        token, until = self._known.get(_named(cookies), ("", 0.0))
        actor = self._check(token) if until > self._now() else None
        return None if actor is None else msgspec.structs.replace(actor, via="page")

    def end(self, cookies: bytes) -> None:
        """Forget the session a Cookie header names."""
        self._known.pop(_named(cookies), None)


def _named(cookies: bytes) -> str:
    try:
        found = SimpleCookie(cookies.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
