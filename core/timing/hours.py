"""Active hours: windows of the week in which something may be due, read on the wall clock of a zone.

A window is days and times of day, ``MO-FR 09:00-17:00``. Both times are included, as in "between 9:00 and 17:00"; a window
that ends before it begins goes on past midnight and belongs to the day on which it begins. ``24:00`` is the end of the
day and not included. An hour that the clock shows a second time counts as already over.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.clock import clock_of
from core.timing.closures import Stretch
from core.timing.grammar.vocabulary import DAY_NAMES
from core.timing.rule import LATEST, BadPattern
from schedule_zero.instant import DAY, MINUTE

MOST_WINDOWS: Final = 100
_WEEK: Final = 7 * DAY
_MONDAY: Final = 4 * DAY
"""1970-01-05, the first Monday."""
_WINDOW: Final = re.compile(r"^(?:(?P<days>[A-Z ,-]+?) +)?(?P<from>\d{1,2}:\d\d) *- *(?P<to>\d{1,2}:\d\d)$")
_EXAMPLE: Final = "write windows like 'MO-FR 09:00-17:00', 'SA,SU 10:00-14:00' or '22:00-06:00'"


def require_lengths(windows: Iterable[str]) -> None:
    """Refuse windows that end at the time they begin at: they are read as a whole day, and may be meant as nothing.

    Asked about what people write, and not by ``Hours``: what was saved keeps its meaning.

    Raises:
        BadPattern: a window has the same time twice.
    """
    for window in windows:
        match = _WINDOW.match(" ".join(window.upper().split()))
        if match is not None and _time(match["from"], window) == _time(match["to"], window):
            raise BadPattern(f"{window!r} begins and ends at the same time; write 00:00-24:00 for the whole day")


class Hours:
    """All that lies outside some windows of the week is closed."""

    __slots__ = ("_begins", "_clock", "_ends", "_open")

    word = "outside"

    def __init__(self, windows: Iterable[str], zone: ZoneInfo) -> None:
        """
        Raises:
            BadPattern: a window cannot be read, or there is none.
        """
        self._clock = clock_of(zone)
        self._open = _joined([part for window in windows for part in _read(window)])
        if not self._open:
            raise BadPattern(f"there is no window; {_EXAMPLE}")
        self._begins = [begin for begin, _ in self._open]
        # One that lasts to the end of the week and begins anew with it closes not there.
        self._ends = [end for _, end in self._open if end < _WEEK or self._begins[0] > 0]

    def around(self, instant: int) -> Stretch | None:
        if not self._ends:
            return None
        wall = self._clock.highest(instant)
        monday, place = self._place(wall)
        if place >= 0 and wall < monday + self._open[place][1]:
            return None
        before = monday + self._open[place][1] if place >= 0 else monday - _WEEK + self._open[-1][1]
        last = len(self._open) - 1
        following = monday + (self._open[place + 1][0] if place < last else _WEEK + self._open[0][0])
        return Stretch(self._clock.first(before), self._clock.first(following))

    def next_closing(self, instant: int) -> int:
        if not self._ends:
            return LATEST
        wall = self._clock.highest(instant)
        monday, _ = self._place(wall)
        number = bisect_right(self._ends, wall - monday)
        while True:
            weeks, place = divmod(number, len(self._ends))
            closing = self._clock.first(monday + weeks * _WEEK + self._ends[place])
            if closing > instant:
                return min(closing, LATEST)
            number += 1

    def why(self, instant: int) -> str:
        return "outside its hours"

    def _place(self, wall: int) -> tuple[int, int]:
        """The Monday before a wall, and the number of the last window of that week that has begun; -1: none."""
        into = (wall - _MONDAY) % _WEEK
        return wall - into, bisect_right(self._begins, into) - 1


def _read(window: str) -> list[tuple[int, int]]:
    """The open parts of the week of one window, as (begin, end) from Monday 00:00, the end not included."""
    match = _WINDOW.match(" ".join(window.upper().split()))
    if match is None:
        raise BadPattern(f"{window[:64]!r} is no window; {_EXAMPLE}")
    days = _days(match["days"], window) if match["days"] else range(7)
    begin, end = _time(match["from"], window), _time(match["to"], window)
    if begin >= DAY:
        raise BadPattern(f"{window!r} begins at the end of a day; write 00:00 of the next one")
    length = end - begin if end > begin else end - begin + DAY
    if end not in (DAY, begin):
        length += 1  # both are included
    return [(day * DAY + begin, day * DAY + begin + length) for day in days]


def _time(text: str, window: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise BadPattern(f"{text} in {window!r} is no time of day; they go from 00:00 to 24:00")
    return hour * 60 * MINUTE + minute * MINUTE


def _days(text: str, window: str) -> list[int]:
    found: set[int] = set()
    for item in text.replace(" ", "").split(","):
        first, dash, last = item.partition("-")
        low = _day(first, window)
        high = _day(last, window) if dash else low
        found.update((low + step) % 7 for step in range((high - low) % 7 + 1))
    return sorted(found)


def _day(text: str, window: str) -> int:
    for number, name in enumerate(DAY_NAMES):
        if len(text) > 1 and name.upper().startswith(text):
            return number
    raise BadPattern(f"{text!r} in {window!r} is no day of the week; {_EXAMPLE}")


def _joined(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, what overlaps joined; what goes past the end of the week also open at its beginning."""
    within = [(begin, min(end, _WEEK)) for begin, end in parts]
    over = [(0, end - _WEEK) for _, end in parts if end > _WEEK]
    found: list[tuple[int, int]] = []
    for begin, end in sorted(within + over):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found
