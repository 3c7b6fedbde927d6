"""The pages of servers: whose they are, each limit with its use, and the code that verifies one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import expect

from core.web.pages.gauges import dials_of
from core.web.server import HttpServer
from handlers.echo import Echo
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import MANAGE_GUILD, Actor
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.shown.quota import MOST_WAITING, say_handlers
from schedule_zero.trigger import TextTrigger
from tests.discord_server import world
from tests.playground.browser import NEEDS_BROWSER, browsing
from tests.web.fake import FakeDoor
from tests.web.signing import browser_at, csrf_at, csrf_in, press, sign_in
from tests.web.test_sign_in_in_browser import CONTRAST, FITS, complaints_of
from tests.web.with_discord import town

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANAGER = Actor(kind="member", id="anna", guild_id="123", permissions=MANAGE_GUILD, via="page")
AT = "2026-11-21T09:00:00+00:00"
MARK = views.MarkView(at=AT, by="member:anna", why="by a code from the dashboard")
GUILD = views.GuildView(
    guild_id="123", name="Tea House", present=True, plan="unverified", verified=None, suspended=None, waiting=3,
    gauges=(
        views.Gauge(scope="guild:123", limit="schedules", used=12, allowed=20),
        views.Gauge(scope="guild:123", limit="runs_per_day", used=200, allowed=200, until="2026-11-22T00:00:00+01:00"),
        views.Gauge(scope="guild:123", limit="running", used=1, allowed=50, origin="temporary", ends=AT),
    ),
    most=(views.Heavy(owner_id="456", schedules=9),),
)  # fmt: skip
CODE = views.VerificationView(guild_id="123", code="ABCD2345", until=AT)


@pytest_asyncio.fixture(loop_scope="module")
async def manager(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    """The browser of who manages a server."""
    door.answers |= {ask.GetGuild: GUILD, ask.NewVerification: CODE}
    cookie = {"schedule_zero_session": door.sessions.let_in("anna", {"123": MANAGE_GUILD})}
    async with aiohttp.ClientSession(
        server.address, cookies=cookie, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        yield session


async def shown(browser: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with browser.get(path) as answer:
        assert answer.status == status
        return await answer.text()


async def test_a_page_says_what_a_server_uses_of_what_it_may_and_when_some_frees(
    manager: aiohttp.ClientSession, door: FakeDoor
) -> None:
    page = await shown(manager, "/guilds/123")
    for words in (
        "<h1>Tea House</h1>",
        "The plan is <strong>unverified</strong>",
        "3 runs wait",
        "12 of 20",
        'value="0.6" aria-label="Schedules"',
        '<span class="trouble">200 of 200</span>',
        ">2026-11-21 23:00 UTC</time>",
        "set for a time, until <time",
        "456: 9",
    ):
        assert words in page
    assert door.asked[-1] == (MANAGER, ask.GetGuild(guild_id="123"))
    door.answers[ask.GetGuild] = msgspec.structs.replace(GUILD, waiting=MOST_WAITING)
    assert "10,000 or more runs wait" in await shown(manager, "/guilds/123")
    assert " style=" not in page
    assert "<script" not in page


async def test_the_code_is_shown_to_who_asks_for_it_and_to_nobody_else(
    manager: aiohttp.ClientSession, door: FakeDoor
) -> None:
    page = await shown(manager, "/guilds/123")
    assert "Show a code" in page
    assert not any(isinstance(request, ask.NewVerification) for _, request in door.asked), "looking makes none"
    answer = await press(manager, "/guilds/123/verification", at="/guilds/123")
    page = await answer.text()
    assert (MANAGER, ask.NewVerification(guild_id="123")) in door.asked
    assert "ABCD2345" in page
    assert "/settings verify" in page
    assert 'http-equiv="refresh"' not in page, "the code would be gone"
    assert answer.headers["Cache-Control"] == "no-store"
    door.answers[ask.NewVerification] = Conflict("This server is verified already.")
    answer = await press(manager, "/guilds/123/verification", at="/guilds/123")
    assert answer.status == 409
    assert "This server is verified already." in await answer.text()
    async with manager.post("/guilds/123/verification") as refused:
        assert refused.status == 403


async def test_who_does_not_manage_a_server_is_offered_no_code(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    own = views.Gauge(scope="user:ben", limit="reminders", used=2, allowed=25)
    door.answers[ask.GetGuild] = msgspec.structs.replace(GUILD, gauges=(own,), most=(), whole=False)
    headers = {"Cookie": f"schedule_zero_session={door.sessions.let_in('ben', {'123': 0})}"}
    async with stranger.get("/guilds/123", headers=headers) as answer:
        page = await answer.text()
    assert "Your reminders" in page
    assert "2 of 25" in page
    for words in ("Show a code", "runs wait", "Who has most schedules"):
        assert words not in page


async def test_a_verified_and_a_suspended_server_are_said_to_be(manager: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetGuild] = msgspec.structs.replace(GUILD, verified=MARK, suspended=MARK, present=False)
    page = await shown(manager, "/guilds/123")
    assert "verified since" in page
    assert "Suspended since" in page
    assert "not in this server any more" in page
    assert "Show a code" not in page


async def test_a_server_that_is_not_somebodys_is_not_there(manager: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetGuild] = NotFound("There is no server '9' here.")
    assert "There is no server" in await shown(manager, "/guilds/9", 404)
    assert door.asked[-1] == (Actor(kind="member", id="anna", via="page"), ask.GetGuild(guild_id="9"))


async def test_the_owner_erases_everything_of_a_server_with_words_typed_for_it(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    door.answers |= {ask.GetGuild: GUILD, ask.EraseGuild: views.Erasure(kind="guild", id="123", finished=True)}
    owner = msgspec.structs.replace(MANAGER, owner=True)
    cookie = {"Cookie": f"schedule_zero_session={door.sessions.let_in('anna', {'123': MANAGE_GUILD}, owned=('123',))}"}
    async with stranger.get("/guilds/123", headers=cookie) as answer:
        assert 'href="/guilds/123/erasure"' in await answer.text()
    async with stranger.get("/guilds/123/erasure", headers=cookie) as answer:
        page = await answer.text()
    assert "Type <strong>Tea House</strong>" in page
    for words, status, said in (("tea", 422, "Nothing was erased"), (" tea  HOUSE", 200, "is gone")):
        assert ask.EraseGuild(guild_id="123") not in [request for _, request in door.asked]
        form = {"csrf": csrf_in(page), "words": words}
        async with stranger.post("/guilds/123/erasure", headers=cookie, data=form) as answer:
            assert answer.status == status
            assert said in await answer.text()
    assert door.asked[-1] == (owner, ask.EraseGuild(guild_id="123"))


async def test_who_only_manages_a_server_cannot_have_it_erased(manager: aiohttp.ClientSession, door: FakeDoor) -> None:
    assert "erasure" not in await shown(manager, "/guilds/123")
    assert "is for its owner" in await shown(manager, "/guilds/123/erasure", 403)
    form = {"csrf": await csrf_at(manager, "/account"), "words": "Tea House"}
    async with manager.post("/guilds/123/erasure", data=form) as answer:
        assert answer.status == 403
    assert not any(isinstance(request, ask.EraseGuild) for _, request in door.asked)


async def test_what_strangers_wrote_is_text(manager: aiohttp.ClientSession, door: FakeDoor) -> None:
    evil = "<script>alert(1)</script>\"'"
    mark = views.MarkView(at=AT, by=evil, why=evil)
    gauge = views.Gauge(scope=evil, limit=evil, words=evil, origin=evil)
    door.answers[ask.GetGuild] = msgspec.structs.replace(
        GUILD, guild_id=evil, name=evil, plan=evil, verified=mark, suspended=mark, gauges=(gauge,),
        most=(views.Heavy(owner_id=evil, schedules=1),),
    )  # fmt: skip
    door.sessions.guilds_here["123"] = evil
    for path in ("/guilds/123", "/guilds", "/account", "/runs"):
        page = await shown(manager, path)
        assert "<script" not in page
        assert "&lt;script&gt;" in page


async def test_a_person_sees_their_servers_and_an_operator_all_there_are(
    server: HttpServer, manager: aiohttp.ClientSession, door: FakeDoor
) -> None:
    page = await shown(manager, "/guilds")
    assert '<a href="/guilds/123">Tea House</a>, which you manage' in page
    assert not any(isinstance(request, ask.ListGuilds) for _, request in door.asked)
    item = views.GuildSummary(
        guild_id="9", name=None, present=False, plan="trusted", verified=True, suspended=True
    )  # fmt: skip
    door.answers[ask.ListGuilds] = views.GuildPage(items=(item,), next="9")
    async with browser_at(server.address) as operator:
        await sign_in(operator)
        page = await shown(operator, "/guilds?q=te%20a")
        assert door.asked[-1][1] == ask.ListGuilds(q="te a", limit=50)
        for words in (
            '<a href="/guilds/9">9</a>',
            "trusted",
            "suspended",
            "the bot left",
            "/guilds?q=te+a&amp;cursor=9",
        ):
            assert words in page
        door.answers[ask.ListGuilds] = views.GuildPage(items=())
        assert "There are no such servers." in await shown(operator, "/guilds")
        assert 'role="alert"' in await shown(operator, "/guilds?" + "x=1&" * 101, 400)


@pytest.mark.parametrize(
    ("gauge", "words", "part"),
    [
        ({"limit": "schedules", "used": 12, "allowed": 20}, "Schedules: 12 of 20", 0.6),
        ({"limit": "schedules", "used": 1200, "allowed": None}, "Schedules: 1,200, no limit", None),
        ({"limit": "schedules", "used": 30, "allowed": 20}, "Schedules: 30 of 20", 1.0),
        ({"limit": "schedules", "used": 0, "allowed": 0}, "Schedules: 0 of 0", 1.0),
        ({"limit": "running", "allowed": 50}, "Runs at once: at most 50", None),
        ({"limit": "rate", "used": 2.5, "allowed": 30, "words": "30/min"}, "Starts: 2.5 of 30 (30/min)", 0.0833),
        ({"limit": "rate", "words": "30/min"}, "Starts: 30/min", None),
        ({"limit": "rate", "used": 0, "words": "30/min"}, "Starts: 0, at most 30/min", None),
        ({"limit": "rate"}, "Starts: no limit", None),
        ({"limit": "payload_bytes", "allowed": 16384}, "Size of what a run is given: at most 16,384 bytes", None),
        ({"limit": "payload_bytes"}, "Size of what a run is given: no limit", None),
        ({"limit": "min_interval", "words": "PT5M"}, "Shortest interval: 5 min", None),
        ({"limit": "each_schedule", "words": "running 2"}, "Each schedule alone: running 2", None),
        ({"limit": "each_schedule"}, "Each schedule alone: no limit", None),
        ({"limit": "min_interval"}, "Shortest interval: none", None),
        ({"limit": "handlers", "words": "discord"}, "Handlers: discord", None),
        ({"limit": "handlers", "words": say_handlers([])}, "Handlers: none may be used", None),
        ({"limit": "handlers"}, "Handlers: all", None),
        ({"limit": "something_new", "used": 1, "allowed": 4}, "Something new: 1 of 4", 0.25),
    ],
)
async def test_a_gauge_reads_at_a_glance(gauge: dict[str, object], words: str, part: float | None) -> None:
    (dial,) = dials_of([views.Gauge(scope="guild:1", **gauge)])  # type: ignore[arg-type]
    assert (f"{dial.label}: {dial.words}", dial.part) == (words, part)


@pytest.mark.parametrize(
    ("scope", "label"),
    [("global", "Runs today, of all servers"), ("plan:p", "Runs today, of all servers with this plan")],
)
async def test_what_others_used_up_is_full_without_figures(scope: str, label: str) -> None:
    (dial,) = dials_of([views.Gauge(scope=scope, limit="runs_per_day", words="used up", until=AT)])
    assert (dial.label, dial.words, dial.part, dial.is_full, dial.frees) == (label, "used up", 1.0, True, AT)


@pytest.mark.parametrize(("used", "frees"), [(3, AT), (0, None), (None, None)])
async def test_what_is_not_in_use_frees_at_no_time(used: int | None, frees: str | None) -> None:
    (dial,) = dials_of([views.Gauge(scope="guild:1", limit="runs_per_day", used=used, allowed=9, until=AT)])
    assert dial.frees == frees


@pytest.mark.slow
@pytest.mark.timeout(180)
@NEEDS_BROWSER[2]
async def test_a_manager_reads_their_server_on_a_phone_and_gets_a_code_that_is_good(tmp_path: Path) -> None:
    async with town(tmp_path / "core") as here, browsing(tmp_path / "profile") as (page, wrong):
        complaints = complaints_of(page)
        here.app.serve(Echo())
        for number in range(3):
            spec = ScheduleSpec(
                handler="echo", method="echo", trigger=TextTrigger(text="in 1 hour"), guild_id=str(world.GUILD),
                name=f"tea {number}",
            )  # fmt: skip
            await here.app.client.create_schedule(spec)
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto(f"{here.server.address}/guilds")
        await page.get_by_role("link", name="Sign in with Discord").click()
        await page.get_by_role("link", name="Sign in as olga").click()
        await page.get_by_role("link", name="Tea House").click()
        await expect(page.get_by_role("listitem").filter(has_text="Schedules").first).to_contain_text("3 of 20,000")
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert await page.evaluate(FITS)
            for element in await page.locator("h1, h2, p, a, button, small, strong, span").all():
                assert await element.evaluate(CONTRAST) >= 4.5, await element.text_content()
        await page.get_by_role("button", name="Show a code").click()
        code = await page.locator(".code").text_content()
        assert code is not None
        assert await page.evaluate(FITS)
        verified = await here.app.client.verify_guild(str(world.GUILD), code=code)
        assert verified.verified is not None
        await page.goto(f"{here.server.address}/guilds/{world.GUILD}")
        await expect(page.get_by_text("verified since")).to_be_visible()
        assert complaints == []
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []


@pytest.mark.slow
@pytest.mark.timeout(180)
@NEEDS_BROWSER[2]
async def test_an_owner_erases_their_server_on_a_phone_and_only_with_its_name_typed(tmp_path: Path) -> None:
    async with town(tmp_path / "core") as here, browsing(tmp_path / "profile") as (page, wrong):
        complaints = complaints_of(page)
        here.app.serve(Echo())
        spec = ScheduleSpec(
            handler="echo", method="echo", trigger=TextTrigger(text="in 1 hour"), guild_id=str(world.GUILD)
        )
        await here.app.client.create_schedule(spec)
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto(f"{here.server.address}/guilds")
        await page.get_by_role("link", name="Sign in with Discord").click()
        await page.get_by_role("link", name="Sign in as olga").click()
        await page.get_by_role("link", name="Tea House").click()
        await page.get_by_role("link", name="Erase everything of this server").click()
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert await page.evaluate(FITS)
            for element in await page.locator("h1, p, label, strong, a, button").all():
                assert await element.evaluate(CONTRAST) >= 4.5, await element.text_content()
        await page.get_by_label("to confirm it").fill("tea house")
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("status")).to_have_text("Everything that was kept of this server is gone.")
        assert (await here.app.client.list_schedules(guild_id=str(world.GUILD))).items == ()
        assert complaints == []
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []
