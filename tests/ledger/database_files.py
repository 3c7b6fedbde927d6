"""Database files to be restored, and what is in them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.port import Ledger
from tests.ledger.making import save, schedule


async def nothing(ledger: Ledger) -> None:
    """Restore it as it is."""


async def written(path: Path, *ids: str) -> None:
    """Add schedules to a file that is made where there is none."""
    ledger = StoredLedger(FileDriver(path))
    await ledger.open()
    await save(ledger, *(schedule(id) for id in ids))
    await ledger.close()


def names(path: Path) -> set[str]:
    """The schedules in a file."""
    with closing(sqlite3.connect(path)) as database:
        return {id for (id,) in database.execute("SELECT id FROM schedules")}


def beside(path: Path) -> list[str]:
    """What lies in its folder, but for what a core puts there at every start."""
    return sorted(entry.name for entry in path.parent.iterdir() if entry.suffix not in {".lock", ".ballast"})
