"""Another Discord: where REST and gateway are found when ``DISCORD_API_BASE`` says so.

The one file that knows private names of discord.py 2.7.1. The library keeps the REST base on ``Route`` and the
gateway it identifies with (also after a session was declared invalid) on ``DiscordWebSocket``; both are class
attributes, so one process talks to one Discord.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from bot.faults import closed_is_no_connection

ENVIRONMENT: Final = "DISCORD_API_BASE"


class WrongBase(ValueError):
    """The address given for Discord's REST API cannot be one; the sentence says why."""


class NoSessionsLeft(Exception):
    """Discord allows no further IDENTIFY before ``seconds`` have passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Discord allows no new session for {seconds:.0f} s")
        self.seconds = seconds


def read_base(text: str) -> str:
    """The REST base as the library wants it: http or https, a host, no query, no slash at the end.

    Raises:
        WrongBase: it is none of that.
    """
    url = yarl.URL(text.strip())
    if url.scheme not in {"http", "https"} or not url.host or url.query_string or url.fragment:
        raise WrongBase(f"{ENVIRONMENT} is {text!r}; it needs the form http://host:port/api/v10")
    return str(url).rstrip("/")


@contextmanager
def pointed_at(base: str | None) -> Iterator[None]:
    """Send every REST call to ``base`` inside the block; None leaves the library as it is.

    The gateway address is put back too, whatever ``use_gateway`` made of it meanwhile.
    """
    rest, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    if base is not None:
        Route.BASE = read_base(base)
    try:
        yield
    finally:
        Route.BASE = rest
        DiscordWebSocket.DEFAULT_GATEWAY = gateway


def base() -> str:
    """Where REST calls go now."""
    return Route.BASE


def use_gateway(url: str) -> None:
    """Identify at this gateway from now on, after an invalid session too.

    Raises:
        WrongBase: the server named something that is no WebSocket address.
    """
    address = yarl.URL(url)
    if address.scheme not in {"ws", "wss"} or not address.host:
        raise WrongBase(f"GET /gateway/bot answered the address {url!r}; it needs the form wss://host/")
    DiscordWebSocket.DEFAULT_GATEWAY = address


async def ask_gateway(http: HTTPClient) -> int:
    """Ask ``GET /gateway/bot``, use the gateway it names, and return how many shards Discord wants.

    Raises:
        NoSessionsLeft: identifying now would be refused.
        discord.GatewayNotFound, OSError, aiohttp.ClientError: Discord did not answer.
    """
    shards, url, limit = await http.get_bot_gateway()
    use_gateway(url)
    if limit.get("remaining", 1) <= 0:
        raise NoSessionsLeft(max(1.0, limit.get("reset_after", 60_000) / 1000))
    return shards


async def answers(http: HTTPClient) -> bool:
    """Whether Discord's REST API answers at all, asked with its cheapest route."""
    try:
        with closed_is_no_connection():
            await http.request(Route("GET", "/gateway"))
    except (OSError, aiohttp.ClientError, TimeoutError, discord.DiscordServerError):
        return False
    except (discord.HTTPException, discord.RateLimited):
        return True  # a refusal is an answer
    return True
