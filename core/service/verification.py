"""Codes that prove, entered in a guild, that whoever signed in at the dashboard manages it.

In memory: a restart makes them worthless, and another is made in a moment. What is kept is not the code but its hash.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

import msgspec

from core.engine.ports import Clock
from schedule_zero.instant import MINUTE

GOOD_FOR: Final = 15 * MINUTE
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that are taken for each other
LENGTH: Final = 8
TRIES: Final = 5
MOST: Final = 10_000


class _Code(msgspec.Struct):
    digest: bytes
    until: int
    tries: int = TRIES


class Codes:
    """The newest code of each guild."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: dict[str, _Code] = {}

    def new(self, guild_id: str) -> tuple[str, int]:
        """Another code for a guild, and until when it is good (microseconds since 1970). The one before is good no more."""
        now = self._clock.now()
        if len(self._codes) >= MOST:
            self._codes = {guild: code for guild, code in self._codes.items() if code.until > now}
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        self._codes[guild_id] = _Code(_digest(guild_id, code), now + GOOD_FOR)
        return code, now + GOOD_FOR

    def redeem(self, guild_id: str, text: str) -> bool:
        """Whether this is the guild's code. It is used up then; after five wrong ones, too."""
        code = self._codes.get(guild_id)
        if code is None or code.until <= self._clock.now():
            return False
        code.tries -= 1
        right = hmac.compare_digest(code.digest, _digest(guild_id, text.strip().upper().replace("-", "")))
        if right or code.tries <= 0:
            del self._codes[guild_id]
        return right


def _digest(guild_id: str, code: str) -> bytes:
    return sha256(f"{guild_id}:{code}".encode()).digest()
