"""Running the migrations, on a file or on a server."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

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
            except BaseException:  # half a revision never stays, whatever ends it; the caller gets it
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
    finally:
        engine.dispose()


async def migrate_server(dsn: str, target: str = "head") -> None:
    """Bring a database of a PostgreSQL server to a revision, in one transaction.

    Raises:
        asyncpg.PostgresError: as the server raised it.
    """
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - only who uses a server loads its driver

    async def connect() -> Any:
        return await asyncpg.connect(dsn)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, target)
    except DBAPIError as error:
        if error.orig is not None and isinstance(error.orig.__cause__, asyncpg.PostgresError):
            raise error.orig.__cause__ from error
        raise
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, target: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)
