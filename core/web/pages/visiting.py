"""Visits: every page for people who are signed in is shown, and every form of theirs taken, by way of here.

Who is not signed in is led to where one signs in, and back. A form that was not made for this browser changes nothing.
What is refused is said as a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.web.pages.rendering import headers_of, page, way
from core.web.reading import whole_body
from core.web.sign_in import forms
from core.web.sign_in.rights import SignInAgain
from core.web.sign_in.visitors import Visitor, Visitors
from schedule_zero.errors import Forbidden, ScheduleZeroError, Unauthorized

SIGN_IN: Final = "/sign-in"
BY_DISCORD: Final = f"{SIGN_IN}/discord"
_NOT_OURS: Final = (
    "This form was made for another browser, or before you signed in; load the page again and try once more."
)
_SIGN_IN_FIRST: Final = "Sign in at /sign-in first."


class Visit(NamedTuple):
    """A page is asked for, or a form is sent."""

    visitor: Visitor
    request: Request[Any, Any, Any]
    form: Mapping[str, str]


Show = Callable[[Visit], Awaitable[ASGIResponse]]


class Visiting:
    """Makes the ways to pages for people who are signed in."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def way(self, path: str, show: Show, *, anyhow: bool = False) -> HTTPRouteHandler:
        """A page; ``anyhow``: it takes no rights, and is there while Discord is away."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            here = _address(request)
            try:
                visitor = await self._visitors.visitor(headers_of(request), anyhow=anyhow)
                if visitor is None:
                    return led_to(f"{SIGN_IN}?next={quote(here)}")
                return await show(Visit(visitor, request, {}))
            except SignInAgain:
                return led_to(_again(here))
            except ScheduleZeroError as error:
                return refused_page(error)

        return way(path, HttpMethod.GET, handle)

    def for_everybody(self, path: str, show: Callable[[Visitor | None], Awaitable[ASGIResponse]]) -> HTTPRouteHandler:
        """A page for everybody, that knows who is signed in."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            try:
                visitor = await self._visitors.visitor(headers_of(request), anyhow=True)
            except ScheduleZeroError:
                visitor = None
            return await show(visitor)

        return way(path, HttpMethod.GET, handle)

    def form(self, path: str, take: Show, stands_at: str | None = None, *, anyhow: bool = False) -> HTTPRouteHandler:
        """A form; of the page above it, if nothing else is said."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            above = stands_at or str(request.url.path).rpartition("/")[0]
            headers = headers_of(request)
            try:
                visitor = await self._visitors.visitor(headers, anyhow=anyhow)
                if visitor is None:
                    return led_to(f"{SIGN_IN}?next={quote(above)}")
                receive: Any = request.receive
                form = forms.fields(await whole_body(receive, headers))
                if not forms.fits(self._visitors.secret(headers), form.get(forms.FIELD, "")):
                    raise Forbidden(_NOT_OURS)
                return await take(Visit(visitor, request, form))
            except SignInAgain as error:
                # By a link: a form may lead nowhere else, and browsers follow that rule along all the way to Discord.
                return refused_page(error, (_again(above), "Ask Discord again"))
            except ScheduleZeroError as error:
                return refused_page(error)

        return way(path, HttpMethod.POST, handle)

    def stream(self, path: str, show: Show) -> HTTPRouteHandler:
        """What a page's script asks for; refusals are its problem documents."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            visitor = await self.again(request)
            if visitor is None:
                raise Unauthorized(_SIGN_IN_FIRST)
            return await show(Visit(visitor, request, {}))

        return way(path, HttpMethod.GET, handle)

    async def again(self, request: Request[Any, Any, Any]) -> Visitor | None:
        """Who is signed in now: a page stays open longer than many a session, and many a right."""
        return await self._visitors.visitor(headers_of(request))


def led_to(address: str, *headers: tuple[str, str]) -> ASGIResponse:
    """The browser goes on to another address."""
    kept = [("location", address), ("cache-control", "no-store"), *headers]
    return ASGIResponse(body=b"", status_code=HTTPStatus.SEE_OTHER, headers=kept)


def refused_page(error: ScheduleZeroError, link: tuple[str, str] | None = None) -> ASGIResponse:
    """What is refused, as a page; ``link``: an address that helps, and its words."""
    title = HTTPStatus(error.status).phrase.capitalize()
    return page("nothing.html.jinja", error.status, title=title, sentence=error.sentence, link=link)


def _again(to: str) -> str:
    """By way of Discord, which is asked once more what somebody may do."""
    return f"{BY_DISCORD}?again=1&next={quote(to)}"


def _address(request: Request[Any, Any, Any]) -> str:
    """The page that is asked for, with what it is asked."""
    scope: Any = request.scope
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])
