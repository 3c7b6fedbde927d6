"""The disk of a simulation: a database that outlives the core, behind a connection that fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from core.ledger.connection import Connection, Lost, Mark, Step
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from tests.simulation.rows import MemoryRows, Rows


class Disk:
    """What is committed stays; what is not is gone when the power goes."""

    def __init__(self, rng: random.Random, rows: Rows | None = None, *, died_with_us: bool = True) -> None:
        """``died_with_us``: handlers live in the core's process, so a stop ends their attempts too."""
        self.rows = rows or MemoryRows()
        self.died_with_us = died_with_us
        self.random = rng
        self.calm = False


class FailingConnection:
    """Yields at every visit, so that the core can be stopped inside a transaction; and sometimes fails at a commit."""

    def __init__(self, disk: Disk, inner: Connection) -> None:
        self._disk = disk
        self._inner = inner

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        disk = self._disk
        commits = any(step.statement is Mark.COMMIT for step in steps)
        await asyncio.sleep(disk.random.random() * 0.004)
        fault = commits and not disk.calm and disk.random.random() < 0.0005
        if fault and disk.random.random() < 0.5:
            raise Lost("I/O error before the commit")
        answers = await self._inner.run(steps)
        await asyncio.sleep(0)
        if fault:
            raise Lost("I/O error after the commit")
        return answers

    async def close(self) -> None:
        await self._inner.close()


def simulated_ledger(disk: Disk) -> StoredLedger:
    """A ledger of a new life, on the old disk."""
    return StoredLedger(MemoryDriver(lambda: FailingConnection(disk, disk.rows.connect())))
