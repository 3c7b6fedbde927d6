"""What stands in the ledger when all is over. Plain SQL, the same for every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from schedule_zero.run import TERMINAL


class RunRow(msgspec.Struct, frozen=True):
    """A run as it ended."""

    id: str
    schedule_id: str
    occurrence: str
    handler: str
    method: str
    state: str
    attempt: int
    reason: str | None
    error: str | None
    result: str | None
    missed: str | None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in TERMINAL


class AttemptRow(msgspec.Struct, frozen=True):
    """An attempt as it ended; instants in microseconds."""

    run_id: str
    attempt: int
    instance: str
    sent: int
    ended: int | None
    outcome: str | None


class Told(msgspec.Struct, frozen=True):
    """An entry of the journal."""

    seq: int
    kind: str
    run_id: str | None


class Left(msgspec.Struct):
    """The ledger. ``leases``: attempts that still have one; ``damage``: what the store's own check says."""

    schedules: dict[str, str]
    runs: list[RunRow]
    attempts: list[AttemptRow]
    told: list[Told]
    leases: list[str] = []
    damage: list[str] = []


Rows = Callable[[str], Sequence[tuple[Any, ...]]]

_SCHEDULES = "SELECT schedules.id, state FROM schedules JOIN standings ON standings.id = schedules.id"
_RUNS = """
SELECT id, schedule_id, occurrence, handler, method, state, attempt, reason, error, result, missed FROM runs ORDER BY id
"""
_ATTEMPTS = "SELECT run_id, attempt, instance, sent, ended, outcome FROM attempts ORDER BY run_id, attempt"
_TOLD = "SELECT seq, kind, run_id FROM journal ORDER BY seq"
_LEASES = "SELECT run_id FROM leases"


def read_left(rows: Rows) -> Left:
    """Read it all. ``rows``: what a statement finds."""
    return Left(
        schedules=dict(rows(_SCHEDULES)),
        runs=[RunRow(*row) for row in rows(_RUNS)],
        attempts=[AttemptRow(*row) for row in rows(_ATTEMPTS)],
        told=[Told(*row) for row in rows(_TOLD)],
        leases=[row[0] for row in rows(_LEASES)],
    )
