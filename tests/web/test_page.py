"""The page of handlers: shown to who holds the token, to nobody else; what strangers wrote is text on it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from core.web.pages.history import drawing_of
from core.web.server import HttpServer
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.instant import HOUR, MINUTE, spell
from tests.web.fake import HANDLER, ON_A_PAGE, FakeDoor
from tests.web.signing import browser_at, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def browser(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    async with browser_at(server.address) as session:
        yield session


async def handlers_seen(browser: aiohttp.ClientSession) -> str:
    """The page, for who runs the service."""
    answer = await sign_in(browser)
    assert (answer.status, answer.url.path) == (200, "/handlers")
    return await answer.text()


async def test_without_a_session_there_is_only_the_form(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with browser.get("/handlers") as answer:
        page = await answer.text()
        assert (answer.status, answer.url.path) == (200, "/sign-in")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"]
    assert '<input id="token" name="token" type="password"' in page
    assert "reports" not in page
    assert door.asked == []
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in page


async def test_who_shows_the_token_sees_the_handlers(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    page = await handlers_seen(browser)
    for words in (
        "reports",
        "reports@a1",
        "schedule-zero-kit 0.1.0",
        "3 of 256",
        "build, at most once",
        "90.0 %",
        "<td>1.2 s</td>",
    ):
        assert words in page
    assert '<meta http-equiv="refresh" content="5">' in page
    assert (ON_A_PAGE, ask.ListHandlers(history=True)) in door.asked
    async with browser.get("/style.css") as answer:
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"


async def test_it_shows_versions_breakers_and_limits(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    page = await handlers_seen(browser)
    for words in (
        ", version 2.1, has gpu",
        "failed 5 times; runs of server 123 wait until 2026-11-21T09:00:07+00:00",
        "3 of 12 at once for now",
    ):
        assert words in page
    assert "<svg" not in page, "nothing ended within the last day"


async def test_the_last_day_is_drawn_to_scale_and_said_in_words(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    now = time.time_ns() // 1000
    history = tuple(
        views.HistoryBucket(at=spell(now - ago * HOUR), span="PT30M", succeeded=good, failed=bad, lost=0, p95="PT1.2S")
        for ago, good, bad in ((23, 60, 20), (1, 10, 0))
    )
    door.answers[ask.ListHandlers] = views.HandlerPage(items=(msgspec.structs.replace(HANDLER, history=history),))
    page = await handlers_seen(browser)
    assert 'aria-label="The last 24 hours: 70 of 90 attempts succeeded"' in page
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', page)
    assert [(kind, float(y), float(height)) for kind, _, y, height in bars] == [
        ("succeeded", 12.0, 36.0), ("failed", 0.0, 12.0), ("succeeded", 42.0, 6.0),
    ]  # fmt: skip
    assert [float(x) for _, x, _, _ in bars] == pytest.approx([20.0, 20.0, 460.0], abs=0.5)
    assert "60 succeeded, 20 failed, 0 lost, p95 1.2 s" in page
    assert " style=" not in page, "the policy of the page forbids it"


@pytest.mark.parametrize("ago", [25 * HOUR, 24 * HOUR + 30 * MINUTE, -HOUR])
async def test_what_lies_outside_the_day_is_not_drawn(ago: int) -> None:
    now = 1_772_539_200_000_000
    one = views.HistoryBucket(at=spell(now - ago), span="PT30M", succeeded=1, failed=1, lost=1)
    assert drawing_of([one], now).bars == ()


async def test_what_strangers_wrote_is_text_on_it(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    evil = "<script>alert(1)</script>\"'"
    sick = msgspec.structs.replace(HANDLER.instances[0], software=evil, trouble=evil, healthy=False)
    method = msgspec.structs.replace(HANDLER.methods[0], name=evil, doc=evil)
    handler = msgspec.structs.replace(HANDLER, name=evil, instances=(sick,), methods=(method,))
    door.answers[ask.ListHandlers] = views.HandlerPage(
        items=(handler, msgspec.structs.replace(HANDLER, instances=(), healthy=False))
    )
    page = await handlers_seen(browser)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "nobody is there" in page
