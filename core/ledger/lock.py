"""One core per database file: an advisory lock beside it, held as long as the ledger is open.

SQLite would let two cores share the file; both would fire everything.
"""

from __future__ import annotations

import os
from pathlib import Path

from core import file_lock
from core.ledger.port import StoreError


class FileLock:
    """The right to write a database file.

    Attributes:
        path: the file that is locked. It lies beside the database itself, by whatever links that is named.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        real = Path(os.path.realpath(database))
        self.path = real.with_name(real.name + ".lock")
        self._lock = file_lock.FileLock(self.path)

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
                f"{self.path.parent} cannot be written ({error.strerror}); check the folder's owner and permissions"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()
