"""One core per database file: an advisory lock beside it, held as long as the ledger is open.

SQLite would let two cores share the file; both would fire everything.
"""

from __future__ import annotations

from pathlib import Path

from core import file_lock
from core.ledger.port import StoreError


class FileLock:
    """The right to write a database file."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._lock = file_lock.FileLock(self._path)

    def take(self) -> None:
        """Take the lock, or say who holds it.

        Raises:
            StoreError: another process holds it, or the folder cannot be written.
        """
        try:
            self._lock.take()
        except file_lock.Held as held:
            named = f" (process {held.holder})" if held.holder else ""
            raise StoreError(
                f"{self._database} is in use by another ScheduleZero{named}; stop that one, or set another data_dir"
            ) from None
        except OSError as error:
            raise StoreError(
                f"{self._path.parent} cannot be written ({error.strerror}); check the folder's owner and permissions"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()
