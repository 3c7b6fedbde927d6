"""The page of handlers: shown to who holds the token, to nobody else; what strangers wrote is text on it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from core.service.keyring import Keyring
from core.web.app import build_web
from core.web.pages.history import drawing_of
from core.web.pages.sessions import COOKIE, LASTS_S, MOST, Sessions
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.instant import HOUR, MINUTE, spell
from tests.web.conftest import TOKEN, holding
from tests.web.fake import HANDLER, ON_A_PAGE, FakeDoor

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "This is not a token of this core."


@pytest_asyncio.fixture(loop_scope="module")
async def browser(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser, which keeps cookies, also of an address without a name."""
    async with aiohttp.ClientSession(server.address, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def sign_in(browser: aiohttp.ClientSession, token: str = TOKEN) -> tuple[int, str]:
    async with browser.post("/handlers/sign-in", data={"token": token}) as answer:
        return answer.status, await answer.text()


async def test_without_a_session_there_is_only_the_form(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with browser.get("/handlers") as answer:
        page = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"]
    assert '<input id="token" name="token" type="password"' in page
    assert "reports" not in page
    assert door.asked == []
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in page


async def test_the_root_leads_to_the_page_and_past_no_form(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with browser.get("/") as answer:
        assert (answer.status, answer.url.path) == (200, "/handlers")
        assert '<input id="token" name="token" type="password"' in await answer.text()
    assert door.asked == []


async def test_who_shows_the_token_sees_the_handlers(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    status, page = await sign_in(browser)
    assert status == 200
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
    async with browser.get("/handlers/style.css") as answer:
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"


async def test_it_shows_versions_breakers_and_limits(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    _, page = await sign_in(browser)
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
    _, page = await sign_in(browser)
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


async def test_the_cookie_is_for_this_page_of_this_site_alone(server: HttpServer) -> None:
    async with (
        aiohttp.ClientSession(server.address) as session,
        session.post("/handlers/sign-in", data={"token": TOKEN}, allow_redirects=False) as answer,
    ):
        cookie = answer.cookies[COOKIE]
        assert answer.status == 303
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (
        True,
        "Strict",
        "/handlers",
        "",
    )
    assert TOKEN not in cookie.value


async def test_behind_https_the_cookie_goes_over_nothing_else(lasting_door: FakeDoor) -> None:
    settings = HttpSettings(bind="127.0.0.1:0", public_url="https://schedule.example.org")
    server = HttpServer(build_web(lasting_door, settings, holding(TOKEN)), settings)
    await server.start()
    async with (
        aiohttp.ClientSession(server.address) as session,
        session.post("/handlers/sign-in", data={"token": TOKEN}, allow_redirects=False) as answer,
    ):
        assert answer.cookies[COOKIE]["secure"]
    await server.stop()


@pytest.mark.parametrize("token", ["", "sz_other", "x" * 100_000, "\0", "ü"])
async def test_another_token_opens_nothing(browser: aiohttp.ClientSession, door: FakeDoor, token: str) -> None:
    status, page = await sign_in(browser, token)
    assert (status, WRONG in page) == (403, True)
    assert door.asked == []


@pytest.mark.parametrize("cookie", ["x", "", '"', f"{COOKIE}=guess", f"{COOKIE}=", "=;;="])
async def test_a_made_up_cookie_opens_nothing(browser: aiohttp.ClientSession, door: FakeDoor, cookie: str) -> None:
    async with browser.get("/handlers", headers={"Cookie": cookie}) as answer:
        assert "API token" in await answer.text()
    assert door.asked == []


async def test_a_page_of_another_site_signs_nobody_in(browser: aiohttp.ClientSession) -> None:
    async with browser.post(
        "/handlers/sign-in", data={"token": TOKEN}, headers={"Origin": "https://elsewhere.example"}
    ) as answer:
        assert answer.status == 403


async def test_who_signs_out_has_to_sign_in_again(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    await sign_in(browser)
    async with browser.post("/handlers/sign-out") as answer:
        assert "API token" in await answer.text()
    async with browser.get("/handlers") as answer:
        assert "reports" not in await answer.text()


async def test_what_strangers_wrote_is_text_on_it(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    evil = "<script>alert(1)</script>\"'"
    sick = msgspec.structs.replace(HANDLER.instances[0], software=evil, trouble=evil, healthy=False)
    method = msgspec.structs.replace(HANDLER.methods[0], name=evil, doc=evil)
    handler = msgspec.structs.replace(HANDLER, name=evil, instances=(sick,), methods=(method,))
    door.answers[ask.ListHandlers] = views.HandlerPage(
        items=(handler, msgspec.structs.replace(HANDLER, instances=(), healthy=False))
    )
    _, page = await sign_in(browser)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "nobody is there" in page


async def test_a_session_ends_with_its_token_and_after_its_time() -> None:
    keyring, hour = Keyring(), [0.0]
    keyring.trust("sz_a")
    good = {"sz_a"}
    sessions = Sessions(lambda token: keyring.api_actor(token) if token in good else None, now=lambda: hour[0])
    first = sessions.begin("sz_a")
    assert sessions.actor(f"{COOKIE}={first}".encode()) == ON_A_PAGE
    good.clear()
    assert sessions.actor(f"{COOKIE}={first}".encode()) is None
    good.add("sz_a")
    hour[0] = LASTS_S + 1.0
    assert sessions.actor(f"{COOKIE}={first}".encode()) is None


async def test_sessions_do_not_pile_up() -> None:
    sessions = Sessions(holding(TOKEN))
    made = [sessions.begin(TOKEN) for _ in range(MOST + 2)]
    assert len(sessions._known) == MOST
    assert sessions.actor(f"{COOKIE}={made[0]}".encode()) is None
    assert sessions.actor(f"{COOKIE}={made[-1]}".encode()) is not None
