"""The HTTP server: uvicorn with httptools, in the core's own loop and without its own ideas about signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn

from core.listening import cannot_listen
from core.web.app import Web
from core.web.settings import HttpSettings, address_of

_GRACE: Final = 5  # seconds an answer may still take once the door closes
_KEEP_ALIVE: Final = 30  # seconds an idle connection is kept
_BACKLOG: Final = 2048

_log = structlog.get_logger(__name__)


class HttpServer:
    """Serves one application from ``start`` to ``stop``."""

    def __init__(self, web: Web, settings: HttpSettings) -> None:
        self._web = web
        self._settings = settings
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = settings.port

    @property
    def address(self) -> str:
        """The URL to open; with the real port, once started."""
        return address_of(self._settings.host, self.port)

    async def start(self) -> None:
        """Listen. Returns when requests are answered.

        Raises:
            CannotListen: the address is taken, or not ours.
        """
        listener = _listen(self._settings)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._web.app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http server")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait((self._serving, listening), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            listener.close()
            await self._serving
        _log.info("http door open", address=self.address)

    async def wait(self) -> None:
        """Until the door is closed. Raises what closed it, if that was not ``stop``."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Close the door: no new connections, streams end, answers under way get a few seconds."""
        if self._server is None or self._serving is None:
            return
        self._web.closing.set()
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None


class _Server(uvicorn.Server):
    """uvicorn's server, except that it says when it listens and leaves the signals to the core."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(settings: HttpSettings) -> socket.socket:
    """A bound socket; uvicorn would leave the process with a code of its own when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; with it every answer is 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # A port just left is free again at once. (On Windows the same option would share a port that is taken.)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        # Two programs may bind one address; only listening finds out.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise cannot_listen(settings.bind, "http.bind", error) from None
    listener.setblocking(False)
    return listener
