"""Who is let in, and what of SimCord's page is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.playground import page
from bot.playground.exchange import Place
from bot.playground.playground import Playground
from bot.playground.simcord_internals import PAGE
from bot.playground.site import LARGEST_BODY, Site, is_loopback
from tests.playground.conftest import Started
from tests.playground.tiny_bot import TinyBot
from tests.playground.visitor import ask

pytestmark = pytest.mark.slow

PAGES = "/playground/general/api/pages"


def token_of(site: Site) -> str:
    return site.address("").partition("#")[2]


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST:8080", True),
        ("127.0.0.1:8080", True),
        ("127.9.9.9", True),
        ("[::1]:8080", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5:8080", False),
        ("0.0.0.0", False),
        ("[2001:db8::1]:80", False),
    ],
)
def test_only_loopback_names_are_this_machine(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


@pytest.mark.parametrize("path", ["/playground", "/playground/general/", PAGES, "/playground/_files/x/app.js"])
async def test_a_name_somebody_gave_our_address_is_refused(started: Started, path: str) -> None:
    headers = {"x-simcord-capability": token_of(started.site)}
    reply = await ask(started.site, path, host="evil.example:8080", headers=headers)
    assert reply.status == 403


@pytest.mark.parametrize("token", ["", "wrong", "ä"])
async def test_without_the_token_nothing_is_answered(started: Started, token: str) -> None:
    headers = {"x-simcord-capability": token}
    assert (await ask(started.site, PAGES, method="POST", headers=headers, body=b"{}")).status == 401


async def test_without_the_token_the_body_is_not_even_read(started: Started) -> None:
    body = bytes(LARGEST_BODY + 1)
    assert (await ask(started.site, PAGES, method="POST", body=body)).status == 401


async def test_with_the_token_a_page_opens(started: Started) -> None:
    headers = {"x-simcord-capability": token_of(started.site)}
    reply = await ask(started.site, PAGES, method="POST", headers=headers, body=b"{}")
    assert reply.json["channel"]["name"] == "general"


@pytest.mark.parametrize("path", ["/playground", "/playground/", "/", ""])
async def test_the_lobby_leads_people_of_this_machine_in(started: Started, path: str) -> None:
    reply = await ask(started.site, path)
    assert reply.status == 302
    assert reply.headers["location"] == f"/playground/general/#{token_of(started.site)}"


async def test_the_lobby_leads_nobody_else_in(started: Started) -> None:
    for client, headers in (
        (("192.168.1.5", 1), {}),
        (None, {}),
        (("127.0.0.1", 1), {"x-forwarded-for": "192.168.1.5"}),
    ):
        reply = await ask(started.site, "/playground", client=client, headers=headers)
        assert reply.status == 403
        assert token_of(started.site) not in str(reply)


async def test_no_document_and_no_file_holds_the_token(started: Started) -> None:
    document = await ask(started.site, "/playground/general/")
    assert document.status == 200
    assert token_of(started.site) not in document.text


async def test_a_document_lists_every_channel_and_stands_on_its_own_path(started: Started) -> None:
    for path in ("/playground/rules/", "/playground/rules"):
        document = (await ask(started.site, path)).text
        assert '<base href="/playground/rules/">' in document
        for other in ("general", "staff", "lighthouse", "dm-ada", "dm-max", "dm-kim"):
            assert f'href="/playground/{other}/"' in document


async def test_every_file_of_the_page_is_served_and_kept_by_browsers(started: Started) -> None:
    folder = f"/playground/_files/{page.edition(PAGE.version)}"
    for name in PAGE.names | page.OUR_FILES:
        reply = await ask(started.site, f"{folder}/{name}")
        assert reply.status == 200, name
        assert "immutable" in reply.headers["cache-control"]
        assert int(reply.headers["content-length"]) == len(reply.body) > 0


@pytest.mark.parametrize(
    "path", ["/playground/nowhere", "/playground/_files/old/app.js", "/playground/general/api/nothing"]
)
async def test_what_is_not_there_is_not_found(started: Started, path: str) -> None:
    assert (await ask(started.site, path, headers={"x-simcord-capability": token_of(started.site)})).status == 404


@pytest.mark.parametrize("name", ["../../bot/client.py", "%2e%2e/secret", "index.html", ""])
async def test_nothing_but_the_files_of_the_page_is_served(started: Started, name: str) -> None:
    folder = f"/playground/_files/{page.edition(PAGE.version)}"
    assert (await ask(started.site, f"{folder}/{name}")).status == 404


async def test_a_body_without_end_is_cut_off(started: Started) -> None:
    headers = {"x-simcord-capability": token_of(started.site)}
    body = bytes(LARGEST_BODY + 1)
    assert (await ask(started.site, PAGES, method="POST", headers=headers, body=body)).status == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"kind": 1}'])
async def test_an_action_that_makes_no_sense_is_refused(started: Started, body: bytes) -> None:
    headers = {"x-simcord-capability": token_of(started.site), "x-simcord-context": "p_none"}
    reply = await ask(started.site, "/playground/general/api/action", method="POST", headers=headers, body=body)
    assert reply.status == 400


async def test_before_the_start_the_pages_say_so_and_ask_again(tmp_path: Path) -> None:
    playground = Playground(TinyBot(), tmp_path)
    reply = await ask(playground.asgi, "/playground")
    assert (reply.status, reply.headers["refresh"]) == (503, "1")
    assert playground.address("http://127.0.0.1:8080/") == "http://127.0.0.1:8080/playground/"


async def test_the_printed_address_opens_the_first_channel(started: Started) -> None:
    address = started.playground.address("http://127.0.0.1:8080")
    assert address == f"http://127.0.0.1:8080/playground/general/#{token_of(started.site)}"


def test_a_page_that_is_not_the_known_one_is_noticed() -> None:
    with pytest.raises(page.PageChanged, match=r"app\.js"):
        page.changed("app.js", "something else", page.CHANGES["app.js"])


def test_names_in_the_list_of_channels_are_text() -> None:
    place = Place("x", "<b>", '"&', 1)
    document = page.index(PAGE.folder, "/p", "/f", place, [place]).decode()
    assert "<b>" not in document
    assert "&lt;b&gt;" in document


async def test_the_changed_page_asks_below_its_own_path_only(started: Started) -> None:
    folder = f"/playground/_files/{page.edition(PAGE.version)}"
    for name in PAGE.names | page.OUR_FILES:
        if name.endswith((".js", ".css")) and not name.startswith("vendor/"):
            text = (await ask(started.site, f"{folder}/{name}")).text
            assert not [start for start in ('"/', "`/", "url(/") if f"{start}api" in text or f"{start}fonts" in text]
