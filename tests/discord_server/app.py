"""The server in one process with the test: `async with DiscordServer() as server: …`."""

from types import TracebackType
from typing import Self

from aiohttp import web

from tests.discord_server.control import control_routes
from tests.discord_server.director import Director
from tests.discord_server.guard import API, GATEWAY, Guard
from tests.discord_server.interaction_rest import InteractionRest
from tests.discord_server.records import World
from tests.discord_server.rest import Rest
from tests.discord_server.state import Settings, SimulatedDiscord
from tests.discord_server.world import seed_world

MAX_BODY_BYTES = 1024 * 1024
KEEP_ALIVE_SECONDS = 3600.0
"""Longer than any test: an idle connection closed by us must never look like a cut."""


class DiscordServer(Director):
    """A Discord on loopback. Without a world it has the seeded one; port 0 takes any that is free."""

    def __init__(self, settings: Settings | None = None, *, world: World | None = None, port: int = 0) -> None:
        self.settings = settings or Settings()
        self.url = ""
        self._port = port
        discord = SimulatedDiscord(world or seed_world(), self.settings)
        super().__init__(discord)
        self._runner = web.AppRunner(
            self._application(discord),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )

    @property
    def api_url(self) -> str:
        """The value for `DISCORD_API_BASE` and `discord.http.Route.BASE`."""
        return self.url + API

    @property
    def gateway_url(self) -> str:
        """The value for `DiscordWebSocket.DEFAULT_GATEWAY`, which a plain Client never asks for."""
        return self._discord.gateway.url

    async def start(self) -> None:
        """Listen; OSError when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError:
            await self.stop()
            raise
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._discord.at(self.url)

    async def stop(self) -> None:
        """End every connection, hanging ones too, and close the journal."""
        await self._discord.gateway.disconnect(code=None)
        await self._runner.cleanup()
        self._discord.journal.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _application(self, discord: SimulatedDiscord) -> web.Application:
        application = web.Application(middlewares=[Guard(discord).middleware()], client_max_size=MAX_BODY_BYTES)
        application.add_routes(Rest(discord).routes())
        application.add_routes(discord.oauth.routes(API))
        application.add_routes(InteractionRest(discord.interactions).routes())
        application.add_routes(control_routes(self))
        application.add_routes(
            [web.get(GATEWAY, discord.gateway.connect), web.get(r"/attachments/{file_id:\d+}/{name}", self._file)]
        )
        return application

    async def _file(self, request: web.Request) -> web.Response:
        upload = self._discord.messages.files.get(int(request.match_info["file_id"]))
        if upload is None:
            raise web.HTTPNotFound
        return web.Response(body=upload.content, content_type=upload.content_type)
