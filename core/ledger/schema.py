"""The schema as a whole: creating it in an empty database, and telling which version a database has.

A new database is created from the tables at once and marked with the newest revision, so that starting up never pays
for loading alembic; ``migrate`` and ``upkeep`` bring older ones to the same state.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Final, Literal

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from core.ledger.tables import JOURNAL_HEAD, metadata

SchemaState = Literal["new", "current", "older", "newer"]

# Every revision this build knows, oldest first; the last one is what ``tables`` describes.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
VERSION_TABLE: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
VERSION: Final = f"INSERT INTO alembic_version (version_num) VALUES ('{REVISIONS[-1]}')"  # noqa: S608 - ours
FIRST_EPOCH: Final = "INSERT INTO facts (name, value) VALUES ('epoch', '1')"


def creation(dialect: Dialect) -> tuple[str, ...]:
    """The statements that make an empty database this build's, in a transaction of the caller's."""
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return (*statements, *JOURNAL_HEAD[dialect.name], FIRST_EPOCH, VERSION_TABLE, VERSION)


@lru_cache(maxsize=1)
def _creation_of_a_file() -> tuple[str, ...]:
    return creation(dialects.dialect())


def create_schema(database: sqlite3.Connection) -> None:
    """Create everything in SQLite, in one transaction."""
    database.execute("BEGIN IMMEDIATE")
    for statement in _creation_of_a_file():
        database.execute(statement)
    database.execute("COMMIT")


def state_of(revision: str | None) -> SchemaState:
    """How a database marked with a revision compares with this build's."""
    if revision is None:
        return "older"
    if revision not in REVISIONS:
        return "newer"
    return "current" if revision == REVISIONS[-1] else "older"
