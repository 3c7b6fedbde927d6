"""One core per database file: an advisory lock beside it, held as long as the ledger is open.

SQLite would let two cores share the file; both would fire everything. The operating system drops the lock when its
holder dies, however it dies.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.ledger.port import StoreError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """The right to write a database file."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock, or say who holds it.

        Raises:
            StoreError: another process holds it, or the folder cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self._path.parent} cannot be written ({error.strerror}); check the folder's owner and permissions"
            ) from error
        try:
            _take(descriptor)
        except OSError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            named = f" (process {holder})" if holder else ""
            raise StoreError(
                f"{self._database} is in use by another ScheduleZero{named}; stop that one, or set another data_dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
