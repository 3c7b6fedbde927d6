"""The pages of runs: plain and true, for who holds the token, and what strangers wrote is text on them."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from core.web.server import HttpServer
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.run import Attempt, Progress, RunState, Why
from tests.web.fake import LOG, ON_A_PAGE, RUN, SCHEDULE, FakeDoor
from tests.web.signing import browser_at, csrf_at, press, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = f"/runs/{RUN.id}"
EVIL = "<script>alert(1)</script>\"'&\u202e\x1b[2J"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;"
FAILED = msgspec.structs.replace(
    RUN, state=RunState.FAILED, why=None, reason="error", error="disk on fire", args={"day": "2026-03-01"},
    attempts=(Attempt(attempt=1, handler="discord", instance="i1", sent=RUN.due, started=RUN.due, ended=RUN.due,
                      outcome="failed", cause="lasting", error="disk on fire"),),
)  # fmt: skip
RUNNING = msgspec.structs.replace(
    RUN, state=RunState.RUNNING, why=None, progress=Progress(fraction=0.25, note="row 25"), late_by="PT0.04S"
)


@pytest_asyncio.fixture(loop_scope="module")
async def browser(server: HttpServer, door: FakeDoor) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that is signed in."""
    async with browser_at(server.address) as session:
        answer = await sign_in(session, to="/runs")
        assert (answer.status, answer.url.path) == (200, "/runs")
        door.asked.clear()
        yield session


async def shown(browser: aiohttp.ClientSession, path: str = PATH, status: int = 200) -> str:
    async with browser.get(path) as answer:
        assert answer.status == status
        return await answer.text()


@pytest.mark.parametrize("path", ["/runs", PATH, "/runs/live.jsx", "/runs?state=failed&guild_id=1"])
async def test_without_a_session_there_is_only_the_form_and_it_leads_back(
    stranger: aiohttp.ClientSession, door: FakeDoor, path: str
) -> None:
    page = await shown(stranger, path)
    assert f'<input type="hidden" name="next" value="{html.escape(path)}">' in page
    async with stranger.get(f"{PATH}/live") as answer:
        assert answer.status == 401
    for button in ("cancel", "retry"):
        async with stranger.post(f"{PATH}/{button}") as answer:
            assert answer.url.query["next"] == PATH
            assert 'type="password"' in await answer.text()
    assert door.asked == []


