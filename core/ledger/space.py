"""Free space: new work is refused before the disk is full, and work already done keeps a last reserve.

Below 64 MiB new things are refused, and what is there goes on. When a write was refused, only outcomes are written until
there is room again. A ballast file of 16 MiB lies beside the database; when even outcomes find no
room it is given up for them, and it is laid again when there is room again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
FLOOR: Final = 64 * MIB
BALLAST: Final = 16 * MIB
_MEASURE_EVERY_S: Final = 1.0
_CHUNK: Final = bytes(MIB)


def free_bytes(folder: Path) -> int:
    """How much an ordinary user may still write into the file system of a folder."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class DiskRoom:
    """Watches the file system of the database."""

    def __init__(
        self, folder: Path, *, free: Callable[[Path], int] = free_bytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._ballast = folder / "schedule-zero.ballast"
        self._free = free
        self._clock = clock
        self._measured_at = clock() - _MEASURE_EVERY_S
        self.ok = True
        self.full = False

    async def look(self) -> None:
        """Measure if the last measure is older than a second."""
        if self._clock() - self._measured_at >= _MEASURE_EVERY_S:
            self._measured_at = self._clock()
            await asyncio.to_thread(self._measure)

    def filled(self) -> None:
        """The disk refused a write: what is left is for outcomes alone, until a measure finds room."""
        self.ok = False
        self.full = True
        self._measured_at = self._clock()

    def give_up_ballast(self) -> bool:
        """Free the reserve; whether there was one."""
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        log.warning("the disk is full: the ballast file was given up for outcomes of work already done")
        return True

    def _measure(self) -> None:
        free = self._free(self._folder)
        if not self._laid() and free >= FLOOR + 2 * BALLAST:
            self._lay()
        was, self.ok = self.ok, free >= FLOOR
        self.full = self.full and not self.ok
        if was and not self.ok:
            log.warning("less than %d MiB free in %s: nothing new is accepted", FLOOR // MIB, self._folder)
        elif self.ok and not was:
            log.warning("there is room again in %s: new work is accepted", self._folder)

    def _laid(self) -> bool:
        return self._ballast.exists() and self._ballast.stat().st_size >= BALLAST

    def _lay(self) -> None:
        """Write the reserve. Zeros are written out, because a file with a hole would keep nothing free."""
        try:
            with self._ballast.open("wb") as file:
                for _ in range(BALLAST // MIB):
                    file.write(_CHUNK)
        except OSError as error:
            log.warning("no ballast file could be laid in %s: %s", self._folder, error)
            self._ballast.unlink(missing_ok=True)


class EndlessRoom:
    """Memory: there is nothing to watch."""

    ok = True
    full = False

    async def look(self) -> None:
        """Nothing to measure."""

    def filled(self) -> None:
        """Memory has no files to fill."""

    def give_up_ballast(self) -> bool:
        """There is none."""
        return False
