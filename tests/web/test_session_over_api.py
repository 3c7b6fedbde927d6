"""The API takes a session in place of the token; what changes something takes the word of a page of ours, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from core.service.sessions import TheirGuilds
from core.web.server import HttpServer
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_GUILD, Actor
from schedule_zero.routes import PREFIX, ROUTES
from tests.web.conftest import TOKEN
from tests.web.fake import ON_A_PAGE, FakeDoor
from tests.web.signing import browser_at, csrf_at, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def browser(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    async with browser_at(server.address) as session:
        await sign_in(session)
        door.asked.clear()
        yield session


def person(door: FakeDoor, **guilds: int) -> dict[str, str]:
    """The cookie of somebody who signed in with Discord."""
    named = {name.removeprefix("g"): permissions for name, permissions in guilds.items()}
    return {"Cookie": f"schedule_zero_session={door.sessions.let_in('anna', named)}"}


async def test_a_session_reads_as_its_holder(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with browser.get(f"{PREFIX}/runs") as answer:
        assert answer.status == 200
    assert door.asked[-1][0] == ON_A_PAGE
    for path in (PREFIX, "/metrics"):
        async with browser.get(path) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each.method != "GET"], ids=lambda each: f"{each.method} {each.path}"
)
async def test_no_change_over_a_session_without_the_pages_word(
    browser: aiohttp.ClientSession, door: FakeDoor, route: Any
) -> None:
    path = PREFIX + route.path.replace("{", "").replace("}", "")
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}):
        async with browser.request(route.method, path, data=b"{}", headers=headers) as answer:
            assert answer.status == 403
            assert "X-CSRF-Token" in (await answer.json(content_type=None))["detail"]
    assert door.asked == []


async def test_with_the_pages_word_a_change_is_made(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    headers = {"X-CSRF-Token": await csrf_at(browser, "/account")}
    async with browser.post(f"{PREFIX}/runs/r/retry", headers=headers) as answer:
        assert answer.status == 200
    assert door.asked[-1] == (ON_A_PAGE, ask.RetryRun(id="r"))


async def test_who_shows_a_token_is_that_tokens_holder_and_needs_no_word(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    for token, status in ((TOKEN, 200), ("sz_wrong", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        async with browser.post(f"{PREFIX}/runs/r/retry", headers=headers) as answer:
            assert answer.status == status, "a wrong token is not made up for by a session"


async def test_a_person_speaks_where_the_request_is_about(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    cookie = person(door, g123=MANAGE_GUILD, g9=MANAGE_GUILD)
    for guild, actor in (
        ("123", Actor(kind="member", via="page", id="anna", guild_id="123", permissions=MANAGE_GUILD)),
        ("9", Actor(kind="member", via="page", id="anna")),
        ("7", Actor(kind="member", via="page", id="anna")),
    ):
        async with stranger.get(f"{PREFIX}/guilds/{guild}/settings", headers=cookie) as answer:
            assert answer.status == 200
        assert door.asked[-1] == (actor, ask.GetGuildSettings(guild_id=guild))
    async with stranger.get("/metrics", headers=cookie) as answer:
        assert answer.status == 403


async def test_a_list_of_every_server_names_those_a_person_may_ask_for(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    door.sessions.guilds_here |= {"456": "Werkstatt"}
    cookie = person(door, g123=MANAGE_GUILD, g456=0, g9=MANAGE_GUILD)
    for path in ("/schedules", "/runs", "/runs?state=failed", "/schedules?owner_id=ben", "/dead", "/audit", "/chains"):
        async with stranger.get(f"{PREFIX}{path}", headers=cookie) as answer:
            assert answer.status == 422
            told = await answer.json(content_type=None)
        assert told["errors"][0]["field"] == "guild_id"
        assert "one server at a time: 123 (Tea House), 456 (Werkstatt), or null for none" in told["detail"]
    assert door.asked == []
    for path in ("/schedules?guild_id=456", "/runs?guild_id=null", "/runs?schedule_id=s", "/schedules?owner_id=anna"):
        async with stranger.get(f"{PREFIX}{path}", headers=cookie) as answer:
            assert answer.status == 200, path
    async with stranger.get(f"{PREFIX}/runs", headers=person(door)) as answer:
        assert answer.status == 200, "who has no server here asks for what is theirs alone"


async def test_a_stream_ends_with_the_session_and_with_the_rights_it_was_opened_with(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    from tests.web.fake import event

    for end in ("signed out", "role taken"):
        door.reset()
        cookie = person(door, g123=MANAGE_GUILD)
        (session,) = door.sessions.known.values()
        headers = {**cookie, "Accept": "text/event-stream"}
        async with stranger.get(f"{PREFIX}/events?guild_id=123", headers=headers) as answer:
            assert answer.status == 200
            await door.tell(event(1))
            while b"data:" not in await answer.content.readline():
                pass
            if end == "signed out":
                await door.sessions.end(session)
            else:
                await door.sessions.note_guilds(session, TheirGuilds({"123": 0}))
            await door.tell(event(2))
            assert b"data:" not in await answer.content.read()


async def test_a_person_sees_the_pages_of_their_servers_and_chooses_among_them(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    door.sessions.guilds_here |= {"456": "<Werkstatt>"}
    cookie = person(door, g123=MANAGE_GUILD, g456=0, g9=MANAGE_GUILD)
    anna = {"kind": "member", "id": "anna", "via": "page"}
    async with stranger.get("/runs", headers=cookie) as answer:
        page = await answer.text()
    assert door.asked[-1] == (
        Actor(**anna, guild_id="123", permissions=MANAGE_GUILD),  # type: ignore[arg-type]
        ask.ListRuns(guild_id="123", limit=50),
    )
    assert "These are runs of Tea House. You are in 2 servers here; choose another above." in page
    assert '<option value="123" selected>Tea House</option><option value="456">&lt;Werkstatt&gt;</option>' in page
    async with stranger.get("/runs?guild_id=null", headers=cookie) as answer:
        assert "These are runs of no server." in await answer.text()
    async with stranger.get("/runs?guild_id=456", headers=cookie) as answer:
        assert "These are runs of &lt;Werkstatt&gt;." in await answer.text()
        assert door.asked[-1][0] == Actor(**anna, guild_id="456")  # type: ignore[arg-type]
    async with stranger.get("/handlers?guild_id=456", headers=cookie) as answer:
        assert '<option value="456" selected>' in await answer.text()
        assert {actor for actor, _ in door.asked[-2:]} == {Actor(**anna, guild_id="456")}  # type: ignore[arg-type]
    async with stranger.get("/account", headers=cookie) as answer:
        page = await answer.text()
    assert "Tea House</a>, which you manage" in page
    assert "&lt;Werkstatt&gt;</a></li>" in page
    assert "operate" not in page