async def test_a_run_says_what_it_is_and_what_it_waits_for(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    page = await shown(browser)
    for words in (
        f"Run {RUN.id}", "is waiting", "Guild 123 has used 30 of the 30 starts its rate allows.", "guild:123, rate: 30 of 30",
        "discord.send_message", "standup", "Standup!", 'action="/runs/run_00000000000000000001/cancel"',
    ):  # fmt: skip
        assert words in page
    assert "/retry" not in page
    assert "team" not in page  # metadata is nobody's business here
    assert (ON_A_PAGE, ask.GetRun(id=RUN.id)) in door.asked


async def test_a_failed_run_says_why_and_can_be_retried(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetRun] = FAILED
    door.answers[ask.GetRunLog] = msgspec.structs.replace(LOG, ended=True, lines=9)
    page = await shown(browser)
    for words in (
        "has failed",
        "disk on fire",
        "lasting",
        "2026-03-01",
        "begun",
        "… 3 lines left out",
        "… 4 lines left out",
    ):
        assert words in page
    assert 'action="/runs/run_00000000000000000001/retry"' in page
    assert "/cancel" not in page
    assert "data-live" not in page
    assert "Standup!" not in page  # its own arguments, not the schedule's


async def test_a_run_that_was_run_again_leads_there_and_is_not_offered_again(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    again = msgspec.structs.replace(RUN, id="run_again", occurrence=f"m:again:{RUN.id}")
    door.answers[ask.GetRun] = FAILED
    door.answers[ask.ListRuns] = views.RunPage(items=(again, FAILED))
    page = await shown(browser)
    assert '<a href="/runs/run_again">run_again</a>' in page
    assert "/retry" not in page


async def test_what_there_is_none_of_is_not_counted(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    why = Why(scope="handler:jobs", limit="capability", used=0, allowed=0, words="No process has the capability gpu.")
    door.answers[ask.GetRun] = msgspec.structs.replace(RUN, why=why)
    assert "<small>(handler:jobs, capability)</small>" in await shown(browser)


@pytest.mark.parametrize(("path", "status"), [("/handlers/nope", 404), ("/nope", 404), ("/sign-in/token", 405)])
async def test_who_comes_with_a_browser_is_answered_with_a_page(
    browser: aiohttp.ClientSession, path: str, status: int
) -> None:
    for accepts, kind in (("text/html,*/*;q=0.8", "text/html"), ("*/*", "application/problem+json")):
        async with browser.get(path, headers={"Accept": accepts}) as answer:
            assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (status, kind)
            assert ("frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]) is True
            assert ('<a href="/handlers">' in await answer.text()) == (kind == "text/html")
    async with browser.get("/api/v1/nope", headers={"Accept": "text/html"}) as answer:
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_run_under_way_shows_how_far_it_is(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetRun] = RUNNING
    page = await shown(browser)
    for words in ('<progress id="progress" max="1" value="0.25">', "25 % row 25", "begun 40 ms later", "?after=5"):
        assert words in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    door.answers[ask.GetRun] = msgspec.structs.replace(RUNNING, cancelling=True)
    page = await shown(browser)
    assert "is running, and is being cancelled" in page
    assert "/cancel" not in page


async def test_nothing_that_is_not_ours_runs_or_is_loaded(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    async with browser.get(PATH) as answer:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        page = await answer.text()
    assert policy == {
        "default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'",
        "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert page.count("<script") == 1
    assert '<script src="/runs/live.js" defer></script>' in page
    assert "style=" not in page
    async with browser.get("/runs/live.js") as answer:
        assert answer.headers["Content-Type"].startswith("text/javascript")
    async with browser.get("/runs") as answer:
        assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_what_strangers_wrote_is_text(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    attempt = Attempt(attempt=1, handler=EVIL, instance=EVIL, sent=EVIL, outcome=EVIL, cause=EVIL, error=EVIL)
    why = Why(scope=EVIL, limit=EVIL, used=1, allowed=1, until=EVIL, words=EVIL)
    evil = msgspec.structs.replace(
        RUN, id=EVIL, schedule_id=EVIL, guild_id=EVIL, handler=EVIL, method=EVIL, due=EVIL, attempts=(attempt,),
        result={EVIL: EVIL}, reason=EVIL, error=EVIL, why=why, args={EVIL: [EVIL]}, state=RunState.RUNNING,
        progress=Progress(fraction=0.5, note=EVIL),
    )  # fmt: skip
    line = msgspec.structs.replace(LOG.items[0], text=EVIL, at=EVIL)
    door.answers[ask.GetRun] = evil
    door.answers[ask.GetSchedule] = msgspec.structs.replace(SCHEDULE, name=EVIL, words=EVIL)
    door.answers[ask.GetRunLog] = msgspec.structs.replace(LOG, items=(line,))
    door.answers[ask.ListRuns] = views.RunPage(items=(evil,), next=EVIL)
    refused = await shown(browser, f"/runs?handler={quote(EVIL)}", 422)
    for page in (await shown(browser), await shown(browser, "/runs"), refused):
        assert page.replace('<script src="/runs/live.js" defer></script>', "").count("<script") == 0
        assert ESCAPED in page
        assert 'href="/runs?schedule_id=<' not in page
    await door.log_more(views.RunLog(items=(line,), next=1, lines=1, ended=True))
    async with browser.get(f"{PATH}/live") as answer, asyncio.timeout(5):
        pieces = (await answer.text()).split("\n\n")
    assert [piece.splitlines()[0] for piece in pieces if piece] == [
        "retry: 2000",
        "event: facts",
        "id: 1",
        "event: end",
    ]
    assert "<script" not in "".join(pieces)


async def test_the_page_is_kept_up_to_date_by_pieces_of_it(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetRun] = RUNNING
    async with browser.get(f"{PATH}/live?after=5") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        await door.log_more(msgspec.structs.replace(LOG, items=()), LOG)
        read = b""
        async with asyncio.timeout(5):
            while b"nearly" not in read:
                read += await answer.content.readany()
            door.answers[ask.GetRun] = FAILED
            await door.log_more(msgspec.structs.replace(LOG, items=(), ended=True))
            read += await answer.content.read()
    kinds = [line for line in read.decode().splitlines() if line.startswith("event:")]
    assert kinds == ["event: facts", "event: lines", "event: facts", "event: end"]
    assert b"has failed" in read
    assert (ON_A_PAGE, (RUN.id, 5)) in door.asked


@pytest.mark.parametrize(("button", "asked"), [("cancel", ask.CancelRun), ("retry", ask.RetryRun)])
async def test_a_button_does_what_it_says_and_shows_the_run(
    browser: aiohttp.ClientSession, door: FakeDoor, button: str, asked: type[ask.CancelRun]
) -> None:
    door.answers[asked] = msgspec.structs.replace(RUN, id="run_2")
    answer = await press(browser, f"{PATH}/{button}", follow=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/runs/run_2")
    assert door.asked == [(ON_A_PAGE, asked(id=RUN.id))]


async def test_a_button_of_another_sites_page_does_nothing(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    for headers in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        form = {"csrf": await csrf_at(browser, "/account")}
        async with browser.post(f"{PATH}/cancel", headers=headers, data=form) as answer:
            assert answer.status == 403
    assert door.asked == []


@pytest.mark.parametrize("csrf", ["", "x", "0" * 64, "ü"])
async def test_a_button_that_was_not_made_for_this_browser_does_nothing(
    browser: aiohttp.ClientSession, door: FakeDoor, csrf: str
) -> None:
    for button in ("cancel", "retry"):
        async with browser.post(f"{PATH}/{button}", data={"csrf": csrf}) as answer:
            assert answer.status == 403
            assert "load the page again" in await answer.text()
    assert door.asked == []


async def test_what_a_button_cannot_do_is_said_on_the_page(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.CancelRun] = Conflict("This run has ended (failed); there is nothing to cancel.")
    answer = await press(browser, f"{PATH}/cancel")
    page = await answer.text()
    assert answer.status == 409
    assert '<p class="trouble" role="alert">This run has ended (failed); there is nothing to cancel.</p>' in page
    assert f"Run {RUN.id}" in page


async def test_a_run_that_is_not_there_is_said_so(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetRun] = NotFound("There is no run 'run_x'; the list of runs shows what there is.")
    assert "There is no run &#39;run_x&#39;" in await shown(browser, "/runs/run_x", 404)
    async with browser.get("/runs/run_x/live") as answer:
        assert answer.status == 404


async def test_a_run_outlives_its_schedule(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.GetSchedule] = NotFound("There is no schedule.")
    assert RUN.schedule_id in await shown(browser)


async def test_the_list_is_of_what_is_asked_for(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    door.answers[ask.ListRuns] = views.RunPage(items=(RUN,), next="run_1")
    page = await shown(browser, "/runs?state=failed&guild_id=123&schedule_id=sch_1&handler=reports&x=y")
    wanted = ask.ListRuns(
        guild_id="123", schedule_id="sch_1", handler="reports", state=RunState.FAILED, limit=50
    )  # fmt: skip
    assert door.asked == [(ON_A_PAGE, wanted)]
    assert "state=failed&amp;guild_id=123&amp;schedule_id=sch_1&amp;handler=reports&amp;cursor=run_1" in page
    assert f'<a href="/runs/{RUN.id}">' in page
    assert '<option value="failed" selected>' in page
    await shown(browser, "/runs?state=&guild_id=null")
    assert door.asked[-1] == (ON_A_PAGE, ask.ListRuns(limit=50))
    await shown(browser, "/runs")
    assert door.asked[-1] == (ON_A_PAGE, ask.ListRuns(any_guild=True, limit=50))


async def test_a_filter_that_can_be_none_is_refused_on_the_page(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    page = await shown(browser, "/runs?state=faild", 422)
    assert 'role="alert">state has to be one of waiting, dispatched' in page
    assert "not &#39;faild&#39;; did you mean failed?" in page
    assert "more than 100 parameters" in await shown(browser, "/runs?" + "x=1&" * 101, 400)
    assert door.asked == []


async def test_what_is_no_filter_is_said_above_what_the_others_find(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    page = await shown(browser, "/runs?stat=failed&handler=reports")
    assert 'role="alert">stat is not known here; did you mean state?</p>' in page
    assert RUN.id in page


async def test_the_handlers_lead_to_their_runs(browser: aiohttp.ClientSession, door: FakeDoor) -> None:
    page = await shown(browser, "/handlers")
    assert '<a href="/runs">Runs</a>' in page
    assert '<a href="/runs?handler=reports">' in page


async def test_secrets_among_arguments_stand_nowhere_on_the_page(
    browser: aiohttp.ClientSession, door: FakeDoor
) -> None:
    (attempt,) = FAILED.attempts
    door.answers[ask.GetRun] = msgspec.structs.replace(
        FAILED, args={"token": "hunter2", "day": "2026-03-01"}, error="hunter2 is wrong", result={"said": "hunter2"},
        attempts=(msgspec.structs.replace(attempt, error="hunter2 is wrong"),),
    )  # fmt: skip
    line = msgspec.structs.replace(LOG.items[0], text="login with hunter2")
    door.answers[ask.GetRunLog] = msgspec.structs.replace(LOG, items=(line,), ended=True)
    page = await shown(browser)
    assert "hunter2" not in page
    assert "2026-03-01" in page
    assert "•••••• is wrong" in page
    assert "login with ••••••" in page
    door.answers[ask.ListRuns] = views.RunPage(items=(door.answers[ask.GetRun],))
    assert "hunter2" not in await shown(browser, "/runs")
