"""The walk with work that gets done, in a real browser: a job made from its form, failing, mended, retried; then a chain."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from playwright.async_api import Page, expect

from tests.playground.browser import (
    MESSAGES,
    NEEDS_BROWSER,
    browsing,
    choose_option,
    open_page,
    see,
    type_command,
    type_option,
)
from tests.up import ROOT, Process, running

pytestmark = NEEDS_BROWSER


async def test_a_job_is_made_fails_is_mended_and_retried_and_two_others_follow_it(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as product:
            command = [sys.executable, "-m", "schedule_zero", "handler", "handlers.examples.report:Report", "--core"]
            far = subprocess.Popen([*command, product.handlers_at()], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
            try:
                await open_page(page, product.playground())
                await known(product, "report")
                await create(page, "first")
                await page.get_by_placeholder("such as 2026-12-24").fill("2026-12-24")
                await pick(page, "about", "rent")
                await page.get_by_role("button", name="Submit").click()
                await see(page, "Job made: first")
                for name, before in (("second", "first"), ("third", "second")):
                    await create(page, name, args="day=2026-12-24 rows=3", after=before)
                    await see(page, f"Job made: {name}")

                await type_command(page, "/job run")
                await choose_option(page, "item", "first")
                await page.keyboard.press("Enter")
                await see(page, "nobody keeps rent")
                failed = page.locator(MESSAGES, has_text="nobody keeps rent").last
                await failed.get_by_role("button", name="Edit arguments").click()
                await pick(page, "about", "sales")
                await page.get_by_role("button", name="Submit").click()
                await see(page, "Arguments changed: first")
                await page.locator(MESSAGES, has_text="Arguments changed").get_by_role("button", name="Retry").click()
                await see(page, "Succeeded")

                await succeeded(product, 3)
                await type_command(page, "/chain show")
                await choose_option(page, "item", "third")
                await page.keyboard.press("Enter")
                await see(page, "on success: second · last run succeeded")
                assert wrong == []
            finally:
                far.kill()
                far.wait()


async def create(page: Page, name: str, **options: str) -> None:
    """Ask for a job; one that has times of its own runs every morning."""
    await type_command(page, "/job create")
    await choose_option(page, "handler", "report")
    if "after" not in options:
        await choose_option(page, "when", "every day at 9")
    for option, text in ({"name": name} | options).items():
        await (choose_option if option == "after" else type_option)(page, option, text)
    await page.get_by_role("button", name="Send").click()


async def pick(page: Page, field: str, label: str) -> None:
    """Pick something listed in a form."""
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("combobox", name=field).click()
    await dialog.get_by_role("option", name=label).click()
    await expect(dialog.get_by_role("combobox", name=field)).to_contain_text(label)


async def known(product: Process, handler: str) -> None:
    """Wait until the core knows a handler."""
    client = product.client()
    async with asyncio.timeout(30):
        while handler not in [each.name for each in (await client.list_handlers()).items]:
            await asyncio.sleep(0.05)
    await client.close()


async def succeeded(product: Process, count: int) -> None:
    """Wait until so many runs did."""
    client = product.client()
    async with asyncio.timeout(30):
        while len((await client.list_runs(any_guild=True, state="succeeded")).items) < count:
            await asyncio.sleep(0.05)
    await client.close()
