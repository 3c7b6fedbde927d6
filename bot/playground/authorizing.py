"""Signing in elsewhere with the simulated Discord: codes and tokens as Discord gives them out. No I/O.

The authorization code grant with PKCE (RFC 6749, 4.1; RFC 7636), in Discord's shapes ("OAuth2" in its documentation).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

CODE_S: Final = 60.0
TOKEN_S: Final = 7 * 86_400
AS: Final = "as"
"""Beside what a program asks: who of the people there are agrees."""


class Answered(msgspec.Struct, frozen=True):
    """An answer to a program: status and JSON."""

    status: int
    body: dict[str, Any]


class _Code(msgspec.Struct):
    person: str
    redirect_uri: str
    challenge: str
    scope: str
    until: float
    token: str | None = None


class _Token(msgspec.Struct, frozen=True):
    person: str
    until: float


class Authority:
    """Gives out codes to people, and tokens to the one program there is.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, client_id: str, client_secret: str, now: Callable[[], float] = time.monotonic) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self._now = now
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}

    def objection(self, asked: Mapping[str, str]) -> str | None:
        """What is wrong with what a program asks a person to agree to."""
        if asked.get("client_id") != self.client_id:
            return "Unknown Application"
        if asked.get("response_type") != "code" or not asked.get("redirect_uri"):
            return "Invalid OAuth2 request"
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "Invalid OAuth2 code_challenge"
        return None

    def agreed(self, person: str, asked: Mapping[str, str]) -> str:
        """Where the browser of a person who agrees is led."""
        code = secrets.token_urlsafe(16)
        self._codes = {each: kept for each, kept in self._codes.items() if kept.until > self._now()}
        self._codes[code] = _Code(
            person, asked["redirect_uri"], asked["code_challenge"], asked.get("scope", ""), self._now() + CODE_S
        )
        return _back(asked, code=code)

    def refused(self, asked: Mapping[str, str]) -> str:
        """Where the browser of a person who does not agree is led."""
        return _back(asked, error="access_denied", error_description="The resource owner denied the request")

    def token(self, form: Mapping[str, str], authorization: str) -> Answered:
        """A token for a code, once; who shows a code a second time takes its token away (RFC 6749, 4.1.2)."""
        if not self._is_client(form, authorization):
            return Answered(401, {"error": "invalid_client"})
        code = self._codes.get(form.get("code", ""))
        if code is None or code.token is not None or code.until <= self._now() or not _fits(code, form):
            if code is not None and code.token is not None:
                self._tokens.pop(code.token, None)
            return Answered(400, {"error": "invalid_grant", "error_description": 'Invalid "code" in request.'})
        code.token = secrets.token_urlsafe(24)
        self._tokens[code.token] = _Token(code.person, self._now() + TOKEN_S)
        granted = {"access_token": code.token, "token_type": "Bearer", "expires_in": TOKEN_S, "scope": code.scope}
        return Answered(200, granted | {"refresh_token": secrets.token_urlsafe(24)})

    def give_back(self, form: Mapping[str, str], authorization: str) -> Answered:
        """A token is good for nothing any more."""
        if not self._is_client(form, authorization):
            return Answered(401, {"error": "invalid_client"})
        self._tokens.pop(form.get("token", ""), None)
        return Answered(200, {})

    def holder(self, authorization: str) -> str | None:
        """Who is meant by a token."""
        scheme, _, token = authorization.partition(" ")
        known = self._tokens.get(token) if scheme == "Bearer" else None
        return known.person if known is not None and known.until > self._now() else None

    def forget(self, person: str) -> None:
        """A person takes back what they agreed to."""
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept.person != person}

    @property
    def tokens(self) -> int:
        """How many are in force."""
        return sum(kept.until > self._now() for kept in self._tokens.values())

    def _is_client(self, form: Mapping[str, str], authorization: str) -> bool:
        client = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            try:
                shown = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
            client = shown.partition(":")[0], shown.partition(":")[2]
        return hmac.compare_digest(":".join(client).encode(), f"{self.client_id}:{self.client_secret}".encode())


def page(people: Iterable[tuple[str, str]], asked: Mapping[str, str]) -> str:
    """The page where somebody agrees, as one of the people there are (id and name), or does not."""
    links = [(person, f"Sign in as {name}") for person, name in people] + [("", "Cancel")]
    listed = "".join(
        f'<li><a href="?{html.escape(urlencode({**asked, AS: person}))}">{html.escape(words)}</a></li>'
        for person, words in links
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Simulated Discord</title>'
        "<h1>Simulated Discord</h1><p>A program wants to know who you are and which servers you are in.</p>"
        f"<ul>{listed}</ul></html>"
    )


def _fits(code: _Code, form: Mapping[str, str]) -> bool:
    proven = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    return (
        form.get("grant_type") == "authorization_code"
        and form.get("redirect_uri") == code.redirect_uri
        and hmac.compare_digest(proven.rstrip(b"=").decode(), code.challenge)
    )


def _back(asked: Mapping[str, str], **brought: str) -> str:
    return f"{asked['redirect_uri']}?{urlencode({**brought, 'state': asked.get('state', '')})}"
