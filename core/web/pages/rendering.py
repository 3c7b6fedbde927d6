"""Rendering: what all pages have in common, from the template to the headers that keep strangers out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from schedule_zero.instant import parse, say_duration, spell

HTML: Final = "text/html"
# Nothing is loaded but our own style, nothing is sent but to ourselves, and nothing runs.
POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
LIVE_POLICY: Final = f"{POLICY}; script-src 'self'; connect-src 'self'"
"""For pages that our own script keeps up to date."""
PAGES: Final = (("/guilds", "Servers"), ("/runs", "Runs"), ("/handlers", "Handlers"), ("/account", "Account"))
"""What every page leads to."""
# Each calls itself by the names of those after it, too.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ("curl/", "curl"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Windows", "Windows"), ("Mac OS", "a Mac"),
    ("Linux", "Linux"),
)  # fmt: skip
_HERE: Final = Path(__file__).parent

Handle = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]


def way(path: str, method: HttpMethod, handle: Handle) -> HTTPRouteHandler:
    """A method of a page as what Litestar wants: a function at an address."""

    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await handle(request)

    return route(path, http_method=[method], status_code=200)(answer)


def page(
    template: str, code: int = 200, *, policy: str = POLICY, cookies: Iterable[tuple[str, str]] = (), **facts: Any
) -> ASGIResponse:
    """A template as the answer; ``cookies``: the headers that set them."""
    headers = [*_headers(policy).items(), *cookies]
    return ASGIResponse(body=rendered(template, **facts).encode(), status_code=code, media_type=HTML, headers=headers)


def nothing(title: str, sentence: str, code: int, headers: Mapping[str, str]) -> Response[bytes]:
    """A page that says why there is none, in the form that Litestar wants from who handles an exception."""
    body = rendered("nothing.html.jinja", title=title, sentence=sentence, link=None).encode()
    return Response(body, status_code=code, media_type=HTML, headers={**_headers(POLICY), **headers})


def _headers(policy: str) -> dict[str, str]:
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        # Under `no-referrer` a browser says that a form comes from nowhere ("Origin: null"), as a stranger's would.
        "referrer-policy": "same-origin",
    }


def rendered(template: str, **facts: Any) -> str:
    """A template as text; whatever it is given is text in it, too."""
    return _environment().get_template(template).render(**facts)


def asset(name: str, media_type: str) -> ASGIResponse:
    """A file that pages load."""
    return ASGIResponse(body=_content(name), media_type=media_type, headers={"cache-control": "max-age=60"})


def headers_of(request: Request[Any, Any, Any]) -> dict[bytes, bytes]:
    """The headers of a request, as ASGI has them."""
    scope: Any = request.scope
    return dict(scope["headers"])


def browser_of(agent: str) -> str:
    """A browser and its system by what it calls itself; the beginning of that where neither is known."""
    names = [name for mark, name in _BROWSERS if mark in agent][:1]
    systems = [name for mark, name in _SYSTEMS if mark in agent][:1]
    return " on ".join(names + systems) or agent[:60] or "an unknown browser"


def _minute(instant: int) -> str:
    return f"{spell(instant)[:16].replace('T', ' ')} UTC"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals["pages"] = PAGES
    made.filters["said"] = lambda duration: "–" if duration is None else say_duration(duration)
    made.filters["minute"] = _minute
    made.filters["when"] = lambda instant: _minute(parse(instant))
    made.filters["browser"] = browser_of
    made.filters["as_json"] = lambda value: msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return made


@lru_cache(maxsize=8)
def _content(name: str) -> bytes:
    return (_HERE / name).read_bytes()
