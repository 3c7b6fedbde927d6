"""Identifiers: a prefix that names the kind, and twenty base32 characters that sort by time of creation.

The first nine characters hold the creation time in milliseconds, the last eleven are random (55 bits), so new rows
land side by side in every index while nobody can guess a neighbour's id. The alphabet is Crockford's base32, in
lower case; an id is at most 24 characters, which leaves room in a Discord ``custom_id``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
LENGTH: Final = 20

Entropy = Callable[[int], bytes]


def timestamp(instant: int) -> str:
    """The nine characters every id of that millisecond starts with (after its prefix)."""
    millis = instant // 1000
    return (
        _ALPHABET[(millis >> 40) & 31]
        + _PAIRS[(millis >> 30) & 1023]
        + _PAIRS[(millis >> 20) & 1023]
        + _PAIRS[(millis >> 10) & 1023]
        + _PAIRS[millis & 1023]
    )


class IdMaker:
    """Makes ids from a clock's instant; ``entropy`` is a parameter so that a simulation can repeat itself."""

    __slots__ = ("_entropy", "_head", "_millis", "_pool", "_position")

    def __init__(self, entropy: Entropy = os.urandom) -> None:
        self._entropy = entropy
        self._millis = -1
        self._head = ""
        self._pool = b""
        self._position = 0

    def make(self, prefix: str, instant: int) -> str:
        """``prefix`` + ``_`` + 20 characters, for something created at ``instant`` (microseconds)."""
        millis = instant // 1000
        if millis != self._millis:
            self._millis, self._head = millis, timestamp(instant)
        if self._position + 7 > len(self._pool):
            self._pool, self._position = self._entropy(7 * 256), 0
        value = int.from_bytes(self._pool[self._position : self._position + 7], "big")
        self._position += 7
        tail = (
            _PAIRS[value & 1023]
            + _PAIRS[(value >> 10) & 1023]
            + _PAIRS[(value >> 20) & 1023]
            + _PAIRS[(value >> 30) & 1023]
            + _PAIRS[(value >> 40) & 1023]
            + _ALPHABET[(value >> 50) & 31]
        )
        return f"{prefix}_{self._head}{tail}"


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` has the form of an id of that kind."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == LENGTH and all(letter in _ALPHABET for letter in tail)
