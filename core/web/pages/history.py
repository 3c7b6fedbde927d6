"""A handler's last day as a drawing: a bar for each half hour, what failed on top of what succeeded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from schedule_zero.instant import DAY, parse, parse_duration, say_duration
from schedule_zero.views import HistoryBucket

WIDTH: Final = 480
HEIGHT: Final = 48
LEAST: Final = 1.0  # a bar that stands for something is seen


class Bar(msgspec.Struct, frozen=True):
    """A rectangle; ``kind``: what it stands for, as a class of the page's style."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    words: str


class Drawing(msgspec.Struct, frozen=True):
    """The whole of it, and in words what it shows."""

    width: int
    height: int
    words: str
    bars: tuple[Bar, ...]


def drawing_of(history: Sequence[HistoryBucket], now: int) -> Drawing:
    """The drawing. ``now``: the right edge, microseconds since the epoch."""
    most = max((_total(each) for each in history), default=0)
    ended = sum(map(_total, history))
    good = sum(each.succeeded for each in history)
    bars = tuple(bar for each in history for bar in _bars(each, now, most)) if most else ()
    return Drawing(WIDTH, HEIGHT, f"{good} of {ended} attempts succeeded", bars)


def _total(each: HistoryBucket) -> int:
    return each.succeeded + each.failed + each.lost


def _bars(each: HistoryBucket, end: int, most: int) -> Iterator[Bar]:
    span = parse_duration(each.span)
    x = WIDTH * (1 - (end - parse(each.at)) / DAY)
    width = WIDTH * span / DAY - 1
    left, right = max(0.0, x), min(float(WIDTH), x + width)
    if right <= left:
        return
    bad = each.failed + each.lost
    p95 = "" if each.p95 is None else f", p95 {say_duration(each.p95)}"
    words = f"{each.at}: {each.succeeded} succeeded, {each.failed} failed, {each.lost} lost{p95}"
    y = float(HEIGHT)
    for kind, count in (("succeeded", each.succeeded), ("failed", bad)):
        if count:
            height = max(LEAST, HEIGHT * count / most)
            y = max(0.0, y - height)
            yield Bar(kind, round(left, 2), round(y, 2), round(right - left, 2), round(height, 2), words)
