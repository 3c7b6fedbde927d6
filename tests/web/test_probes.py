"""Health, readiness and metrics: what a supervisor sees."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.web import app as web_app
from core.web.metrics import MOST_HANDLERS, MOST_METHODS, exposition
from schedule_zero import views
from schedule_zero.errors import Unavailable
from schedule_zero.requests import GetStatus
from schedule_zero.views import Part, Status
from tests.web.fake import HANDLER, STATUS, FakeDoor

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


@pytest.mark.slow
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
    assert families["schedule_zero_due_times_missed"].samples[0].value == 3
    up = {sample.labels["part"]: sample.value for sample in families["schedule_zero_part_up"].samples}
    assert up == {"store": 1, "discord": 0}
    counted = [
        sample.value
        for sample in families["schedule_zero_http_requests"].samples
        if sample.labels == {"method": "GET", "path": "/api/v1/runs/{id}", "status": "200"}
        and sample.name.endswith("_total")
    ]
    assert counted == [1]


async def test_metrics_show_the_handlers(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with http.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    for line in (
        'schedule_zero_handler_healthy{handler="reports"} 1.0',
        'schedule_zero_handler_instances{handler="reports"} 1.0',
        'schedule_zero_handler_in_flight{handler="reports"} 3.0',
        'schedule_zero_handler_credit{handler="reports"} 256.0',
        'schedule_zero_handler_run_seconds{handler="reports",quantile="0.95"} 1.2',
        'schedule_zero_handler_attempts_total{handler="reports",method="build",outcome="lost"} 2.0',
        'schedule_zero_handler_breakers_open{handler="reports",method="build"} 1.0',
        'schedule_zero_handler_adaptive_limit{handler="reports",method="build"} 12.0',
    ):
        assert line in lines


async def test_names_of_handlers_do_not_multiply_series_without_end() -> None:
    method = HANDLER.methods[0]
    many = [
        msgspec.structs.replace(
            HANDLER, name=f"h{number:03}",
            methods=tuple(
                msgspec.structs.replace(method, name=f"m{place}", total=views.Counts(succeeded=number * 10 + place))
                for place in range(10)
            ),
        )
        for number in range(120)
    ]  # fmt: skip
    lines = exposition([], STATUS, many).decode().splitlines()
    attempts = [line for line in lines if line.startswith("schedule_zero_handler_attempts_total{")]
    assert len(attempts) == 3 * (MOST_METHODS + 1)
    assert sum(float(line.rpartition(" ")[2]) for line in attempts) == sum(range(1200))
    named = {line.partition('"')[2].partition('"')[0] for line in lines if "_handler_healthy{" in line}
    assert named == {f"h{number:03}" for number in range(120 - MOST_HANDLERS, 120)}
    assert any('handler="h119",method="m9",outcome="succeeded"} 1199.0' in line for line in attempts)
