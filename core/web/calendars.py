"""The address that calendar programs ask: whoever has the link has what it is of, without a key or a session."""

from __future__ import annotations

from typing import Any, Final

from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from core.service.calendar_links import PATH
from core.web.answering import document
from core.web.door import Door
from schedule_zero.errors import NotFound

_ENDING: Final = ".ics"
_TYPE: Final = "text/calendar"  # the framework adds that it is UTF-8
_LONGEST: Final = 100


def calendars(door: Door) -> HTTPRouteHandler:
    """The route of all of them."""

    async def calendar(request: Request[Any, Any, Any]) -> ASGIResponse:
        whose, name = (str(request.scope["path_params"][each]) for each in ("whose", "name"))
        id, secret = name.removesuffix(_ENDING), request.query_params.get("key", "")
        plausible = name.endswith(_ENDING) and 0 < len(id) <= _LONGEST and 0 < len(secret) <= _LONGEST
        text = await door.calendar(whose, id, secret) if plausible else None
        if text is None:
            raise NotFound("There is no calendar by this link; it was ended, or another took its place.")
        return document(text.encode(), media_type=_TYPE)

    path = f"{PATH}/{{whose:str}}/{{name:str}}"
    return route(path, http_method=[HttpMethod.GET, HttpMethod.HEAD])(calendar)
