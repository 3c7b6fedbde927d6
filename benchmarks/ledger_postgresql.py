"""The ledger's units on PostgreSQL, against asyncpg writing the same rows into the same tables of the same server: arrays
and ``unnest``, one transaction for a thousand, nothing read, nothing checked.

The server is one of the tests', begun for this and as durable as PostgreSQL is by default, or the one that
``$SCHEDULE_ZERO_BENCH_STORE`` names (an empty database for every one of the five runs is then up to you).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import astuple

from benchmarks.ledger_raw import (
    MINUTE,
    NOW,
    SCHEDULES,
    TICK,
    Meter,
    Tick,
    Unit,
    attempts,
    batched,
    creates,
    inserting,
    schedule,
)
from benchmarks.measure import Figures, median_of
from core.ledger.ledger import StoredLedger
from core.ledger.port import Transaction
from core.ledger.reach import address_of, reached
from core.ledger.rows import EventRow, RunRow, ScheduleRow
from core.ledger.server import ServerDriver
from core.ledger.statement import fields_of
from core.ledger.tables import NUMBERS, metadata
from tests.postgres import OWNER, Server, server_in

DURABLE: Final = ("fsync = on", "full_page_writes = on", "autovacuum = on")


class Raw:
    """asyncpg alone, on tables of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._seq = 0

    async def make(self, rows: list[ScheduleRow]) -> None:
        await self._connection.execute(
            "CREATE SCHEMA raw; "
            + "; ".join(f'CREATE TABLE raw."{name}" (LIKE "{name}" INCLUDING ALL)' for name in metadata.tables)
        )
        for some in batched(rows, TICK):
            await self._insert("standings", ("id", "revision", "state", "next_due", "fired", "failures"),
                               [(row.id, 1, "active", row.next_due, 0, 0) for row in some])  # fmt: skip

    async def write(self, tick: Tick) -> None:
        async with self._connection.transaction():
            await self._connection.fetch(
                "UPDATE raw.standings SET next_due = given.next_due, last_due = given.last_due, fired = given.fired "
                "FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS given (id, next_due, last_due, "
                "fired) WHERE standings.id = given.id",
                *zip(*((step.id, step.next_due, step.last_due, step.fired) for step in tick.steps), strict=True),
            )
            await self._insert("runs", fields_of(RunRow), [astuple(row) for row in tick.runs])
            numbered = [(self._seq + n, *astuple(row)) for n, row in enumerate(tick.events, 1)]
            self._seq += len(numbered)
            await self._insert("journal", ("seq", *fields_of(EventRow)), numbered)

    async def _insert(self, table: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        listed = ", ".join(f'"{name}"' for name in names)
        arrays = ", ".join(f"${n}::{'bigint' if name in NUMBERS else 'text'}[]" for n, name in enumerate(names, 1))
        await self._connection.fetch(
            f"INSERT INTO raw.{table} ({listed}) SELECT * FROM unnest({arrays})", *zip(*rows, strict=True)
        )


async def ticks(ledger: StoredLedger, raw: Raw, order: list[ScheduleRow]) -> tuple[Figures, list[RunRow]]:
    """Ticks of a thousand, ledger and raw in turns."""
    meter, bare, made = Meter(), Meter(), []
    for again in range(2):
        for rows in batched(order, TICK):
            tick = Tick(rows, NOW + again * MINUTE, again + 1)
            with meter:
                await ledger.write(tick.unit)
            with bare:
                await raw.write(tick)
            made += tick.runs
    figures = meter.figures("tick: schedules", len(made))
    figures["tick: raw asyncpg /s"] = len(made) / bare.wall
    figures["tick: ratio to raw"] = bare.wall / meter.wall
    figures["tick: CPU ratio to raw"] = bare.loop / meter.loop
    return figures, made


async def commits(ledger: StoredLedger, callers: int, count: int = 2_000) -> Figures:
    """The smallest unit there is, by so many callers at once."""
    left = iter(range(count))

    def putting(number: int) -> Unit:
        async def unit(tx: Transaction) -> None:
            await tx.notes.put("bench", {str(number % 100): "{}"})

        return unit

    async def caller() -> None:
        for number in left:
            await ledger.write(putting(number))

    meter = Meter()
    with meter:
        await asyncio.gather(*(caller() for _ in range(callers)))
    return {f"smallest units, {callers} callers /s": count / meter.wall}


async def once(url: str) -> Figures:
    """One pass over an empty database."""
    address = address_of(url)
    ledger = StoredLedger(ServerDriver(address))
    await ledger.open()
    connection = await reached(address, 0)
    raw = Raw(connection)
    rows = [schedule(number) for number in range(SCHEDULES)]
    for some in batched(rows, TICK):
        await ledger.write(inserting(some))
    await raw.make(rows)
    figures, made = await ticks(ledger, raw, random.Random(1).sample(rows, len(rows)))
    figures |= await attempts(ledger, made)
    for callers in (1, 16):
        figures |= await creates(ledger, callers)
    for callers in (1, 256):
        figures |= await commits(ledger, callers)
    await connection.execute("DROP SCHEMA raw CASCADE")
    await connection.close()
    await ledger.close()
    return figures


@asynccontextmanager
async def _empty(server: Server) -> AsyncIterator[str]:
    import asyncpg  # type: ignore[import-untyped]

    admin = await asyncpg.connect(server.dsn("postgres"))
    for setting in DURABLE:
        await admin.execute(f"ALTER SYSTEM SET {setting}")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.execute(f"CREATE DATABASE bench OWNER {OWNER}")
    try:
        yield server.url("bench")
    finally:
        await admin.execute("DROP DATABASE bench WITH (FORCE)")
        await admin.close()


async def _in(folder: Path) -> Figures:
    named = os.environ.get("SCHEDULE_ZERO_BENCH_STORE")
    if named:
        return await once(named)
    with server_in(folder) as server:
        async with _empty(server) as url:
            return await once(url)


def main(runs: int = 5) -> None:
    median_of("The ledger's units on PostgreSQL, thousand by thousand beside raw asyncpg", _in, runs)


if __name__ == "__main__":
    main()
