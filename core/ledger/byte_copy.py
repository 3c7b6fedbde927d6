"""Copying the files of a database without SQLite, which would play a log into the one that it is to read, and remove the log."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from core.ledger.backup import to_disk
from core.ledger.port import StoreError
from core.ledger.sqlite import explained

_LOGS: Final = ("-wal", "-journal")
BESIDE: Final = (*_LOGS, "-shm")
"""What SQLite keeps beside a database: its logs, and the index of one, which is made anew where it is missing."""

_Stamp = tuple[int, int, int] | None


def copy_bytes(source: Path, copy: Path) -> None:
    """Copy a database and what lies in its logs. The copy is for this process's user alone.

    Raises:
        StoreError: there is none, it may not be read or is written meanwhile, or the copy cannot be written.
    """
    with explained(source):
        if source.is_dir():
            raise StoreError(f"{source} is a directory, and no database file")
        if not source.exists() or source.stat().st_size == 0:
            raise StoreError(f"{source} does not exist or is empty; name a backup")
        before = _stamps(source)
        for ending, stamp in before.items():
            if stamp is not None:
                _copy_file(source.with_name(source.name + ending), copy.with_name(copy.name + ending))
        if _stamps(source) != before:
            raise StoreError(f"{source} is written by another program; name a backup of it (`schedule-zero db backup`)")


def _stamps(source: Path) -> dict[str, _Stamp]:
    return {ending: _stamp(source.with_name(source.name + ending)) for ending in ("", *_LOGS)}


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _copy_file(source: Path, copy: Path) -> None:
    try:
        read = source.open("rb")
    except OSError as error:
        raise StoreError(f"{source} cannot be read ({error.strerror}); check its owner and permissions") from error
    with read, explained(copy):
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as write:
            shutil.copyfileobj(read, write)
        to_disk(copy)
