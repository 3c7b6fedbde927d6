"""The store a scenario's core keeps its ledger in."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from core.ledger.open import database_path
from core.ledger.settings import StoreSettings
from tests.faults.left import Left, read_left
from tests.process.remains import copy_of


class Store(Protocol):
    """One store of one scenario."""

    def settings(self) -> dict[str, Any]:
        """The section ``store`` of the configuration."""
        ...

    def left(self, scratch: Path) -> Left:
        """What stands in it; a folder of one's own for copies."""
        ...


class SqliteStore:
    """A file in the data folder of the one core that may use it."""

    def __init__(self, data: Path) -> None:
        self.database = database_path(StoreSettings(), data)

    def settings(self) -> dict[str, Any]:
        return {}

    def left(self, scratch: Path) -> Left:
        """Read from a copy: what recovery there is to do is left to the next start."""
        with closing(sqlite3.connect(copy_of(self.database, scratch))) as ledger:

            def rows(statement: str) -> Sequence[tuple[Any, ...]]:
                return ledger.execute(statement).fetchall()

            left = read_left(rows)
            left.damage = [row[0] for row in rows("PRAGMA integrity_check") if row[0] != "ok"]
        return left
