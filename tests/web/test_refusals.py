"""What is wrong is refused in words: a problem document with the place, and nothing reaches the service."""

from __future__ import annotations

import contextlib
import gc
import io
from typing import Any

import aiohttp
import pytest

from core.web.reading import Reading
from schedule_zero.errors import (
    Conflict,
    FieldError,
    Gone,
    Invalid,
    NotFound,
    QuotaExceeded,
    ReadingOffer,
    RevisionMismatch,
    ScheduleZeroError,
    StorageFull,
    Unavailable,
)
from schedule_zero.requests import CreateSchedule, GetRun
from schedule_zero.routes import PREFIX, ROUTES
from tests.uncollected import only_what_is_new
from tests.web.fake import FakeDoor
from tests.web.test_requests import SPEC

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROBLEM = "application/problem+json"


async def refused(http: aiohttp.ClientSession, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    async with http.request(method, path, data=io.BytesIO(body)) as answer:
        assert answer.content_type == PROBLEM, await answer.text()
        problem = await answer.json(content_type=PROBLEM)
        assert problem["status"] == answer.status
        assert problem["type"].startswith("urn:schedule-zero:problem:")
        assert problem["title"]
        assert problem["detail"]
        return answer.status, problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("There is no run."), 404, "not-found"),
        (Conflict("The name is taken."), 409, "conflict"),
        (Gone("Too late."), 410, "gone"),
        (RevisionMismatch("It changed."), 412, "revision-mismatch"),
        (Unavailable("Not now."), 503, "unavailable"),
        (StorageFull("No room."), 507, "storage-full"),
        (ScheduleZeroError("Something."), 500, "error"),
    ],
)
async def test_an_error_of_the_service_becomes_its_problem_document(
    http: aiohttp.ClientSession, door: FakeDoor, error: ScheduleZeroError, status: int, code: str
) -> None:
    door.answers[GetRun] = error
    found, problem = await refused(http, "GET", f"{PREFIX}/runs/r")
    assert (found, problem["type"], problem["detail"]) == (status, f"urn:schedule-zero:problem:{code}", error.sentence)


