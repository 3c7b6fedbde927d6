"""Signing in to the pages as somebody of the playground: the whole way in a real browser, and what strangers get."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.async_api import expect

from bot.playground.authorizing import CODE_S, Authority
from tests.playground.browser import CHROMIUM, browsing
from tests.playground.conftest import Started
from tests.playground.visitor import Reply, ask
from tests.up import running

CHALLENGE, VERIFIER = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ASKED = {
    "client_id": "playground", "response_type": "code", "redirect_uri": "http://127.0.0.1/back", "state": "s&1",
    "scope": "identify guilds", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip
AUTHORIZE = f"/playground/oauth2/authorize?{urlencode(ASKED)}"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
async def test_somebody_of_the_playground_signs_in_to_the_pages(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        await asyncio.to_thread(service.playground)
        async with browsing(tmp_path / "profile") as (page, wrong):
            await page.goto(f"{service.address}/account")
            await page.get_by_role("link", name="Sign in with Discord").click()
            await page.get_by_role("link", name="Sign in as Ada (admin)").click()
            await expect(page).to_have_url(f"{service.address}/account")
            await expect(page.get_by_text("You are Ada (admin)")).to_be_visible()
            items = page.get_by_role("listitem")
            await expect(items.filter(has_text="Playground, which you manage")).to_have_count(1)
            await expect(items.filter(has_text="Lighthouse")).to_have_count(1)
            await expect(items.filter(has_text="Lighthouse, which you manage")).to_have_count(0)
            await page.get_by_role("link", name="Playground").click()
            await expect(page.get_by_role("heading", name="Playground", level=1)).to_be_visible()
            await page.get_by_role("link", name="Its runs").click()
            await expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
            assert [each for each in wrong if not each.endswith("/favicon.ico")] == []


# what programs are told


def query_of(reply: Reply) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(reply.headers["location"]).query))


async def code_of(started: Started, name: str = "Ada") -> str:
    page = await ask(started.site, AUTHORIZE)
    person = page.text.partition(f'">Sign in as {name}')[0].rpartition("as=")[2]
    return query_of(await ask(started.site, f"{AUTHORIZE}&as={person}"))["code"]


async def program(started: Started, path: str, bearer: str = "", **form: str) -> Reply:
    shown = f"playground:{started.site.programs.client_secret}"
    basic = f"Basic {base64.b64encode(shown.encode()).decode()}"
    headers = {"authorization": f"Bearer {bearer}" if bearer else basic}
    method = "GET" if bearer else "POST"
    body = urlencode(form).encode()
    return await ask(started.site, f"/playground/api/v10{path}", method=method, headers=headers, body=body)


async def test_a_program_learns_who_agreed_and_where_they_may_do_what(started: Started) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": ASKED["redirect_uri"], "code_verifier": VERIFIER}
    granted = (await program(started, "/oauth2/token", code=await code_of(started), **form)).json
    assert granted["scope"] == "identify guilds"
    token = granted["access_token"]
    assert (await program(started, "/users/@me", token)).json["global_name"] == "Ada (admin)"
    guilds = {each["name"]: each for each in (await program(started, "/users/@me/guilds", token)).json}
    assert {name: (each["owner"], bool(int(each["permissions"]) & 8)) for name, each in guilds.items()} == {
        "Playground": (True, True), "Lighthouse": (False, False),
    }  # fmt: skip
    assert (await program(started, "/oauth2/token/revoke", token=token)).status == 200
    assert (await program(started, "/users/@me", token)).status == 401


async def test_who_does_not_agree_and_who_asks_wrongly_get_no_code(started: Started) -> None:
    assert query_of(await ask(started.site, f"{AUTHORIZE}&as=")) == {
        "error": "access_denied", "error_description": "The resource owner denied the request", "state": "s&1",
    }  # fmt: skip
    for name in ("client_id", "response_type", "redirect_uri", "code_challenge", "code_challenge_method"):
        wrong = urlencode({**ASKED, name: ""})
        assert (await ask(started.site, f"/playground/oauth2/authorize?{wrong}")).status == 400
    assert (await ask(started.site, f"{AUTHORIZE}&as=99")).status == 200, "nobody of that id: asked again"
    for client, headers in ((("192.168.1.5", 1), {}), (("127.0.0.1", 1), {"x-forwarded-for": "192.168.1.5"})):
        assert (await ask(started.site, AUTHORIZE, client=client, headers=headers)).status == 403
    assert (await ask(started.site, AUTHORIZE, host="evil.example")).status == 403
    assert (await ask(started.site, "/playground/api/v10/guilds/1")).status == 404


def test_a_code_is_good_once_for_a_minute_and_for_who_began() -> None:
    now = [0.0]
    authority = Authority("playground", "hush", lambda: now[0])
    basic = f"Basic {base64.b64encode(b'playground:hush').decode()}"

    def form(**more: str) -> dict[str, str]:
        code = dict(parse_qsl(urlsplit(authority.agreed("7", ASKED)).query))["code"]
        return {
            "grant_type": "authorization_code", "redirect_uri": ASKED["redirect_uri"], "code_verifier": VERIFIER,
            "code": code, **more,
        }  # fmt: skip

    good = form()
    granted = authority.token(good, basic)
    assert granted.status == 200
    token = f"Bearer {granted.body['access_token']}"
    assert authority.holder(token) == "7"
    assert authority.token(good, basic).status == 400
    assert authority.holder(token) is None, "who shows a code twice may have stolen it"
    for wrong in ({"code_verifier": "x"}, {"redirect_uri": "http://x"}, {"grant_type": "x"}, {"code": "x"}):
        assert authority.token(form(**wrong), basic).status == 400
    for shown in ("", "Basic x", f"Basic {base64.b64encode(b'playground:x').decode()}", "Basic /w=="):
        assert authority.token(form(), shown).status == 401
        assert authority.give_back({"token": "x"}, shown).status == 401
    assert authority.token(form(client_id="playground", client_secret="hush"), "").status == 200
    old = form()
    now[0] += CODE_S
    assert authority.token(old, basic).status == 400
