"""The page of handlers in a real browser: signed in, read, made anew by itself, and nothing is refused by its policy."""

from __future__ import annotations

from pathlib import Path

import msgspec
from playwright.async_api import expect

from core.web.app import build_web
from core.web.pages import handlers
from core.web.server import HttpServer
from schedule_zero import requests as ask
from schedule_zero import views
from tests.playground.browser import NEEDS_BROWSER, browsing
from tests.web.conftest import SETTINGS, TOKEN, holding
from tests.web.fake import HANDLER, FakeDoor

pytestmark = NEEDS_BROWSER


async def test_one_signs_in_and_watches(tmp_path: Path) -> None:
    door = FakeDoor()
    server = HttpServer(build_web(door, SETTINGS, holding(TOKEN)), SETTINGS)
    await server.start()
    async with browsing(tmp_path) as (page, wrong):
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"{server.address}/handlers")
        await page.get_by_label("API token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="reports healthy")).to_be_visible()
        await expect(page.get_by_role("cell", name="reports@a1")).to_be_visible()
        style = "() => getComputedStyle(document.querySelector('.well')).color"
        assert await page.evaluate(style) != await page.evaluate("() => getComputedStyle(document.body).color")
        sick = msgspec.structs.replace(HANDLER, healthy=False)
        door.answers[ask.ListHandlers] = views.HandlerPage(items=(sick,))
        await expect(page.get_by_role("heading", name="reports unhealthy")).to_be_visible(
            timeout=(handlers.REFRESH_S + 15) * 1000
        )
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("API token")).to_be_visible()
        assert [each for each in complaints if not each.startswith("[DOM]")] == []
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []
    await server.stop()
