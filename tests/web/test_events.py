"""The journal over HTTP: pages, and a stream that resumes, stays awake and ends with the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from core.web.app import build_web
from core.web.server import HttpServer
from core.web.stream import message, stream
from schedule_zero.errors import FieldError, Invalid
from schedule_zero.event import Event
from schedule_zero.requests import ListEvents
from tests.web.conftest import SETTINGS, TOKEN, holding
from tests.web.fake import FakeDoor, event

pytestmark = pytest.mark.asyncio(loop_scope="module")
STREAM = {"Accept": "text/event-stream"}


async def lines(answer: aiohttp.ClientResponse, wanted: int) -> list[str]:
    """So many lines that say something."""
    found: list[str] = []
    while len(found) < wanted:
        line = (await answer.content.readline()).decode().rstrip("\n")
        if line:
            found.append(line)
    return found


async def test_events_come_with_their_place_as_id(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with http.get("/api/v1/events?after=0", headers=STREAM) as answer:
        assert answer.content_type == "text/event-stream"
        assert await lines(answer, 1) == ["retry: 2000"]
        await door.tell(event(1), event(2))
        assert [line for line in await lines(answer, 4) if line.startswith("id:")] == ["id: 1-1", "id: 1-2"]


async def test_last_event_id_wins_over_after_and_resumes_behind_it(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    await door.tell(event(1), event(2), event(3))
    headers = {**STREAM, "Last-Event-ID": "1-2"}
    async with http.get("/api/v1/events?after=0", headers=headers) as answer:
        assert (await lines(answer, 2))[1] == "id: 1-3"
    assert door.last == ListEvents(after="1-2", limit=1)


async def test_kinds_and_guild_reach_the_service(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    await door.tell(event(1, "run.failed"), event(2, "run.skipped"))
    async with http.get("/api/v1/events?after=0&kinds=run.skipped&guild_id=123", headers=STREAM) as answer:
        assert (await lines(answer, 2))[1] == "id: 1-2"
    assert door.last.guild_id == "123"


async def test_a_wrong_place_is_refused_before_the_stream_begins(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ListEvents] = Invalid("after: no place", (FieldError("after", "no place"),))
    async with http.get("/api/v1/events?after=x", headers=STREAM) as answer:
        assert answer.status == 422


async def test_a_reader_who_leaves_is_forgotten(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with http.get("/api/v1/events?after=0", headers=STREAM) as answer:
        await door.tell(event(1))
        await lines(answer, 2)
        assert door.following == 1
        answer.close()
    async with asyncio.timeout(5):
        await door.left.wait()


async def test_streams_end_when_the_door_closes() -> None:
    door = FakeDoor()
    server = HttpServer(build_web(door, SETTINGS, holding(TOKEN)), SETTINGS)
    await server.start()
    headers = {**STREAM, "Authorization": f"Bearer {TOKEN}"}
    session = aiohttp.ClientSession(server.address, headers=headers)
    async with session, session.get("/api/v1/events") as answer:
        await lines(answer, 1)
        async with asyncio.timeout(3):
            await server.stop()
            assert (await answer.content.read()).strip() == b""
    assert door.following == 0


async def test_a_silent_stream_says_that_it_lives() -> None:
    async def silence() -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield event(1)

    closing = asyncio.Event()
    parts = stream(silence(), closing, message, keep_alive=0.001)
    assert await anext(parts) == b"retry: 2000\n\n"
    assert await anext(parts) == b": still here\n\n"
    closing.set()
    assert [part async for part in parts] == []


async def test_an_event_is_not_lost_to_a_keep_alive() -> None:
    ready = asyncio.Event()

    async def late() -> AsyncIterator[Event]:
        await ready.wait()
        yield event(7)

    parts = stream(late(), asyncio.Event(), message, keep_alive=0.001)
    assert [await anext(parts), await anext(parts)][1].startswith(b":")
    ready.set()
    async with asyncio.timeout(5):
        async for part in parts:
            if not part.startswith(b":"):
                assert part.startswith(b"id: 1-7\n")
                break
    await parts.aclose()
