"""The log of a SQLite file is copied beside the writer, by a thread that ends with the store."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from core.ledger.checkpointer import Checkpointer
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger

pytestmark = pytest.mark.slow

PATIENCE_S = 20.0


def test_what_a_writer_leaves_in_the_log_is_copied_into_the_file_without_it(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "wal_autocheckpoint = 0"):
        writer.execute(f"PRAGMA {pragma}")
    writer.execute("CREATE TABLE texts (text)")
    checkpointer = Checkpointer(path)
    checkpointer.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while path.stat().st_size < 200_000:
            assert time.monotonic() < deadline, "nobody copied anything"
            writer.execute("INSERT INTO texts VALUES (?)", ("x" * 50_000,))
    finally:
        checkpointer.stop()
        writer.close()


def test_the_log_is_emptied_as_soon_as_nobody_reads_from_it_any_more(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite3"
    writer, reader = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE texts (text)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM texts").fetchall()
    writer.execute("INSERT INTO texts VALUES ('kanarienvogel')")
    checkpointer = Checkpointer(path)
    emptying = threading.Thread(target=checkpointer.empty_log)
    emptying.start()
    emptying.join(0.05)
    assert b"kanarienvogel" in path.with_name("some.sqlite3-wal").read_bytes()
    reader.execute("COMMIT")
    emptying.join(PATIENCE_S)
    assert path.with_name("some.sqlite3-wal").stat().st_size == 0
    for connection in (writer, reader):
        connection.close()


async def test_no_thread_is_left_when_the_store_is_closed(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    ledger = StoredLedger(FileDriver(tmp_path / "some.sqlite3"))
    await ledger.open()
    (thread,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "checkpointer")
    await ledger.close()
    assert not thread.is_alive()


def test_without_a_file_there_is_nothing_to_do(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "nowhere" / "some.sqlite3")
    checkpointer.start()
    checkpointer.stop()
