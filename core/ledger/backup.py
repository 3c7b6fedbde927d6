"""Copying a database file, while a core uses it or not."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from core.ledger.port import StoreError
from core.ledger.sqlite import explained, open_existing


def backup(path: Path, target: Path) -> None:
    """Copy a database, also while a core writes it; what was committed when the copy ends is in it.

    The copy appears under its name only when it is whole and on the disk.

    Raises:
        StoreError: the source is no database, or the target exists or cannot be written.
    """
    if target.exists():
        raise StoreError(f"{target} exists already; name a file that does not")
    if not path.exists():
        raise StoreError(f"{path} does not exist")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch()  # so that trouble with the target's folder is not taken for trouble with the source
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written ({error.strerror}); check that its folder exists and may be written"
        ) from error
    try:
        with explained(target):
            with explained(path), closing(open_existing(path)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
            to_disk(part)
            os.link(part, target)
    finally:
        part.unlink(missing_ok=True)


def to_disk(file: Path) -> None:
    """Return when a file, or what a folder lists, is on the disk. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
