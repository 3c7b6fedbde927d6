"""The schema as a whole: creating it in an empty database, and telling which version a database has.

A new database is created from the tables at once and marked with the newest revision, so that starting up never pays
for loading alembic; ``migrate`` brings older ones to the same state.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Final

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.schema import CreateIndex, CreateTable

from core.ledger.tables import JOURNAL_HEAD, metadata

# Every revision this build knows, oldest first; the last one is what ``tables`` describes.
REVISIONS: Final = ("0001", "0002")
VERSION_TABLE: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
FIRST_EPOCH: Final = "INSERT INTO facts (name, value) VALUES ('epoch', '1')"


@lru_cache(maxsize=1)
def creation() -> tuple[str, ...]:
    """The statements that make an empty database this build's."""
    dialect = dialects.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return (*statements, JOURNAL_HEAD, FIRST_EPOCH)


def create_schema(database: sqlite3.Connection) -> None:
    """Create everything, in one transaction."""
    database.execute("BEGIN IMMEDIATE")
    for statement in creation():
        database.execute(statement)
    database.execute(VERSION_TABLE)
    database.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (REVISIONS[-1],))
    database.execute("COMMIT")
