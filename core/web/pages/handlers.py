"""``/handlers``: the handlers as a page, for who shows the API token. It is made anew every few seconds."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs

from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.web.door import Door, TokenCheck
from core.web.pages.history import drawing_of
from core.web.pages.rendering import Handle, asset, cookies, page, way
from core.web.pages.sessions import COOKIE, LASTS_S, Sessions
from core.web.reading import whole_body
from schedule_zero.actor import Actor
from schedule_zero.requests import GetStatus, ListHandlers
from schedule_zero.views import HandlerPage, Status

PATH: Final = "/handlers"
REFRESH_S: Final = 5
LARGEST_FORM: Final = 4096
PLACES: Final = ("/runs", PATH)
"""The pages that a session opens, and what lies below them."""
_ONE_OF_OURS: Final = re.compile(r"/handlers|/runs(/[A-Za-z0-9_]{1,100})?")


class HandlersPage:
    """The page, its form to sign in, and its style.

    Args:
        secure: the browser reaches us over https, so it shall send the cookie over nothing else.
    """

    def __init__(self, door: Door, check: TokenCheck, *, secure: bool) -> None:
        self._door = door
        self._secure = secure
        self.sessions = Sessions(check)

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        ways: list[tuple[str, HttpMethod, Handle]] = [
            ("/", HttpMethod.GET, self.lead_here),
            (PATH, HttpMethod.GET, self.show),
            (f"{PATH}/sign-in", HttpMethod.POST, self.sign_in),
            (f"{PATH}/sign-out", HttpMethod.POST, self.sign_out),
            (f"{PATH}/style.css", HttpMethod.GET, self.style),
        ]
        return [way(*each) for each in ways]

    async def lead_here(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """The root has nothing of its own: people who open it mean this page."""
        return ASGIResponse(body=b"", status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"location": PATH})

    async def show(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The handlers, or the form."""
        actor = self.sessions.actor(cookies(request))
        return await self._handlers(actor) if actor is not None else sign_in_page(PATH)

    async def sign_in(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """A token was shown."""
        receive: Any = request.receive
        body = await whole_body(receive, dict(cast("Any", request.scope)["headers"]))
        form = parse_qs(body[:LARGEST_FORM].decode("latin-1"))
        session = self.sessions.begin(form.get("token", [""])[0].strip())
        to = form.get("to", [PATH])[0]
        to = to if _ONE_OF_OURS.fullmatch(to) else PATH
        if session is None:
            return sign_in_page(to, wrong=True)
        return self._back(to, session, LASTS_S)

    async def sign_out(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The session ends."""
        self.sessions.end(cookies(request))
        return self._back(PATH, "", 0)

    async def style(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """How it looks."""
        return asset("style.css", "text/css")

    async def _handlers(self, actor: Actor) -> ASGIResponse:
        found = cast("HandlerPage", await self._door.handle(actor, ListHandlers(history=True)))
        status = cast("Status", await self._door.handle(actor, GetStatus()))
        now = time.time_ns() // 1000
        drawings = {each.name: drawing_of(each.history, now) for each in found.items if each.history}
        return page(
            "handlers.html.jinja", handlers=found.items, status=status, refresh=REFRESH_S, drawings=drawings
        )  # fmt: skip

    def _back(self, to: str, session: str, lasts_s: int) -> ASGIResponse:
        """A cookie for each of our places, so that nothing else of this host is sent any."""
        secure = "; Secure" if self._secure else ""
        kept = f"Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}"
        baked = [("set-cookie", f"{COOKIE}={session}; Path={place}; {kept}") for place in PLACES]
        return ASGIResponse(body=b"", status_code=HTTPStatus.SEE_OTHER, headers=[("location", to), *baked])


def sign_in_page(to: str, *, wrong: bool = False) -> ASGIResponse:
    """The form that asks for the token, and leads on to a page of ours."""
    return page("sign_in.html.jinja", HTTPStatus.FORBIDDEN if wrong else HTTPStatus.OK, to=to, wrong=wrong)
