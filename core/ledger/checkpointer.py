"""The checkpointer: copies SQLite's log into the database file beside the writer, so that no commit has to.

A commit that finds the log long enough copies all of it, and whoever waits for that commit waits for thousands of pages.
A passive checkpoint by another connection holds nobody up; it cannot finish while commits go on, but what it leaves to
the writer's own is little (SQLite documentation, "Write-Ahead Logging", section 2.3).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
PATIENCE_S: Final = 2.0
TRIES: Final = 20
AGAIN_S: Final = 0.1


class Checkpointer:
    """A thread with a connection of its own, from ``start`` to ``stop``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._ended = threading.Event()
        self._copying = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the database is there and open."""
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after the checkpoint that is under way. Blocks that long."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def empty_log(self) -> None:
        """Copy all of the log, and cut it to nothing, between two copies of the thread's own. Blocks."""
        try:
            with contextlib.closing(
                sqlite3.connect(self._path, timeout=PATIENCE_S, isolation_level=None)
            ) as connection:
                for _ in range(TRIES):
                    with self._copying:
                        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                    if not busy:
                        return
                    self._ended.wait(AGAIN_S)
            log.warning("the log could not be emptied: somebody reads from it, or writes")
        except sqlite3.Error as error:
            log.warning("the log could not be emptied: %s", error)

    def _run(self) -> None:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None)
        except sqlite3.Error as error:
            log.warning("nobody copies the log beside the writer: %s", error)
            return
        try:
            self._copy(connection)
        finally:
            connection.close()

    def _copy(self, connection: sqlite3.Connection) -> None:
        seen = self._changed()
        while not self._ended.wait(LOOK_S):
            changed = self._changed()
            if changed == seen:
                continue
            seen = changed
            try:
                with self._copying:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:  # what is wrong with the file the writer will find, and tell
                log.debug("no checkpoint: %s", error)

    def _changed(self) -> int:
        """When the log was last written to; the file itself keeps its size when it is begun anew."""
        try:
            return self._log.stat().st_mtime_ns
        except OSError:
            return 0
