"""The link to Discord as it is now: the bot that is connected, or none.

Bots come and go (a connect that failed needs a fresh client); the handler and the notices stay and ask here. The link
is down until the first READY, and again when a request had no connection; then Discord is asked until it answers.
A gateway that reconnects does not break the link: sending needs the REST API only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import discord

from bot import endpoint

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0

Probe = Callable[[discord.Client], Awaitable[bool]]


async def ask_rest(bot: discord.Client) -> bool:
    """Whether Discord's REST API answers this bot."""
    return await endpoint.answers(bot.http)


class Link:
    """Who wants to send asks ``bot``; who wants to know of changes gives ``on_change`` a callback."""

    def __init__(self, probe: Probe = ask_rest) -> None:
        self._bot: discord.Client | None = None
        self._broken = False
        self._up = asyncio.Event()
        self._probe = probe
        self._probing: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[bool], None]] = []

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Call back with whether the link is up: now, and whenever that changes."""
        self._callbacks.append(callback)
        callback(self.is_up)

    @property
    def is_up(self) -> bool:
        """Whether a request sent now would have somewhere to go."""
        return self._up.is_set()

    @property
    def bot(self) -> discord.Client | None:
        """The bot to send with; None while the link is down."""
        return self._bot if self.is_up else None

    async def wait(self) -> discord.Client:
        """The bot to send with, as soon as there is one."""
        while True:
            await self._up.wait()
            if self._bot is not None:
                return self._bot

    def use(self, bot: discord.Client) -> None:
        """This bot is ready: send with it from now on."""
        self._bot, self._broken = bot, False
        self._stop_probing()
        self._tell()

    def drop(self, bot: discord.Client) -> None:
        """This bot is closed."""
        if self._bot is bot:
            self._bot = None
            self._stop_probing()
            self._tell()

    def broke(self) -> None:
        """A request had no connection: down until Discord answers again."""
        if self._bot is not None and not self._broken:
            self._broken = True
            self._tell()
            self._probing = asyncio.create_task(self._ask_until_answered(self._bot), name="discord probe")

    async def close(self) -> None:
        """Stop asking."""
        probing = self._probing
        self._stop_probing()
        if probing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await probing

    def _stop_probing(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    def _tell(self) -> None:
        up = self._bot is not None and not self._broken
        if up == self.is_up:
            return
        if up:
            self._up.set()
        else:
            self._up.clear()
        for callback in self._callbacks:
            callback(up)

    async def _ask_until_answered(self, bot: discord.Client) -> None:
        pause = _FIRST_PAUSE
        logger.warning("Discord does not answer; messages wait until it does")
        while True:
            await asyncio.sleep(pause)
            if await self._probe(bot):
                break
            pause = min(pause * 2, _LONGEST_PAUSE)
        logger.info("Discord answers again")
        self._probing = None
        self._broken = False
        self._tell()
