"""When a child that ended unasked is started again, and when no more. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

MOST_DOUBLINGS: Final = 40


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of restarting, in seconds: see ``LimitSettings``."""

    crashes: int
    within_s: float
    pause_s: float
    longest_pause_s: float


class Again(msgspec.Struct, frozen=True):
    """It is started again, so many seconds from now."""

    after_s: float


class GivenUp(msgspec.Struct, frozen=True):
    """It is not started again by itself; the sentence says why."""

    sentence: str


def after_end(ends: Sequence[float], now: float, patience: Patience) -> Again | GivenUp:
    """What follows an end.

    Args:
        ends: moments of ends that nobody asked for, in seconds, oldest first, this one included.
        now: the moment of this one.
    """
    lately = [moment for moment in ends if now - moment < patience.within_s]
    if len(lately) >= patience.crashes:
        times = "once" if patience.crashes == 1 else f"{len(lately)} times"
        return GivenUp(f"it ended {times} within {patience.within_s:g} s")
    doubled = patience.pause_s * 2 ** min(len(lately) - 1, MOST_DOUBLINGS)
    return Again(min(doubled, patience.longest_pause_s))
