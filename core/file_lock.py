"""An advisory lock on a file, held until its holder lets go or dies, however it dies: the operating system drops it then.

The file stays: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TURN_S: Final = 0.02


class Held(Exception):
    """Another process has the lock. ``holder``: its id as text, or nothing where it is not known yet."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """The lock on one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            Held: another process has it.
            OSError: the file cannot be opened or made.
        """
        # Nothing is written through a link that somebody else laid in the folder.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            _take(descriptor)
        except OSError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise Held(holder) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def take_within(self, patience_s: float) -> None:
        """As ``take``, of a lock that others hold for moments: it is waited for, and that blocks."""
        end = time.monotonic() + patience_s
        while True:
            try:
                return self.take()
            except Held:
                if time.monotonic() > end:
                    raise
                time.sleep(_TURN_S)

    def release(self) -> None:
        """Give the lock back; one that was not taken is let be."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
