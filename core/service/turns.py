"""Turns at what is costly and asked for by strangers: few at once, and nobody who asks again and again keeps others from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

EACH: Final = 2
"""Of one who asks: one has a turn, and one waits for the next."""


class TooMany(Exception):
    """There is no room to wait. ``own``: only because the same one asks already."""

    def __init__(self, *, own: bool) -> None:
        super().__init__("too many ask at once")
        self.own = own


class Turns:
    """Who has a turn, and who waits for one.

    Attributes:
        asking: how many turns each has or waits for.
    """

    def __init__(self, at_once: int, most: int) -> None:
        """``at_once``: turns. ``most``: who may ask for them at a time."""
        self.asking: dict[str, int] = {}
        self._own: dict[str, asyncio.Lock] = {}
        self._turns = asyncio.Semaphore(at_once)
        self._most = most

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """A turn, as soon as there is one. Raises TooMany."""
        asking = self.asking.get(name, 0)
        if asking >= EACH:
            raise TooMany(own=True)
        if not asking and len(self.asking) >= self._most:
            raise TooMany(own=False)
        self.asking[name] = asking + 1
        own = self._own.setdefault(name, asyncio.Lock())
        try:
            async with own, self._turns:  # in this order: who waits for a turn of their own holds up nobody
                yield
        finally:
            self.asking[name] -= 1
            if not self.asking[name]:
                del self.asking[name], self._own[name]
