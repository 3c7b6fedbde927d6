"""Health, readiness and metrics: what a supervisor sees."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.web import app as web_app
from schedule_zero.errors import Unavailable
from schedule_zero.requests import GetStatus
from schedule_zero.views import Part, Status
from tests.web.fake import STATUS, FakeDoor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_ready_carries_the_status(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    for path in ("/ready", "/api/v1/ready"):
        async with stranger.get(path) as answer:
            assert answer.status == 200
            assert msgspec.json.decode(await answer.read(), type=Status) == STATUS


async def test_ready_is_200_while_discord_is_away(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.get("/ready") as answer:
        assert answer.status == 200
        assert (await answer.json())["parts"]["discord"] == {"ok": False, "detail": "away"}


async def test_a_core_that_does_not_fire_is_healthy_and_not_ready(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    parts = {"scheduler": Part(ok=False, detail="PT40S behind")}
    door.answers[GetStatus] = msgspec.structs.replace(STATUS, running=False, parts=parts)
    async with stranger.get("/ready") as answer:
        assert answer.status == 503
        assert (await answer.json())["parts"]["scheduler"]["detail"] == "PT40S behind"
    async with stranger.get("/health") as answer:
        assert answer.status == 200
        assert await answer.json() == {"ok": True, "failing": {"scheduler": "PT40S behind"}}


@pytest.mark.parametrize("error", [Unavailable("The store is closed."), RuntimeError("secret")])
async def test_a_core_that_cannot_answer_is_neither(
    stranger: aiohttp.ClientSession, door: FakeDoor, error: Exception
) -> None:
    door.answers[GetStatus] = error
    for path in ("/health", "/ready"):
        async with stranger.get(path) as answer:
            assert answer.status == 503
            text = await answer.text()
            assert '"core"' in text
            assert "secret" not in text


async def test_a_core_that_hangs_is_unwell_in_time(
    stranger: aiohttp.ClientSession, lasting_door: FakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(lasting_door, "handle", hang)
    monkeypatch.setattr(web_app, "_STATUS_PATIENCE", 0.01)
    async with stranger.get("/health") as answer:
        assert answer.status == 503


async def test_head_is_answered_for_monitors_that_ask_so(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.head("/health") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_metrics_count_requests_and_show_the_status(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with http.get("/api/v1/runs/r1") as answer:
        assert answer.status == 200
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
    assert families["schedule_zero_running"].samples[0].value == 1
    assert families["schedule_zero_lag_seconds"].samples[0].value == 0.5
    assert families["schedule_zero_runs_executed"].samples[0].value == 40
    up = {sample.labels["part"]: sample.value for sample in families["schedule_zero_part_up"].samples}
    assert up == {"store": 1, "discord": 0}
    counted = [
        sample.value
        for sample in families["schedule_zero_http_requests"].samples
        if sample.labels == {"method": "GET", "path": "/api/v1/runs/{id}", "status": "200"}
        and sample.name.endswith("_total")
    ]
    assert counted == [1]
