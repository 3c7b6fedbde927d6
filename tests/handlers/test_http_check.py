"""The handler http_check against real servers: what is well, what is not, and that no answer can hold it up or lead it away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from aiohttp import web

from core.governor.breaker import STREAK
from handlers.http_check import LONGEST_S, SPARE_S, Expected, HttpCheck, Seen, seconds_for, what_is_wrong
from schedule_zero.errors import Invalid
from schedule_zero.handler import methods_of
from schedule_zero.run import Cause, RunState
from schedule_zero.testing import Outcome, begin, call, started
from tests.engine.conftest import Build, build, clock, make_ledger
from tests.engine.house import HandClock
from tests.handlers.site import Site, site
from tests.ports import Port

__all__ = ["build", "clock", "make_ledger", "site"]
PATIENCE_S: Final = 20.0
MANY_NAMES: Final = 40  # more than the loop has threads, on any machine
SELF_SIGNED: Final = Path(__file__).with_name("self_signed.pem")
Speaks = Callable[[asyncio.StreamWriter], Awaitable[None]]
Raw = Callable[..., contextlib.AbstractAsyncContextManager[int]]


def http_check(port: int, **options: Any) -> HttpCheck:
    allow = [f"{scheme}://{host}:{port}/*" for scheme in ("http", "https") for host in ("127.0.0.1", "localhost")]
    return HttpCheck(**{"allow": allow, "private": True, **options})


async def asked(site: Site, verb: str = "get", url: str | None = None, /, **args: Any) -> Outcome:
    """How one check of the site ends. ``options``: those of the handler."""
    options = args.pop("options", {})
    async with started(http_check(site.port, **options)) as handler:
        return await call(handler, verb, {"url": url or site.url, **args})


def is_found_wrong(outcome: Outcome, sentence: str) -> bool:
    """Whether it failed as a check fails: with that sentence, and for a cause that is nobody's illness."""
    return (outcome.status, outcome.cause, outcome.retry_after, outcome.error) == (
        "failed", Cause.UNKNOWN, None, f"CheckFailed: {sentence}"
    )  # fmt: skip


@contextlib.asynccontextmanager
async def speaking(words: Speaks, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says these words to whoever asks, whatever HTTP says; its port."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await words(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def asked_at(port: int, scheme: str = "http", verb: str = "get", **args: Any) -> Outcome:
    options = args.pop("options", {})
    async with started(http_check(port, **options)) as handler, asyncio.timeout(PATIENCE_S):
        return await call(handler, verb, {"url": f"{scheme}://127.0.0.1:{port}/", **args})


# what is well


async def test_what_is_well_is_told_with_its_status_its_time_and_its_bytes(site: Site) -> None:
    outcome = await asked(site)
    assert outcome.status == "succeeded"
    took_ms = outcome.result.pop("took_ms")
    assert 0 <= took_ms < 1000 * PATIENCE_S
    assert outcome.result == {"status": 200, "bytes": len("thanks")}
    ((request, body),) = site.asked
    assert (request.method, body, request.headers["User-Agent"]) == ("GET", b"", "ScheduleZero-http_check")


async def test_head_asks_for_no_body(site: Site) -> None:
    outcome = await asked(site, "head")
    assert (outcome.status, outcome.result["bytes"], site.asked[0][0].method) == ("succeeded", 0, "HEAD")


async def test_each_check_connects_anew_and_sends_what_the_operator_set_for_that_address(site: Site) -> None:
    allow = [{"url": f"http://127.0.0.1:{site.port}/hook/mine", "headers": {"Authorization": "mine"}}, site.url + "*"]
    async with started(http_check(site.port, allow=allow)) as handler:
        for url in (site.url + "/mine", site.url, site.url):
            assert (await call(handler, "get", {"url": url})).status == "succeeded"
    assert len({id(request.protocol) for request, _ in site.asked}) == 3
    assert [request.headers.get("Authorization") for request, _ in site.asked] == ["mine", None, None]


# what is not


@pytest.mark.parametrize(
    ("status", "expected", "wrong"),
    [
        (204, [], None), (299, [], None), (404, [404], None), (301, [301, 308], None),
        (200, [204], "200, not 204"), (404, [], "404, not 200 to 299"), (500, [], "500, not 200 to 299"),
        (503, [200, 204], "503, not 200 or 204"), (429, [], "429, not 200 to 299"),
    ],
)  # fmt: skip
async def test_an_unexpected_status_is_found_wrong_whatever_it_is(
    site: Site, status: int, expected: list[int], wrong: str | None
) -> None:
    site.answers(status, "" if status == 204 else "text", **{"Retry-After": "3600"})
    outcome = await asked(site, status=expected)
    if wrong is None:
        assert (outcome.status, outcome.result["status"]) == ("succeeded", status)
    else:
        assert is_found_wrong(outcome, f"127.0.0.1 answered {wrong}")


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        ({"contains": "grün"}, None), ({"lacks": "red"}, None), ({"contains": "grün", "lacks": "red"}, None),
        ({"contains": "red"}, "200 without 'red'"),
        ({"lacks": "grün"}, "200 with 'grün', which must not be in it"),
        ({"contains": "all", "lacks": "grün"}, "200 with 'grün', which must not be in it"),
    ],
)  # fmt: skip
async def test_a_text_has_to_be_in_the_body_or_must_not_be(site: Site, args: dict[str, str], wrong: str | None) -> None:
    site.answers(200, "all is grün")
    outcome = await asked(site, **args)
    assert outcome.status == "succeeded" if wrong is None else is_found_wrong(outcome, f"127.0.0.1 answered {wrong}")


