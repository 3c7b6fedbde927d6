"""The whole way once, in a real browser, on a playground in a process of its own that is killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.playground.browser import NEEDS_BROWSER, browsing, open_page, see, type_command, type_option

ROOT = Path(__file__).resolve().parents[2]
pytestmark = NEEDS_BROWSER


class Served:
    """The process, and how to make its bot post by itself."""

    def __init__(self, process: Process, address: str) -> None:
        self._process = process
        self.address = address

    def post(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())


@contextlib.asynccontextmanager
async def serving(data_dir: Path, port: int) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.playground.serve", str(data_dir), str(port), cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        yield Served(process, line.decode().strip())
        process.stdin.close()
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_somebody_plays(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        async with serving(tmp_path, 0) as first:
            address = first.address
            await open_page(page, address.partition("/general")[0])
            assert page.url == address

            await type_command(page, "/note")
            await page.locator(".command-suggestion", has_text="coffee at noon").wait_for()  # before the first letter
            await page.get_by_role("combobox", name="when").press_sequentially("tea", delay=30)
            await page.locator(".command-suggestion", has_text="tea tomorrow at 9").click()
            await page.get_by_role("combobox", name="when").press("Enter")
            await see(page, "noted: tea tomorrow at 9")

            loads: list[str] = []
            page.on("framenavigated", lambda frame: loads.append(frame.url))
            first.post("posted by itself")
            await see(page, "posted by itself")
            assert loads == []

            await type_command(page, "/panel")
            await page.locator(".command-chip").press("Enter")
            await page.get_by_role("button", name="Press").click()
            await see(page, "pressed")
            ids = await shown_ids(page)
            assert wrong == []
            await page.evaluate("() => { window.beforeTheRestart = true; }")

        async with serving(tmp_path, int(address.split("/")[2].partition(":")[2])) as second:
            assert second.address == address
            # The page notices that its process is gone, and opens itself again.
            await page.wait_for_function("() => !window.beforeTheRestart && window.simcordPreview?.ready")
            await see(page, "pressed")
            assert await shown_ids(page) == ids

            wrong.clear()
            await page.get_by_role("button", name="Write").click()
            await page.locator("#modal-root input, #modal-root textarea").fill("from the form")
            await page.get_by_role("button", name="Submit").click()
            await see(page, "written: from the form")

            await page.select_option("#viewer-picker", label="Kim")
            await page.click(".playground-places a:has-text('#announcements')")
            await page.wait_for_function("() => window.simcordPreview?.ready")
            await expect(page.locator("#viewer-picker option:checked")).to_have_text("Kim")
            assert wrong == []


async def test_what_is_sent_while_suggestions_are_under_way_waits_for_them(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hold_suggestions(route: Route) -> None:
        if "autocomplete_command" in (route.request.post_data or ""):
            asked.set()
            await answer.wait()
        await route.continue_()

    async with browsing(tmp_path / "profile") as (page, _), serving(tmp_path, 0) as served:
        await open_page(page, served.address)
        await page.route("**/api/action", hold_suggestions)
        await type_command(page, "/note")
        await type_option(page, "when", "tea")
        await asked.wait()
        await page.keyboard.press("Enter")
        answer.set()
        await see(page, "noted: tea")


async def shown_ids(page: Page) -> dict[str, object]:
    """The ids the page knows that have to outlive the process: channel, people, messages everybody sees."""
    ids: dict[str, object] = await page.evaluate(
        """async () => {
            const token = location.hash.slice(1), headers = { "X-Simcord-Capability": token };
            const opened = await fetch("api/pages", { method: "POST", headers, body: "{}" });
            const page = await opened.json();
            headers["X-Simcord-Context"] = page.context.id;
            const commands = await (await fetch("api/commands", { headers })).json();
            return {
                channel: page.channelId,
                people: page.viewers.map((person) => person.id),
                commands: commands.entries.map((entry) => entry.commandId),
                messages: page.timeline.filter((id) => !page.messages[id].content.startsWith("noted")),
            };
        }"""
    )
    return ids
