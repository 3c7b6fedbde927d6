"""Looking after a database on a PostgreSQL server: its schema, and whether it is sound."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from core.ledger.maintenance import FACTS, MOST_FINDINGS
from core.ledger.port import StoreError
from core.ledger.reach import Address, explained, hold, reached
from core.ledger.schema import SchemaState, creation, state_of
from core.ledger.wording import dialect

_OURS: Final = {"alembic_version", "facts", "schedules"}
_HEAD: Final = {
    "event {} has a number that was not given yet": """
        SELECT seq FROM journal WHERE seq > (SELECT seq FROM journal_head)""",
}


async def schema_state(connection: Any, address: Address) -> SchemaState:
    """Which schema a database has, compared with this build's.

    Raises:
        StoreError: it belongs to another program.
    """
    if await connection.fetchval("SELECT current_schema()") is None:
        raise StoreError(f"{address.place} has no schema for {address.user!r}; create one, or set its search_path")
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    tables = {row[0] for row in found}
    if not tables:
        return "new"
    if not tables >= _OURS:
        raise StoreError(f"{address.place} holds tables of another program; give ScheduleZero a database of its own")
    return state_of(await connection.fetchval("SELECT version_num FROM alembic_version"))


async def bring_up_to_date(connection: Any, address: Address) -> None:
    """Make a database usable for this build; the caller holds it.

    Raises:
        StoreError: it has another build's schema, or none may be created.
    """
    state = await schema_state(connection, address)
    if state == "new":
        await _create(connection, address)
    elif state == "newer":
        raise StoreError(
            f"{address.place} was written by a newer version of ScheduleZero; install that version, or restore an "
            "older backup"
        )
    elif state == "older":
        raise StoreError(
            f"{address.place} was written by an older version of ScheduleZero; make a backup (`pg_dump`), then run "
            "`schedule-zero db upgrade`"
        )


async def _create(connection: Any, address: Address) -> None:
    try:
        await connection.execute(";\n".join(("BEGIN", *creation(dialect), "COMMIT")))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreError(
            f"{address.place} does not let {address.user!r} create tables ({error.args[0]}); "
            "make that user the owner of the database"
        ) from error


def upgrade(address: Address) -> bool:
    """Bring a database that no core uses to this build's schema; whether there was anything to change.

    Raises:
        StoreError: it is in use, is newer than this build, or cannot be migrated.
    """
    return asyncio.run(_upgrade(address))


async def _upgrade(address: Address) -> bool:
    connection = await reached(address, 0)
    try:
        with explained(address):
            await hold(connection, address, 0)
            if await schema_state(connection, address) != "older":
                await bring_up_to_date(connection, address)
                return False
        # Loading this takes longer than everything else here.
        from core.ledger.migrations.run import migrate_server  # noqa: PLC0415

        try:
            await migrate_server(address.dsn)
        except asyncpg.PostgresError as error:
            raise StoreError(f"{address.place} could not be upgraded: {error.args[0]}; nothing was changed") from error
        return True
    finally:
        await connection.close()


def check(address: Address) -> list[str]:
    """What is wrong with a database, a sentence each; empty when it is sound. A core may use it meanwhile.

    Raises:
        StoreError: it cannot be read, is none of ours, or has another schema.
    """
    return asyncio.run(_check(address))


async def _check(address: Address) -> list[str]:
    connection = await reached(address, 0, default_transaction_read_only="on", **_BY_SCAN)
    try:
        with explained(address):
            return await _findings(connection, address)
    finally:
        await connection.close()


_BY_SCAN: Final = {"enable_seqscan": "on", "enable_hashjoin": "on", "enable_mergejoin": "on"}


async def _findings(connection: Any, address: Address) -> list[str]:
    state = await schema_state(connection, address)
    if state == "new":
        raise StoreError(f"{address.place} is empty")
    if state != "current":
        raise StoreError(
            f"{address.place} was written by an {state} version of ScheduleZero; only the same version checks it"
        )
    findings: list[str] = []
    async with connection.transaction(isolation="repeatable_read"):  # one snapshot for every question
        for sentence, query in {**FACTS, **_HEAD}.items():
            rows = await connection.fetch(f"{query} LIMIT {MOST_FINDINGS}", timeout=_PATIENT_S)
            findings += [sentence.format(row[0]) for row in rows]
    return findings


_PATIENT_S: Final = 3_600.0
