"""Which store a setting means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from core.ledger.port import StoreError
from core.ledger.settings import StoreSettings

FILE_NAME: Final = "schedule-zero.sqlite3"
_SQLITE: Final = "sqlite:///"


def database_path(settings: StoreSettings, data_dir: Path) -> Path:
    """The file a setting means, for commands that look after it.

    Raises:
        StoreError: the setting does not mean a file.
    """
    url = settings.url
    if url is None:
        return data_dir / FILE_NAME
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return Path(url.removeprefix(_SQLITE))
    if url == "memory":
        raise StoreError("store.url is `memory`: there is no file to look after")
    if url.startswith("postgres"):
        raise StoreError(
            "store.url names PostgreSQL, and this build speaks SQLite only; leave it out, or use sqlite:///path"
        )
    raise StoreError(f"store.url {url!r} is neither `memory` nor `sqlite:///path`; leave it out for a file in data_dir")


def open_ledger(settings: StoreSettings, data_dir: Path, *, auto_upgrade: bool = False) -> StoredLedger:
    """The ledger a setting means; ``await ledger.open()`` opens it.

    Args:
        data_dir: where the file lies when the setting names none.
        auto_upgrade: migrate an older file (after a backup) instead of refusing it.

    Raises:
        StoreError: the setting means no store this build speaks.
    """
    if settings.url == "memory":
        return StoredLedger(MemoryDriver())
    path = database_path(settings, data_dir)
    return StoredLedger(FileDriver(path, synchronous=settings.synchronous, auto_upgrade=auto_upgrade))
