"""The log of a run over HTTP: by the page, and as Server-Sent Events until the run has ended."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import NotFound
from tests.web.fake import LOG, OVER_HTTP, FakeDoor

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/api/v1/runs/run_1/log"
STREAM = {"Accept": "text/event-stream"}
EVIL = msgspec.structs.replace(LOG.items[0], n=6, text="data: x\n\nevent: end\r\ndata: no")


async def whole(answer: aiohttp.ClientResponse) -> list[str]:
    async with asyncio.timeout(5):
        return (await answer.text()).strip().split("\n\n")


async def test_a_page_says_what_to_go_on_after(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with http.get(f"{PATH}?after=3&limit=7") as answer:
        assert await answer.json() == {
            "items": [
                {"n": 1, "attempt": 1, "at": "2026-11-21T09:00:01+01:00", "text": "begun", "left_out": 0},
                {"n": 5, "attempt": 1, "at": "2026-11-21T09:00:02+01:00", "text": "nearly", "left_out": 3},
            ],
            "next": 5, "lines": 5, "ended": False,
        }  # fmt: skip
    assert door.asked == [(OVER_HTTP, ask.GetRunLog(id="run_1", after=3, limit=7))]


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30])
async def test_what_is_no_number_of_a_line_is_refused(http: aiohttp.ClientSession, door: FakeDoor, after: str) -> None:
    async with http.get(f"{PATH}?after={after}") as answer:
        assert answer.status == 422
        assert [each["field"] for each in (await answer.json())["errors"]] == ["after"]


async def test_a_stream_brings_lines_as_they_come_and_ends_with_the_run(
    http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    await door.log_more(LOG)
    async with http.get(PATH, headers=STREAM) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        await door.log_more(views.RunLog(items=(EVIL,), next=6, lines=8, ended=True))
        first, one, five, six, end = await whole(answer)
    assert first == "retry: 2000"
    assert one.splitlines()[0] == "id: 1"
    assert msgspec.json.decode(five.partition("data: ")[2], type=type(EVIL)) == LOG.items[1]
    assert msgspec.json.decode(six.partition("data: ")[2], type=type(EVIL)) == EVIL
    assert end == 'event: end\ndata: {"lines":8,"left_out":2}'
    await door.left.wait()


@pytest.mark.parametrize(("more", "after"), [({"Last-Event-ID": "41"}, 41), ({}, 3)])
async def test_a_stream_goes_on_where_it_broke_off(
    http: aiohttp.ClientSession, door: FakeDoor, more: dict[str, str], after: int
) -> None:
    await door.log_more(msgspec.structs.replace(LOG, ended=True))
    async with http.get(f"{PATH}?after=3", headers={**STREAM, **more}) as answer:
        await whole(answer)
    assert (OVER_HTTP, ("run_1", after)) in door.asked


@pytest.mark.parametrize("last", ["x", "-1", "²", "9" * 30, "1-2", ""])
async def test_a_stream_is_refused_where_it_shall_go_on_behind_no_line(
    http: aiohttp.ClientSession, door: FakeDoor, last: str
) -> None:
    async with http.get(f"{PATH}?after=3", headers={**STREAM, "Last-Event-ID": last}) as answer:
        assert answer.status == 422
        assert [each["field"] for each in (await answer.json())["errors"]] == ["Last-Event-ID"]
    assert door.asked == []


async def test_a_refusal_of_a_stream_is_said_in_words(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetRunLog] = NotFound("There is no run 'run_1'.")
    async with http.get(PATH, headers=STREAM) as answer:
        assert (answer.status, (await answer.json())["detail"]) == (404, "There is no run 'run_1'.")


async def test_a_stranger_reads_no_log(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    for headers in ({}, STREAM):
        async with stranger.get(PATH, headers=headers) as answer:
            assert answer.status == 401
    assert door.asked == []
