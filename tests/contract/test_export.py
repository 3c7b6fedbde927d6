"""A file of what is kept: the same over every carrier, and over HTTP as a file that is sent while it is made."""

from __future__ import annotations

import aiohttp
import msgspec
import pytest

from core.service.exporting import exports
from schedule_zero.asks.export import ExportFormat
from schedule_zero.client import CoreClient
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger
from tests.contract.place import TOKEN, Kind, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def fill(place: Place, guild_id: str) -> None:
    for number in range(5):
        spec = ScheduleSpec(
            handler="echo",
            method="echo",
            trigger=CronTrigger(f"{number} 9 * * *"),
            guild_id=guild_id,
            name=f"ü {number}",
        )
        await place.app.client.create_schedule(spec)


async def file_of(client: CoreClient, guild_id: str, format: ExportFormat) -> str:
    return "".join([part.text async for part in client.export(guild_id=guild_id, format=format)])


@pytest.mark.parametrize("format", ["json", "csv", "ics"])
async def test_every_carrier_brings_the_same_file(
    place: Place, any_client: CoreClient, kind: Kind, format: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    await fill(place, f"{format}-{kind}")
    brought = await file_of(any_client, f"{format}-{kind}", format)
    assert brought.count("ü ") == 5
    assert _timeless(brought) == _timeless(await file_of(place.app.client, f"{format}-{kind}", format))


def _timeless(text: str) -> str:
    """Without the moment at which it was made."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(('{"schedule_zero', "DTSTAMP")))


async def test_over_http_it_is_a_file_that_comes_while_it_is_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    await fill(place, "files")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(place.address("http"), headers=headers) as http:
        async with http.get("/api/v1/export?guild_id=files") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("application/json")
            assert answer.headers["Content-Disposition"] == 'attachment; filename="schedule-zero-guild-files.json"'
            assert "Content-Length" not in answer.headers
            told = msgspec.json.decode(await answer.read())
            assert [each["name"] for each in told["schedules"]] == [f"ü {number}" for number in range(5)]
        async with http.get("/api/v1/export?guild_id=files&format=csv&cursor=0") as answer:
            part = await answer.json()
            assert (part["name"], part["next"]) == ("schedule-zero-guild-files.csv", part["next"])
            assert part["next"].startswith("sch_")
        async with http.get("/api/v1/export?guild_id=files&user_id=7") as answer:
            assert answer.status == 422
            assert "user_id" in (await answer.json(content_type="application/problem+json"))["detail"]
