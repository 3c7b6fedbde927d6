"""Putting a backup in the place of a database file, so that there is the old one or the new one whatever happens.

The copy is made, checked and renewed under another name; a rename puts it in place. What was there keeps a name of its own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from core.ledger.backup import to_disk
from core.ledger.byte_copy import BESIDE, copy_bytes
from core.ledger.connection import Locked
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.lock import FileLock
from core.ledger.maintenance import check, damage
from core.ledger.migrate import schema_state
from core.ledger.owner import give, hand_on, make_folder, owner_of, require_same_owner
from core.ledger.port import Ledger, StoreError
from core.ledger.sqlite import explained, translate

T = TypeVar("T")
Renewing = Callable[[Ledger], Awaitable[T]]


class Restored(msgspec.Struct, Generic[T]):
    """What a restoring did.

    Attributes:
        kept: what was there before, under this name; None where nothing was, or where another program keeps it.
        migrated: the backup was of an older version, and was brought to this one's schema.
        renewed: what came of renewing it.
    """

    kept: Path | None
    migrated: bool
    renewed: T


async def restore(path: Path, source: Path, renewing: Renewing[T]) -> Restored[T]:
    """Put a backup in the place of a database file that no core uses. The backup itself is only read.

    Behind a link it is the file that the link leads to. What takes the place belongs to whom the old file did.

    Args:
        renewing: what is done to the copy before it is put in place.

    Raises:
        StoreError: the file is in use, the backup is none, is damaged, breaks the ledger's own rules or is newer than this
            build, or the copy cannot be given to whom the file belongs; nothing was changed.
    """
    path = _place(path)
    lock = FileLock(path)
    lock.take()
    try:
        copy = path.with_name(f"{path.name}.restoring")
        _require_another(path, copy, source)
        try:
            _clear_away(copy)
            with explained(path):
                hand_on(lock.path, path if path.exists() else path.parent)
            copy_bytes(source, copy)
            older = _require_sound(source, copy)
            if older:
                _migrate(source, copy)
            _require_own_rules(source, copy)
            result = await renewed(StoredLedger(FileDriver(copy)), renewing)
            return Restored(_put_in_place(path, copy), older, result)
        finally:
            _clear_away(copy)
    finally:
        lock.release()


async def renewed(ledger: StoredLedger, renewing: Renewing[T]) -> T:
    """Renew what a ledger holds that nobody else has open. Raises StoreError."""
    await ledger.open()
    try:
        return await renewing(ledger)
    finally:
        await ledger.close()


def _place(path: Path) -> Path:
    """Where the database itself lies, or shall lie. Raises StoreError."""
    with explained(path):
        make_folder(path.parent)
        real = Path(os.path.realpath(path))
        require_same_owner(real)
    return real


def _require_another(path: Path, copy: Path, source: Path) -> None:
    with explained(source):
        if not source.exists():
            return  # which is said when it is read
        if path.exists() and path.samefile(source):
            raise StoreError(f"{source} is the database itself; name a backup of it")
        if copy.exists() and copy.samefile(source):
            raise StoreError(
                f"{source} is what a killed restoring left, and may be half a copy; name the backup itself, or give this "
                "file another name first"
            )


def _require_sound(source: Path, copy: Path) -> bool:
    """Whether the copied backup is one of an older version. Raises StoreError, which names the backup."""
    try:
        state = schema_state(copy)
        found = damage(copy) if state in ("current", "older") else []
    except StoreError as error:
        raise StoreError(str(error).replace(str(copy), str(source))) from error
    if state == "new":
        raise StoreError(f"{source} does not exist or is empty; name a backup")
    if state == "newer":
        raise StoreError(f"{source} was written by a newer version of ScheduleZero; install that version to restore it")
    if found:
        raise StoreError(f"{source} is damaged ({found[0]}); nothing was changed, restore another backup")
    return state == "older"


def _migrate(source: Path, copy: Path) -> None:
    """Bring the copy to this build's schema. Raises StoreError, also where it is not of the version that it says."""
    from core.ledger.migrations.run import run_migrations  # noqa: PLC0415 - loading it takes longer than the rest

    with explained(copy):
        try:
            run_migrations(copy)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_ERROR:
                raise
            raise StoreError(
                f"{source} cannot be brought to this version, because it is not of the version it says; nothing was "
                "changed, restore another backup"
            ) from error


def _require_own_rules(source: Path, copy: Path) -> None:
    broken = check(copy)
    if broken:
        raise StoreError(
            f"{source} breaks the ledger's own rules ({broken[0]}); nothing was changed, restore another backup"
        )


def _put_in_place(path: Path, copy: Path) -> Path | None:
    with explained(path):
        _empty_log(copy)
        kept = None
        if path.exists():
            give(copy, owner_of(path), path)
            kept = _keep(path)
        else:
            hand_on(copy, path.parent)
        to_disk(copy)
        for beside in BESIDE:  # a log that stays would be played into the copy
            path.with_name(path.name + beside).unlink(missing_ok=True)
        copy.replace(path)
        to_disk(path.parent)
    return kept


def _keep(path: Path) -> Path:
    """Give what is there another name, besides its own. A log that cannot be played into it any more is copied with it."""
    for left in path.parent.glob(f"{escape(path.name)}.before-restore-*"):
        if left.exists() and left.samefile(path):  # by one that was killed before it put another in place
            left.unlink()
    kept = path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    try:
        _empty_log(path)
    except sqlite3.Error as error:
        if isinstance(translate(error), Locked):
            raise
        # It is damaged, which may be why somebody restores a backup.
        for beside in BESIDE:
            log = path.with_name(path.name + beside)
            if log.exists():
                _copy_log(log, kept.with_name(kept.name + beside))
    os.link(path, kept)
    to_disk(path.parent)
    return kept


def _copy_log(log: Path, kept: Path) -> None:
    shutil.copyfile(log, kept)
    give(kept, owner_of(log), log)
    to_disk(kept)


def _empty_log(path: Path) -> None:
    """Bring all that was committed into the file itself. Raises sqlite3.Error, and StoreError where somebody reads it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(f"{path} is open in another program; close it, then try again")


def _clear_away(copy: Path) -> None:
    for ending in ("", *BESIDE, ".lock"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)
