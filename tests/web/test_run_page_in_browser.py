"""The page of a run in a real browser, on a real core: watched live, cancelled and retried by its buttons."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page, expect

from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.port import Transaction
from core.ledger.settings import StoreSettings
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero import Context, Handler, Reject, method
from schedule_zero.run import Run
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.playground.browser import NEEDS_BROWSER, browsing
from tests.web.conftest import SETTINGS, TOKEN

pytestmark = NEEDS_BROWSER
LINES = """element => {
  const all = document.createRange();
  all.selectNodeContents(element);
  return new Set([...all.getClientRects()].map((each) => each.top)).size;
}"""
EVIL = "<img src=x onerror=alert(1)>"


class Reports(Handler):
    """Logs, and goes on when the test says so."""

    def __init__(self) -> None:
        self.steps: asyncio.Queue[float] = asyncio.Queue()
        self.mended = False
        self.said = "sending"

    @method(timeout=170)
    async def build(self, ctx: Context) -> str:
        ctx.log(f"begun {EVIL}")
        while True:
            fraction = await self.steps.get()
            ctx.progress(fraction, "rows")
            ctx.log(f"at {fraction}")

    @method
    async def send(self, ctx: Context) -> str:
        ctx.log(self.said)
        if not self.mended:
            raise Reject("the address is wrong")
        return "sent"


class Office:
    """A core with its web door."""

    def __init__(self, app: App, server: HttpServer, reports: Reports) -> None:
        self.app = app
        self.server = server
        self.reports = reports

    async def run(self, what: str) -> Run:
        """A run of a method, which has begun."""
        spec = ScheduleSpec(handler="reports", method=what, trigger=TextTrigger(text="in 1 hour"))
        schedule = await self.app.client.create_schedule(spec)
        return await self.app.client.run_schedule(schedule.id)

    async def open_anew(self) -> None:
        """The door closes and opens again at its address, as a restart of the core has it."""
        port = self.server.port
        await self.server.stop()
        settings = HttpSettings(bind=f"127.0.0.1:{port}")
        self.server = HttpServer(build_web(self.app.service, settings, self.app.keyring.api_actor), settings)
        await self.server.start()

    async def sign_everybody_out(self) -> None:
        """No browser is signed in any more."""

        async def unit(tx: Transaction) -> None:
            await tx.sessions.end_all("key:operator@")

        await self.app.ledger.write(unit)

    def page_of(self, run: Run) -> str:
        return f"{self.server.address}/runs/{run.id}"


@contextlib.asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Office]:
    app = App(store=StoreSettings(url="memory"), data_dir=folder, governor=GovernorSettings(default_plan="trusted"))
    app.keyring.trust(TOKEN)
    reports = Reports()
    app.serve(reports)
    async with app.running():
        server = HttpServer(build_web(app.service, SETTINGS, app.keyring.api_actor), SETTINGS)
        await server.start()
        opened = Office(app, server, reports)
        try:
            yield opened
        finally:
            await opened.server.stop()


async def sign_in(page: Page) -> None:
    await page.get_by_label("API token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_run_is_watched_live_and_cancelled_by_its_button(tmp_path: Path) -> None:
    async with office(tmp_path / "core") as core, browsing(tmp_path / "profile") as (page, wrong):
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        run = await core.run("build")
        await page.goto(core.page_of(run))
        await sign_in(page)
        await expect(page).to_have_url(core.page_of(run))
        await expect(page.get_by_role("heading", level=1)).to_contain_text("is running")
        log = page.get_by_role("log")
        await expect(log).to_contain_text(f"begun {EVIL}")
        await page.evaluate("() => { document.body.dataset.same = 'yes' }")
        for fraction in (0.25, 0.5):
            core.reports.steps.put_nowait(fraction)
            await expect(log).to_contain_text(f"at {fraction}", timeout=20_000)
            bar = page.get_by_role("progressbar", name="Progress")
            await expect(bar).to_have_attribute("value", str(fraction), timeout=20_000)
        await page.set_viewport_size({"width": 360, "height": 640})
        assert await page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        assert await page.evaluate("() => document.body.dataset.same") == "yes"  # nothing was loaded again
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("was cancelled", timeout=20_000)
        await expect(page.get_by_text("nothing changes any more")).to_be_visible()
        await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        assert [each for each in complaints if not each.startswith("[DOM]")] == []
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []


async def test_a_failed_run_is_retried_by_its_button(tmp_path: Path) -> None:
    async with office(tmp_path / "core") as core, browsing(tmp_path / "profile") as (page, wrong):
        run = await core.run("send")
        await page.goto(f"{core.server.address}/runs")
        await sign_in(page)
        await page.get_by_role("link", name=run.id).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("has failed", timeout=20_000)
        await expect(page.get_by_role("cell", name="the address is wrong")).to_be_visible()
        core.reports.mended = True
        await page.get_by_role("button", name="Retry").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("has succeeded", timeout=20_000)
        assert page.url.startswith(f"{core.server.address}/runs/run_")
        assert page.url != core.page_of(run)
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []


async def test_a_page_whose_session_is_gone_says_to_sign_in_again_and_otherwise_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    async with office(tmp_path / "core") as core, browsing(tmp_path / "profile") as (page, _):
        run = await core.run("build")
        await page.goto(f"{core.server.address}/runs")
        await sign_in(page)
        await page.route("**/live?**", lambda route: route.fulfill(status=503, body="not for the moment"))
        await page.goto(core.page_of(run))
        standing = page.locator("#live")
        await expect(standing).to_contain_text("trying again")
        await page.unroute("**/live?**")
        await expect(standing).to_contain_text("up to date", timeout=20_000)
        await core.open_anew()
        core.reports.steps.put_nowait(0.25)
        await expect(page.get_by_role("log")).to_contain_text("at 0.25", timeout=20_000)
        await core.sign_everybody_out()
        await core.open_anew()
        await expect(standing).to_contain_text("Sign in again", timeout=20_000)
        core.reports.steps.put_nowait(0.5)
        await standing.get_by_role("link", name="Sign in again").click()
        await sign_in(page)
        await expect(page).to_have_url(core.page_of(run))
        await expect(page.get_by_role("log")).to_contain_text("at 0.5", timeout=20_000)


async def test_on_a_narrow_screen_no_word_is_broken_and_a_line_stays_within_itself(tmp_path: Path) -> None:
    async with office(tmp_path / "core") as core, browsing(tmp_path / "profile") as (page, _):
        core.reports.said = "one\n12:00:00 two \u202eeerht"
        run = await core.run("send")
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto(core.page_of(run))
        await sign_in(page)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("has failed", timeout=20_000)
        line = page.locator("#log .line").first
        await expect(line).to_contain_text("12:00:00 two")
        assert await line.evaluate(LINES) >= 2
        beside = await line.evaluate("element => element.previousElementSibling.getBoundingClientRect().right")
        assert await line.evaluate("element => element.getBoundingClientRect().left") >= beside
        assert await line.evaluate("element => getComputedStyle(element).unicodeBidi") == "isolate"
        await page.goto(f"{core.server.address}/runs")
        for cell in (page.get_by_role("cell", name="failed", exact=True), page.locator("td time").first):
            await expect(cell).to_be_visible()
            assert await cell.evaluate(LINES) == 1
        assert await page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        await page.goto(f"{core.server.address}/handlers")
        assert await page.locator("td time").first.evaluate(LINES) == 1
        assert await page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
