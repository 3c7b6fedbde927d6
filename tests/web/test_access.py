"""Who is let in: the token, the host names that are ours, and no pages of other sites."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.web.app import Web
from core.web.settings import HttpSettings, address_of
from core.web.token import FILE, ensure_token, read_token
from schedule_zero.actor import OPERATOR
from schedule_zero.routes import HEALTH_PATHS, OPENAPI_PATH, PREFIX, READY_PATHS, ROUTES
from tests.web.conftest import TOKEN, holding
from tests.web.fake import FakeDoor

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_no_route_answers_without_the_token(stranger: aiohttp.ClientSession, door: FakeDoor, route: Any) -> None:
    path = PREFIX + route.path.replace("{", "").replace("}", "")
    async with stranger.request(route.method, path, data=b"{}") as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not door.asked


@pytest.mark.parametrize("path", ["/metrics", f"{PREFIX}/metrics"])
async def test_metrics_need_the_token(stranger: aiohttp.ClientSession, door: FakeDoor, path: str) -> None:
    async with stranger.get(path) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", [*HEALTH_PATHS, *READY_PATHS, OPENAPI_PATH])
async def test_probes_and_the_description_need_no_token(
    stranger: aiohttp.ClientSession, door: FakeDoor, path: str
) -> None:
    async with stranger.get(path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "Bearer  ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ÿ", TOKEN]
)
async def test_another_token_is_refused(stranger: aiohttp.ClientSession, door: FakeDoor, header: str) -> None:
    async with stranger.get(f"{PREFIX}/runs", headers={"Authorization": header}) as answer:
        assert answer.status == 401
    assert not door.asked


async def test_the_scheme_is_read_in_any_case(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.get(f"{PREFIX}/runs", headers={"Authorization": f"bearer  {TOKEN}"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_name_is_refused_on_loopback(
    http: aiohttp.ClientSession, door: FakeDoor, host: str
) -> None:
    async with http.get(f"{PREFIX}/runs", headers={"Host": host}) as answer:
        assert answer.status == 403
        assert "http.public_url" in (await answer.json(content_type="application/problem+json"))["detail"]
    assert not door.asked


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8080"])
async def test_loopback_names_are_ours(http: aiohttp.ClientSession, door: FakeDoor, host: str) -> None:
    async with http.get(f"{PREFIX}/runs", headers={"Host": host}) as answer:
        assert answer.status == 200


async def test_probes_answer_under_any_name(stranger: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with stranger.get("/health", headers={"Host": "node-7.internal"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    http: aiohttp.ClientSession, door: FakeDoor, headers: dict[str, str]
) -> None:
    async with http.post(f"{PREFIX}/runs/r/retry", headers=headers) as answer:
        assert answer.status == 403
    assert not door.asked


async def test_our_own_pages_may(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    headers = {"Host": "localhost:8080", "Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
    async with http.post(f"{PREFIX}/runs/r/retry", headers=headers) as answer:
        assert answer.status == 200


async def asked(web: Web, path: str, headers: dict[str, str], method: str = "GET") -> int:
    """The status an application answers with, without a server in between."""
    found: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "state": {},
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await web.app(scope, receive, send)
    return found[0]


async def test_the_public_name_is_ours_too(door: FakeDoor) -> None:
    from core.web.app import build_web

    token = {"Authorization": f"Bearer {TOKEN}"}
    settings = HttpSettings(bind="127.0.0.1:8080", public_url="https://schedule.example.org")
    web = build_web(door, settings, holding(TOKEN))
    assert await asked(web, f"{PREFIX}/runs", {"Host": "schedule.example.org", **token}) == 200
    assert await asked(web, f"{PREFIX}/runs", {"Host": "other.example.org", **token}) == 403
    page = {"Host": "127.0.0.1:8080", "Origin": "https://schedule.example.org", **token}
    assert await asked(web, f"{PREFIX}/runs/r/retry", page, "POST") == 200
    everywhere = build_web(door, HttpSettings(bind="0.0.0.0:8080"), holding(TOKEN))
    assert await asked(everywhere, f"{PREFIX}/runs", {"Host": "whatever", **token}) == 200


async def test_a_request_with_two_hosts_is_refused(door: FakeDoor) -> None:
    from core.web.app import build_web

    web = build_web(door, HttpSettings(), holding(TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "evil.example", "HOST": "127.0.0.1"}
    assert await asked(web, f"{PREFIX}/runs", headers) == 403


async def test_answers_carry_the_headers_that_keep_browsers_careful(
    stranger: aiohttp.ClientSession, door: FakeDoor
) -> None:
    for path in ("/health", "/nothing", f"{PREFIX}/runs"):
        async with stranger.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Server" not in answer.headers


async def test_a_mounted_application_sees_its_prefix_and_keeps_its_own_policy(door: FakeDoor) -> None:
    from core.web.app import build_web

    web = build_web(door, HttpSettings(), holding(TOKEN))
    seen: list[tuple[str, str]] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["root_path"], scope["path"]))
        policy = (b"content-security-policy", b"default-src 'self'")
        await send({"type": "http.response.start", "status": 200, "headers": [policy]})
        await send({"type": "http.response.body", "body": b""})

    web.mount("/playground", page)
    for path in ("/playground", "/playground/app.js"):
        assert await asked(web, path, {"Host": "127.0.0.1"}) == 200
    assert seen == [("/playground", "/playground"), ("/playground", "/playground/app.js")]
    assert await asked(web, "/playgrounds", {"Host": "127.0.0.1"}) == 404
    assert await asked(web, "/playground", {"Host": "evil.example"}) == 403


async def test_the_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    token = ensure_token(folder)
    assert len(token) > 40
    assert ensure_token(folder) == token == read_token(folder)
    assert [path.name for path in folder.iterdir()] == [FILE]
    if os.name == "posix":
        assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
        (folder / FILE).chmod(0o644)
        ensure_token(folder)
        assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


async def test_the_token_is_at_no_time_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("it should have been made so"))
    ensure_token(tmp_path)


async def test_an_empty_token_file_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("\n")
    with pytest.raises(ValueError, match="delete it"):
        ensure_token(tmp_path)


async def test_a_token_holder_knows_one_token() -> None:
    check = holding("right")
    assert check("right") == OPERATOR
    assert check("wrong") is None
    assert check("") is None
    assert check("\ud800") is None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
async def test_the_address_to_open_can_be_opened(host: str, address: str) -> None:
    assert address_of(host, 80) == address
