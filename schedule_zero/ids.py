"""Identifiers: a prefix that names the kind, and twenty base32 characters that sort by creation.

Nine characters hold the creation time in milliseconds; four count within the millisecond, from a random start; the last
seven are random (35 bits), so nobody can guess a neighbour's id. What is made together thus lies together, in the
order it was made, in every index and listing: a batch of the store then rewrites a few whole pages instead of a row in
each of many. The alphabet is Crockford's base32, in lower case; an id is at most 24 characters, which leaves room in a
Discord ``custom_id``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_LETTERS: Final = (_ALPHABET * 8).encode("ascii")
LENGTH: Final = 20
_RANDOM: Final = 7
# Four characters count to 2^20. Starting in the lower half leaves half a million ids in order for each millisecond.
_COUNTED: Final = 1 << 20
_STARTS: Final = _COUNTED >> 1

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

    __slots__ = ("_entropy", "_head", "_millis", "_place", "_pool", "_position")

    def __init__(self, entropy: Entropy = os.urandom) -> None:
        self._entropy = entropy
        self._millis = -1
        self._head = ""
        self._place = 0
        self._pool = ""
        self._position = 0

    def make(self, prefix: str, instant: int) -> str:
        """``prefix`` + ``_`` + 20 characters, for something created at ``instant`` (microseconds).

        Ids that are made one after another for one millisecond sort in that order.
        """
        millis = instant // 1000
        if millis != self._millis:
            self._millis, self._head = millis, timestamp(instant)
            self._place = int.from_bytes(self._entropy(3)) % _STARTS
        place = self._place = (self._place + 1) % _COUNTED
        start = self._position
        if start == len(self._pool):
            # A byte makes a character: 256 are eight times 32, so each is as likely as any other.
            self._pool, start = self._entropy(_RANDOM * 256).translate(_LETTERS).decode("ascii"), 0
        self._position = start + _RANDOM
        return f"{prefix}_{self._head}{_PAIRS[place >> 10]}{_PAIRS[place & 1023]}{self._pool[start : self._position]}"


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` has the form of an id of that kind."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == LENGTH and all(letter in _ALPHABET for letter in tail)
