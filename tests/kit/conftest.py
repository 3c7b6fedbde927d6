"""Cores in the test's own loop, each with a real gateway, and handlers as processes that connect to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from schedule_zero.run import Run
from tests.engine.conftest import clock, logged
from tests.engine.house import HandClock, House
from tests.gateway.conftest import Door
from tests.up import ROOT

__all__ = ["Far", "Open", "Start", "clock", "logged", "open_core", "start"]

PATIENCE_S = 40.0
Open = Callable[[], Awaitable[Door]]


@pytest.fixture
async def open_core(clock: HandClock) -> AsyncIterator[Open]:
    """Opens a core whose handlers are all elsewhere: ``door = await open_core()``; as many as a test wants."""
    async with contextlib.AsyncExitStack() as leaving:

        async def make() -> Door:
            database = MemoryDatabase()
            leaving.callback(database.close)
            house = House(lambda: StoredLedger(MemoryDriver(database.connect)), clock)
            await house.open(serve=False)
            leaving.push_async_callback(house.kill)
            door = Door(house)
            leaving.push_async_callback(door.close)
            return door

        yield make


class Far:
    """A handler in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def said(self, words: str) -> str:
        """The first line on standard error with these words; waits for it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for line in self.lines:
                    if words in line:
                        return line
                if self._reading.done():
                    raise AssertionError(f"it ended ({self.process.returncode}) and never said {words!r}: {self.lines}")
                self._news.clear()
                await self._news.wait()

    async def ended(self, *signals: int) -> int:
        """Send signals, one after another; the exit code."""
        for number in signals:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            await self._reading
            return await self.process.wait()

    async def clear_away(self) -> None:
        """Leave no process behind, whatever became of the test."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await asyncio.wait([self._reading, asyncio.ensure_future(self.process.wait())])

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip("\n"))
            self._news.set()
        self._news.set()


Start = Callable[..., Awaitable[Far]]
HANDLER = (sys.executable, "-m", "schedule_zero", "handler")


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a handler in the test's folder: ``far = await start("module:Object", "--core", address)``."""
    fars: list[Far] = []

    async def make(*arguments: str, command: Sequence[str] = HANDLER, folder: Path = tmp_path, **environ: str) -> Far:
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, cwd=folder, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        fars.append(Far(process))
        return fars[-1]

    yield make
    for far in fars:
        await far.clear_away()


async def done(door: Door, handler: str, method: str, **args: Any) -> Run:
    """The run of a schedule made for it, once it has ended."""
    schedule = await door.house.schedule(handler=handler, method=method, args=args)
    return await door.house.ended((await door.house.run_now(schedule)).id)


async def came(door: Door, count: int = 1) -> None:
    """Until so many handlers are connected."""
    await door.house.until(lambda: len(door.gateway._peers) >= count)
