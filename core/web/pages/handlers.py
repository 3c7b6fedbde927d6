"""``/handlers``: the handlers as a page, for who shows the API token. It is made anew every few seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs

import jinja2
from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.web.door import Door, TokenCheck
from core.web.pages.history import drawing_of
from core.web.pages.sessions import COOKIE, LASTS_S, Sessions
from core.web.reading import whole_body
from schedule_zero.actor import Actor
from schedule_zero.instant import say_duration
from schedule_zero.requests import GetStatus, ListHandlers
from schedule_zero.views import HandlerPage, Status

PATH: Final = "/handlers"
REFRESH_S: Final = 5
LARGEST_FORM: Final = 4096
_HTML: Final = "text/html"
# Nothing runs, nothing is loaded but our own style, nothing is sent but to ourselves.
_POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_HERE: Final = Path(__file__).parent

_Handle = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]


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
        ways: list[tuple[str, HttpMethod, _Handle]] = [
            ("/", HttpMethod.GET, self.lead_here),
            (PATH, HttpMethod.GET, self.show),
            (f"{PATH}/sign-in", HttpMethod.POST, self.sign_in),
            (f"{PATH}/sign-out", HttpMethod.POST, self.sign_out),
            (f"{PATH}/style.css", HttpMethod.GET, self.style),
        ]
        return [route(path, http_method=[method], status_code=200)(_plain(handle)) for path, method, handle in ways]

    async def lead_here(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """The root has nothing of its own: people who open it mean this page."""
        return ASGIResponse(body=b"", status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"location": PATH})

    async def show(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The handlers, or the form."""
        actor = self.sessions.actor(_cookies(request))
        return await self._handlers(actor) if actor is not None else _page("sign_in.html.jinja", wrong=False)

    async def sign_in(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """A token was shown."""
        receive: Any = request.receive
        body = await whole_body(receive, dict(cast("Any", request.scope)["headers"]))
        form = parse_qs(body[:LARGEST_FORM].decode("latin-1"))
        session = self.sessions.begin(form.get("token", [""])[0].strip())
        if session is None:
            return _page("sign_in.html.jinja", HTTPStatus.FORBIDDEN, wrong=True)
        return self._back(session, LASTS_S)

    async def sign_out(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The session ends."""
        self.sessions.end(_cookies(request))
        return self._back("", 0)

    async def style(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """How it looks."""
        return ASGIResponse(body=_style(), media_type="text/css", headers={"cache-control": "max-age=60"})

    async def _handlers(self, actor: Actor) -> ASGIResponse:
        page = cast("HandlerPage", await self._door.handle(actor, ListHandlers(history=True)))
        status = cast("Status", await self._door.handle(actor, GetStatus()))
        return _page("handlers.html.jinja", handlers=page.items, status=status, refresh=REFRESH_S,
                     now=time.time_ns() // 1000)  # fmt: skip

    def _back(self, session: str, lasts_s: int) -> ASGIResponse:
        cookie = f"{COOKIE}={session}; Path={PATH}; Max-Age={lasts_s}; HttpOnly; SameSite=Strict"
        headers = {"location": PATH, "set-cookie": f"{cookie}; Secure" if self._secure else cookie}
        return ASGIResponse(body=b"", status_code=HTTPStatus.SEE_OTHER, headers=headers)


def _plain(handle: _Handle) -> _Handle:
    """A method as the function that Litestar wants."""

    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await handle(request)

    return answer


def _cookies(request: Request[Any, Any, Any]) -> bytes:
    scope: Any = request.scope
    return dict(scope["headers"]).get(b"cookie", b"")  # type: ignore[no-any-return]  # bytes, as ASGI says


def _page(template: str, code: int = 200, **facts: Any) -> ASGIResponse:
    body = _environment().get_template(template).render(**facts).encode()
    headers = {
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
        # Under `no-referrer` a browser says that a form comes from nowhere ("Origin: null"), as a stranger's would.
        "referrer-policy": "same-origin",
    }
    return ASGIResponse(body=body, status_code=code, media_type=_HTML, headers=headers)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals["drawing_of"] = drawing_of
    made.filters["said"] = lambda duration: "–" if duration is None else say_duration(duration)
    return made


@lru_cache(maxsize=1)
def _style() -> bytes:
    return (_HERE / "style.css").read_bytes()
