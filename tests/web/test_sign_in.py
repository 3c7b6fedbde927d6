"""Signing in by a token and by a link: what the browser gets, where it is led, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from core.web.app import build_web
from core.web.pages.rendering import browser_of
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from core.web.sign_in.cookies import SESSION, VISIT
from core.web.sign_in.forms import own_way
from tests.web.conftest import TOKEN, holding
from tests.web.fake import FakeDoor
from tests.web.signing import browser_at, csrf_at, press, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "This is not a token of this core."
SECURE = HttpSettings(bind="127.0.0.1:0", public_url="https://schedule.example.org")


@pytest_asyncio.fixture(loop_scope="module")
async def browser(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    async with browser_at(server.address) as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secure(lasting_door: FakeDoor) -> AsyncIterator[HttpServer]:
    """A server that browsers reach over https."""
    server = HttpServer(build_web(lasting_door, SECURE, holding(TOKEN)), SECURE)
    await server.start()
    yield server
    await server.stop()


async def test_the_root_says_where_everything_is(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.get("/") as answer:
        page = await answer.text()
        assert answer.status == 200
    for address in ("/sign-in", "/account", "/runs", "/handlers", "/api/openapi.json"):
        assert f'href="{address}"' in page
    assert door.asked == []


async def test_who_is_signed_in_sees_that_at_the_root(browser: aiohttp.ClientSession) -> None:
    await sign_in(browser)
    async with browser.get("/") as answer:
        page = await answer.text()
    assert "Sign out" in page
    assert 'href="/sign-in"' not in page


async def test_the_page_says_what_to_do_where_discord_is_not_set_up(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/sign-in") as answer:
        page = await answer.text()
    assert "http.oauth.client_id" in page
    assert "schedule-zero login" in page
    assert "Sign in with Discord" not in page
    for path in ("/sign-in/discord", "/sign-in/discord/callback?code=x&state=y"):
        async with browser.get(path, allow_redirects=False) as answer:
            assert answer.status in (200, 403)
            assert "Location" not in answer.headers


async def test_the_cookie_is_read_by_nobody_else_and_goes_nowhere_else(server: HttpServer, door: FakeDoor) -> None:
    async with browser_at(server.address) as browser:
        answer = await sign_in(browser, follow=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/handlers")
    cookie = answer.cookies[SESSION]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", "")
    assert cookie["domain"] == ""
    assert int(cookie["max-age"]) == 7 * 86_400
    assert TOKEN not in str(answer.cookies)


async def test_behind_https_the_cookie_goes_over_nothing_else(secure: HttpServer, door: FakeDoor) -> None:
    async with aiohttp.ClientSession(secure.address) as session:
        async with session.get("/sign-in") as answer:
            visit, page = answer.cookies[f"__Host-{VISIT}"], await answer.text()
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        cookies = {"Cookie": f"__Host-{VISIT}={visit.value}"}
        async with session.post(
            "/sign-in/token", data={"token": TOKEN, "csrf": csrf}, headers=cookies, allow_redirects=False
        ) as answer:
            cookie = answer.cookies[f"__Host-{SESSION}"]
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        under_the_other_name = {"Cookie": f"{SESSION}={cookie.value}"}
        async with session.get("/handlers", headers=under_the_other_name, allow_redirects=False) as answer:
            assert answer.status == 303, "another site of the domain can set that one"


@pytest.mark.parametrize("token", ["", "sz_other", "x" * 4000, "\0", "ü"])
async def test_another_token_opens_nothing(browser: aiohttp.ClientSession, door: FakeDoor, token: str) -> None:
    answer = await sign_in(browser, token)
    assert (answer.status, WRONG in await answer.text()) == (403, True)
    assert door.sessions.known == {}


async def test_a_form_that_was_not_made_for_this_browser_signs_nobody_in(
    server: HttpServer, browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    async with browser_at(server.address) as other:
        theirs = await csrf_at(other, "/sign-in")
    for csrf in (theirs, "", "0" * 64, "ü"):
        async with browser.post("/sign-in/token", data={"token": TOKEN, "csrf": csrf}) as answer:
            assert answer.status == 403
            assert "try once more" in await answer.text()
    form = {"token": TOKEN, "csrf": await csrf_at(browser, "/sign-in")}
    for headers in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        async with browser.post("/sign-in/token", data=form, headers=headers) as answer:
            assert answer.status == 403
    assert door.sessions.known == {}


@pytest.mark.parametrize(
    "cookie", ["x", "", '"', f"{SESSION}=guess", f"{SESSION}=", "=;;=", f"a=b; {SESSION}={'x' * 5000}", "\x80=\xff"]
)
async def test_a_made_up_cookie_opens_nothing(browser: aiohttp.ClientSession, door: FakeDoor, cookie: str) -> None:
    for path in ("/handlers", "/runs", "/account"):
        async with browser.get(path, headers={"Cookie": cookie}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"/sign-in?next={path}")
    assert door.asked == []


async def test_what_other_programs_of_this_host_set_is_in_nobodys_way(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    await sign_in(browser)
    secret = next(iter(door.sessions.known))
    header = {"Cookie": f'odd name=1; k="a;b"; {{}}=x; {SESSION}={secret}; z'}
    async with (
        aiohttp.ClientSession() as bare,
        bare.get(
            f"{server_of(browser)}/account",
            headers=header,
            allow_redirects=False,
        ) as answer,
    ):
        assert answer.status == 200


# where it leads

ELSEWHERE = [
    "https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "\\\\elsewhere.example", "elsewhere",
    "/runs\r\nLocation: https://elsewhere.example", "/runs\tx", "/runs/日", "javascript:alert(1)", "/a" * 1000,
    " /runs", "/sign-in", "/sign-out", "/sign-in/discord?next=/x", "http:/x", "///x", "",
]  # fmt: skip


@pytest.mark.parametrize("to", ELSEWHERE)
async def test_who_signs_in_is_led_nowhere_else(server: HttpServer, door: FakeDoor, to: str) -> None:
    assert own_way(to) == "/"
    async with browser_at(server.address) as browser:
        answer = await sign_in(browser, to=to, follow=False)
        assert (answer.status, answer.headers["Location"]) in ((303, "/"), (303, "/runs"))
        assert not any("elsewhere" in value for value in answer.headers.values())
        async with browser.get(f"/sign-in?next={quote(to)}") as answer:
            assert '<input type="hidden" name="next" value="/">' in await answer.text()


@pytest.mark.parametrize("to", ["/", "/runs", "/runs?state=failed&guild_id=1", "/runs/run_1", "/guilds/123"])
async def test_who_signs_in_is_led_back(server: HttpServer, door: FakeDoor, to: str) -> None:
    async with browser_at(server.address) as browser:
        answer = await sign_in(browser, to=to, follow=False)
        assert answer.headers["Location"] == to


# by a link


async def test_a_link_signs_in_once_and_leads_to_the_first_page(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.sessions.links = {"good"}
    async with browser.get("/sign-in/link?code=good") as answer:
        assert (answer.status, answer.url.path, answer.url.query_string) == (200, "/", "")
    async with browser.get("/account") as answer:
        assert "You are <strong>operator</strong>" in await answer.text()
    for path in (
        "/sign-in/link?code=good",
        "/sign-in/link",
        "/sign-in/link?code=%ff",
        "/sign-in/link?code=" + "x" * 5000,
    ):
        async with aiohttp.ClientSession(server_of(browser)) as other, other.get(path) as answer:
            assert answer.status == 410
            assert 'role="alert">This link was used already.' in await answer.text()
            assert SESSION not in answer.cookies


async def test_what_only_looks_ahead_at_a_link_uses_none_up(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.sessions.links = {"good"}
    for headers in ({"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}):
        async with browser.get("/sign-in/link?code=good", headers=headers) as answer:
            assert answer.status == 503
    async with browser.head("/sign-in/link?code=good") as answer:
        assert answer.status == 405
    assert door.sessions.links == {"good"}


async def test_a_link_works_on_this_machine_or_over_https_alone(lasting_door: FakeDoor, secure: HttpServer) -> None:
    for settings, status in (
        (HttpSettings(bind="0.0.0.0:0"), 403),
        (HttpSettings(bind="127.0.0.1:0", public_url="http://schedule.example.org"), 403),
        (SECURE, 303),
    ):
        lasting_door.reset()
        lasting_door.sessions.links = {"good"}
        server = HttpServer(build_web(lasting_door, settings, holding(TOKEN)), settings)
        await server.start()
        async with (
            aiohttp.ClientSession(server.address) as session,
            session.get("/sign-in/link?code=good", allow_redirects=False) as answer,
        ):
            assert answer.status == status
            assert ("or over https alone" in await answer.text()) is (status == 403)
        await server.stop()


# being signed in


async def test_a_stolen_cookie_is_worth_nothing_after_signing_out(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    await sign_in(browser)
    stolen = {"Cookie": f"{SESSION}={next(iter(door.sessions.known))}"}
    async with aiohttp.ClientSession(server_of(browser), headers=stolen) as thief:
        async with thief.get("/handlers", allow_redirects=False) as answer:
            assert answer.status == 200
        out = await press(browser, "/sign-out", follow=False)
        assert (out.status, out.headers["Location"]) == (303, "/sign-in")
        assert out.cookies[SESSION]["max-age"] == "0"
        async with thief.get("/handlers", allow_redirects=False) as answer:
            assert answer.status == 303
        async with thief.get("/api/v1/handlers") as answer:
            assert answer.status == 401


async def test_who_signs_in_anew_leaves_the_session_before(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    await sign_in(browser)
    (before,) = door.sessions.known
    await sign_in(browser)
    assert before not in door.sessions.known or len(door.sessions.known) == 1


async def test_the_account_shows_where_one_is_signed_in_and_ends_it(
    server: HttpServer, browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    await sign_in(browser)
    evil = "<script>alert(1)</script>"
    async with browser_at(server.address) as other:
        other.headers.update({"User-Agent": evil})
        await sign_in(other)
        async with browser.get("/account") as answer:
            page = await answer.text()
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "(this one)" in page
        theirs = list(door.sessions.known.values())[1].id
        answer = await press(browser, f"/account/{theirs}/end")
        assert answer.url.path == "/account"
        async with other.get("/account", allow_redirects=False) as gone:
            assert gone.status == 303
        await sign_in(other)
        answer = await press(browser, "/account/end-all")
        assert answer.url.path == "/sign-in"
        for each in (browser, other):
            async with each.get("/account", allow_redirects=False) as gone:
                assert gone.status == 303


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/1 Safari/537.36 Edg/1", "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Mobile Safari/604.1",
            "Safari on an iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/1 Mobile Safari/537.36", "Chrome on Android"),
        ("something else " * 20, ("something else " * 20)[:60]),
        ("", "an unknown browser"),
    ],
)
async def test_a_browser_is_called_by_a_name_people_know(agent: str, name: str) -> None:
    assert browser_of(agent) == name


async def test_nobody_is_signed_out_by_another_sites_page(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    await sign_in(browser)
    (session,) = door.sessions.known.values()
    for path in ("/sign-out", "/account/end-all", f"/account/{session.id}/end"):
        async with browser.post(path) as answer:
            assert answer.status == 403
        async with browser.get(path) as answer:
            assert answer.status == 405
    assert list(door.sessions.known.values()) == [session]


def server_of(browser: aiohttp.ClientSession) -> str:
    assert browser._base_url is not None
    return str(browser._base_url).rstrip("/")
