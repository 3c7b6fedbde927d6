"""``/runs``: what ran and what waits, and each run as a page of its own that keeps itself up to date.

Everything is made on the server. The script of the page only puts in what it is sent, so that reading takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlencode

import msgspec
from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.fields import check, unknown
from core.web.answering import streaming
from core.web.door import Door
from core.web.pages.handlers import sign_in_page
from core.web.pages.rendering import LIVE_POLICY, Handle, asset, cookies, page, rendered, way
from core.web.pages.sessions import Sessions
from core.web.reading import parameters
from core.web.stream import line_in, stream
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid, NotFound, ScheduleZeroError, Unauthorized
from schedule_zero.masking import discreet, masked, secrets_in, without
from schedule_zero.requests import CancelRun, GetHandler, GetRun, GetRunLog, GetSchedule, ListRuns, RetryRun
from schedule_zero.routes import NO_GUILD
from schedule_zero.run import ACTIVE, AGAIN, RETRIABLE, Run, RunState
from schedule_zero.schedule import Schedule
from schedule_zero.views import HandlerView, RunLog, RunPage

PATH: Final = "/runs"
REFRESH_S: Final = 5
ON_A_PAGE: Final = 50
NEWEST: Final = 200
"""Runs of a schedule among which one is looked for that was made again; a list answers no more at once."""
LINES: Final = 1000
"""More than a log has."""
FILTERS: Final = ("state", "guild_id", "schedule_id", "handler", "cursor")
_encode: Final = msgspec.json.Encoder().encode


class RunsPages:
    """The list, and a run."""

    def __init__(self, door: Door, sessions: Sessions, closing: asyncio.Event) -> None:
        """``closing``: set when the door closes; open pages are left alone then."""
        self._door = door
        self._sessions = sessions
        self._closing = closing

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        ways: list[tuple[str, HttpMethod, Handle]] = [
            (PATH, HttpMethod.GET, self.show_list),
            (f"{PATH}/live.js", HttpMethod.GET, self.script),
            (f"{PATH}/{{id:str}}", HttpMethod.GET, self.show),
            (f"{PATH}/{{id:str}}/live", HttpMethod.GET, self.live),
            (f"{PATH}/{{id:str}}/cancel", HttpMethod.POST, self.cancel),
            (f"{PATH}/{{id:str}}/retry", HttpMethod.POST, self.retry),
        ]
        return [way(*each) for each in ways]

    async def show_list(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Runs, newest first, of the state, guild, schedule or handler that is asked for."""
        actor = self._sessions.actor(cookies(request))
        if actor is None:
            return sign_in_page(PATH)
        given: dict[str, str] = {}
        try:
            given, strange = _filters(request)
            found = cast("RunPage", await self._door.handle(actor, _listing(given)))
        except ScheduleZeroError as error:
            return _listed(RunPage(items=()), given, error.sentence, error.status)
        return _listed(found, given, "; ".join(f"{name} {unknown(name, FILTERS)}" for name in strange) or None)

    async def show(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """One run."""
        id = _id(request)
        actor = self._sessions.actor(cookies(request))
        if actor is None:
            return sign_in_page(f"{PATH}/{id}")
        return await self._run(actor, id)

    async def live(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """What changes of a run, and what it logs, as Server-Sent Events of pieces of its page."""
        actor = self._sessions.actor(cookies(request))
        if actor is None:
            raise Unauthorized("Sign in at /handlers first.")
        scope: Any = request.scope
        given = parse_qs(scope["query_string"].decode("latin-1")).get("after", ["0"])[0]
        after = line_in(dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1"), line_in(given, 0))
        id = _id(request)
        await self._door.handle(actor, GetRun(id=id))  # a refusal is said in words while that is still possible
        return streaming(stream(self._changes(request, actor, id, after), self._closing, _as_it_is))

    async def cancel(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The button Cancel."""
        return await self._press(request, CancelRun(id=_id(request)))

    async def retry(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The button Retry; it leads to the new run."""
        return await self._press(request, RetryRun(id=_id(request)))

    async def script(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """What keeps the page of a run up to date."""
        return asset("live.js", "text/javascript")

    async def _press(self, request: Request[Any, Any, Any], asked: CancelRun | RetryRun) -> ASGIResponse:
        actor = self._sessions.actor(cookies(request))
        if actor is None:
            return sign_in_page(f"{PATH}/{asked.id}")
        try:
            run = cast("Run", await self._door.handle(actor, asked))
        except ScheduleZeroError as error:
            return await self._run(actor, asked.id, error)
        headers = {"location": f"{PATH}/{run.id}"}
        return ASGIResponse(body=b"", status_code=HTTPStatus.SEE_OTHER, headers=headers)

    async def _run(self, actor: Actor, id: str, trouble: ScheduleZeroError | None = None) -> ASGIResponse:
        try:
            facts = await self._facts(actor, id)
            log = cast("RunLog", await self._door.handle(actor, GetRunLog(id=id, limit=LINES)))
        except ScheduleZeroError as error:
            return page("nothing.html.jinja", error.status, title="No such run", sentence=error.sentence)
        return page(
            "run.html.jinja", HTTPStatus.OK if trouble is None else trouble.status, policy=LIVE_POLICY, log=_discreet(log, facts["hidden"]),
            refresh=REFRESH_S, trouble=None if trouble is None else trouble.sentence, **facts,
        )  # fmt: skip

    async def _facts(self, actor: Actor, id: str) -> dict[str, Any]:
        """What the page says of the run."""
        run = cast("Run", await self._door.handle(actor, GetRun(id=id)))
        schedule: Schedule | None
        try:
            schedule = cast("Schedule", await self._door.handle(actor, GetSchedule(id=run.schedule_id)))
        except NotFound:  # it was deleted long ago
            schedule = None
        args = run.args if run.args is not None or schedule is None else schedule.args
        schema = await self._schema(actor, run)
        hidden = secrets_in(args or {}, schema) | secrets_in({} if schedule is None else schedule.args, schema)
        again = await self._again(actor, run) if run.state in RETRIABLE else None
        return {
            "run": discreet(run, hidden), "schedule": schedule, "args": None if args is None else masked(args, schema),
            "is_active": run.state in ACTIVE, "may_be_retried": run.state in RETRIABLE and again is None,
            "hidden": hidden, "again": again,
        }  # fmt: skip

    async def _again(self, actor: Actor, run: Run) -> str | None:
        """The run that was made to take the place of one that ended, if it is among the newest of its schedule."""
        try:
            newest = cast(
                "RunPage", await self._door.handle(actor, ListRuns(schedule_id=run.schedule_id, limit=NEWEST))
            )
        except NotFound:
            return None
        return next((each.id for each in newest.items if each.occurrence == AGAIN + run.id), None)

    async def _schema(self, actor: Actor, run: Run) -> dict[str, Any]:
        """What a run's method says of its arguments; nothing where nobody knows it."""
        try:
            handler = cast("HandlerView", await self._door.handle(actor, GetHandler(name=run.handler)))
        except NotFound:
            return {}
        return next((method.schema for method in handler.methods if method.name == run.method), {})

    async def _changes(
        self, request: Request[Any, Any, Any], actor: Actor, id: str, after: int
    ) -> AsyncGenerator[bytes, None]:
        """The pieces: ``facts`` where they are others than before, ``lines`` where there are new ones, ``end``."""
        shown = ""
        pages: AsyncIterator[RunLog] = self._door.follow_log(actor, id, after)
        try:
            async for log in pages:
                if self._sessions.actor(cookies(request)) is None:  # a page stays open longer than many a session
                    return
                found = await self._facts(actor, id)
                facts = rendered("run_facts.html.jinja", **found)
                if facts != shown:
                    shown = facts
                    yield _piece("facts", facts)
                if log.items or log.left_out:
                    yield _piece(
                        "lines", rendered("run_lines.html.jinja", log=_discreet(log, found["hidden"])), log.next
                    )
            yield _piece("end", "")
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()


def _discreet(log: RunLog, hidden: frozenset[str]) -> RunLog:
    """A log that repeats no secret."""
    lines = (msgspec.structs.replace(line, text=without(line.text, hidden)) for line in log.items)
    return msgspec.structs.replace(log, items=tuple(lines)) if hidden else log


def _as_it_is(piece: bytes) -> bytes:
    return piece


def _piece(kind: str, html: str, id: int | None = None) -> bytes:
    place = b"" if id is None else b"id: %d\n" % id
    return b"%bevent: %b\ndata: %b\n\n" % (place, kind.encode(), _encode(html))


def _id(request: Request[Any, Any, Any]) -> str:
    return str(request.path_params["id"])


def _listed(found: RunPage, given: dict[str, str], trouble: str | None, code: int = HTTPStatus.OK) -> ASGIResponse:
    """The list as a page, with the form as it was sent."""
    more = None if found.next is None else urlencode(given | {"cursor": found.next})
    return page(
        "runs.html.jinja", code, runs=found.items, given=given, states=list(RunState), more=more, trouble=trouble
    )


def _filters(request: Request[Any, Any, Any]) -> tuple[dict[str, str], list[str]]:
    """What the form sent, without what was left empty; and what was sent that is no filter. Raises Malformed."""
    scope: Any = request.scope
    given = parameters(scope["query_string"])
    known = {name: given[name][0].strip() for name in FILTERS if given.get(name, [""])[0].strip()}
    return known, [name for name in given if name not in FILTERS]


def _listing(given: dict[str, str]) -> ListRuns:
    """The request that a form stands for. Raises Invalid."""
    guild_id = given.get("guild_id")
    place = {"any_guild": guild_id is None, "guild_id": None if guild_id == NO_GUILD else guild_id}
    form = {**given, **place, "limit": ON_A_PAGE}
    ready, errors = check(form, ListRuns)
    if errors:
        raise Invalid("; ".join(f"{each.field} {each.message}" for each in errors), tuple(errors))
    return msgspec.convert(ready, ListRuns)
