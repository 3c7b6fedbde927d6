"""Signing in with Discord, over sockets: who comes back is who went, is what Discord says, and leaves no secret behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from core.ledger.settings import StoreSettings
from core.secret import Secret
from core.web.pages import sign_in as pages
from core.web.settings import HttpSettings
from core.web.sign_in import attempt as attempts
from core.web.sign_in import discord as oauth
from core.web.sign_in import rights
from core.web.sign_in.cookies import ATTEMPT, SESSION
from core.web.sign_in.discord import DiscordSignIn
from schedule_zero.routes import PREFIX
from tests.discord_server import world
from tests.discord_server.permissions import Permission
from tests.web.signing import csrf_at, press
from tests.web.with_discord import Town, asked_of, door_of, town

pytestmark = pytest.mark.slow

GUILD: Final = str(world.GUILD)
AWAY: Final = "Discord does not answer at the moment"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as made:
        yield made


async def settings_seen(browser: object, status: int, guild: int = world.GUILD) -> None:
    async with browser.core.get(f"{PREFIX}/guilds/{guild}/settings") as answer:  # type: ignore[attr-defined]
        assert answer.status == status, await answer.text()


async def test_who_agrees_at_discord_is_known_here_by_what_discord_says(here: Town) -> None:
    async with here.browser() as browser:
        answer = await browser.sign_in(world.MODERATOR, to=f"/runs?guild_id={GUILD}")
        assert (answer.status, answer.url.path) == (200, "/runs")
        page = await browser.page("/account")
        assert "You are <strong>Milo</strong>" in page
        assert "Tea House" in page
        assert "Werkstatt" not in page, "they are not in that one"
        await settings_seen(browser, 200)
        await settings_seen(browser, 404, world.OTHER_GUILD)
        await settings_seen(browser, 404, world.FOREIGN_GUILD)


async def test_discord_is_asked_as_the_standard_says(here: Town) -> None:
    async with here.browser() as browser:
        address = await browser.to_discord()
        asked = asked_of(address)
        assert address.startswith(f"{here.discord.url}/oauth2/authorize?")
        assert asked["redirect_uri"] == f"{here.server.address}/sign-in/discord/callback"
        assert (asked["response_type"], asked["scope"]) == ("code", "identify guilds")
        assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
        assert len(asked["state"]) >= 43
        again = asked_of(await browser.to_discord())
        assert again["state"] != asked["state"]
        assert again["code_challenge"] != asked["code_challenge"]


def test_the_challenge_is_made_as_rfc_7636_shows_it() -> None:
    shown = attempts.Attempt("s", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/")
    assert shown.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    made = attempts.begun("/runs")
    assert 43 <= len(made.verifier) <= 128
    assert attempts.read(attempts.written(made)) == made


@pytest.mark.parametrize("text", ["", "x", "=", "ü", "e30", "bnVsbA", "x" * 10_000, "\x80"])
def test_an_attempt_that_was_not_written_here_is_none(text: str) -> None:
    assert attempts.read(text) is None


@pytest.mark.parametrize(
    ("base", "page"),
    [
        (oauth.API, "https://discord.com/oauth2/authorize"),
        ("http://127.0.0.1:9000/api/v10/", "http://127.0.0.1:9000/oauth2/authorize"),
        ("http://api.example/api/v10", "http://api.example/oauth2/authorize"),
        ("http://127.0.0.1:1/playground/api/v10", "http://127.0.0.1:1/playground/oauth2/authorize"),
    ],
)
def test_people_agree_at_the_discord_that_the_core_asks(base: str, page: str) -> None:
    address = DiscordSignIn("1", Secret("hush"), base).page(attempts.begun("/"), "http://x/y", silently=False)
    assert address.partition("?")[0] == page
    assert "hush" not in address


# hostile


async def test_a_code_signs_in_once_in_the_browser_that_asked_for_it(here: Town) -> None:
    async with here.browser() as browser, here.browser() as other:
        address = await browser.to_discord()
        back = await browser.agree(address, world.MEMBER)
        kept = browser.core.cookie_jar.filter_cookies(here.server_url())[ATTEMPT].value
        assert (await other.come_back(back)).status == 403, "another browser"
        assert (await browser.come_back(back)).status == 200
        assert (await browser.come_back(back)).status == 403, "the attempt is over"
        async with other.core.get(
            back.removeprefix(here.server.address), headers={"Cookie": f"{ATTEMPT}={kept}"}
        ) as answer:
            assert answer.status == 401, "somebody who stole everything"
            assert "begin again" in await answer.text()
            assert SESSION not in answer.cookies


@pytest.mark.parametrize("change", ["state", "none", "code"])
async def test_what_comes_back_is_what_went(here: Town, change: str) -> None:
    async with here.browser() as browser, here.browser() as attacker:
        theirs = await attacker.agree(await attacker.to_discord(), world.STRANGER)
        back = await browser.agree(await browser.to_discord(), world.MEMBER)
        mine, foreign = asked_of(back), asked_of(theirs)
        query = {
            "state": f"code={foreign['code']}&state={foreign['state']}",
            "none": f"code={mine['code']}",
            "code": f"code={foreign['code']}&state={mine['state']}",
        }[change]
        answer = await browser.come_back(f"{here.server.address}/sign-in/discord/callback?{query}")
        assert answer.status == (401 if change == "code" else 403), "a code of another attempt fails by its challenge"
        assert SESSION not in answer.cookies
        assert "Account" not in await answer.text()


async def test_somebody_who_does_not_agree_is_told_so(here: Town) -> None:
    async with here.browser() as browser:
        answer = await browser.come_back(await browser.agree(await browser.to_discord(), 0))
        assert answer.status == 403
        assert "You did not agree at Discord, so nobody is signed in." in await answer.text()


@pytest.mark.parametrize(
    "to", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "/a\r\nb: c"]
)
async def test_nobody_is_led_elsewhere_whatever_next_says_before_or_meanwhile(here: Town, to: str) -> None:
    async with here.browser() as browser:
        assert (await browser.sign_in(world.MEMBER, to=to)).url.path == "/"
    async with here.browser() as browser:
        back = await browser.agree(await browser.to_discord("/runs"), world.MEMBER)
        known = attempts.read(browser.core.cookie_jar.filter_cookies(here.server_url())[ATTEMPT].value)
        assert known is not None
        changed = attempts.written(attempts.Attempt(known.state, known.verifier, to))
        headers = {"Cookie": f"{ATTEMPT}={changed}"}
        async with aiohttp.ClientSession(headers=headers) as bare, bare.get(back, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            assert "b" not in answer.headers


async def test_a_scope_that_was_left_out_on_the_way_signs_nobody_in(here: Town) -> None:
    async with here.browser() as browser:
        address = (await browser.to_discord()).replace("identify+guilds", "identify")
        answer = await browser.come_back(await browser.agree(address, world.MEMBER))
        assert answer.status == 401
        assert "which servers you are in" in await answer.text()


async def test_a_flood_of_attempts_takes_no_memory_and_does_not_reach_discord(
    here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "RATE", ("1/h", 3))
    async with door_of(here.app, here.discord) as server:
        here.server = server
        async with here.browser() as browser:
            back = await browser.agree(await browser.to_discord(), world.MEMBER)
            kept = browser.core.cookie_jar.filter_cookies(here.server_url())[ATTEMPT].value
            told = []
            for _ in range(6):
                header = {"Cookie": f"{ATTEMPT}={kept}"}
                path = back.removeprefix(server.address).replace("code=", "code=x")
                async with browser.core.get(path, headers=header) as answer:
                    told.append(answer.status)
    assert told == [401, 401, 401, 429, 429, 429]
    assert len(here.discord.requests("POST /oauth2/token")) == 3


# what they may do, later


async def test_rights_are_asked_for_again_when_they_are_minutes_old_and_a_role_that_was_taken_is_gone(
    here: Town,
) -> None:
    role = int(Permission.MANAGE_MESSAGES | Permission.MANAGE_GUILD)
    here.discord.set_role_permissions(world.GUILD, world.MODERATOR_ROLE, role)
    async with here.browser() as browser:
        await browser.sign_in(world.MODERATOR)
        word = {"X-CSRF-Token": await csrf_at(browser.core, "/account")}
        address = f"{PREFIX}/guilds/{GUILD}/settings"
        async with browser.core.put(address, json={"hour24": False}, headers=word) as answer:
            assert answer.status == 200
        here.discord.set_role_permissions(world.GUILD, world.MODERATOR_ROLE, 0)
        asked = len(here.discord.requests("GET /users/@me/guilds"))
        here.pass_minutes(4)
        await browser.page("/account")
        assert len(here.discord.requests("GET /users/@me/guilds")) == asked
        here.pass_minutes(2)
        async with browser.core.put(address, json={"hour24": True}, headers=word) as answer:
            assert answer.status == 403
        assert "which you manage" not in await browser.page("/account")
        assert len(here.discord.requests("GET /users/@me/guilds")) == asked + 1


async def test_many_requests_at_once_ask_discord_once(here: Town) -> None:
    async with here.browser() as browser:
        await browser.sign_in(world.MEMBER)
        asked = len(here.discord.requests("GET /users/@me/guilds"))
        here.pass_minutes(6)
        here.discord.fault("GET /users/@me/guilds", "delay", seconds=0.05)
        await asyncio.gather(*(browser.page("/runs") for _ in range(10)))
        assert len(here.discord.requests("GET /users/@me/guilds")) == asked + 1


async def test_who_takes_back_what_they_agreed_to_is_led_to_discord_again(here: Town) -> None:
    async with here.browser() as browser:
        await browser.sign_in(world.MEMBER)
        here.discord.withdraw(world.MEMBER)
        here.pass_minutes(6)
        async with browser.core.get(f"{PREFIX}/guilds/{GUILD}/settings") as answer:
            assert answer.status == 401
        async with browser.core.get("/runs", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/sign-in/discord?again=1&next=/runs"


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        ("POST /oauth2/token", {"action": "status", "status": 500}),
        ("GET /users/@me", {"action": "drop", "count": None}),
        ("GET /users/@me/guilds", {"action": "hang"}),
        ("GET /users/@me/guilds", {"action": "rate_limit"}),
    ],
)
async def test_while_discord_is_away_nobody_signs_in_and_is_told_so_in_a_sentence(
    here: Town, route: str, fault: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "PATIENCE_S", 0.3)
    async with here.browser() as browser:
        here.discord.fault(route, **fault)  # type: ignore[arg-type]
        answer = await browser.sign_in(world.MEMBER)
        assert answer.status == 503
        assert f'role="alert">{AWAY}' in await answer.text()
        here.discord.clear_faults()
        assert (await browser.sign_in(world.MEMBER)).status == 200
    assert here.tokens() == 1, "the token of the attempt that failed went back"


async def test_while_discord_is_away_old_rights_do_not_count_and_it_is_left_in_peace(
    here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with here.browser() as browser:
        await browser.sign_in(world.MEMBER)
        here.pass_minutes(6)
        fault = here.discord.fault("GET /users/@me/guilds", "status", count=None)
        for _ in range(5):
            page = await browser.page("/runs", 503)
            assert AWAY in page
            await settings_seen(browser, 503)
        assert fault.hits == 1
        here.discord.clear_faults()
        monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + rights.AWAY_S)
        await settings_seen(browser, 200)


# starting again, signing out


async def test_people_stay_signed_in_when_the_core_starts_again_and_no_secret_lies_anywhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with town(tmp_path, StoreSettings()) as here, here.browser() as browser:
        back = await browser.agree(await browser.to_discord(), world.MEMBER)
        assert (await browser.come_back(back)).status == 200
        tokens = list(here.discord._discord.oauth.authority._tokens)
        cookie = browser.core.cookie_jar.filter_cookies(here.server_url())[SESSION].value
        await here.stop()
        await here.start(StoreSettings())
        assert "You are <strong>Mia</strong>" in await browser.page("/account")
        here.pass_minutes(6)
        async with browser.core.get("/runs", allow_redirects=False) as answer:
            again = answer.headers["Location"]
        async with browser.core.get(again, allow_redirects=False) as answer:
            address = answer.headers["Location"]
        assert asked_of(address)["prompt"] == "none"
        answer = await browser.come_back(await browser.agree(address, None))
        assert (answer.status, answer.url.path) == (200, "/runs"), "nothing was asked"
        await here.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    said = "".join(capfd.readouterr())
    assert b"ses_" in kept
    for secret in (cookie, asked_of(back)["code"], here.discord.settings.client_secret, *tokens):
        assert secret.encode() not in kept
        assert secret not in said


async def test_signing_out_ends_the_session_and_discords_token(here: Town) -> None:
    async with here.browser() as browser, here.browser() as phone:
        await browser.sign_in(world.MEMBER)
        await phone.sign_in(world.MEMBER)
        assert here.tokens() == 2
        await press(browser.core, "/sign-out")
        await here.discord.wait_requests("POST /oauth2/token/revoke")
        assert here.tokens() == 1
        await browser.sign_in(world.MEMBER)
        await press(phone.core, "/account/end-all")
        await here.discord.wait_requests("POST /oauth2/token/revoke", 3)
        assert here.tokens() == 0
        for each in (browser, phone):
            assert "/sign-in" in (await each.core.get("/account", allow_redirects=False)).headers["Location"]


async def test_one_can_sign_out_while_discord_is_away(here: Town) -> None:
    async with here.browser() as browser:
        await browser.sign_in(world.MEMBER)
        here.pass_minutes(6)
        here.discord.fault("*", "status", count=None)
        assert "Tea House" in await browser.page("/account")
        assert (await press(browser.core, "/sign-out")).url.path == "/sign-in"
        assert (await browser.core.get("/account", allow_redirects=False)).status == 303


async def test_an_operator_by_discord_operates(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.stop()
        await here.start(StoreSettings(url="memory"), operator_ids=(str(world.OPERATOR),))
        async with here.browser() as browser:
            await browser.sign_in(world.OPERATOR)
            assert "and operate this service" in await browser.page("/account")
            await settings_seen(browser, 200, world.FOREIGN_GUILD)
        async with here.browser() as browser:
            await browser.sign_in(world.MEMBER)
            async with browser.core.get(f"{PREFIX}/queue") as answer:
                assert answer.status == 403


async def test_who_owns_a_server_at_discord_may_have_it_erased_here(here: Town) -> None:
    for who, status in ((world.MODERATOR, 403), (world.OPERATOR, 200)):
        async with here.browser() as browser:
            await browser.sign_in(who)
            headers = {"X-CSRF-Token": await csrf_at(browser.core, "/account")}
            async with browser.core.delete(f"{PREFIX}/guilds/{GUILD}", headers=headers) as answer:
                assert answer.status == status, await answer.text()


async def test_a_session_is_good_at_every_core_on_the_store(here: Town) -> None:
    async with here.browser() as browser, door_of(here.app, here.discord) as another:
        await browser.sign_in(world.MEMBER)
        cookie = browser.core.cookie_jar.filter_cookies(here.server_url())[SESSION].value
        headers = {"Cookie": f"{SESSION}={cookie}"}
        async with browser.core.get(f"{another.address}/account", headers=headers) as answer:
            assert "You are <strong>Mia</strong>" in await answer.text()
        await press(browser.core, "/sign-out")
        async with browser.core.get(f"{another.address}/account", headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_without_an_address_to_come_back_to_discord_is_not_offered(here: Town) -> None:
    from core.web.app import build_web
    from core.web.server import HttpServer

    for settings, offered in (
        (HttpSettings(bind="0.0.0.0:0"), False),
        (HttpSettings(bind="0.0.0.0:0", public_url="https://schedule.example.org"), True),
    ):
        web = build_web(here.app.service, settings, here.app.keyring.api_actor)
        web.sign_in_with(DiscordSignIn("1", Secret("hush"), here.discord.api_url))
        server = HttpServer(web, settings)
        await server.start()
        here.server = server
        async with here.browser() as browser:
            page = await browser.page("/sign-in")
            assert ("Sign in with Discord" in page) is offered
            assert ("http.public_url" in page) is not offered
            if offered:
                back = asked_of(await browser.to_discord())["redirect_uri"]
                assert back == "https://schedule.example.org/sign-in/discord/callback"
        await server.stop()