async def test_what_is_too_much_at_the_moment_says_when_to_come_back(
    http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    door.answers[CreateSchedule] = Unavailable("Busy.", retry_after=1.2)
    async with http.post(f"{PREFIX}/schedules", json=SPEC) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def test_a_quota_refusal_names_scope_limit_and_when_to_come_back(
    http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    door.answers[CreateSchedule] = QuotaExceeded(
        "Full.", retry_after=2.1, scope="guild:1", limit="schedules", used=20, allowed=20
    )
    async with http.post(f"{PREFIX}/schedules", json=SPEC) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "3"
        problem = await answer.json(content_type=PROBLEM)
    assert (problem["scope"], problem["limit"], problem["used"], problem["retry_after"]) == (
        "guild:1",
        "schedules",
        20,
        2.1,
    )


async def test_an_unclear_time_carries_its_readings(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    offer = ReadingOffer(text="5 pm", trigger={"type": "text", "text": "5 pm"}, words="today at 17:00", next=None)
    door.answers[CreateSchedule] = Invalid("Unclear.", (FieldError("trigger.text", "is unclear"),), (offer,))
    status, problem = await refused(
        http, "POST", f"{PREFIX}/schedules", b'{"handler":"a","method":"b","trigger":{"type":"text","text":"5"}}'
    )
    assert status == 422
    assert problem["readings"][0]["words"] == "today at 17:00"
    assert problem["errors"] == [{"field": "trigger.text", "message": "is unclear"}]


async def test_every_wrong_field_is_named_at_once(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    body = b'{"handler":1,"trigger":{"type":"crn"},"polcy":{},"after":[{"schedule":"s","when":"sometimes"}]}'
    status, problem = await refused(http, "POST", f"{PREFIX}/schedules", body)
    assert status == 422
    fields = {error["field"]: error["message"] for error in problem["errors"]}
    assert set(fields) == {"handler", "method", "trigger.type", "polcy", "after[0].when"}
    assert "did you mean policy?" in fields["polcy"]
    assert "did you mean cron?" in fields["trigger.type"]
    assert not door.asked


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"handler": ', 400),
        (b"\xff\xfe", 400),
        (b'{"handler": "\xff"}', 400),
        (b'{"a": NaN}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"count":1e400}', 422),
        (b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"count":' + b"9" * 30 + b"}", 422),
        (b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"args":{"n":' + b"9" * 5000 + b"}}", 422),
        (b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"args":{"n":-9223372036854775809}}', 422),
        (
            b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"args":'
            + b'{"a":' * 40
            + b"1"
            + b"}" * 41,
            422,
        ),
        (
            b'{"handler":"a","method":"b","trigger":{"type":"date","at":"x"},"args":{"a":'
            + b"[" * 200_000
            + b"]" * 200_000
            + b"}}",
            422,
        ),
        (b"[" * 300_000, 422),
        (b" " * (1 << 20) + b" ", 413),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_body_that_cannot_be_carried_is_refused_and_the_door_stays_open(
    http: aiohttp.ClientSession, door: FakeDoor, body: bytes, status: int
) -> None:
    found, _ = await refused(http, "POST", f"{PREFIX}/schedules", body)
    assert found == status
    assert not door.asked
    async with http.get(f"{PREFIX}/runs/r") as answer:
        assert answer.status == 200


async def test_a_large_number_inside_a_text_is_no_number(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    body = {**SPEC, "args": {"channel_id": "12345678901234567890", "text": "see 12345678901234567890 :{[["}}
    async with http.post(f"{PREFIX}/schedules", json=body) as answer:
        assert answer.status == 201


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/schedules?limt=3", "limt"),
        ("/schedules?limit=many", "limit"),
        ("/schedules?limit=99999999999999999999", "limit"),
        ("/schedules?state=a&state=b", "state"),
        ("/schedules?metadata=1", "metadata"),
        ("/schedules?any_guild=true", "any_guild"),
        ("/schedules/suggest", "text"),
        ("/schedules/suggest?text=a&reminders=perhaps", "reminders"),
    ],
)
async def test_a_wrong_parameter_is_named(http: aiohttp.ClientSession, door: FakeDoor, path: str, field: str) -> None:
    status, problem = await refused(http, "GET", PREFIX + path)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert not door.asked


async def test_parameters_beside_a_body_are_refused(http: aiohttp.ClientSession) -> None:
    status, problem = await refused(http, "POST", f"{PREFIX}/undo?token=t", b'{"token":"t"}')
    assert status == 422
    assert problem["errors"][0]["field"] == "token"


async def test_a_query_that_is_not_utf8_is_malformed(http: aiohttp.ClientSession) -> None:
    status, _ = await refused(http, "GET", f"{PREFIX}/schedules?q=%ff")
    assert status == 400


async def test_an_unknown_address_and_a_wrong_method_are_problems_too(http: aiohttp.ClientSession) -> None:
    assert (await refused(http, "GET", "/api/v1/nothing"))[0] == 404
    assert (await refused(http, "GET", "/nothing"))[0] == 404
    async with http.put(f"{PREFIX}/runs") as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
        assert (await answer.json(content_type=PROBLEM))["type"].endswith("method-not-allowed")


async def test_a_defect_is_answered_without_its_insides(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[GetRun] = RuntimeError("secret insides")
    status, problem = await refused(http, "GET", f"{PREFIX}/runs/r")
    assert status == 500
    assert "insides" not in str(problem)


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"{", b"[1", b"\xff", b'{"spec":' + b"[" * 5_000, b'{"handler":5'])
async def test_a_body_that_is_no_json_is_let_go_of_at_once(body: bytes) -> None:
    """Not when the cycle collector comes: it counts objects, and a few of them hold a body of a mebibyte."""
    reading = next(Reading(route) for route in ROUTES if route.request is CreateSchedule)
    with contextlib.suppress(ScheduleZeroError):  # what is made only once
        reading.request({}, {}, b"", body)
    with only_what_is_new():
        with contextlib.suppress(ScheduleZeroError):
            reading.request({}, {}, b"", body)
        assert gc.collect() == 0
