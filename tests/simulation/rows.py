"""Where a simulated core's rows lie: in memory, or in a database of a real server.

A server knows nothing of virtual time. It is spoken to from a loop of its own, in a thread of its own, while the virtual
loop stands still: to the core a visit to the database takes no time, whatever it takes the server, and a day is the
same every time it is played.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from core.ledger.connection import Connection, Mark, Step
from core.ledger.memory import MemoryDatabase

T = TypeVar("T")


class Rows(Protocol):
    """Rows that outlive the core."""

    def connect(self) -> Connection:
        """A connection for a new life; what the one before had not committed is gone."""
        ...

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """What the checker wants to know."""
        ...

    def close(self) -> None: ...


class MemoryRows(MemoryDatabase):
    """Rows in memory."""

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """See ``Rows``."""
        cursor = self._database.execute(sql)
        cursor.row_factory = sqlite3.Row
        return [dict(row) for row in cursor]


class ServerRows:
    """Rows on a server."""

    def __init__(self, url: str) -> None:
        from core.ledger.postgresql import ServerConnection
        from core.ledger.reach import address_of, reached

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="the way to the server")
        self._thread.start()
        self._raw = self.done(reached(address_of(url), 0))
        self._connection = ServerConnection(self._raw)

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that happens in real time."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def connect(self) -> Standstill:
        """See ``Rows``."""
        self.done(self._connection.run([Step(Mark.ROLLBACK)]))
        return Standstill(self, self._connection)

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """See ``Rows``."""
        return [dict(row) for row in self.done(self._raw.fetch(sql))]

    def close(self) -> None:
        """Leave the server."""
        self.done(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Standstill:
    """A connection that lets nothing else happen until it has its answer."""

    def __init__(self, rows: ServerRows, inner: Connection) -> None:
        self._rows = rows
        self._inner = inner

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """See ``core.ledger.connection.Connection``."""
        return self._rows.done(self._inner.run(steps))

    async def close(self) -> None:
        """The database stays: the next life connects to it."""
