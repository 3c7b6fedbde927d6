"""What a killed process left on disk, read from a copy, so that the next start finds it untouched."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from bot.front import SUBSCRIBER
from schedule_zero.run import TERMINAL

_RUNS = """
SELECT id, schedule_id, occurrence, state, attempt, reason, error, result, missed,
       (SELECT max(seq) FROM journal WHERE run_id = runs.id AND kind IN ('run.succeeded', 'run.failed')) AS told
FROM runs ORDER BY id
"""


class RunLeft(msgspec.Struct, frozen=True):
    """A run as it stood. `told` is the place of its end in the journal."""

    id: str
    schedule_id: str
    occurrence: str
    state: str
    attempt: int
    reason: str | None
    error: str | None
    result: str | None
    missed: str | None
    told: int | None

    @property
    def ended(self) -> bool:
        """Whether its outcome was committed."""
        return self.state in TERMINAL


class Remains(msgspec.Struct, frozen=True):
    """The ledger after the end.

    Attributes:
        due: the next due time of every schedule that has one.
        acknowledged: how far the notices had acknowledged the journal.
        damage: what SQLite's own check says, if anything.
    """

    runs: tuple[RunLeft, ...]
    due: dict[str, int]
    acknowledged: int
    damage: tuple[str, ...]

    def run_of(self, schedule_id: str) -> RunLeft | None:
        """The run of a one-shot."""
        return next((run for run in self.runs if run.schedule_id == schedule_id), None)


def copy_of(database: Path, folder: Path) -> Path:
    """The database as a start would find it: the file and its write-ahead log."""
    folder.mkdir(parents=True)
    for path in (database, database.with_name(database.name + "-wal")):
        if path.exists():
            shutil.copy2(path, folder / path.name)
    return folder / database.name


def read_remains(copy: Path) -> Remains:
    """Read a copy; recovery, which the opening does, happens to the copy."""
    with closing(sqlite3.connect(copy)) as ledger:
        runs = [RunLeft(*row) for row in ledger.execute(_RUNS)]
        due = dict(ledger.execute("SELECT id, next_due FROM standings WHERE next_due IS NOT NULL"))
        cursor = ledger.execute("SELECT seq FROM cursors WHERE subscriber = ?", (SUBSCRIBER,)).fetchone()
        damage = [row[0] for row in ledger.execute("PRAGMA integrity_check") if row[0] != "ok"]
    return Remains(tuple(runs), due, cursor[0] if cursor else 0, tuple(damage))
