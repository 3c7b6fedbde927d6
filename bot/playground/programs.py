"""What other programs ask of the simulated Discord: to let its people sign in elsewhere, and who they are."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from bot.playground.authorizing import AS, Answered, Authority, page
from bot.playground.exchange import Answer, Asked, Directory

AUTHORIZE: Final = "oauth2/authorize"
API: Final = "api/v10"
CLIENT_ID: Final = "playground"
_HTML: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}
_JSON: Final = {"content-type": "application/json"}


class Programs:
    """The addresses for programs, below the playground's.

    Attributes:
        client_id: what the one program there is goes by.
        client_secret: by which it shows who it is; another one at every start.
    """

    def __init__(self) -> None:
        self.client_id = CLIENT_ID
        self.client_secret = secrets.token_urlsafe(24)
        self._authority = Authority(CLIENT_ID, self.client_secret)

    def authorize(self, directory: Directory, query: Mapping[str, str]) -> Answer:
        """The page where somebody agrees; whoever opens it may be any of the people there are."""
        asked = dict(query)
        objection = self._authority.objection(asked)
        if objection is not None:
            return Answer(HTTPStatus.BAD_REQUEST, {"content-type": "text/plain; charset=utf-8"}, objection.encode())
        person, people = asked.pop(AS, None), directory.people()
        if person is None or person not in {"", *(id for id, _ in people)}:
            return Answer(HTTPStatus.OK, _HTML, page(people, asked).encode())
        led = self._authority.agreed(person, asked) if person else self._authority.refused(asked)
        return Answer(HTTPStatus.FOUND, {"location": led}, b"")

    def answer(self, directory: Directory, asked: Asked) -> Answer | None:
        """What a program is told; None where there is nothing at this address."""
        authorization = asked.headers.get("authorization", "")
        form = dict(parse_qsl(asked.body.decode("latin-1")))
        if asked.method == "POST" and asked.path == f"{API}/oauth2/token":
            return _said(self._authority.token(form, authorization))
        if asked.method == "POST" and asked.path == f"{API}/oauth2/token/revoke":
            return _said(self._authority.give_back(form, authorization))
        if asked.method != "GET" or asked.path not in (f"{API}/users/@me", f"{API}/users/@me/guilds"):
            return None
        person = self._authority.holder(authorization)
        if person is None:
            return _json(HTTPStatus.UNAUTHORIZED, {"message": "401: Unauthorized", "code": 0})
        return _json(
            HTTPStatus.OK, directory.guilds(person) if asked.path.endswith("guilds") else directory.user(person)
        )


def _said(answered: Answered) -> Answer:
    return _json(answered.status, answered.body)


def _json(status: int, body: Any) -> Answer:
    return Answer(status, _JSON, msgspec.json.encode(body))
