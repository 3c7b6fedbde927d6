"""Somebody with a real browser: opens a page, reads it, writes commands there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect
from playwright.async_api import TimeoutError as TimedOut

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BETWEEN_KEYS = 20  # milliseconds
TO_CLICK = 3_000  # milliseconds
MESSAGES = "#channel-message-list article"
COMPOSER = "#channel-composer-input"
NEEDS_BROWSER = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")]


@contextlib.asynccontextmanager
async def browsing(profile: Path) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and everything that went wrong on it."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=ARGUMENTS, timezone_id="Europe/Berlin"
        )
        page = context.pages[0]
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
        try:
            yield page, wrong
        finally:
            await context.close()


async def open_page(page: Page, address: str) -> None:
    """Open the address, and wait until one can write there."""
    await page.goto(address)
    await page.wait_for_function("() => window.simcordPreview?.ready")


async def see(page: Page, text: str) -> None:
    """Somebody has to be able to read it without doing anything."""
    await expect(page.locator(MESSAGES, has_text=text).last).to_be_in_viewport(timeout=20_000)


async def type_command(page: Page, name: str) -> None:
    """Type a command as far as the picker needs it, and take it."""
    await page.locator(COMPOSER).press_sequentially(name, delay=BETWEEN_KEYS)
    await page.locator(".command-entry", has_text=name).first.wait_for()
    await page.keyboard.press("Enter")


async def type_option(page: Page, option: str, text: str) -> None:
    """Type what an option of the command is to be; one that does not stand there yet is taken from the others."""
    field = page.locator(f'.command-option-input[data-option="{option}"]')
    while await field.count() == 0:
        # What is offered for the option before may come late, in the place of the others: then they are asked for again.
        with contextlib.suppress(TimedOut):
            await page.locator(".command-ghost").click(timeout=TO_CLICK)
            await page.locator(f'.command-suggestion[data-value="{option}"]').click(timeout=TO_CLICK)
    await field.press_sequentially(text, delay=BETWEEN_KEYS)


async def choose_option(page: Page, option: str, text: str) -> None:
    """Type what an option is to be, and take what is marked of what is offered."""
    await type_option(page, option, text)
    await page.locator('.command-suggestion[aria-selected="true"]').wait_for()
    await page.keyboard.press("Enter")


async def look_as(page: Page, name: str) -> None:
    """Look through somebody's eyes."""
    await page.select_option("#viewer-picker", label=name)
    await page.wait_for_function("() => window.simcordPreview?.ready")
    await expect(page.locator("#viewer-picker option:checked")).to_have_text(name)
