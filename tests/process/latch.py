"""SQLite's write lock, held from outside: whoever commits next waits at the door.

In WAL mode the right to write is one byte of the shared-memory file, WAL_WRITE_LOCK (SQLite, "WAL-mode File Format",
section 2.3). Locking that byte needs no connection, so nothing is recovered or checkpointed on the dead process's
behalf: the next start finds exactly what the kill left.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

WAL_WRITE_LOCK = 120


class Latch:
    """`async with Latch(database): …` – inside, no other process can begin to write."""

    def __init__(self, database: Path, *, patience: float = 10.0) -> None:
        self._path = database.with_name(database.name + "-shm")
        self._patience = patience
        self._file = -1

    async def __aenter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR)
        try:
            await self._take()
        except BaseException:
            os.close(self._file)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)  # and with it the lock goes

    async def _take(self) -> None:
        until = time.monotonic() + self._patience
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, WAL_WRITE_LOCK)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"{self._path.name} stayed locked for {self._patience:g} s") from None
                await asyncio.sleep(0.001)
            else:
                return
