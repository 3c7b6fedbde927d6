"""What stands in the ledger when all is over. Plain SQL, the same for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

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


Rows = Sequence[tuple[Any, ...]]

_SCHEDULES: Final = "SELECT schedules.id, state FROM schedules JOIN standings ON standings.id = schedules.id"
_RUNS: Final = """
SELECT id, schedule_id, occurrence, handler, method, state, attempt, reason, error, result, missed FROM runs ORDER BY id
"""
_ATTEMPTS: Final = "SELECT run_id, attempt, instance, sent, ended, outcome FROM attempts ORDER BY run_id, attempt"
_TOLD: Final = "SELECT seq, kind, run_id FROM journal ORDER BY seq"
_LEASES: Final = "SELECT run_id FROM leases"
STATEMENTS: Final = (_SCHEDULES, _RUNS, _ATTEMPTS, _TOLD, _LEASES)


def read_left(found: Mapping[str, Rows]) -> Left:
    """The ledger, from what each of the statements found."""
    return Left(
        schedules=dict(found[_SCHEDULES]),
        runs=[RunRow(*row) for row in found[_RUNS]],
        attempts=[AttemptRow(*row) for row in found[_ATTEMPTS]],
        told=[Told(*row) for row in found[_TOLD]],
        leases=[row[0] for row in found[_LEASES]],
    )
