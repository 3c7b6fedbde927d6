"""The store a scenario's core keeps its ledger in."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]

from core.ledger.open import database_path
from core.ledger.settings import StoreSettings
from tests.faults.left import STATEMENTS, Left, read_left
from tests.postgres import Databases, server_in
from tests.process.latch import Latch
from tests.process.remains import copy_of

WRITTEN = "standings, runs, attempts, journal_head"


class Store(Protocol):
    """One store of one scenario."""

    on_a_server: bool

    def settings(self) -> dict[str, Any]:
        """The section ``store`` of the configuration."""
        ...

    def left(self, scratch: Path) -> Left:
        """What stands in it; ``scratch``: a folder that is not there yet, for copies."""
        ...

    def latch(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """Inside, no core can write."""
        ...


class SqliteStore:
    """A file in the data folder of the one core that may use it."""

    on_a_server = False

    def __init__(self, data: Path) -> None:
        self._database = database_path(StoreSettings(), data)

    def settings(self) -> dict[str, Any]:
        return {}

    def left(self, scratch: Path) -> Left:
        """Read from a copy: what recovery there is to do is left to the next start."""
        with closing(sqlite3.connect(copy_of(self._database, scratch))) as ledger:
            left = read_left({statement: ledger.execute(statement).fetchall() for statement in STATEMENTS})
            left.damage = [row[0] for row in ledger.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return left

    def latch(self) -> Latch:
        return Latch(self._database)


class ServerStore:
    """A database of a PostgreSQL server."""

    on_a_server = True

    def __init__(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, Any]:
        return {"url": self._url}

    def left(self, scratch: Path) -> Left:
        return asyncio.run(self._left())

    async def _left(self) -> Left:
        connection = await self._connected()
        try:
            return read_left({statement: await connection.fetch(statement) for statement in STATEMENTS})
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def latch(self) -> AsyncIterator[None]:
        connection = await self._connected()
        try:
            await _lock(connection)
            yield
        finally:
            await connection.close()  # and with it goes the transaction

    async def _connected(self) -> Any:
        return await asyncpg.connect(self._url.replace("+asyncpg", ""))


async def _lock(connection: Any) -> None:
    """Begin a transaction that holds the tables. A core's own transaction may be in their way: then it goes first."""
    while True:
        await connection.execute("BEGIN")
        try:
            await connection.execute(f"LOCK TABLE {WRITTEN} IN EXCLUSIVE MODE")
        except asyncpg.DeadlockDetectedError:
            await connection.execute("ROLLBACK")
        else:
            return


@contextlib.contextmanager
def on_a_server(folder: Path) -> Iterator[Databases]:
    """A PostgreSQL server, as databases to use."""
    with server_in(folder) as server:
        yield Databases(server)
