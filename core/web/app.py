"""The HTTP application: one handler per row of the table of routes, and the few addresses that are not requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec
import structlog
from litestar import HttpMethod, Litestar, Request, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from prometheus_client import REGISTRY, CollectorRegistry

from core.fields import quoted
from core.service import access
from core.web.answering import answer, attached, broken, document, refused, streaming, unrouted
from core.web.calendars import calendars
from core.web.door import AsgiApp, Door, TokenCheck
from core.web.front import Front
from core.web.metrics import CONTENT_TYPE, RequestMetrics, exposition
from core.web.openapi import describe
from core.web.pages.account import AccountPages
from core.web.pages.guilds import GuildPages
from core.web.pages.handlers import HandlersPage
from core.web.pages.runs import RunsPages
from core.web.pages.sign_in import SignInPages
from core.web.pages.visiting import Visiting
from core.web.reading import Reading, whole_body
from core.web.settings import HttpSettings
from core.web.sign_in.cookies import Cookies
from core.web.sign_in.discord import DiscordSignIn
from core.web.sign_in.rights import Rights
from core.web.sign_in.visitors import Caller, Visitors
from core.web.stream import EVENT_STREAM, line_in, message, page, stream
from schedule_zero.actor import CORE, Actor
from schedule_zero.errors import Invalid, ScheduleZeroError
from schedule_zero.requests import Export, GetRunLog, GetStatus, ListEvents, ListHandlers
from schedule_zero.routes import (
    HEALTH_PATHS,
    METRICS_PATHS,
    OPENAPI_PATH,
    PREFIX,
    READY_PATHS,
    ROUTES,
    Route,
)
from schedule_zero.views import ExportPart, HandlerPage, HandlerView, Part, Status

_STATUS_PATIENCE: Final = 2.0  # seconds; a core that cannot say how it is by then is not well
_log = structlog.get_logger(__name__)

T = TypeVar("T")
_Handle = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]


class Health(msgspec.Struct, kw_only=True):
    """Whether the process can do its work, and the parts that fail."""

    ok: bool
    failing: dict[str, str]


class Index(msgspec.Struct, kw_only=True):
    """Where everything is: the description, and every path it describes."""

    version: str
    openapi: str
    paths: tuple[str, ...]


class Web:
    """The HTTP application, and what is needed around it.

    Attributes:
        app: the ASGI application a server runs.
        closing: set when the door closes; every open stream ends then.
    """

    def __init__(self, front: Front, closing: asyncio.Event, rights: Rights) -> None:
        self._front = front
        self._rights = rights
        self.app: AsgiApp = front
        self.closing = closing

    def sign_in_with(self, discord: DiscordSignIn) -> None:
        """People may sign in with this Discord, from now on."""
        self._rights.discord = discord

    def mount(self, prefix: str, app: AsgiApp) -> None:
        """Answer everything under a prefix by another application, from now on; it sees the prefix as ``root_path``.

        It guards itself, except that foreign hosts and pages of other sites are kept out here.
        """
        self._front.mount(prefix, app)


def build_web(
    door: Door,
    settings: HttpSettings,
    token_check: TokenCheck,
    *,
    version: str = "0",
    with_metrics: bool = True,
) -> Web:
    """Build the HTTP application.

    Args:
        door: the use cases.
        settings: names the hosts that are ours.
        token_check: who holds a token.
        version: the version the API's description names.
        with_metrics: whether ``/metrics`` answers.
    """
    closing = asyncio.Event()
    readings = [Reading(row) for row in ROUTES]
    cookies, rights = Cookies(secure=settings.is_secure), Rights(door.sessions)
    visitors = Visitors(token_check, door.sessions, rights, cookies)
    parts = _Parts(door, visitors, closing)
    own_metrics = CollectorRegistry()
    handlers = [_handler(reading.route, parts.answering(reading)) for reading in readings]
    handlers += _probes(parts)
    visiting = Visiting(visitors)
    handlers += AccountPages(door.sessions, visiting, rights, cookies).routes()
    handlers += SignInPages(door.sessions, rights, cookies, settings).routes()
    handlers += GuildPages(door, visiting).routes()
    handlers += HandlersPage(door, visiting).routes() + RunsPages(door, visiting, closing).routes()
    handlers += [calendars(door), _described(describe(readings, Health, version)), _indexed(parts, version)]
    if with_metrics:
        handlers.append(_measured(parts, (REGISTRY, own_metrics)))
    api = Litestar(
        handlers,
        exception_handlers={ScheduleZeroError: refused, HTTPException: unrouted, Exception: broken},
        openapi_config=None,
        logging_config=None,
    )
    return Web(Front(api, settings, RequestMetrics(own_metrics)), closing, rights)


class _Parts:
    """What the handlers share."""

    def __init__(self, door: Door, visitors: Visitors, closing: asyncio.Event) -> None:
        self.door = door
        self.closing = closing
        self._visitors = visitors

    async def caller(self, scope: Any) -> Caller:
        """Who asks. Raises Unauthorized, Forbidden, Unavailable."""
        return await self._visitors.caller(dict(scope["headers"]), scope["method"])

    def answering(self, reading: Reading) -> _Handle:
        """Bytes to Request, Request to View, View to bytes."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            scope: Any = request.scope
            receive: Any = request.receive
            headers = dict(scope["headers"])
            caller = await self.caller(scope)
            body = await whole_body(receive, headers) if reading.has_body else b""
            asked = reading.request(headers, scope["path_params"], scope["query_string"], body)
            actor = await caller.actor(asked)
            if EVENT_STREAM in headers.get(b"accept", b"").decode("latin-1"):
                if isinstance(asked, ListEvents):
                    return await self._events(actor, asked, scope)
                if isinstance(asked, GetRunLog):
                    return await self._log(actor, asked, scope)
            if isinstance(asked, Export) and asked.cursor is None:
                return await self._file(actor, asked)
            return answer(reading.route, await self.door.handle(actor, asked))

        return handle

    async def _events(self, actor: Actor, asked: ListEvents, scope: Any) -> ASGIResponse:
        last = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1") or asked.after
        # A page first: a wrong place or a missing right is refused in words while that is still possible.
        await self.door.handle(actor, msgspec.structs.replace(asked, after=last, limit=1))
        events = self.door.follow(actor, last, kinds=asked.kinds, guild_id=asked.guild_id)
        return streaming(stream(self._while_let_in(actor, asked, scope, events), self.closing, message))

    async def _log(self, actor: Actor, asked: GetRunLog, scope: Any) -> ASGIResponse:
        headers = dict(scope["headers"])
        after = asked.after if b"last-event-id" not in headers else _line_behind(headers[b"last-event-id"])
        await self.door.handle(actor, GetRunLog(id=asked.id, after=after, limit=1))  # a refusal is said in words
        pages = self.door.follow_log(actor, asked.id, after)
        return streaming(stream(self._while_let_in(actor, asked, scope, pages), self.closing, page))

    async def _file(self, actor: Actor, asked: Export) -> ASGIResponse:
        """All parts of an export, one after another as they are taken. A refusal is said in words: the first is made first."""
        first = cast("ExportPart", await self.door.handle(actor, asked))

        async def parts() -> AsyncGenerator[bytes, None]:
            part = first
            yield part.text.encode()
            while part.next is not None:
                part = cast(
                    "ExportPart", await self.door.handle(actor, msgspec.structs.replace(asked, cursor=part.next))
                )
                yield part.text.encode()

        return attached(parts(), first.name, first.media_type)

    async def _while_let_in(
        self, actor: Actor, asked: ListEvents | GetRunLog, scope: Any, items: AsyncIterator[T]
    ) -> AsyncIterator[T]:
        """What comes, as long as who asked for it is let in with the same rights: a stream outlives many of them."""
        try:
            async for item in items:
                try:
                    if await (await self.caller(scope)).actor(asked) != actor:
                        return
                except ScheduleZeroError:
                    return
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    async def status(self) -> Status:
        """The core's account of itself; one that says so if it cannot give any."""
        try:
            async with asyncio.timeout(_STATUS_PATIENCE):
                view = await self.door.handle(CORE, GetStatus())
        except TimeoutError:
            return _unwell("did not say how it is within two seconds")
        except ScheduleZeroError as error:
            return _unwell(error.sentence)
        except Exception as error:  # noqa: BLE001  # a probe answers whatever is wrong; the log keeps the defect
            _log.exception("status failed")
            return _unwell(f"failed with {type(error).__name__}")
        return cast("Status", view)

    async def handlers(self) -> tuple[HandlerView, ...]:
        """The handlers; none where the core cannot tell."""
        try:
            view = await self.door.handle(CORE, ListHandlers())
        except ScheduleZeroError as error:
            _log.warning("handlers could not be listed", error=error.sentence)
            return ()
        return cast("HandlerPage", view).items


