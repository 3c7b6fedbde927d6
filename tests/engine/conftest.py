"""Rows for a house, once in memory and once in a file, and a clock that APScheduler reads too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import apscheduler._schedulers.async_ as aps
import pytest
from structlog.testing import capture_logs

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from tests.engine.house import HandClock, House, datetime_of

MakeLedger = Callable[[], StoredLedger]
Build = Callable[..., Awaitable[House]]


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What was logged; drawing tracebacks for nobody would take longer than most tests."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture(params=["memory", pytest.param("file", marks=pytest.mark.slow)])
def make_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeLedger]:
    """Ledgers over the same rows, one after another. The quick part of the tests leaves the file out."""
    if request.param == "file":
        yield lambda: StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", synchronous="normal"))
        return
    database = MemoryDatabase()
    yield lambda: StoredLedger(MemoryDriver(database.connect))
    database.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock to move by hand."""
    made = HandClock()
    monkeypatch.setattr(aps, "datetime", datetime_of(made))
    return made


@pytest.fixture
async def build(make_ledger: MakeLedger, clock: HandClock) -> AsyncIterator[Build]:
    """Builds houses and opens them: ``await build(governor=…, serve=False, run=False)``."""
    houses: list[House] = []

    async def make(*, serve: bool = True, run: bool = True, **options: Any) -> House:
        house = House(make_ledger, clock, **options)
        await house.open(serve=serve, run=run)
        houses.append(house)
        return house

    yield make
    for house in houses:
        await house.kill()


@pytest.fixture
async def house(build: Build) -> House:
    """An open house."""
    return await build()
