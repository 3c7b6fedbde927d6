"""How long this process may be unable to beat, by what runs in it: attempts of methods that declare a ``lease``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


class Silences:
    """The declared leases of what runs in one process.

    Attributes:
        tell: called with the longest of them in seconds whenever that changes, 0 where there is none. It has to tell at
            once: what comes next may not let go of the interpreter.
    """

    def __init__(self) -> None:
        self._held: list[float] = []
        self.tell: Callable[[float], None] = lambda _: None

    @contextlib.contextmanager
    def during(self, lease_s: float | None) -> Iterator[None]:
        """While this lasts the process may be silent for so long; None: no longer than usual."""
        if lease_s is None:
            yield
            return
        self._change(self._held.append, lease_s)
        try:
            yield
        finally:
            self._change(self._held.remove, lease_s)

    def _change(self, change: Callable[[float], None], lease_s: float) -> None:
        before = max(self._held, default=0.0)
        change(lease_s)
        if (now := max(self._held, default=0.0)) != before:
            self.tell(now)
