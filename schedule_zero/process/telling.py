"""Telling: what a method says of its progress, and the lines it logs, on from whichever thread it runs in.

The first is told at once, the others at most ten times a second, and the rest at the end of the attempt. A method that
logs in a tight loop fills its own excerpt, and neither the loop nor the wire.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from schedule_zero.process.calling import OnLoop
from schedule_zero.process.lines import Allowance, Excerpt, Taken, Told
from schedule_zero.transport.wire import Line

EVERY_S: Final = 0.1
_NOTHING: Final = Taken((), 0)


class Teller:
    """Tells of one attempt. Made on the loop; ``note`` may be called from anywhere."""

    __slots__ = (
        "_allowance", "_closed", "_fraction", "_lines", "_lock", "_may_tell", "_note", "_on_the_loop", "_tell",
        "_timer", "_told_at", "_waits",
    )  # fmt: skip

    def __init__(
        self, on_the_loop: OnLoop, tell: Callable[[Told], None], *, may_tell: Callable[[], bool] = lambda: True
    ) -> None:
        """``tell``: it on; ``may_tell``: whether there is anybody to hear it now, else it waits for ``flush``."""
        self._on_the_loop = on_the_loop
        self._tell = tell
        self._may_tell = may_tell
        self._lock = threading.Lock()
        self._lines: Excerpt | None = None  # most methods say nothing
        self._fraction: float | None = None
        self._note = ""
        self._waits = False
        self._closed = False
        self._allowance: Allowance | None = None
        self._told_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def note(self, kind: str, fraction: float | None, text: str) -> None:
        """As Context calls it: ``progress`` with a fraction and a note, or ``log`` with a line."""
        with self._lock:
            if kind == "log":
                if self._lines is None:
                    self._lines = Excerpt()
                self._lines.add(Line(time.time_ns() // 1000, text))
            else:
                self._fraction, self._note = fraction, text
            first, self._waits = not self._waits, True
        if first:
            self._on_the_loop(self._soon)

    def flush(self, *, last: bool = False) -> bool:
        """Tell now what waits, if somebody hears it; whether nothing is left. ``last``: the attempt has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waits or self._closed:
            return True
        if not self._may_tell():
            return False
        self._told_at = asyncio.get_running_loop().time()
        with self._lock:
            self._waits = False
            taken = _NOTHING if self._lines is None else self._allowed(self._lines, last=last)
            told = Told(self._fraction, self._note, taken)
            self._fraction, self._note = None, ""
        self._tell(told)
        return True

    def close(self) -> None:
        """Tell nothing any more: a thread that was left behind may go on."""
        self._closed = True
        self.flush()

    def _allowed(self, lines: Excerpt, *, last: bool) -> Taken:
        if self._allowance is None:
            self._allowance = Allowance(self._told_at)
        taken = lines.take(self._allowance.at(self._told_at, last=last))
        self._allowance.use(len(taken.lines))
        return taken

    def _soon(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._told_at + EVERY_S:
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_at(self._told_at + EVERY_S, self.flush)
