"""``/sign-in``: with Discord, by a link that is good once, or with an API token."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.governor.limits import RateLimit
from core.service.keyring import digest_of
from core.service.sessions import LINK_PATH, LONGEST
from core.web.door import SessionDesk
from core.web.pages.rendering import Handle, headers_of, page, way
from core.web.pages.visiting import BY_DISCORD, SIGN_IN, led_to
from core.web.reading import parameters, whole_body
from core.web.settings import HttpSettings
from core.web.sign_in import attempt as attempts
from core.web.sign_in import forms
from core.web.sign_in.cookies import ATTEMPT, SESSION, VISIT, Cookies
from core.web.sign_in.discord import DiscordSignIn
from core.web.sign_in.rights import Rights
from schedule_zero.errors import Forbidden, QuotaExceeded, ScheduleZeroError
from schedule_zero.instant import SECOND

CALLBACK: Final = f"{BY_DISCORD}/callback"
VISIT_S: Final = 3600
RATE: Final = ("5/s", 50)
"""Sign-ins that are taken to Discord, and how many of them at one moment. Discord shuts out an address that asks too much in
vain, and the bot asks from the same one."""
_LASTS_S: Final = LONGEST // SECOND
_NOT_HERE: Final = "This sign-in was not begun in this browser, or more than ten minutes ago; begin it again."
_NOT_AGREED: Final = "You did not agree at Discord, so nobody is signed in."
_TOO_MANY: Final = "Too many people sign in at this moment; try again in a few seconds."
_WRONG_TOKEN: Final = "This is not a token of this core."  # noqa: S105  # words
_OLD_FORM: Final = "This form is too old, or was made for another browser; try once more."
_NOT_PRIVATE: Final = (
    "A link signs in on this machine or over https alone: http.bind has to be a loopback address, or http.public_url one "
    "with https."
)
_NO_APPLICATION: Final = (
    "Signing in with Discord is not set up here: it takes http.oauth.client_id and http.oauth.client_secret."
)
_NO_ADDRESS: Final = "Signing in with Discord is not set up here: it takes http.public_url, where the core is reached from other machines."


class SignInPages:
    """The page to sign in, and what its three ways lead to."""

    def __init__(self, sessions: SessionDesk, rights: Rights, cookies: Cookies, settings: HttpSettings) -> None:
        self._sessions = sessions
        self._rights = rights
        self._cookies = cookies
        self._settings = settings
        self._pace = RateLimit("sign-ins", *RATE, {})

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        ways: list[tuple[str, HttpMethod, Handle]] = [
            (SIGN_IN, HttpMethod.GET, self.show),
            (f"{SIGN_IN}/token", HttpMethod.POST, self.by_token),
            (LINK_PATH, HttpMethod.GET, self.by_link),
            (BY_DISCORD, HttpMethod.GET, self.to_discord),
            (CALLBACK, HttpMethod.GET, self.from_discord),
        ]
        return [way(*each) for each in ways]

    async def show(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The ways there are."""
        return self._page(request, forms.own_way(_asked(request).get("next", "")))

    # by a token, by a link

    async def by_token(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """A token was shown."""
        headers = headers_of(request)
        receive: Any = request.receive
        form = forms.fields(await whole_body(receive, headers))
        to = forms.own_way(form.get("next", ""))
        if not forms.fits(self._visit(headers), form.get(forms.FIELD, "")):
            return self._page(request, to, _OLD_FORM, HTTPStatus.FORBIDDEN)
        try:
            secret = await self._sessions.by_token(form.get("token", ""), _agent(headers), self._secret(headers))
        except ScheduleZeroError as error:
            return self._page(request, to, error.sentence, error.status)
        return self._page(request, to, _WRONG_TOKEN, HTTPStatus.FORBIDDEN) if secret is None else self._in(to, secret)

    async def by_link(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """A link was opened. What looks ahead at links, to be quick or to show a picture, uses none up."""
        headers = headers_of(request)
        if not self._settings.is_private:
            return self._page(request, forms.HOME, _NOT_PRIVATE, HTTPStatus.FORBIDDEN)
        if b"sec-purpose" in headers or b"purpose" in headers:
            return ASGIResponse(body=b"", status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            code = _asked(request).get("code", "")
            secret = await self._sessions.by_link(code, _agent(headers), self._secret(headers))
        except ScheduleZeroError as error:
            return self._page(request, forms.HOME, error.sentence, error.status)
        return self._in(forms.HOME, secret)

    # with Discord

    async def to_discord(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """To Discord, and to know the browser again when it comes back."""
        asked = _asked(request)
        to = forms.own_way(asked.get("next", ""))
        discord, back = self._rights.discord, self._back(request)
        if discord is None or back is None:
            return self._page(request, to)
        attempt = attempts.begun(to)
        kept = self._cookies.baked(ATTEMPT, attempts.written(attempt), attempts.LASTS_S)
        return led_to(discord.page(attempt, back, silently="again" in asked), kept)

    async def from_discord(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Back from there."""
        headers, asked = headers_of(request), _asked(request)
        attempt = attempts.read(self._cookies.value(headers.get(b"cookie", b""), ATTEMPT))
        discord, back = self._rights.discord, self._back(request)
        over = self._cookies.gone(ATTEMPT)
        if attempt is None or not attempt.is_answered_by(asked.get("state", "")) or discord is None or back is None:
            return self._page(request, forms.HOME, _NOT_HERE, HTTPStatus.FORBIDDEN, over)
        to = forms.own_way(attempt.way)
        try:
            if "code" not in asked:
                raise Forbidden(_NOT_AGREED)
            self._take_turn()
            token = await discord.token(asked["code"], attempt, back)
            secret = await self._with_token(discord, token, headers)
        except ScheduleZeroError as error:
            return self._page(request, to, error.sentence, error.status, over)
        return self._in(to, secret, over)

    async def _with_token(self, discord: DiscordSignIn, token: str, headers: Mapping[bytes, bytes]) -> str:
        """A session for who holds a token of Discord's, which goes back where there is none."""
        try:
            person = await discord.person(token)
            guilds = await discord.guilds(token)
            before = self._secret(headers)
            secret = await self._sessions.by_discord(person.id, person.name, guilds, _agent(headers), before)
        except ScheduleZeroError:
            await discord.give_back(token)
            raise
        self._rights.drop(digest_of(before))
        self._rights.keep(digest_of(secret), token)
        return secret

    def _take_turn(self) -> None:
        now = time.monotonic()
        wait = self._pace.check(now)
        if wait is not None:
            raise QuotaExceeded(_TOO_MANY, retry_after=1.0)
        self._pace.take(now)

    def _back(self, request: Request[Any, Any, Any]) -> str | None:
        """Where Discord shall lead back to; None where nobody can say. On this machine alone the name the browser used
        is one of ours, for no other is let in."""
        if self._settings.public_url is not None:
            return self._settings.public_url.rstrip("/") + CALLBACK
        host = headers_of(request).get(b"host", b"").decode("latin-1")
        return f"http://{host}{CALLBACK}" if self._settings.is_loopback else None

    # what all of them share

    def _page(
        self, request: Request[Any, Any, Any], to: str, trouble: str | None = None, code: int = HTTPStatus.OK,
        *cookies: tuple[str, str],
    ) -> ASGIResponse:  # fmt: skip
        visit = self._visit(headers_of(request)) or secrets.token_urlsafe(32)
        offered = self._rights.discord is not None and self._back(request) is not None
        return page(
            "sign_in.html.jinja", code, way=to, trouble=trouble, csrf=forms.token_of(visit),
            discord=f"{BY_DISCORD}?next={quote(to)}" if offered else None,
            missing=_NO_APPLICATION if self._rights.discord is None else _NO_ADDRESS,
            cookies=(self._cookies.baked(VISIT, visit, VISIT_S), *cookies),
        )  # fmt: skip

    def _in(self, to: str, secret: str, *cookies: tuple[str, str]) -> ASGIResponse:
        baked = self._cookies.baked(SESSION, secret, _LASTS_S)
        return led_to(to, baked, self._cookies.gone(VISIT), *cookies)

    def _visit(self, headers: Mapping[bytes, bytes]) -> str:
        return self._cookies.value(headers.get(b"cookie", b""), VISIT)

    def _secret(self, headers: Mapping[bytes, bytes]) -> str:
        return self._cookies.value(headers.get(b"cookie", b""), SESSION)


def _asked(request: Request[Any, Any, Any]) -> dict[str, str]:
    """What stands in the address, the first value of each name; nothing of what cannot be read."""
    scope: Any = request.scope
    try:
        return {name: values[0] for name, values in parameters(scope["query_string"]).items()}
    except ScheduleZeroError:
        return {}


def _agent(headers: Mapping[bytes, bytes]) -> str:
    """What the browser calls itself."""
    return "".join(each for each in headers.get(b"user-agent", b"").decode("latin-1") if each.isprintable())
