"""What refusals leave in memory.

An exception and the frames it came through often hold each other, and with them the request, until Python's cycle
collector comes. That one counts objects, and a few of them may hold a body of a mebibyte, so it is called for by bytes
as well [seen without: 3.5 GB after 1,600 creates of 900 KB whose name was taken].
"""

from __future__ import annotations

import gc
from typing import Final

MOST: Final = 32 << 20
"""Bytes of refused bodies that may lie about."""
_YOUNG: Final = 1  # what is older was looked through before, and held


class Leavings:
    """Counts the bytes of bodies that came to nothing."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, size: int) -> None:
        """A request with a body of so many bytes failed."""
        self._bytes += size
        if self._bytes >= MOST:
            self._bytes = 0
            gc.collect(_YOUNG)
