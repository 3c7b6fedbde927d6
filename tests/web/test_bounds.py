"""Whatever is too long, too many or no such word is refused at the entrance with its field and a sentence, by every door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from core.web.app import build_web
from core.web.server import HttpServer
from handlers.echo import Echo
from schedule_zero import requests as ask
from schedule_zero.errors import Invalid
from schedule_zero.routes import PREFIX
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger
from tests.web.conftest import SETTINGS, TOKEN, holding

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SPEC: dict[str, Any] = {
    "handler": "echo", "method": "echo", "trigger": {"type": "cron", "expression": "0 9 * * *"}, "timezone": "UTC",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    made = App(
        store=StoreSettings(url="memory"),
        data_dir=tmp_path_factory.mktemp("core"),
        governor=GovernorSettings(default_plan="trusted"),
    )
    made.serve(Echo())
    async with made.running():
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    server = HttpServer(build_web(app.service, SETTINGS, holding(TOKEN)), SETTINGS)
    await server.start()
    async with aiohttp.ClientSession(server.address, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session
    await server.stop()


async def refused(real: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> list[dict[str, str]]:
    """The errors of a refusal: 422, a sentence for each, and nothing of what was sent said back at length."""
    async with real.request(method, PREFIX + path, json=body) as answer:
        problem = await answer.json(content_type=None)
    assert answer.status == 422, problem
    errors: list[dict[str, str]] = problem["errors"]
    assert all(error["message"] for error in errors)
    assert len(problem["detail"]) < 300
    return errors


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guild_id", "g" * 101),
        ("guild_id", ""),
        ("guild_id", "1\x00"),
        ("guild_id", "1\n"),
        ("guild_id", "a guild"),
        ("owner_id", "x" * 900_000),
        ("owner_id", ""),
        ("name", "a\x00b"),
        ("name", "a\nb"),
        ("name", "n" * 101),
        ("handler", "h" * 101),
        ("method", "m" * 101),
        ("timezone", "z" * 100_000),
        ("start", "s" * 101),
        ("until", "u" * 101),
        ("calendar", "c" * 101),
        ("after", [{"schedule": "sch_1"}] * 51),
        ("policy.retry.delays", ["PT1S"] * 100_000),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_a_schedules_texts_and_lists_are_bounded(
    real: aiohttp.ClientSession, app: App, field: str, value: Any
) -> None:
    fields: dict[str, Any] = {"policy": {"retry": {"delays": value}}} if "." in field else {field: value}
    assert [error["field"] for error in await refused(real, "POST", "/schedules", SPEC | fields)] == [field]
    if field not in ("guild_id", "owner_id"):
        made = await app.client.create_schedule(msgspec.convert(SPEC, ScheduleSpec))
        errors = await refused(real, "PATCH", f"/schedules/{made.id}", fields)
        assert [error["field"] for error in errors] == [field]
    async with real.post(f"{PREFIX}/schedules/batch", json={"items": [SPEC | fields, SPEC]}) as answer:
        wrong, right = (await answer.json())["items"]
    assert (wrong["status"], right["status"]) == (422, 201)
    assert [error["field"] for error in wrong["problem"]["errors"]] == [field]
    spec = ScheduleSpec(handler="echo", method="echo", trigger=CronTrigger(expression="0 9 * * *"))
    for name, each in fields.items():
        setattr(spec, name, each)
    with pytest.raises(Invalid) as caught:
        await app.client.create_schedule(spec)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"/schedules?q={'a' * 60_000}", "q"),
        ("/schedules?q=%00", "q"),
        ("/schedules?state=bad", "state"),
        (f"/schedules?handler={'h' * 101}", "handler"),
        (f"/schedules?owner_id={'o' * 101}", "owner_id"),
        ("/schedules?guild_id=", "guild_id"),
        (f"/schedules?metadata.{'k' * 101}=1", f"metadata.{'k' * 101}"),
        (f"/schedules/suggest?text={'a' * 201}", "text"),
        ("/runs?state=bad", "state"),
        (f"/runs?schedule_id={'s' * 101}", "schedule_id"),
        (f"/runs?since={'s' * 101}", "since"),
        (f"/events?after={'9' * 5000}-1", "after"),
        (f"/events?kinds={','.join(['run.failed'] * 51)}", "kinds"),
        ("/times/suggest?field=what&text=a", "field"),
        (f"/times/suggest?field=when&text={'a' * 1001}", "text"),
        (f"/times/zones?text={'a' * 1001}", "text"),
        ("/schedules/%00", "id"),
        (f"/runs/{'r' * 5000}", "id"),
        (f"/guilds/{'g' * 5000}/settings", "guild_id"),
        ("/users/a%0Ab/timezone", "user_id"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_what_is_asked_for_is_bounded(real: aiohttp.ClientSession, path: str, field: str) -> None:
    assert [error["field"] for error in await refused(real, "GET", path)] == [field]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/guilds/1/settings", {"channels": {"default": "x" * 900_000}}, "channels.default"),
        ("PUT", "/guilds/1/settings", {"channels": {"default": "1\x00"}}, "channels.default"),
        ("PUT", "/guilds/1/settings", {"locale": "x" * 900_000}, "locale"),
        ("PUT", "/guilds/1/settings", {"timezone": "x" * 900_000}, "timezone"),
        ("PUT", "/guilds/1/settings", {"roles": {"manager": ["\x00"] * 50_000}}, "roles.manager"),
        ("PUT", "/guilds/1/presence", {"name": "x" * 900_000, "present": True}, "name"),
        ("PUT", "/users/1/timezone", {"timezone": "x" * 900_000}, "timezone"),
        ("POST", "/undo", {"token": "t" * 900_000}, "token"),
        ("POST", "/times/read", {"when": "x" * 900_000}, "when"),
        ("POST", "/times/read", {"when": "tomorrow", "repeat": "x" * 900_000}, "repeat"),
        ("POST", "/schedules/sch_1/pause", {"note": "x" * 900_000}, "note"),
        ("POST", "/schedules/sch_1/pause", {"until": "x" * 900_000}, "until"),
        ("POST", "/preview", {"trigger": SPEC["trigger"], "timezone": "x" * 900_000}, "timezone"),
        ("POST", "/preview", {"trigger": SPEC["trigger"], "policy": {"retry": {"delays": ["PT1S"] * 101}}},
         "policy.retry.delays"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
async def test_what_else_is_sent_is_bounded(
    real: aiohttp.ClientSession, method: str, path: str, body: Any, field: str
) -> None:
    assert [error["field"] for error in await refused(real, method, path, body)] == [field]


async def test_the_door_inside_the_process_has_the_same_bounds(app: App) -> None:
    asked: list[tuple[Any, str]] = [
        (ask.ListSchedules(q="a" * 60_000), "q"),
        (ask.ListRuns(guild_id="g" * 101), "guild_id"),
        (ask.NoteGuild(guild_id="1", name="x" * 201), "name"),
        (ask.ListEvents(kinds=("run.failed",) * 51), "kinds"),
        (ask.GetRun(id=""), "id"),
    ]
    for request, field in asked:
        with pytest.raises(Invalid) as caught:
            await app.client.send(request)
        assert [error.field for error in caught.value.errors] == [field]
        assert caught.value.sentence.startswith(f"{field}: has to be ")


async def test_ids_are_any_text_without_spaces_and_what_is_common_passes(app: App) -> None:
    for guild_id, owner_id in (("123456789012345678", "token-name"), ("gäste", "a@b.example"), ("g" * 100, "o" * 100)):
        spec = msgspec.convert(SPEC | {"guild_id": guild_id, "owner_id": owner_id, "name": "n" * 100}, ScheduleSpec)
        made = await app.client.create_schedule(spec)
        assert (made.guild_id, made.owner_id) == (guild_id, owner_id)


async def test_a_place_in_a_stream_is_bounded_too(real: aiohttp.ClientSession) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "9" * 5000 + "-1"}
    async with real.get(f"{PREFIX}/events", headers=headers) as answer:
        assert answer.status == 422
        assert (await answer.json(content_type=None))["errors"][0]["field"] == "after"
