"""A process with nothing but the small bot's playground on a web server: ``python -m tests.playground.serve``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, asgi

from bot.playground.playground import Playground
from tests.playground.tiny_bot import TinyBot


class Server(uvicorn.Server):
    """uvicorn, with SIGTERM left to us (the playground has to be closed in order), and a word when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(data_dir: Path, port: int) -> None:
    """Serve until SIGTERM; prints the address to open."""
    bot = TinyBot()
    playground = Playground(bot, data_dir)

    @asgi(["/playground"], is_mount=True, copy_scope=True)
    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await playground.asgi(scope, receive, send)

    app = Litestar([pages], openapi_config=None, logging_config=None)
    server = Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
    await playground.start()
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    print(playground.address(f"http://127.0.0.1:{port}"), flush=True)
    posting = asyncio.create_task(_post_what_is_typed(bot))
    await serving
    posting.cancel()
    await playground.close()


async def _post_what_is_typed(bot: TinyBot) -> None:
    """Post every line of the standard input, as a schedule would: without anybody asking on the page."""
    channel = bot.get_partial_messageable(bot.guilds[0].text_channels[0].id)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await channel.send(line.strip())


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
