"""The one signal everything rings, so that tests wait for what happened instead of for time to pass."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Wakes every waiter after every change; each looks for itself whether its own moment has come."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Something changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_for(self, look: Callable[[], T | None], *, timeout: float, what: str) -> T:
        """The first thing `look` finds; TimeoutError naming `what` after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while (found := look()) is None:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            raise TimeoutError(f"{what} did not come within {timeout:g} s") from None
        return found
