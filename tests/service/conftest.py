"""Houses for use cases: rows in memory, a clock at noon, an engine that stands still unless a test lets it run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from tests.engine.conftest import build, clock, logged
from tests.engine.house import House
from tests.service.people import Post

__all__ = ["build", "clock", "logged"]


@pytest.fixture
def make_ledger() -> Iterator[Callable[[], StoredLedger]]:
    """Ledgers over the same rows in memory."""
    database = MemoryDatabase()
    yield lambda: StoredLedger(MemoryDriver(database.connect))
    database.close()


@pytest.fixture
async def house(build: Callable[..., Awaitable[House]]) -> House:
    """A house with hands and a post office, whose engine stands still."""
    made = await build(run=False)
    made.engine.serve(Post())
    return made
