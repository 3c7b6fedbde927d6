"""Bringing a database file to this build's schema. alembic is loaded only when there is something to migrate."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from core.ledger.backup import backup
from core.ledger.lock import FileLock
from core.ledger.port import StoreError
from core.ledger.schema import REVISIONS, SchemaState, create_schema, state_of
from core.ledger.sqlite import explained, open_existing


def schema_state(path: Path, patience_s: float = 5.0) -> SchemaState:
    """Which schema a file has, compared with this build's; ``new``: there is none yet.

    Raises:
        StoreError: the file cannot be read, is no database, or belongs to another program.
    """
    with explained(path):
        if path.is_dir():
            raise StoreError(f"{path} is a directory, and no database file")
        if not path.exists() or path.stat().st_size == 0:
            return "new"
        with closing(open_existing(path, patience_s)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                return "new"
            if "alembic_version" not in tables:
                raise StoreError(f"{path} is a database of another program; ScheduleZero needs a file of its own")
            found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return state_of(found and found[0])


def bring_up_to_date(path: Path, *, auto_upgrade: bool, patience_s: float = 5.0) -> None:
    """Make a file usable for this build; the caller holds its lock.

    Raises:
        StoreError: newer than this build, or older and ``auto_upgrade`` is not set.
    """
    state = schema_state(path, patience_s)
    if state == "new":
        with explained(path), closing(sqlite3.connect(path, isolation_level=None)) as database:
            create_schema(database)
    elif state == "newer":
        raise StoreError(
            f"{path} was written by a newer version of ScheduleZero; install that version, or restore an older backup"
        )
    elif state == "older":
        if not auto_upgrade:
            raise StoreError(
                f"{path} was written by an older version of ScheduleZero; run `schedule-zero db upgrade` "
                "(it makes a backup first)"
            )
        _migrate(path)


def upgrade(path: Path) -> Path | None:
    """Migrate a file that no core has open to this build's schema; the backup made before, if anything was changed.

    Raises:
        StoreError: the file is in use, is newer than this build, or cannot be migrated.
    """
    lock = FileLock(path)
    lock.take()
    try:
        if schema_state(path) == "older":
            return _migrate(path)
        bring_up_to_date(path, auto_upgrade=True)
        return None
    finally:
        lock.release()


def _migrate(path: Path) -> Path:
    # Loading these takes longer than starting with a database that is up to date.
    from core.ledger.migrations.run import run_migrations  # noqa: PLC0415

    kept = path.with_name(f"{path.name}.before-{REVISIONS[-1]}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    backup(path, kept)
    try:
        with explained(path):
            run_migrations(path)
    except StoreError as error:
        raise StoreError(f"{error}; nothing was changed, and a backup is in {kept}") from error
    return kept
