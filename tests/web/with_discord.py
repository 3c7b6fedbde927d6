"""A core in front of a Discord that lives beside it: people sign in there, and are known here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import yarl

from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from core.secret import Secret
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from core.web.sign_in.discord import DiscordSignIn
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.engine.house import HandClock
from tests.web.signing import TOKEN, browser_at

GUILDS = {world.GUILD: "Tea House", world.OTHER_GUILD: "Werkstatt"}


class Town:
    """The core and the Discord."""

    def __init__(self, folder: Path, discord: DiscordServer) -> None:
        self.folder = folder
        self.discord = discord
        self.clock = HandClock()
        self.app: App
        self.server: HttpServer
        self._at = "127.0.0.1:0"
        self._running = contextlib.AsyncExitStack()

    async def start(self, store: StoreSettings | None = None, operator_ids: tuple[str, ...] = ()) -> None:
        """A core starts, at the address of the one before."""
        self.app = App(
            store=store or StoreSettings(), data_dir=self.folder, governor=GovernorSettings(default_plan="trusted"),
            clock=self.clock, operator_ids=operator_ids,
        )  # fmt: skip
        self.app.keyring.trust(TOKEN)
        await self._running.enter_async_context(self.app.running())
        for guild, name in GUILDS.items():
            await self.app.client.note_guild(str(guild), name)
        self.server = await self._running.enter_async_context(door_of(self.app, self.discord, self._at))
        self._at = self.server.address.removeprefix("http://")

    async def stop(self) -> None:
        """It stops; what it kept, it kept."""
        await self._running.aclose()

    def browser(self) -> Browser:
        """Somebody's browser."""
        return Browser(self.server.address, self.discord)

    def server_url(self) -> yarl.URL:
        """The core's address, as cookies are kept by it."""
        return yarl.URL(self.server.address)

    def pass_minutes(self, minutes: float) -> None:
        """Time goes on here."""
        self.clock.move(60 * minutes)

    def tokens(self) -> int:
        """How many of Discord's tokens are in force."""
        return self.discord._discord.oauth.authority.tokens


class Browser:
    """A browser, by hand: at the core, and at Discord as one of its people."""

    def __init__(self, address: str, discord: DiscordServer) -> None:
        self.core = browser_at(address)
        self.elsewhere = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._discord = discord

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.core.close()
        await self.elsewhere.close()

    async def to_discord(self, to: str = "/account") -> str:
        """Press the button; the address at Discord that one is led to."""
        async with self.core.get("/sign-in/discord", params={"next": to}, allow_redirects=False) as answer:
            assert answer.status == 303
            return answer.headers["Location"]

    async def agree(self, address: str, user_id: int | None) -> str:
        """Agree there, as somebody (0: do not); the address at the core that one is led back to."""
        more = "" if user_id is None else f"&as={user_id or ''}"
        async with self.elsewhere.get(address + more, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]

    async def come_back(self, address: str, *, follow: bool = True) -> aiohttp.ClientResponse:
        """Come back to the core; the answer, read whole."""
        back = urlsplit(address)
        async with self.core.get(f"{back.path}?{back.query}", allow_redirects=follow) as answer:
            await answer.read()
            return answer

    async def sign_in(self, user_id: int, to: str = "/account") -> aiohttp.ClientResponse:
        """The whole way; the page it leads to."""
        return await self.come_back(await self.agree(await self.to_discord(to), user_id))

    async def page(self, path: str, status: int = 200) -> str:
        """A page, as it is shown."""
        async with self.core.get(path, allow_redirects=False) as answer:
            assert answer.status == status, await answer.text()
            return await answer.text()


def asked_of(address: str) -> dict[str, str]:
    """What stands in an address."""
    return dict(parse_qsl(urlsplit(address).query))


@contextlib.asynccontextmanager
async def door_of(app: App, discord: DiscordServer, at: str = "127.0.0.1:0") -> AsyncIterator[HttpServer]:
    """A door of a core, where people sign in with that Discord."""
    settings = HttpSettings(bind=at)
    web = build_web(app.service, settings, app.keyring.api_actor)
    web.sign_in_with(DiscordSignIn(str(world.BOT), Secret(discord.settings.client_secret), discord.api_url))
    server = HttpServer(web, settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def town(folder: Path, store: StoreSettings | None = None) -> AsyncIterator[Town]:
    """Both, running."""
    async with DiscordServer() as discord:
        made = Town(folder, discord)
        await made.start(store or StoreSettings(url="memory"))
        try:
            yield made
        finally:
            await made.stop()
            await asyncio.sleep(0)
