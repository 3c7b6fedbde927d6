"""Running the bot: connect, stay connected, and keep trying while Discord is away.

A client that failed to connect is not used again (the library leaves it half open), so every try gets a fresh one; the
front behind them stays. What cannot get better by trying (a wrong token) ends the bot and leaves the core running.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NoReturn, Protocol

import aiohttp
import discord

from bot import endpoint
from bot.client import GatewayUnreachable, ScheduleZeroBot
from bot.endpoint import NoSessionsLeft
from bot.front import PART, Front, Host
from bot.shards import Part
from bot.tree import CogsFailed
from cogs.operators import Operators

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_STEADY: Final = 300.0
"""Seconds a connection must have lasted for the next failure to count as the first one again."""
_BAD_TOKEN: Final = 4004
_SHARDING_REQUIRED: Final = 4011

_AWAY: Final = (
    OSError,
    TimeoutError,
    aiohttp.ClientError,
    discord.HTTPException,
    discord.RateLimited,
    discord.GatewayNotFound,
    discord.ConnectionClosed,
    GatewayUnreachable,
    NoSessionsLeft,
)


class Settings(Protocol):
    """The part of the configuration the bot reads."""

    @property
    def shards(self) -> int | Literal["auto"]: ...

    @property
    def api_base(self) -> str | None: ...

    @property
    def operator_ids(self) -> Sequence[str]: ...

    @property
    def operator_guild_id(self) -> str | None: ...


class Hopeless(Exception):
    """Trying again would not help; the sentence says what has to be done."""


async def run_discord(
    host: Host, settings: Settings, token: str, *, data_dir: Path | None, part: Part | None = None
) -> str:
    """Serve Discord until cancelled. Returns only when Discord will not have the bot, with a sentence that says why; a
    core beside it goes on without.

    Raises:
        OutboxError: the outbox cannot be used, so nothing could be sent safely.
        WrongBase: ``api_base`` is no address.
    """
    try:
        with endpoint.pointed_at(settings.api_base):
            operators = Operators(settings.operator_ids, settings.operator_guild_id)
            async with Front(host, data_dir, operators=operators, part=part).running() as front:
                await _keep_connected(front, host, settings, token)
    except Hopeless as error:
        logger.error("%s", error)
        host.report(PART, ok=False, detail=str(error))
        return str(error)


async def _keep_connected(front: Front, host: Host, settings: Settings, token: str) -> NoReturn:
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while True:
        host.report(PART, ok=False, detail="connecting")
        began = loop.time()
        error = await _connect_once(front, settings, token)
        if loop.time() - began > _STEADY:
            pause = _FIRST_PAUSE
        wait = error.seconds if isinstance(error, NoSessionsLeft) else pause * random.uniform(0.8, 1.2)
        words = _words(error)
        logger.warning("%s; trying again in %.0f s", words, wait)
        host.report(PART, ok=False, detail=words)
        await asyncio.sleep(wait)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _connect_once(front: Front, settings: Settings, token: str) -> Exception:
    """One client's whole life; what ended it.

    Raises:
        Hopeless: another one would end in the same way.
    """
    shards = settings.shards if isinstance(settings.shards, int) else None
    bot = front.make_bot(shards=shards, elsewhere=settings.api_base is not None)
    try:
        await _start(bot, token)
    except _AWAY as error:
        return error
    except Hopeless:
        raise
    except Exception as error:  # a defect of ours or the library's must not take the core down; it is logged whole
        logger.exception("the bot failed")
        return error
    finally:
        await front.close_bot(bot)
    return GatewayUnreachable("the connection to Discord was closed")


async def _start(bot: ScheduleZeroBot, token: str) -> None:
    try:
        await bot.start(token)
    except discord.LoginFailure:
        raise Hopeless("Discord refused the token; set DISCORD_TOKEN to the bot's token and start again") from None
    except discord.PrivilegedIntentsRequired:
        raise Hopeless(
            "Discord refused the intents, although only `guilds` is asked for; check the application"
        ) from None
    except discord.ConnectionClosed as error:
        if error.code == _BAD_TOKEN:
            raise Hopeless("Discord no longer accepts the token; set DISCORD_TOKEN anew and start again") from None
        if error.code == _SHARDING_REQUIRED:
            raise Hopeless("Discord asks for more shards; set discord.shards to auto and start again") from None
        raise
    except CogsFailed as error:
        raise Hopeless(str(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, NoSessionsLeft | GatewayUnreachable):
        return str(error)
    detail = str(error) or type(error).__name__
    return f"Discord cannot be reached ({detail[:200]})"
