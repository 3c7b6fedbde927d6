"""In which order tests begin: a long one that begins last makes everybody wait for it while a processor stands idle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

EARLY = 0.6
"""The part of a worker's tests among which its long ones lie: not all at once, for most of their time they wait."""


def early(long: Sequence[T], short: Sequence[T], workers: int) -> list[T]:
    """Tests as xdist will cut them, one piece of equal length for each worker: in each lie as many long ones, spread over
    its beginning."""
    found: list[T] = []
    count = len(long) + len(short)
    for worker in range(workers):
        mine = long[worker::workers]
        until = count * (worker + 1) // workers - len(found) - len(mine)
        rest, short = short[:until], short[until:]
        gap = int(len(rest) * EARLY) // len(mine) if mine else 0
        for place, item in enumerate(mine):
            found += [item, *rest[place * gap : (place + 1) * gap]]
        found += rest[len(mine) * gap :]
    return found
