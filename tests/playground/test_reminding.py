"""The first minutes with the product, as its user has them: started, opened in a real browser, written to, restarted."""

from __future__ import annotations

import signal
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from schedule_zero.schedule import Schedule
from tests.playground.browser import (
    COMPOSER,
    MESSAGES,
    NEEDS_BROWSER,
    browsing,
    choose_option,
    open_page,
    see,
    type_command,
    type_option,
)
from tests.up import Process, running

pytestmark = NEEDS_BROWSER

PATIENCE = 40_000
"""Milliseconds for what comes by itself: far more than it takes, so that a busy machine fails nothing."""
POST = "stand up, please"
WRONG = [
    ({"when": "the day before never", "text": "tea"}, "'the day before never' is not a time I can read; try "),
    ({"when": "31 february", "text": "tea"}, "31 February does not exist"),
    ({"when": "yesterday at 9", "text": "tea"}, "Did you mean:"),
    ({"when": "tomorrow at 9", "text": "tea", "repeat": "every banana"}, "'every banana' is not understood as a repetition; try "),
    ({"when": "tomorrow at 9", "text": "tea", "repeat": "every 2 seconds"}, "the shortest interval this server's plan allows is "),
    ({"when": "in 5 minutes", "text": " "}, "text is empty; write what the message should say."),
]  # fmt: skip
"""Options of /remind me, and the sentence they are answered with, as far as the clock has no part in it."""


async def test_what_was_asked_for_comes_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as first:
            address = first.playground()
            await open_page(page, address)
            loads: list[str] = []
            page.on("framenavigated", lambda frame: loads.append(frame.url))

            await ask_to_be_reminded(page)
            await see(page, "Reminder set: tea")
            await expect(page.locator(COMPOSER)).to_be_focused()
            await see_reminder(page, "tea")

            await open_a_form_and_give_it_up(page)
            await schedule_a_repeating_message(page)
            await see(page, f"Scheduled: {POST}")
            (made,) = await standing(first)
            await see(page, made.id)
            await see_posts(page, 2)
            assert (loads, wrong) == ([], [])

            stopped_in_order(first)
            shown = await posts(page).count()

        with running(tmp_path, SCHEDULE_ZERO__HTTP__BIND=first.address.partition("//")[2]) as second:
            assert second.playground() == address
            # The page notices that its process is gone, and opens itself again.
            await see_posts(page, shown + 2)  # one may have been posted by the first, too late for the page to show it
            (kept,) = await standing(second)
            assert (kept.id, kept.revision, kept.words) == (made.id, made.revision, made.words)
            await type_command(page, "/schedule list")
            await page.keyboard.press("Enter")
            await see(page, "Schedules, page 1")
            await see(page, made.id)
            stopped_in_order(second)


async def test_what_cannot_be_done_is_answered_with_one_sentence(tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as (page, wrong):
        with running(tmp_path) as product:
            await open_page(page, product.playground())
            for options, sentence in WRONG:
                await type_command(page, "/remind me")
                for option, text in options.items():
                    await type_option(page, option, text)
                await page.get_by_role("button", name="Send").click()
                await expect(page.locator(MESSAGES).last).to_contain_text(sentence)

            await type_command(page, "/remind me")
            await type_option(page, "when", "in 5 minutes")
            await page.get_by_role("button", name="Send").click()
            await page.get_by_role("button", name="Submit").click()
            await expect(page.get_by_role("dialog")).to_contain_text("This field is required.")
            await page.keyboard.type("written after all")
            await page.get_by_role("button", name="Submit").click()
            await see(page, "Reminder set: written after all")
            assert [schedule.args["content"] for schedule in await standing(product)] == ["written after all"]
            assert wrong == []
            stopped_in_order(product)


async def ask_to_be_reminded(page: Page) -> None:
    """All from the keyboard, in one go."""
    await type_command(page, "/remind me")
    await choose_option(page, "when", "in 3 seconds")
    await type_option(page, "text", "tea")
    await page.keyboard.press("Enter")


async def see_reminder(page: Page, text: str) -> None:
    """The message itself, which is known from the card by its buttons."""
    done = page.get_by_role("button", name="Done")
    await expect(page.locator(MESSAGES, has_text=text).filter(has=done)).to_be_in_viewport(timeout=PATIENCE)


async def open_a_form_and_give_it_up(page: Page) -> None:
    await type_command(page, "/schedule message")
    await choose_option(page, "when", "in 5 minutes")
    await choose_option(page, "channel", "#general")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").locator("textarea")).to_be_focused()
    await page.keyboard.type("never mind")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def schedule_a_repeating_message(page: Page) -> None:
    """With the shortest interval that the playground's plan allows; #general is not the first of the channels."""
    await type_command(page, "/schedule message")
    await choose_option(page, "when", "in 2 seconds")
    await page.locator(".command-suggestion", has_text="announcements").wait_for()
    await choose_option(page, "channel", "#general")
    await type_option(page, "text", POST)
    await choose_option(page, "repeat", "every 10 seconds")
    await page.keyboard.press("Enter")


def posts(page: Page) -> Locator:
    """What the repeating message posted, without the cards and lists that name it."""
    return page.locator(MESSAGES, has_text=POST).filter(has_not_text="sch_")


async def see_posts(page: Page, number: int) -> None:
    """At least so many, the last of them where it can be read."""
    await expect(posts(page).nth(number - 1)).to_be_visible(timeout=PATIENCE)
    await expect(posts(page).last).to_be_in_viewport()


async def standing(product: Process) -> list[Schedule]:
    """The schedules that go on, as the HTTP API shows them to whoever has the stored token."""
    client = product.client()
    try:
        return list((await client.list_schedules(any_guild=True, state="active")).items)
    finally:
        await client.close()


def stopped_in_order(product: Process) -> None:
    code, err = product.ended(signal.SIGINT)
    assert code == 0, err
    assert "Traceback" not in err
    assert "[error" not in err
