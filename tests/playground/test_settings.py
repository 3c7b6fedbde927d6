"""The walk through a server's settings in a real browser: a role picked in a menu, and the change taken back."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import MESSAGES, NEEDS_BROWSER, browsing, open_page, see, type_command
from tests.up import running

pytestmark = NEEDS_BROWSER

PATIENCE = 20_000  # milliseconds


async def apply(page: Page, card: Locator) -> None:
    """Say that these are picked; the page takes it once what was done before has been answered."""
    busy = page.get_by_text("Wait for the current action to finish")
    button = card.get_by_role("button", name="Apply")
    async with asyncio.timeout(PATIENCE / 1000):
        while await button.is_visible():
            await button.click()
            with contextlib.suppress(AssertionError):
                await expect(button).to_be_hidden(timeout=500 if await busy.count() else PATIENCE / 4)


async def test_a_role_is_picked_in_a_menu_and_the_change_is_taken_back(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as product:
            await open_page(page, product.playground())
            await type_command(page, "/settings roles")
            await page.keyboard.press("Enter")
            card = page.locator(MESSAGES, has_text="Who manages everybody's schedules").last
            await see(page, "Who manages everybody's schedules")
            menu = card.locator(".select-trigger").first
            await menu.click()
            await page.locator(".select-option", has_text="Moderators").first.click()
            await apply(page, card)
            await see(page, "Roles: set")
            await expect(card).to_contain_text("Moderators", timeout=PATIENCE)
            await card.get_by_role("button", name="Undo").click()
            await see(page, "Roles: taken back")
            await expect(card).to_contain_text("nobody beside Manage Messages and Manage Server", timeout=PATIENCE)
            assert wrong == []
