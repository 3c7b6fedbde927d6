"""Effects: what a committed change means for the engine."""

from __future__ import annotations

from collections.abc import Callable

from core.ledger.rows import RunRow, ScheduleRow
from core.service.keyring import KeyRow


class Effects:
    """Filled inside the unit that makes a change, applied after its commit."""

    def __init__(self) -> None:
        self.schedules: list[ScheduleRow] = []
        self.runs: list[RunRow] = []
        self.withdrawn: list[str] = []
        self.cancel: list[str] = []
        self.facts: list[tuple[str, str]] = []
        self.keys: list[KeyRow] = []
        self.steps: list[Callable[[], None]] = []

    def clear(self) -> None:
        """A unit may run twice; what it noted the first time does not count."""
        for notes in (
            self.schedules, self.runs, self.withdrawn, self.cancel, self.facts, self.keys, self.steps,
        ):  # fmt: skip
            notes.clear()
