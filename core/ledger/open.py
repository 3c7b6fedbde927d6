"""Which store a setting means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from core.ledger.port import StoreError
from core.ledger.settings import ON_A_SERVER, StoreSettings

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
        raise StoreError(f"store.url has to begin with `{ON_A_SERVER}` to mean PostgreSQL, and then means no file")
    raise StoreError(
        f"store.url is neither `memory`, `sqlite:///path` nor `{ON_A_SERVER}…`; leave it out for a file in data_dir"
    )


def open_ledger(
    settings: StoreSettings, data_dir: Path, *, auto_upgrade: bool = False, among_others: str | None = None
) -> StoredLedger:
    """The ledger a setting means; ``await ledger.open()`` opens it.

    Args:
        data_dir: where the file lies when the setting names none.
        auto_upgrade: migrate an older file (after a backup) instead of refusing it. A database on a server is never
            migrated unasked: nobody made a backup of it.
        among_others: this core's version, when it may share a database on a server with others of that version.

    Raises:
        StoreError: the setting means no store this build speaks.
    """
    if settings.url == "memory":
        return StoredLedger(MemoryDriver())
    if settings.on_a_server:
        # Only who uses a server loads its driver.
        from core.ledger.membership import ServerMembership  # noqa: PLC0415
        from core.ledger.reach import address_of  # noqa: PLC0415
        from core.ledger.server import ServerDriver  # noqa: PLC0415

        membership = None if among_others is None else ServerMembership(among_others)
        address = address_of(settings.url or "")
        return StoredLedger(ServerDriver(address, synchronous=settings.synchronous, membership=membership))
    path = database_path(settings, data_dir)
    return StoredLedger(FileDriver(path, synchronous=settings.synchronous, auto_upgrade=auto_upgrade))
