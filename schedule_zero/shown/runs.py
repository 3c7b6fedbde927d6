"""Views of runs."""

from __future__ import annotations

import msgspec

from schedule_zero.run import LogLine, Run


class RunPage(msgspec.Struct, kw_only=True):
    """A page of runs, newest first."""

    items: tuple[Run, ...]
    next: str | None = None


class RunLog(msgspec.Struct, kw_only=True):
    """A page of a run's log.

    Attributes:
        next: what to go on after, also when nothing newer is there yet.
        lines: how many were said so far.
        ended: the run has ended, and nothing follows any more.
    """

    items: tuple[LogLine, ...]
    next: int
    lines: int
    ended: bool

    @property
    def left_out(self) -> int:
        """How many lines at the very end are not kept; known when it has ended."""
        return self.lines - self.next if self.ended else 0
