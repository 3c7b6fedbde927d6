"""One core and two cores on one PostgreSQL: 20,000 runs due at one instant, until the last one's outcome is durable.

The server is one of the tests', as durable as PostgreSQL is by default. It, the cores and their handlers share the
machine: on two processors this says what a second core costs, not what it gives where there are more.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from benchmarks.crowd import CROWD, SUCCEEDED, reached, save, until
from benchmarks.ledger_postgresql import DURABLE
from benchmarks.measure import Figures, median_of
from benchmarks.service import cpu_of, running_service
from tests.postgres import OWNER, server_in


async def crowd(folder: Path, cores: int) -> Figures:
    """From the instant to the last outcome, with so many cores."""
    async with AsyncExitStack() as leaving:
        url, admin = await leaving.enter_async_context(_database(folder))
        services = [
            await leaving.enter_async_context(running_service(_made(folder / f"core{n}"), bound=False, store=url))
            for n in range(cores)
        ]

        async def count() -> int:
            return int(await admin.fetchval(SUCCEEDED))

        due = time.time_ns() // 1000 + 25_000_000
        await save(services[0], due)
        await until(due)
        before, started = [cpu_of(service.pid) for service in services], time.perf_counter()
        await reached(count, CROWD)
        wall = time.perf_counter() - started
        spent = [cpu_of(service.pid) - earlier for service, earlier in zip(services, before, strict=True)]
        return {"runs /s": CROWD / wall, "CPU us of all loops per run": sum(cpu.loop for cpu in spent) / CROWD * 1e6}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[tuple[str, Any]]:
    with server_in(folder) as server:
        admin = await asyncpg.connect(server.dsn("postgres"))
        for setting in DURABLE:
            await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute(f"CREATE DATABASE bench OWNER {OWNER}")
        await admin.close()
        looking = await asyncpg.connect(server.dsn("bench"))
        try:
            yield server.url("bench"), looking
        finally:
            await looking.close()


def main() -> None:
    one = median_of("one core on PostgreSQL", partial(crowd, cores=1), runs=3)
    two = median_of("two cores on one PostgreSQL", partial(crowd, cores=2), runs=3)
    print(f"  {'two cores, against one':<44} {two['runs /s'] / one['runs /s']:>12.2f}")


if __name__ == "__main__":
    main()
