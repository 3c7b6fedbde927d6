"""One client at the other end of a connection: what it has asked, what it follows, what it has reported."""

from __future__ import annotations

import asyncio
from collections import deque

from core.gateway.stream import Stream
from core.service.keyring import KeyRow
from schedule_zero.transport import asking


class Caller:
    """A client that was welcomed.

    Attributes:
        route: where the socket finds it; ``user``: the public key its connection has shown, where it is encrypted.
        row: the key by which it is known.
        heard, told: when it last said anything, and when we did, in monotonic seconds.
        waiting: requests that were not begun; running: those that were, by their numbers.
        streams: by their numbers, with the tasks that send them.
        excess: how many requests too many it has sent of late.
    """

    def __init__(self, route: bytes, user: str | None, instance: str, row: KeyRow, now: float) -> None:
        self.route = route
        self.user = user
        self.instance = instance
        self.row = row
        self.heard = self.told = now
        self.waiting: deque[asking.Ask] = deque()
        self.running: dict[int, asyncio.Task[None]] = {}
        self.streams: dict[int, tuple[asyncio.Task[None], Stream | None]] = {}
        self.parts: set[str] = set()
        self.excess = 0

    @property
    def asked(self) -> int:
        """How many requests have no answer yet."""
        return len(self.waiting) + len(self.running)

    def has_asked(self, number: int) -> bool:
        """Whether a request of this number has no answer yet."""
        return number in self.running or any(ask.number == number for ask in self.waiting)

    def drop(self, number: int) -> None:
        """It no longer waits for this request, or these events."""
        task = self.running.get(number)
        if task is not None:
            task.cancel()
        stream = self.streams.pop(number, None)
        if stream is not None:
            stream[0].cancel()
        for ask in [ask for ask in self.waiting if ask.number == number]:
            self.waiting.remove(ask)

    def drop_all(self) -> list[asyncio.Task[None]]:
        """It is gone. The tasks that end because of that."""
        self.waiting.clear()
        ending = [*self.running.values(), *(task for task, _ in self.streams.values())]
        self.streams.clear()
        for task in ending:
            task.cancel()
        return ending
