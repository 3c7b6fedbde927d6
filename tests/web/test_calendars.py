"""The address of calendar links: the key in it is all that is asked for."""

from __future__ import annotations

import aiohttp
import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.routes import PREFIX
from tests.web.fake import FakeDoor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_whoever_has_the_link_gets_the_calendar(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.get("/calendar/guild/12.ics?key=right") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert (await answer.text()).startswith("BEGIN:VCALENDAR")
    assert door.last == ("guild", "12", "right")
    async with stranger.head("/calendar/guild/12.ics?key=right") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/calendar/guild/12.ics?key=wrong", "/calendar/guild/12.ics", "/calendar/guild/12?key=right", "/calendar/guild/.ics?key=right",
        f"/calendar/guild/{'1' * 200}.ics?key=right", f"/calendar/guild/12.ics?key={'r' * 200}",
    ],
)  # fmt: skip
async def test_who_has_none_learns_nothing(stranger: aiohttp.ClientSession, door: FakeDoor, path: str) -> None:
    async with stranger.get(path) as answer:
        assert answer.status == 404
        told = await answer.json(content_type=None)
        assert told["detail"] == "There is no calendar by this link; it was ended, or another took its place."


async def test_a_file_says_once_how_it_is_written(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    for kind in ("text/csv", "text/calendar"):
        door.answers[ask.Export] = views.ExportPart(
            text="a", next=None, media_type=f"{kind}; charset=utf-8", name="all.x"
        )
        async with http.get(f"{PREFIX}/export?guild_id=12") as answer:
            assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
