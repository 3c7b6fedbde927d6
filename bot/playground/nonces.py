"""Which message a nonce already stands for.

Discord answers a POST that repeats a nonce (with ``enforce_nonce``) within a few minutes with the message it already
has, instead of making another (Discord documentation, "Create Message"). The simulator does not, so this does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

LASTS: Final = 300.0
"""Seconds a nonce is remembered; Discord says "a few minutes"."""
MOST: Final = 1_000
"""Nonces remembered at most; the oldest goes first."""

Payload = dict[str, Any]


class Remembered(msgspec.Struct, frozen=True):
    """A message that went out under a nonce.

    Attributes:
        at: when, in seconds since the epoch (the wall clock: a restart does not make Discord forget).
        message: the answer to its POST.
    """

    at: float
    message: Payload


class Nonces:
    """Nonces by the channel they were used in."""

    def __init__(self, clock: Callable[[], float] = time.time, *, lasts: float = LASTS, most: int = MOST) -> None:
        self._clock = clock
        self._lasts = lasts
        self._most = most
        self._known: dict[tuple[str, str], Remembered] = {}

    def find(self, channel_id: str, nonce: str) -> Payload | None:
        """The message this nonce already stands for in this channel, if it is still remembered."""
        self._forget_old()
        known = self._known.get((channel_id, nonce))
        return None if known is None else known.message

    def note(self, channel_id: str, nonce: str, message: Payload, *, at: float | None = None) -> None:
        """Remember a message by its nonce; ``at`` is given for one from before a restart."""
        self._known.pop((channel_id, nonce), None)
        self._known[channel_id, nonce] = Remembered(self._clock() if at is None else at, message)
        self._forget_old()

    def __iter__(self) -> Iterator[tuple[str, str, Remembered]]:
        """Channel, nonce and message of everything remembered, oldest first."""
        for (channel_id, nonce), known in self._known.items():
            yield channel_id, nonce, known

    def __len__(self) -> int:
        return len(self._known)

    def _forget_old(self) -> None:
        gone = self._clock() - self._lasts
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= self._most and self._known[oldest].at >= gone:
                return
            del self._known[oldest]
