"""Days off and single times, as people meet them in a real browser: typed, completed, answered."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect

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
from tests.playground.test_reminding import standing, stopped_in_order
from tests.up import running

pytestmark = NEEDS_BROWSER


async def test_a_time_is_skipped_and_a_calendar_is_heeded(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as product:
            await open_page(page, product.playground())
            await type_command(page, "/schedule message")
            await choose_option(page, "when", "every day at 9")
            await choose_option(page, "channel", "#general")
            await type_option(page, "text", "stand up")
            await page.keyboard.press("Enter")
            await see(page, "Scheduled: stand up")
            (made,) = await standing(product)

            await type_command(page, "/schedule skip")
            await choose_option(page, "item", "stand")
            await type_option(page, "which", "")
            offers = page.locator(".command-suggestion")
            await expect(offers.first).to_contain_text("09:00")
            assert await offers.count() > 5
            await offers.nth(1).click()
            await page.get_by_role("button", name="Send").click()
            await see(page, "Skipped: stand up")
            (skipped,) = await standing(product)
            assert skipped.next_fire_times[:2] == (made.next_fire_times[0], made.next_fire_times[2])
            await page.locator(MESSAGES, has_text="Skipped").get_by_role("button", name="Undo").click()
            await see(page, "Taken back: stand up")

            await type_command(page, "/calendar holidays add")
            await type_option(page, "name", "closed")
            await type_option(page, "date", "every 24 dec")
            await page.locator(".command-suggestion", has_text="24 December, every year").click()
            await page.get_by_role("button", name="Send").click()
            await see(page, "Calendar made: closed")
            await type_command(page, "/schedule policy")
            await choose_option(page, "item", "stand")
            await choose_option(page, "calendar", "clo")
            await page.keyboard.press("Enter")
            await see(page, "Policy changed: stand up")
            (heeding,) = await standing(product)
            assert heeding.calendar is not None
            assert heeding.calendar.name == "closed"
            assert wrong == []
            stopped_in_order(product)
