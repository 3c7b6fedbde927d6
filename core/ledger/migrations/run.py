"""Running the migrations on a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

FOLDER: Final = Path(__file__).parent


def alembic_config() -> Config:
    """alembic's configuration without a file of its own: everything it needs is said here."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def run_migrations(path: Path, target: str = "head") -> None:
    """Bring a file to a revision, in one transaction.

    Raises:
        sqlite3.Error: as SQLite raised it.
    """
    engine = create_engine(
        "sqlite+pysqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None), poolclass=StaticPool
    )
    config = alembic_config()
    try:
        with engine.connect() as connection:
            # SQLite's own driver does not open transactions around DDL, so the border is set by hand.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, target)
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
    finally:
        engine.dispose()
