"""What was asked of the core and acknowledged, and what was promised with the acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

Promise = Literal["succeeds", "fails", "once"]
"""How a run of it has to end: succeeded; failed for good; or, begun at most once, succeeded or lost."""


class Series(msgspec.Struct):
    """A schedule due at ``start`` and every ``every`` after it up to ``until``; microseconds.

    ``cancels``: its own later runs cancel those that are under way.
    """

    schedule_id: str
    method: str
    start: int
    every: int
    promise: Promise
    until: int = 0
    cancels: bool = False

    def dues(self) -> Iterator[int]:
        """Every due instant."""
        yield from range(self.start, self.until + 1, self.every)


class Single(msgspec.Struct):
    """A schedule due once."""

    schedule_id: str
    method: str
    due: int
    promise: Promise


class Call(msgspec.Struct):
    """A run that was asked for by hand; ``schedule_id``: whose."""

    run_id: str
    schedule_id: str
    promise: Promise


class Asked(msgspec.Struct):
    """Everything acknowledged. ``stopped``: runs somebody asked to cancel; they may end as cancelled."""

    series: list[Series] = []
    singles: list[Single] = []
    calls: list[Call] = []
    stopped: set[str] = set()

    def schedules(self) -> list[Series | Single]:
        """Every schedule."""
        return [*self.series, *self.singles]

    def promises(self) -> dict[str, Promise]:
        """What was promised of the runs of each schedule."""
        return {one.schedule_id: one.promise for one in self.schedules()}
