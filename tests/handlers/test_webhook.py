"""The webhook handler against a real server: what is sent, where it may go, and what an answer means for the run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from aiohttp import web

from handlers.webhook import Webhook
from schedule_zero.errors import Invalid
from schedule_zero.handler import methods_of
from schedule_zero.run import Cause
from schedule_zero.testing import Outcome, begin, call, started
from tests.handlers.site import Site, site

__all__ = ["site"]


def webhook(site: Site, **options: Any) -> Webhook:
    allow = [f"http://127.0.0.1:{site.port}/*", f"http://localhost:{site.port}/*"]
    return Webhook(**{"allow": allow, "private": True, **options})


async def asked(site: Site, *, url: str | None = None, verb: str = "post", body: Any = None, **options: Any) -> Outcome:
    """How one call of the site ends."""
    async with started(webhook(site, **options)) as handler:
        args = {"url": url or site.url} | ({"body": body} if verb == "post" else {})
        return await call(handler, verb, args, run_id="run_7", attempt=2)


async def test_json_arrives_with_the_runs_key_and_a_signature(site: Site) -> None:
    outcome = await asked(site, body={"text": "hällo"}, secret="s3cret", headers={"Authorization": "Bearer abc"})
    assert outcome.result == {"status": 200, "body": "thanks"}
    ((request, body),) = site.asked
    assert (request.method, json.loads(body)) == ("POST", {"text": "hällo"})
    assert request.content_type == "application/json"
    assert request.headers["Authorization"] == "Bearer abc"
    assert (request.headers["Idempotency-Key"], request.headers["Schedule-Zero-Attempt"]) == ("run_7", "2")
    at, signature = (part.partition("=")[2] for part in request.headers["Schedule-Zero-Signature"].split(","))
    assert signature == hmac.new(b"s3cret", at.encode() + b"." + body, hashlib.sha256).hexdigest()


async def test_get_calls_without_a_body(site: Site) -> None:
    assert (await asked(site, verb="get")).status == "succeeded"
    ((request, body),) = site.asked
    assert (request.method, body) == ("GET", b"")


async def test_credentials_of_one_address_go_to_no_other(site: Site) -> None:
    allow = [
        {"url": f"http://127.0.0.1:{site.port}/hook/mine", "headers": {"Authorization": "mine"}, "secret": "a"},
        f"http://127.0.0.1:{site.port}/*",
    ]
    await asked(site, url=site.url + "/mine", allow=allow)
    await asked(site, url=site.url + "/other", allow=allow)
    mine, other = (request.headers for request, _ in site.asked)
    assert mine["Authorization"] == "mine"
    assert "Schedule-Zero-Signature" in mine
    assert "Authorization" not in other
    assert "Schedule-Zero-Signature" not in other


async def test_a_connection_is_used_again(site: Site) -> None:
    async with started(webhook(site)) as handler:
        for _ in range(3):
            assert (await call(handler, "post", {"url": site.url})).status == "succeeded"
    peers = {request.transport and request.transport.get_extra_info("peername") for request, _ in site.asked}
    assert len(site.asked) == 3
    assert len({id(request.protocol) for request, _ in site.asked}) == 1, peers


@pytest.mark.parametrize(
    ("status", "headers", "cause", "retry_after"),
    [
        (400, {}, Cause.LASTING, None), (401, {}, Cause.LASTING, None), (404, {}, Cause.LASTING, None),
        (410, {}, Cause.LASTING, None), (408, {}, Cause.PASSING, None), (425, {}, Cause.PASSING, None),
        (429, {}, Cause.PASSING, None), (429, {"Retry_After": "7"}, Cause.PASSING, 7.0),
        (500, {}, Cause.PASSING, None), (503, {"Retry_After": "2"}, Cause.PASSING, 2.0),
        (503, {"Retry_After": "soon"}, Cause.PASSING, None), (503, {"Retry_After": "9" * 30}, Cause.PASSING, 86_400.0),
        (429, {"Retry_After": format_datetime(datetime.now(UTC) - timedelta(days=1))}, Cause.PASSING, 0.0),
        (302, {"Location": "/elsewhere"}, Cause.LASTING, None),
    ],
)  # fmt: skip
async def test_a_status_decides_whether_there_is_another_try(
    site: Site, status: int, headers: dict[str, str], cause: Cause, retry_after: float | None
) -> None:
    site.answers(status, "the  reason\nis", **headers)
    outcome = await asked(site)
    assert (outcome.status, outcome.cause, outcome.retry_after) == ("failed", cause, retry_after)
    assert outcome.error is not None
    assert f"127.0.0.1 answered {status}" in outcome.error
    if status != 302:
        assert outcome.error.endswith(": the reason is")


async def test_a_time_to_wait_that_no_calendar_holds_is_passed_over(site: Site) -> None:
    site.answers(503, "busy", **{"Retry-After": "Mon, 01 Jan 2026 00:00:00 +99999999999999"})
    outcome = await asked(site)
    assert (outcome.cause, outcome.retry_after) == (Cause.PASSING, None)


async def test_an_answer_is_read_and_kept_only_so_far(site: Site) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(OSError):
            while site.port:
                await response.write(b"x" * 4096)
        return response

    site.answer = endless
    outcome = await asked(site, response_bytes=10_000, result_chars=50)
    assert outcome.result == {"status": 200, "body": "x" * 50}


async def test_an_answer_that_does_not_come_is_a_passing_failure(site: Site) -> None:
    gate = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    site.answer = never
    outcome = await asked(site, timeout=0.05)
    assert (outcome.cause, outcome.error) == (Cause.PASSING, "no answer within 0.05 s")
    async with started(webhook(site)) as handler:
        site.begun.clear()
        played = begin(handler, "post", {"url": site.url})
        await site.begun.wait()
        played.cancel()
        assert (await played.outcome()).status == "cancelled"
    gate.set()


async def test_what_cannot_be_reached_may_be_there_later(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        refused = await asked(site, url=f"http://127.0.0.1:{port}/", allow=[f"http://127.0.0.1:{port}/*"])
    assert (refused.cause, refused.error) == (Cause.PASSING, "127.0.0.1 cannot be reached: connection refused")
    nowhere = await asked(site, url="http://nowhere.invalid/", allow=["http://nowhere.invalid/*"])
    assert nowhere.cause is Cause.PASSING
    assert "nowhere.invalid cannot be reached" in (nowhere.error or "")
    no_tls = await asked(site, url=site.url.replace("http", "https"), allow=[f"https://127.0.0.1:{site.port}/*"])
    assert no_tls.cause is Cause.PASSING


@pytest.mark.parametrize(
    "host", [f"{'a' * 64}.invalid", "a..invalid"], ids=["a part of 64 characters", "an empty part"]
)
async def test_a_name_that_no_host_can_have_is_refused_and_not_tried_again(site: Site, host: str) -> None:
    outcome = await asked(site, url=f"http://{host}/", allow=[f"http://{host}/*"])
    assert (outcome.status, outcome.cause, outcome.error) == ("failed", Cause.LASTING, f"{host} is no address")


async def test_a_name_that_leads_into_ones_own_network_is_refused_when_it_is_connected_to(site: Site) -> None:
    outcome = await asked(site, url=site.by_name, private=False)
    assert (outcome.status, outcome.cause) == ("failed", Cause.LASTING)
    assert outcome.error == "localhost leads to an address of a private network; the operator has not allowed those"
    assert site.asked == []


async def test_a_redirect_is_followed_only_to_what_is_allowed_itself(site: Site) -> None:
    async def away(request: web.Request) -> web.StreamResponse:
        if request.path == "/hook":
            return web.Response(status=307, headers={"Location": request.query["to"]})
        return web.Response(text="there")

    site.answer = away
    allow: list[Any] = [
        {"url": f"http://127.0.0.1:{site.port}/*", "private": True, "headers": {"X-Key": "k"}},
        f"http://localhost:{site.port}/*",
    ]

    async def to(place: str, **options: Any) -> Outcome:
        site.asked.clear()
        return await asked(
            site,
            url=f"{site.url}?to={place}",
            body=[1],
            **{"allow": allow, "private": False, "redirects": 2, **options},
        )

    assert (await to("/there")).result == {"status": 200, "body": "there"}
    assert [body for _, body in site.asked] == [b"[1]", b"[1]"]
    assert "private network" in ((await to(f"http://localhost:{site.port}/there")).error or "")
    assert "not among the addresses" in ((await to("http://169.254.169.254/latest")).error or "")
    assert len(site.asked) == 1
    assert "no more of them are followed" in ((await to("/there", redirects=0)).error or "")
    assert (await to(f"http://localhost:{site.port}/there", private=True)).status == "succeeded"
    assert "X-Key" not in site.asked[-1][0].headers
    assert "no more of them" in ((await to("/hook%3Fto=/hook%253Fto=/hook%25253Fto=/x")).error or "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://elsewhere.example/", "not among the addresses the operator has allowed"),
        ("http://127.0.0.1/x", "127.0.0.1 is an address of a private network"),
        ("https://hooks.example.org/a/../b", "in its path"),
        ("gopher://hooks.example.org/", "begins with https://"),
    ],
)
def test_what_can_be_known_is_said_when_the_schedule_is_saved(url: str, words: str) -> None:
    handler = Webhook(allow=["https://hooks.example.org/*", "http://127.0.0.1/*"])
    with pytest.raises(Invalid, match=words) as caught:
        methods_of(handler)["post"].check({"url": url})
    assert [error.field for error in caught.value.errors] == ["args.url"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "allow"),
        ({"allow": []}, "allow"),
        ({"allow": ["hooks.example.org"]}, r"allow\[0\]: 'hooks.example.org'"),
        ({"allow": ["https://a.example/*"], "privat": True}, "privat"),
        ({"allow": ["https://a.example/*"], "headers": {"Host": "b"}}, "headers: 'Host' cannot be set"),
        ({"allow": ["https://a.example/*"], "headers": {"X": "b\r\nc: d"}}, "headers: 'X' cannot be set"),
        (
            {"allow": [{"url": "https://a.example/*", "headers": {"Host": "b"}}]},
            r"allow\[0\]\.headers: 'Host' cannot be set",
        ),
        ({"allow": ["https://a.example/*"], "timeout": 0}, "timeout"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=words):
        Webhook(**options)