def test_what_was_not_read_is_never_taken_for_well() -> None:
    def wrong(seen: Seen, **expected: str) -> str | None:
        return what_is_wrong(seen, Expected(**expected))  # type: ignore[arg-type]

    part = Seen(host="a", status=200, body=b"x" * 2000, whole=False)
    assert wrong(part) is None
    assert wrong(part, contains="x") is None
    assert wrong(part, contains="y") == "200 without 'y' in its first 2,000 bytes"
    assert wrong(part, lacks="y") == "200 with more than is read, so 'y' may be in it"
    packed = Seen(host="a", status=200, body=b"\x1f\x8b", encoding="gzip")
    assert wrong(packed) is None
    assert wrong(packed, contains="y") == wrong(packed, lacks="y") == (
        "200 in the encoding 'gzip', in which no text can be looked for"
    )  # fmt: skip


async def test_a_body_that_is_packed_although_that_was_not_asked_for_is_noticed(site: Site) -> None:
    site.answers(200, "not really", **{"Content-Encoding": "gzip"})
    outcome = await asked(site, lacks="down")
    assert is_found_wrong(outcome, "127.0.0.1 answered 200 in the encoding 'gzip', in which no text can be looked for")
    assert site.asked[0][0].headers["Accept-Encoding"] == "identity"


async def test_a_redirect_is_an_answer_and_is_not_followed(site: Site) -> None:
    site.answers(302, Location="http://169.254.169.254/latest?token=abc")
    outcome = await asked(site)
    assert is_found_wrong(
        outcome, "127.0.0.1 answered 302, a redirect to http://169.254.169.254/latest, not 200 to 299"
    )
    assert len(site.asked) == 1
    assert (await asked(site, status=[302])).status == "succeeded"


# who cannot be reached, and who does not come to an end


async def test_a_site_that_is_down_is_a_failed_check_and_no_illness_of_the_handler() -> None:
    with Port() as unused:
        answer = await asked_at(unused.number)
    assert is_found_wrong(answer, "127.0.0.1 cannot be reached: connection refused")
    async with started(HttpCheck(allow=["http://nowhere.invalid/*"])) as handler:
        nowhere = await call(handler, "get", {"url": "http://nowhere.invalid/"})
    assert nowhere.cause is Cause.UNKNOWN
    assert "nowhere.invalid cannot be reached" in (nowhere.error or "")


async def waits(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def trickles_its_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.005)


async def trickles_its_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.005)