def _line_behind(header: bytes) -> int:
    """The number of the line behind which a stream of a log goes on. Raises Invalid."""
    text = header.decode("latin-1")
    number = line_in(text, -1)
    if number < 0:
        raise Invalid.at("Last-Event-ID", f"has to be the number of a line, not {quoted(text)}")
    return number


def _unwell(words: str) -> Status:
    return Status(
        running=False, version="", last_tick=None, schedules=0, due=0, waiting=0, runs_executed=0, lag="PT0S",
        parts={"core": Part(ok=False, detail=words)},
    )  # fmt: skip


def _handler(row: Route, handle: _Handle) -> HTTPRouteHandler:
    path = PREFIX + row.path.replace("}", ":str}")
    return route(path, http_method=[HttpMethod(row.method)], status_code=row.status)(handle)


def _probes(parts: _Parts) -> list[HTTPRouteHandler]:
    both = [HttpMethod.GET, HttpMethod.HEAD]

    async def health(request: Request[Any, Any, Any]) -> ASGIResponse:  # noqa: ARG001  # Litestar's form
        status = await parts.status()
        failing = {name: part.detail for name, part in status.parts.items() if not part.ok}
        # A core that answers can do its work, even if it does not fire at the moment: restarting it would not help.
        ok = "core" not in failing
        return document(msgspec.json.encode(Health(ok=ok, failing=failing)), status=200 if ok else 503)

    async def ready(request: Request[Any, Any, Any]) -> ASGIResponse:  # noqa: ARG001  # Litestar's form
        status = await parts.status()
        return document(msgspec.json.encode(status), status=200 if status.running else 503)

    return [route(list(HEALTH_PATHS), http_method=both)(health), route(list(READY_PATHS), http_method=both)(ready)]


def _described(body: bytes) -> HTTPRouteHandler:
    async def openapi(request: Request[Any, Any, Any]) -> ASGIResponse:  # noqa: ARG001  # Litestar's form
        return document(body)

    return route(OPENAPI_PATH, http_method=[HttpMethod.GET])(openapi)


def _indexed(parts: _Parts, version: str) -> HTTPRouteHandler:
    paths = tuple(sorted({PREFIX + row.path for row in ROUTES}))
    body = msgspec.json.encode(Index(version=version, openapi=OPENAPI_PATH, paths=paths))

    async def index(request: Request[Any, Any, Any]) -> ASGIResponse:
        await parts.caller(request.scope)
        return document(body)

    return route(PREFIX, http_method=[HttpMethod.GET])(index)


def _measured(parts: _Parts, registries: Sequence[CollectorRegistry]) -> HTTPRouteHandler:
    async def measured(request: Request[Any, Any, Any]) -> ASGIResponse:
        access.require_operator(await (await parts.caller(request.scope)).actor(GetStatus()))
        body = exposition(registries, await parts.status(), await parts.handlers())
        return document(body, media_type=CONTENT_TYPE)

    return route(list(METRICS_PATHS), http_method=[HttpMethod.GET])(measured)
