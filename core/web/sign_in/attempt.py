"""An attempt to sign in with Discord: what the browser keeps while it is there. Pure.

The core keeps nothing: however many attempts are begun, they take no memory, and another core may end what one began.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

import msgspec

LASTS_S: Final = 600
_LONGEST: Final = 2000


class Attempt(msgspec.Struct, frozen=True):
    """One attempt.

    Attributes:
        state: what Discord brings back: so this browser began it, and nobody else for it (RFC 6749, 10.12).
        verifier: what proves to Discord that who has the code began the attempt (RFC 7636).
        way: the page to lead to.
    """

    state: str
    verifier: str
    way: str

    @property
    def challenge(self) -> str:
        """What Discord is told of the verifier at first (RFC 7636, 4.2, S256)."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())

    def is_answered_by(self, state: str) -> bool:
        """Whether that is what Discord was given."""
        return hmac.compare_digest(self.state.encode(), state.encode(errors="replace"))


def begun(way: str) -> Attempt:
    """A new attempt."""
    return Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(48), way)


def written(attempt: Attempt) -> str:
    """An attempt as a cookie keeps it."""
    return _text(msgspec.json.encode(attempt))


def read(text: str) -> Attempt | None:
    """An attempt as it was written; None where it was not."""
    if not 0 < len(text) <= _LONGEST:
        return None
    try:
        return _read(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None


_read: Final = msgspec.json.Decoder(Attempt).decode


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
