"""Signing in with a real browser: by way of Discord and back, by a link, on a phone, in light and in dark."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from core.ledger.settings import StoreSettings
from core.web.app import build_web
from core.web.server import HttpServer
from tests.discord_server import world
from tests.playground.browser import NEEDS_BROWSER, browsing
from tests.web.conftest import SETTINGS, TOKEN, holding
from tests.web.fake import FakeDoor
from tests.web.with_discord import town

pytestmark = NEEDS_BROWSER
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"
CONTRAST = """element => {
  const bright = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((part) => {
      const value = part / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const canvas = document.createElement("span");
  canvas.style.color = "Canvas";
  document.body.append(canvas);
  const [one, two] = [bright(getComputedStyle(element).color), bright(getComputedStyle(canvas).color)];
  canvas.remove();
  return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
}"""


def complaints_of(page: Page) -> list[str]:
    """What the browser complains of: what the policy of a page forbids, for one."""
    found: list[str] = []
    page.on("console", lambda message: None if message.text.startswith("[DOM]") else found.append(message.text))
    return found


async def test_one_signs_in_with_discord_and_out_again(tmp_path: Path) -> None:
    async with town(tmp_path / "core") as here, browsing(tmp_path / "profile") as (page, wrong):
        complaints = complaints_of(page)
        await page.goto(f"{here.server.address}/runs?guild_id={world.GUILD}")
        await page.get_by_role("link", name="Sign in with Discord").click()
        await expect(page).to_have_title("Simulated Discord")
        await page.get_by_role("link", name="Sign in as milo").click()
        await expect(page).to_have_url(f"{here.server.address}/runs?guild_id={world.GUILD}")
        await page.get_by_role("link", name="Account").click()
        await expect(page.get_by_text("You are Milo")).to_be_visible()
        await expect(page.get_by_role("link", name="Tea House")).to_be_visible()
        here.pass_minutes(6)
        here.discord.withdraw(world.MODERATOR)  # so the core asks by way of the browser, and Discord knows that
        await page.get_by_role("link", name="Handlers").click()
        await expect(page.get_by_role("heading", name="Handlers", level=1)).to_be_visible()
        await expect(page).to_have_url(f"{here.server.address}/handlers")
        await page.get_by_role("link", name="Account").click()
        await expect(page.get_by_role("listitem").filter(has_text="Chrome on Linux (this one)")).to_have_count(1)
        await page.get_by_role("button", name="Sign out everywhere").click()
        await expect(page.get_by_role("link", name="Sign in with Discord")).to_be_visible()
        await page.goto(f"{here.server.address}/account")
        await expect(page).to_have_url(f"{here.server.address}/sign-in?next=/account")
        assert complaints == []
        assert [each for each in wrong if not each.endswith("/favicon.ico")] == []


async def test_one_who_does_not_agree_is_told_so_and_may_try_again(tmp_path: Path) -> None:
    async with town(tmp_path / "core") as here, browsing(tmp_path / "profile") as (page, _):
        await page.goto(f"{here.server.address}/sign-in?next=/account")
        await page.get_by_role("link", name="Sign in with Discord").click()
        await page.get_by_role("link", name="Cancel").click()
        await expect(page.get_by_role("alert")).to_have_text("You did not agree at Discord, so nobody is signed in.")
        await page.get_by_role("link", name="Sign in with Discord").click()
        await page.get_by_role("link", name="Sign in as mia").click()
        await expect(page).to_have_url(f"{here.server.address}/account")


async def test_a_restart_of_the_core_signs_nobody_out(tmp_path: Path) -> None:
    async with town(tmp_path / "core", StoreSettings()) as here, browsing(tmp_path / "profile") as (page, _):
        await page.goto(f"{here.server.address}/account")
        await page.get_by_label("API token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("You are operator, and operate this service.")).to_be_visible()
        await here.stop()
        await here.start(StoreSettings())
        await page.reload()
        await expect(page.get_by_text("You are operator, and operate this service.")).to_be_visible()


async def test_a_link_is_opened_and_is_used_up(tmp_path: Path) -> None:
    async with town(tmp_path / "core") as here, browsing(tmp_path / "profile") as (page, _):
        link = await here.app.client.new_sign_in()
        await page.goto(f"{here.server.address}{link.path}")
        await expect(page).to_have_url(f"{here.server.address}/")
        await page.get_by_role("navigation").get_by_role("link", name="Runs").click()
        await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await page.goto(f"{here.server.address}{link.path}")
        await expect(page.get_by_role("alert")).to_contain_text("This link was used already")


async def test_the_pages_are_read_on_a_phone_in_light_and_in_dark(tmp_path: Path) -> None:
    door = FakeDoor()
    server = HttpServer(build_web(door, SETTINGS, holding(TOKEN)), SETTINGS)
    await server.start()
    async with browsing(tmp_path) as (page, _):
        await page.set_viewport_size({"width": 360, "height": 640})
        door.sessions.links = {"good"}
        for path in ("/", "/sign-in", "/sign-in/link?code=good", "/account"):
            await page.goto(f"{server.address}{path}")
            assert await page.evaluate(FITS), path
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                for element in await page.locator("h1, p, a, button, small, strong, label").all():
                    if await element.is_visible():
                        assert await element.evaluate(CONTRAST) >= 4.5, (path, scheme, await element.text_content())
    await server.stop()
