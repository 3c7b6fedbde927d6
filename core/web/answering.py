"""A View, or an error, into an HTTP response."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse

from core.web.pages.rendering import HTML, nothing
from core.web.stream import EVENT_STREAM
from schedule_zero.closings import CalendarView, HoursView
from schedule_zero.errors import QuotaExceeded, ScheduleZeroError, Unauthorized, Unavailable
from schedule_zero.routes import PREFIX, Route
from schedule_zero.schedule import Schedule
from schedule_zero.views import Problem, View, problem_details

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"

_SENTENCES: Final = {
    404: "Nothing is at this address; /api/openapi.json lists what there is.",
    405: "This address does not answer that method.",
}
_FOR_PEOPLE: Final = {404: "There is no such page.", 405: "This address is for a form of another page."}
_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def answer(route: Route, view: View) -> ASGIResponse:
    """The response a view makes."""
    headers: dict[str, str] = {}
    if isinstance(view, Schedule | CalendarView | HoursView):
        headers["etag"] = f'"{view.revision}"'
    if isinstance(view, Schedule) and route.status == HTTPStatus.CREATED:
        headers["location"] = f"{PREFIX}/schedules/{view.id}"
    return document(_encode(view), status=route.status, headers=headers)


def document(
    body: bytes, *, status: int = 200, media_type: str = JSON, headers: dict[str, str] | None = None
) -> ASGIResponse:
    """A response whose bytes are made already."""
    return ASGIResponse(body=body, status_code=status, media_type=media_type, headers=headers)


def streaming(chunks: AsyncGenerator[bytes, None]) -> ASGIStreamingResponse:
    """A response of Server-Sent Events that is made while it is sent."""
    return ASGIStreamingResponse(
        iterator=chunks,
        media_type=EVENT_STREAM,
        # nginx would otherwise hold the stream back until a buffer is full.
        headers={"x-accel-buffering": "no"},
    )


def attached(chunks: AsyncGenerator[bytes, None], name: str, media_type: str) -> ASGIStreamingResponse:
    """A response that a browser saves as a file, made while it is sent."""
    plain = media_type.partition(";")[0]  # the framework adds that it is UTF-8
    return ASGIStreamingResponse(
        iterator=chunks, media_type=plain, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def refused(_request: Request[Any, Any, Any], error: ScheduleZeroError) -> Response[bytes]:
    """The problem document of one of our errors."""
    headers: dict[str, str] = {}
    if isinstance(error, QuotaExceeded | Unavailable) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    elif isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return _problem(problem_details(error), headers)


def unrouted(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The problem document of what the framework refused: no such address, no such method."""
    status = error.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return broken(request, error)
    phrase = HTTPStatus(status).phrase.lower()
    sentence = _SENTENCES.get(status, error.detail or phrase)
    allowed = (error.headers or {}).get("allow")
    headers = {"Allow": allowed} if allowed else {}
    has_browser = HTML in request.headers.get("accept", "")
    if has_browser and not request.url.path.startswith("/api/"):
        return nothing(phrase.capitalize(), _FOR_PEOPLE.get(status, sentence), status, headers)
    problem = Problem(
        type=f"urn:schedule-zero:problem:{phrase.replace(' ', '-')}",
        title=phrase,
        status=status,
        detail=sentence,
    )
    return _problem(problem, headers)


def broken(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The problem document of a defect. The log has the whole story, the answer does not."""
    _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    problem = Problem(
        type="urn:schedule-zero:problem:error",
        title="error",
        status=500,
        detail="Something went wrong in the core; its log says what.",
    )
    return _problem(problem, {})


def _problem(problem: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(_encode(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)
