"""``/runs``: what ran and what waits, and each run as a page of its own that keeps itself up to date.

Everything is made on the server. The script of the page only puts in what it is sent, so that reading takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlencode

import msgspec
from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.fields import check, unknown
from core.service.sessions import GuildHere
from core.web.answering import streaming
from core.web.door import Door
from core.web.pages.rendering import LIVE_POLICY, asset, headers_of, page, rendered, way
from core.web.pages.visiting import Visit, Visiting, led_to
from core.web.reading import parameters
from core.web.stream import line_in, stream
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid, NotFound, ScheduleZeroError
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

    def __init__(self, door: Door, visiting: Visiting, closing: asyncio.Event) -> None:
        """``closing``: set when the door closes; open pages are left alone then."""
        self._door = door
        self._visiting = visiting
        self._closing = closing

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        return [
            self._visiting.way(PATH, self.show_list),
            way(f"{PATH}/live.js", HttpMethod.GET, self.script),
            self._visiting.way(f"{PATH}/{{id:str}}", self.show),
            self._visiting.stream(f"{PATH}/{{id:str}}/live", self.live),
            self._visiting.form(f"{PATH}/{{id:str}}/cancel", self.cancel),
            self._visiting.form(f"{PATH}/{{id:str}}/retry", self.retry),
        ]

    async def show_list(self, visit: Visit) -> ASGIResponse:
        """Runs, newest first, of the state, guild, schedule or handler that is asked for."""
        given: dict[str, str] = {}
        guilds = await visit.visitor.guilds()
        try:
            given, strange = _filters(visit.request)
            if guilds and not given.keys() & {"guild_id", "schedule_id"}:
                given = given | {"guild_id": guilds[0].guild_id}
            asked = _listing(given)
            found = cast("RunPage", await self._door.handle(await visit.visitor.actor(asked), asked))
        except ScheduleZeroError as error:
            return _listed(visit, guilds, RunPage(items=()), given, error.sentence, error.status)
        trouble = "; ".join(f"{name} {unknown(name, FILTERS)}" for name in strange) or None
        return _listed(visit, guilds, found, given, trouble)

    async def show(self, visit: Visit) -> ASGIResponse:
        """One run."""
        return await self._run(visit, _id(visit))

    async def live(self, visit: Visit) -> ASGIResponse:
        """What changes of a run, and what it logs, as Server-Sent Events of pieces of its page."""
        scope: Any = visit.request.scope
        given = parse_qs(scope["query_string"].decode("latin-1")).get("after", ["0"])[0]
        last = headers_of(visit.request).get(b"last-event-id", b"").decode("latin-1")
        after = line_in(last, line_in(given, 0))
        asked = GetRun(id=_id(visit))
        actor = await visit.visitor.actor(asked)
        await self._door.handle(actor, asked)  # a refusal is said in words while that is still possible
        return streaming(stream(self._changes(visit, actor, asked.id, after), self._closing, _as_it_is))

    async def cancel(self, visit: Visit) -> ASGIResponse:
        """The button Cancel."""
        return await self._press(visit, CancelRun(id=_id(visit)))

    async def retry(self, visit: Visit) -> ASGIResponse:
        """The button Retry; it leads to the new run."""
        return await self._press(visit, RetryRun(id=_id(visit)))

    async def script(self, request: Request[Any, Any, Any]) -> ASGIResponse:  # Litestar's form
        """What keeps the page of a run up to date."""
        return asset("live.js", "text/javascript")

    async def _press(self, visit: Visit, asked: CancelRun | RetryRun) -> ASGIResponse:
        try:
            run = cast("Run", await self._door.handle(await visit.visitor.actor(asked), asked))
        except ScheduleZeroError as error:
            return await self._run(visit, asked.id, error)
        return led_to(f"{PATH}/{run.id}")

    async def _run(self, visit: Visit, id: str, trouble: ScheduleZeroError | None = None) -> ASGIResponse:
        try:
            actor = await visit.visitor.actor(GetRun(id=id))
            facts = await self._facts(actor, id)
            log = cast("RunLog", await self._door.handle(actor, GetRunLog(id=id, limit=LINES)))
        except ScheduleZeroError as error:
            return page(
                "nothing.html.jinja", error.status, title="No such run", sentence=error.sentence, link=None,
                visitor=visit.visitor,
            )  # fmt: skip
        return page(
            "run.html.jinja", HTTPStatus.OK if trouble is None else trouble.status, policy=LIVE_POLICY, log=_discreet(log, facts["hidden"]),
            refresh=REFRESH_S, trouble=None if trouble is None else trouble.sentence, visitor=visit.visitor, **facts,
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

    async def _changes(self, visit: Visit, actor: Actor, id: str, after: int) -> AsyncGenerator[bytes, None]:
        """The pieces: ``facts`` where they are others than before, ``lines`` where there are new ones, ``end``."""
        shown = ""
        pages: AsyncIterator[RunLog] = self._door.follow_log(actor, id, after)
        try:
            async for log in pages:
                visitor = await self._visiting.again(visit.request)
                if visitor is None or await visitor.actor(GetRun(id=id)) != actor:
                    return
                found = await self._facts(actor, id)
                facts = rendered("run_facts.html.jinja", visitor=visitor, **found)
                if facts != shown:
                    shown = facts
                    yield _piece("facts", facts)
                if log.items or log.left_out:
                    yield _piece(
                        "lines", rendered("run_lines.html.jinja", log=_discreet(log, found["hidden"])), log.next
                    )
            yield _piece("end", "")
        except ScheduleZeroError:  # what becomes of it is said to who asks again
            return
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


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _listed(
    visit: Visit, guilds: Sequence[GuildHere], found: RunPage, given: dict[str, str], trouble: str | None,
    code: int = HTTPStatus.OK,
) -> ASGIResponse:  # fmt: skip
    """The list as a page, with the form as it was sent."""
    more = None if found.next is None else urlencode(given | {"cursor": found.next})
    return page(
        "runs.html.jinja", code, runs=found.items, given=given, states=list(RunState), more=more, trouble=trouble,
        guilds=guilds, visitor=visit.visitor, place=_place(guilds, given.get("guild_id")),
    )  # fmt: skip


def _place(guilds: Sequence[GuildHere], guild_id: str | None) -> str | None:
    """Where the runs are that somebody sees who sees those of one server at a time."""
    if guilds and guild_id == NO_GUILD:
        return "These are runs of no server."
    return next((f"These are runs of {each.name}." for each in guilds if each.guild_id == guild_id), None)


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
