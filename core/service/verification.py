"""Codes that prove, entered in a guild, that whoever signed in at the dashboard manages it.

One of each guild is kept, at every core alike: not the code but its hash, when it ends, and how often it may still be tried.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final, Literal

import msgspec

from core.ledger.port import Transaction
from core.service.desk import Desk
from schedule_zero.instant import MINUTE

CODE: Final = "verification"
GOOD_FOR: Final = 15 * MINUTE
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that are taken for each other
LENGTH: Final = 8
TRIES: Final = 5

Tried = Literal["right", "wrong", "none"]
"""What a try was; ``none``: no code of the guild is good any more, so that no further try helps."""


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a code; ``until``: microseconds since 1970."""

    digest: str
    until: int
    tries: int = TRIES


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Kept).decode


class Codes:
    """The newest code of each guild."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def new(self, tx: Transaction, guild_id: str) -> tuple[str, int]:
        """Another code for a guild, and until when it is good. The one before is good no more."""
        until = self._desk.clock.now() + GOOD_FOR
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        await tx.notes.put(CODE, {guild_id: _encode(Kept(digest_of(guild_id, code), until)).decode()})
        return code, until

    async def redeem(self, tx: Transaction, guild_id: str, text: str) -> Tried:
        """Whether this is the guild's code. With what follows from that, it is used up; after five wrong ones, too."""
        kept = await tx.notes.get(CODE, guild_id)
        if kept is None:
            return "none"
        right, after = tried(_decode(kept), digest_of(guild_id, text), self._desk.clock.now())
        await tx.notes.put(CODE, {guild_id: None if after is None else _encode(after).decode()})
        return "right" if right else "none" if after is None else "wrong"


def tried(kept: Kept, digest: str, now: int) -> tuple[bool, Kept | None]:
    """Whether a try is right, and what is kept then."""
    if kept.until <= now:
        return False, None
    right, tries = hmac.compare_digest(kept.digest, digest), kept.tries - 1
    return right, None if right or tries <= 0 else msgspec.structs.replace(kept, tries=tries)


def digest_of(guild_id: str, code: str) -> str:
    """What is kept of a code; case and hyphens do not count."""
    return sha256(f"{guild_id}:{code.strip().upper().replace('-', '')}".encode()).hexdigest()
