"""SQLite in memory: nothing outlives the process, and everything runs on the caller's thread.

There is no thread, no clock and no waiting in here, so that a simulated day is the same every time it is played.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from core.ledger.connection import Connection, Step, StepFailed
from core.ledger.port import StoreClosed
from core.ledger.schema import create_schema
from core.ledger.space import EndlessRoom
from core.ledger.sqlite import run_steps
from core.ledger.statement import Query

T = TypeVar("T")


class MemoryDatabase:
    """The rows. They outlive a ledger that stopped anywhere, as a file would outlive its process."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        create_schema(self._database)

    def connect(self) -> InlineConnection:
        """A connection for a new ledger; what the one before had not committed is gone."""
        self._database.rollback()
        return InlineConnection(self._database)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


class InlineConnection:
    """Runs steps where it is called."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """See ``core.ledger.connection.Connection``."""
        return run_steps(self._database, steps)

    async def close(self) -> None:
        """The database stays: others may be connected to it."""


class MemoryDriver:
    """A ledger's view of a database in memory.

    ``connect`` gives the connection, for rows that outlive this ledger, and lets a simulation stand between the two:
    to raise, or to stop at any visit. By default the ledger has rows of its own, gone when it is closed.
    """

    def __init__(self, connect: Callable[[], Connection] | None = None) -> None:
        self._own = MemoryDatabase() if connect is None else None
        self._connect = connect
        self._connection: Connection | None = None
        self._reading: InlineReading | None = None
        self.room = EndlessRoom()
        self.membership = None

    async def open(self) -> Connection:
        """Connect."""
        if self._connect is not None:
            self._connection = self._connect()
        else:
            assert self._own is not None, "a driver without a connect has rows of its own"
            self._connection = self._own.connect()
        return self._connection

    def reading(self, open_transaction: asyncio.Lock) -> InlineReading:
        """Read on the writer's connection, between its transactions."""
        assert self._connection is not None, "opened first"
        self._reading = InlineReading(self._connection, open_transaction)
        return self._reading

    async def clear_traces(self) -> None:
        """There is no log, and no file."""

    async def close(self) -> None:
        """Forget the rows, unless somebody else keeps them."""
        if self._reading is not None:
            self._reading.close()
        if self._own is not None:
            self._own.close()


class InlineReading:
    """Waits until no transaction is open, so that it sees only what is committed."""

    def __init__(self, connection: Connection, open_transaction: asyncio.Lock) -> None:
        self._connection = connection
        self._open_transaction = open_transaction
        self._closed = False

    async def fetch(self, query: Query[T], *given: Any) -> list[T]:
        """See ``core.ledger.connection.Reading``. Raises StoreClosed after ``close``."""
        async with self._open_transaction:
            if self._closed:
                raise StoreClosed("the store is closed")
            try:
                rows: list[T] = (await self._connection.run([Step(query, given)]))[0]
            except StepFailed as failure:
                raise failure.take() from failure
        return rows

    def close(self) -> None:
        """Answer nothing more."""
        self._closed = True
