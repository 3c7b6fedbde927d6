"""A real core with all its doors, that can be stopped and started again at the same addresses."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Literal

from core.app import App
from core.gateway.doors import Listening
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero import Client
from schedule_zero.client import CoreClient
from schedule_zero.handler import Context, Handler, method

Kind = Literal["local", "zmq", "http"]
TOKEN, BOT_TOKEN = "sz_test", "sz_bot"


class Echo(Handler):
    """Says what it is told, and tells of itself until the test lets it end."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    @method()
    async def tell(self, ctx: Context) -> None:
        ctx.progress(0.5, "half")
        ctx.log("first ü")
        await self.gate.wait()
        ctx.log("last")

    @method()
    async def echo(self, text: str = "") -> str:
        return text


class Place:
    """Where a core runs. The ports it found at its first start it keeps."""

    def __init__(self, folder: Path, store: StoreSettings | None = None) -> None:
        self.folder = folder
        self._store = store or StoreSettings()
        self._http_at = "127.0.0.1:0"
        self._clients_at = "tcp://127.0.0.1:*"
        self._running = contextlib.AsyncExitStack()
        self.echo = Echo()
        self.app: App

    async def start(self) -> None:
        self.app = App(
            store=self._store, data_dir=self.folder, governor=GovernorSettings(default_plan="trusted"),
            listening=Listening(clients=self._clients_at),
        )  # fmt: skip
        self.app.keyring.trust(TOKEN)
        self.app.keyring.trust(BOT_TOKEN, role="bot", name="bot")
        self.app.serve(self.echo)
        await self._running.enter_async_context(self.app.running())
        settings = HttpSettings(bind=self._http_at)
        server = HttpServer(build_web(self.app.service, settings, self.app.keyring.api_actor), settings)
        await server.start()
        self._running.push_async_callback(server.stop)
        self._http_at = server.address.removeprefix("http://")
        assert self.app.doors is not None
        self._clients_at = self.app.doors.clients_at or ""

    async def stop(self) -> None:
        await self._running.aclose()

    def address(self, kind: Kind) -> str:
        return self._clients_at if kind == "zmq" else f"http://{self._http_at}"

    def client(self, kind: Kind, token: str = TOKEN) -> CoreClient:
        """A client of this core; the one inside the process belongs to its present life."""
        return self.app.client if kind == "local" else Client(self.address(kind), token)
