"""A ledger for every test: in a file, in memory, and on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from core.ledger.connection import Connection
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from core.ledger.space import FLOOR, DiskRoom
from tests.postgres import Databases, database_url, databases

__all__ = ["database_url", "databases"]  # fixtures

Wrap = Callable[[Connection], Connection]
Opening = Callable[[Wrap | None], StoredLedger]


@pytest.fixture(
    params=[pytest.param("file", marks=pytest.mark.slow), "memory", pytest.param("server", marks=pytest.mark.slow)]
)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Makes ledgers over the same rows: what one left, the next one finds."""
    if request.param == "server":
        yield from _on_a_server(request.getfixturevalue("databases"))
        return
    database = MemoryDatabase()

    def make(wrap: Wrap | None = None) -> StoredLedger:
        if request.param == "file":
            return StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", wrap=wrap, room=_small_disk(tmp_path)))
        return StoredLedger(MemoryDriver(lambda: (wrap or _as_it_is)(database.connect())))

    yield make
    database.close()


def _on_a_server(databases: Databases) -> Iterator[Opening]:
    from core.ledger.reach import address_of
    from core.ledger.server import ServerDriver

    with databases.one() as name:
        address = address_of(databases.server.url(name))

        def make(wrap: Wrap | None = None) -> StoredLedger:
            return StoredLedger(ServerDriver(address, wrap=wrap))

        yield make


def _small_disk(folder: Path) -> DiskRoom:
    """Room for work but not for ballast, which most tests need not wait for."""
    return DiskRoom(folder, free=lambda _: FLOOR)


def _as_it_is(connection: Connection) -> Connection:
    return connection


@pytest.fixture
async def ledger(opening: Opening) -> AsyncIterator[StoredLedger]:
    opened = opening(None)
    await opened.open()
    yield opened
    await opened.close()
