"""Regular numbers in order without a list of them: all sums of a multiple and an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

_LISTED: Final = 1_000
"""Up to so many a list is small, and quicker to ask."""


class Numbers(Protocol):
    """Numbers in ascending order, listed or not; what ``bisect`` needs to search them."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> int: ...


class _Grid:
    """``big * size + small`` for every big and every small, all smalls being less than ``size``."""

    __slots__ = ("_bigs", "_size", "_smalls", "_width")

    def __init__(self, bigs: Sequence[int], size: int, smalls: Numbers) -> None:
        self._bigs = bigs
        self._size = size
        self._smalls = smalls
        self._width = len(smalls)

    def __len__(self) -> int:
        return len(self._bigs) * self._width

    def __getitem__(self, place: int, /) -> int:
        big, small = divmod(place, self._width)
        return self._bigs[big] * self._size + self._smalls[small]


def grid(bigs: Sequence[int], size: int, smalls: Numbers) -> Numbers:
    """Every ``big * size + small``, in order. A rule due every second has 31 million of them in a year, so only few are
    listed."""
    width = len(smalls)
    if len(bigs) * width > _LISTED:
        return _Grid(bigs, size, smalls)
    listed = [smalls[place] for place in range(width)]
    return tuple([big * size + small for big in bigs for small in listed])
