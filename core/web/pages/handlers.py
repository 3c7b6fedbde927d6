"""``/handlers``: the handlers as a page, as far as they are somebody's business. It is made anew every few seconds."""

from __future__ import annotations

import time
from typing import Any, Final, cast

from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.web.door import Door
from core.web.pages.history import drawing_of
from core.web.pages.rendering import asset, page, way
from core.web.pages.visiting import Visit, Visiting
from schedule_zero.requests import GetStatus, ListHandlers
from schedule_zero.views import HandlerPage, Status

PATH: Final = "/handlers"
STYLE: Final = "/style.css"
REFRESH_S: Final = 5


class HandlersPage:
    """The page, and the style of all pages."""

    def __init__(self, door: Door, visiting: Visiting) -> None:
        self._door = door
        self._visiting = visiting

    def routes(self) -> list[HTTPRouteHandler]:
        """What answers."""
        return [self._visiting.way(PATH, self.show), way(STYLE, HttpMethod.GET, self.style)]

    async def show(self, visit: Visit) -> ASGIResponse:
        """The handlers: all of them to an operator, to others those that work for one of their guilds."""
        guilds = await visit.visitor.guilds()
        wanted = visit.request.query_params.get("guild_id") or (guilds[0].guild_id if guilds else None)
        actor = await visit.visitor.in_guild(wanted)
        found = cast("HandlerPage", await self._door.handle(actor, ListHandlers(history=True)))
        status = cast("Status", await self._door.handle(actor, GetStatus()))
        now = time.time_ns() // 1000
        drawings = {each.name: drawing_of(each.history, now) for each in found.items if each.history}
        return page(
            "handlers.html.jinja", handlers=found.items, status=status, refresh=REFRESH_S, drawings=drawings,
            guilds=guilds, guild_id=wanted, visitor=visit.visitor,
        )  # fmt: skip

    async def style(self, _request: Request[Any, Any, Any]) -> ASGIResponse:
        """How all pages look."""
        return asset("style.css", "text/css")
