"""The walk of the limits, in a real browser: somebody meets one and is told which, how much and until when; who runs the
service raises it for an hour, and what waited goes."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.playground.browser import (
    MESSAGES,
    NEEDS_BROWSER,
    browsing,
    choose_option,
    look_as,
    open_page,
    see,
    type_command,
    type_option,
)
from tests.up import running

pytestmark = NEEDS_BROWSER

CONFIG = """\
governor:
  default_plan: tiny
  plans:
    tiny: {runs_per_month: 1, schedules: 4}
"""
"""One run a month: no walk is so slow that the month is over."""


async def test_a_limit_is_met_explained_raised_for_an_hour_and_what_waited_goes(tmp_path: Path) -> None:
    (tmp_path / "schedule-zero.yaml").write_text(CONFIG)
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as product:
            await open_page(page, product.playground())
            await look_as(page, "Max (moderator)")
            await schedule(page, "standup")
            await run_now(page, "standup")
            await see(page, "succeeded")
            await expect(posts(page)).to_have_count(1, timeout=20_000)

            await run_now(page, "standup")
            await see(page, "has used 1 of 1 runs it may have in a month; the next can start")
            await type_command(page, "/quota explain")
            await choose_option(page, "item", "standup")
            await page.keyboard.press("Enter")
            await see(page, "This server has used 1 of 1 runs it may have in a month; the next can start")

            for _ in range(2):
                await remind(page)
                await see(page, "Reminder set: tea")
            await remind(page)
            refused = page.locator(MESSAGES, has_text="This server has 2 reminders").last
            await refused.get_by_role("button", name="Which limit?").click()
            await see(page, "There is no room yet.")
            await see(page, "Reminders 2 of 2")

            await look_as(page, "Ada (admin)")
            await type_command(page, "/admin governor set")
            await choose_option(page, "guild", "Playground")
            await choose_option(page, "limit", "this month")
            await type_option(page, "value", "10")
            await page.locator('.command-suggestion[aria-selected="true"]').wait_for()
            await page.keyboard.press("Enter")
            await choose_option(page, "until", "in 1 hour")
            await page.get_by_role("button", name="Send").click()
            await see(page, "Runs this month: 1 → 10 until ")
            await expect(posts(page)).to_have_count(2, timeout=20_000)

            await type_command(page, "/quota show")
            await page.keyboard.press("Enter")
            gauges = page.locator(MESSAGES, has_text="What may be used here").last
            await expect(gauges).to_contain_text("Runs this month 2 of 10")
            await expect(gauges).to_contain_text("██████████ Reminders 2 of 2")
            assert wrong == []


async def schedule(page: Page, name: str) -> None:
    """A message in this channel, far in the future."""
    await type_command(page, "/schedule message")
    await choose_option(page, "when", "every day at 9")
    await choose_option(page, "channel", "general")
    await type_option(page, "text", "stand up, please")
    await type_option(page, "name", name)
    await page.get_by_role("button", name="Send").click()
    await see(page, f"Scheduled: {name}")


async def run_now(page: Page, name: str) -> None:
    await type_command(page, "/schedule run_now")
    await choose_option(page, "item", name)
    await page.keyboard.press("Enter")


async def remind(page: Page) -> None:
    await type_command(page, "/remind me")
    await choose_option(page, "when", "in 3 hours")
    await type_option(page, "text", "tea")
    await page.get_by_role("button", name="Send").click()


def posts(page: Page) -> Locator:
    """What was posted, without the cards that name it."""
    return page.locator(MESSAGES, has_text="stand up, please").filter(has_not_text="sch_")
