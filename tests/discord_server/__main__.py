"""The server as a process of its own: prints one JSON line when it is ready, ends with 0 on SIGTERM or SIGINT."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from tests.discord_server.app import DiscordServer
from tests.discord_server.state import Settings


def main() -> int:
    """Serve until told to stop; 1 when the port is taken or the state file cannot be written."""
    options = _options()
    try:
        settings = Settings(
            token=options.token,
            nonce_seconds=options.nonce_seconds,
            interaction_seconds=options.interaction_seconds,
            shards=options.shards,
            state_file=options.state,
        )
        asyncio.run(_serve(settings, options.port, leashed=options.leashed))
    except OSError as error:
        sys.stderr.write(f"the simulated Discord cannot start: {error}\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.discord_server", description=__doc__)
    defaults = Settings()
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--state", type=Path, metavar="FILE", help="append every accepted message as a JSON line")
    parser.add_argument("--nonce-seconds", type=float, default=defaults.nonce_seconds)
    parser.add_argument("--interaction-seconds", type=float, default=defaults.interaction_seconds)
    parser.add_argument("--shards", type=int, default=defaults.shards)
    parser.add_argument("--token", default=defaults.token)
    parser.add_argument("--leashed", action="store_true", help="end when stdin closes, so with whoever started it")
    return parser.parse_args()


async def _serve(settings: Settings, port: int, *, leashed: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if leashed:
        loop.add_reader(sys.stdin.fileno(), _end_at_eof, stop)
    async with DiscordServer(settings, port=port) as server:
        ready = {
            "url": server.url,
            "api": server.api_url,
            "gateway": server.gateway_url,
            "token": settings.token,
            "pid": os.getpid(),
        }
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def _end_at_eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