async def says_it_goes_on(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("words", [waits, trickles_its_head, trickles_its_body, says_it_goes_on])
async def test_an_answer_that_does_not_come_to_its_end_in_time_is_given_up(words: Speaks) -> None:
    async with speaking(words) as port:
        sentence = "127.0.0.1 gave no whole answer within 0.1 s"
        assert is_found_wrong(await asked_at(port, within=0.1), sentence)
        assert is_found_wrong(await asked_at(port, options={"timeout": 0.1}), sentence)


async def has_a_huge_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    while True:
        writer.write(b"a" * 65_536)
        await writer.drain()


async def has_many_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Many: a\r\n" * 1000)
        await writer.drain()


async def speaks_no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n")
    await writer.drain()


async def counts_wrongly(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
    await writer.drain()


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Without a word."""


async def stops_halfway(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (has_a_huge_head, "gave an answer that cannot be read as HTTP"),
        (has_many_headers, "gave an answer that cannot be read as HTTP"),
        (speaks_no_http, "gave an answer that cannot be read as HTTP"),
        (counts_wrongly, "gave an answer that cannot be read as HTTP"), (hangs_up, "broke off"), (stops_halfway, "broke off"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_answer_is_found_wrong_in_one_sentence(words: Speaks, said: str) -> None:
    async with speaking(words) as port:
        outcome = await asked_at(port)
    assert (outcome.status, outcome.cause) == ("failed", Cause.UNKNOWN)
    assert (outcome.error or "").startswith(f"CheckFailed: 127.0.0.1 {said}")
    assert len(outcome.error or "") < 200


async def test_of_an_endless_body_so_much_is_read_and_no_more() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with speaking(endless) as port:
        outcome = await asked_at(port, options={"response_bytes": 100_000})
        assert (outcome.status, outcome.result["bytes"]) == ("succeeded", 100_000)
        missing = await asked_at(port, options={"response_bytes": 100_000}, contains="y")
        assert is_found_wrong(missing, "127.0.0.1 answered 200 without 'y' in its first 100,000 bytes")


async def test_a_certificate_that_nobody_vouches_for_is_found_wrong(site: Site) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SELF_SIGNED)

    async def fine(writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nothing is asked of a stranger")

    async with speaking(fine, tls) as port:
        outcome = await asked_at(port, "https")
    assert is_found_wrong(
        outcome, "127.0.0.1 cannot be reached: its certificate is not valid (self-signed certificate)"
    )
    no_tls = await asked(site, "get", site.url.replace("http", "https"))
    assert (no_tls.error or "").startswith("CheckFailed: 127.0.0.1 cannot be reached: TLS failed (")


async def test_names_that_nobody_looks_up_hold_up_no_other_check_and_nothing_else_of_the_process(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, gone = socket.getaddrinfo, threading.Event()

    def silent(host: str, *args: Any) -> Any:
        if host.endswith(".invalid"):
            assert gone.wait(PATIENCE_S)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return here(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    allow = ["http://*.invalid/*", f"http://localhost:{site.port}/*"]
    async with started(http_check(site.port, allow=allow)) as handler, asyncio.timeout(PATIENCE_S):
        try:
            lost = [begin(handler, "get", {"url": f"http://n{n}.invalid/"}) for n in range(MANY_NAMES)]
            assert (await call(handler, "get", {"url": site.by_name})).status == "succeeded"
            await asyncio.gather(*(asyncio.to_thread(int) for _ in range(MANY_NAMES)))
        finally:
            gone.set()
        for each in lost:
            assert "cannot be reached" in ((await each.outcome()).error or "")


# what the operator has not allowed


async def test_an_address_that_is_not_allowed_is_a_mistake_of_the_schedule(site: Site) -> None:
    elsewhere = await asked(site, "get", "https://elsewhere.example/")
    assert (elsewhere.status, elsewhere.cause) == ("failed", Cause.LASTING)
    inward = await asked(site, "get", site.by_name, options={"private": False})
    assert (inward.status, inward.cause, inward.error) == (
        "failed", Cause.LASTING,
        "localhost leads to an address of a private network; the operator has not allowed those",
    )  # fmt: skip
    assert site.asked == []


@pytest.mark.parametrize("verb", ["get", "head"])
@pytest.mark.parametrize(
    ("args", "field", "words"),
    [
        ({"url": "https://elsewhere.example/"}, "args.url", "not among the addresses the operator has allowed"),
        ({"url": "http://127.0.0.1/x"}, "args.url", "127.0.0.1 is an address of a private network"),
        ({"url": "https://www.example.org/", "status": [100]}, "args.status[0]", "200"),
        ({"url": "https://www.example.org/", "within": 0}, "args.within", "0"),
    ],
)
def test_a_check_that_cannot_be_is_refused_when_its_schedule_is_saved(
    verb: str, args: dict[str, Any], field: str, words: str
) -> None:
    handler = HttpCheck(allow=["https://www.example.org/*", "http://127.0.0.1/*"])
    with pytest.raises(Invalid, match=words) as caught:
        methods_of(handler)[verb].check(args)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "allow"), ({"allow": []}, "allow"), ({"allow": ["www.example.org"]}, r"allow\[0\]: 'www.example.org'"),
        ({"allow": ["https://a.example/*"], "secret": "s"}, "secret"),
        ({"allow": [{"url": "https://a.example/*", "secret": "s"}]}, "secret"),
        ({"allow": ["https://a.example/*"], "timeout": 61}, "timeout"),
        ({"allow": [{"url": "https://a.example/*", "headers": {"Host": "b"}}]}, r"allow\[0\]\.headers: 'Host'"),
    ],
)  # fmt: skip
def test_options_that_are_wrong_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=words):
        HttpCheck(**options)


# what the core makes of it


async def test_a_check_ends_before_its_attempt_times_out_which_would_count_as_an_illness() -> None:
    assert seconds_for(30.0) == 30.0 - SPARE_S
    assert seconds_for(1.0) == 0.5
    assert all(method.info.timeout == LONGEST_S + SPARE_S for method in methods_of(http_check(1)).values())
    async with speaking(waits) as port, started(http_check(port)) as handler:
        outcome = await call(handler, "get", {"url": f"http://127.0.0.1:{port}/"}, timeout=0.4)
    assert (outcome.status, outcome.cause) == ("failed", Cause.UNKNOWN)
    assert "gave no whole answer within" in (outcome.error or "")


async def test_somebody_who_cancels_does_not_wait_for_the_answer(site: Site) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    site.answer = never
    async with started(http_check(site.port)) as handler:
        played = begin(handler, "get", {"url": site.url})
        await site.begun.wait()
        played.cancel()
        assert (await played.outcome()).status == "cancelled"


async def test_sites_that_are_down_hold_back_no_check_of_others_and_block_no_schedule(
    build: Build, clock: HandClock, site: Site
) -> None:
    clock.set(time.time() - clock.now() / 1e6)  # the handler reads the machine's clock
    house = await build(serve=False)
    async with started(http_check(site.port)) as handler:
        house.engine.serve(handler)
        site.answers(503)
        policy = {"retry": {"max_attempts": 1}, "overlap": "allow", "failure_threshold": 1}
        down = await house.schedule(handler="http_check", method="get", args={"url": site.url}, policy=policy)
        for _ in range(2 * STREAK):
            run = await house.ended((await house.run_now(down)).id)
            assert (run.state, run.attempts[0].cause) == (RunState.FAILED, "unknown")
        site.answers(200)
        well = await house.schedule(
            handler="http_check", method="get", args={"url": site.url + "/other"}, policy=policy, name="well"
        )
        assert (await house.ended((await house.run_now(well)).id)).state is RunState.SUCCEEDED
        assert all(each.breakers == () for each in (await house.client.get_handler("http_check")).methods)
        assert (await house.ended((await house.run_now(down)).id)).state is RunState.SUCCEEDED
        await house.kill()


async def test_a_check_is_tried_again_before_the_run_has_failed(build: Build, clock: HandClock, site: Site) -> None:
    clock.set(time.time() - clock.now() / 1e6)
    house = await build(serve=False)
    answers = iter([500, 500, 200])

    async def hiccups(request: web.Request) -> web.StreamResponse:
        return web.Response(status=next(answers))

    site.answer = hiccups
    async with started(http_check(site.port)) as handler:
        house.engine.serve(handler)
        policy = {"retry": {"max_attempts": 3, "backoff": "fixed", "initial": "PT0.001S"}}
        check = await house.schedule(handler="http_check", method="get", args={"url": site.url}, policy=policy)
        run = await house.ended((await house.run_now(check)).id)
        assert (run.state, len(run.attempts)) == (RunState.SUCCEEDED, 3)
        await house.kill()
