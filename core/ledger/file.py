"""SQLite in a file: one aiosqlite connection writes, a few others read beside it.

WAL lets readers go on while the writer commits. ``synchronous=FULL`` costs 2 to 20 % once commits are grouped, and
keeps everything acknowledged through a power cut. Readers use the same statements as the writer [60 µs of the loop's
time a question; through SQLAlchemy's async engine it was 470 µs].
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiosqlite

from core.ledger.checkpointer import Checkpointer
from core.ledger.connection import Connection, Step, StepFailed
from core.ledger.lock import FileLock
from core.ledger.migrate import bring_up_to_date
from core.ledger.port import StoreError
from core.ledger.readers import ReaderPool
from core.ledger.space import DiskRoom
from core.ledger.sqlite import explained, run_steps

_WRITER: Final = (
    "temp_store = MEMORY",
    "journal_mode = WAL",
    "cache_size = -32768",
    # Pages of 4 KiB the log may hold before a commit copies them into the database file.
    "wal_autocheckpoint = 4000",
    # What is removed is written over with zeros, however SQLite was built: people may ask for their data to be erased.
    "secure_delete = ON",
)
_READER: Final = ("query_only = ON", "cache_size = -8192")


class ThreadConnection:
    """The writer's connection: one visit to aiosqlite's thread for any number of steps."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        # aiosqlite runs any function on its thread but publishes only one method per statement, which would cost a
        # thread switch each. tests/ledger holds this against the installed release.
        self._visit: Any = connection._execute
        self._raw: sqlite3.Connection = connection._conn

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        """See ``core.ledger.connection.Connection``."""
        outcome: list[Any] | StepFailed = await self._visit(_tried, self._raw, steps)
        try:
            if isinstance(outcome, StepFailed):
                raise outcome
            return outcome
        finally:
            del outcome  # this frame belongs to its traceback

    async def close(self) -> None:
        """Close; the last connection to a database also empties its log into the file."""
        await self._connection.close()


def _tried(database: sqlite3.Connection, steps: Sequence[Step]) -> list[Any] | StepFailed:
    """The answers, or why there are none: raised through aiosqlite, the error and the future that brings it would hold
    each other, and with them what was to be written, until the cycle collector comes."""
    try:
        return run_steps(database, steps)
    except StepFailed as failure:
        return failure


class FileDriver:
    """A database file.

    ``patience_s`` is how long to wait for another program that holds the file. ``wrap`` lets a test stand between the
    ledger and the writer's connection.
    """

    def __init__(
        self, path: Path, *, synchronous: str = "full", auto_upgrade: bool = False, patience_s: float = 5.0,
        room: DiskRoom | None = None, wrap: Callable[[Connection], Connection] | None = None,
    ) -> None:  # fmt: skip
        self._path = path
        self._synchronous = synchronous
        self._auto_upgrade = auto_upgrade
        self._patience_s = patience_s
        self._wrap = wrap
        self._lock = FileLock(path)
        self._checkpointer = Checkpointer(path)
        self._readers: ReaderPool | None = None
        self.room = room or DiskRoom(path.parent)
        self.membership = None  # one core has a file for itself

    async def open(self) -> Connection:
        """Lock, check, create or migrate, connect. Raises StoreError."""
        await asyncio.to_thread(self._prepare)
        try:
            connection: Connection = ThreadConnection(await self._connect())
        except BaseException:  # whatever ends the opening, a cancellation too: the next core must not find it locked
            self._lock.release()
            raise
        self._checkpointer.start()
        return self._wrap(connection) if self._wrap is not None else connection

    def reading(self, open_transaction: asyncio.Lock) -> ReaderPool:
        """Readers of their own: in WAL mode they see what is committed, and never wait for the writer."""
        self._readers = ReaderPool(self.connect_reader)
        return self._readers

    async def connect_reader(self) -> ThreadConnection:
        """A connection that cannot write. Raises StoreError."""
        with explained(self._path):
            return ThreadConnection(await _connected(self._path, self._patience_s, *_READER))

    async def clear_traces(self) -> None:
        """Copy the log into the file and empty it: its pages show rows as they were."""
        await asyncio.to_thread(self._checkpointer.empty_log)

    async def close(self) -> None:
        """Close the readers, and let the next core in."""
        await asyncio.to_thread(self._checkpointer.stop)
        if self._readers is not None:
            await self._readers.close()
        self._lock.release()

    def _prepare(self) -> None:
        with explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.take()
            try:
                _may_write(self._path)
                bring_up_to_date(self._path, auto_upgrade=self._auto_upgrade, patience_s=self._patience_s)
            except BaseException:  # as in `open`: nobody will close what was not opened
                self._lock.release()
                raise

    async def _connect(self) -> aiosqlite.Connection:
        with explained(self._path):
            connection = await _connected(self._path, self._patience_s, *_WRITER, f"synchronous = {self._synchronous}")
            try:
                # Write and take it back, so that a file that cannot be written is refused now. The border alone would
                # not tell: on a read-only file SQLite quietly begins to read.
                await connection.execute_fetchall("BEGIN IMMEDIATE")
                await connection.execute_fetchall("PRAGMA user_version = 0")
                await connection.execute_fetchall("ROLLBACK")
            except BaseException:  # nobody else has it yet to close it, and its thread would keep the process
                await connection.close()
                raise
        return connection


def _may_write(path: Path) -> None:
    """Asked before SQLite looks: on a read-only file it would leave a read-only log and index behind."""
    effective = os.access in os.supports_effective_ids
    if path.is_file() and not os.access(path, os.W_OK, effective_ids=effective):
        raise StoreError(f"{path} cannot be written; check owner and permissions of the file and its folder")


async def _connected(path: Path, patience_s: float, *pragmas: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, timeout=patience_s, isolation_level=None, cached_statements=512)
    try:
        for pragma in pragmas:
            await connection.execute_fetchall(f"PRAGMA {pragma}")
    except BaseException:  # nobody else has it yet to close it
        await connection.close()
        raise
    return connection
