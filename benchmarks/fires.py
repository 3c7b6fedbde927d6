"""Ten thousand schedules due at one instant: fires committed per second, against raw SQLite and stock APScheduler.

Default configuration (SQLite file, FULL), 300 guilds, global, plan, guild and method limited, one durable subscriber.
The clock is stopped just before the instant while schedules are saved, and then let go.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import GUILDS, Figures, app_in, limited, median_of, thread_cpu
from core.engine.ports import SystemClock
from handlers.echo import Echo
from schedule_zero.event import Event
from schedule_zero.instant import spell

SCHEDULES = 10_000


async def fill(client: object, count: int, due: int, *, recurring: bool = True, handler: str = "echo") -> None:
    """Save so many schedules, in batches, first due at one instant."""
    for start in range(0, count, 1000):
        items = [
            {
                "handler": handler, "method": "echo", "guild_id": str(1000 + n % GUILDS), "args": {"value": n},
                "trigger": {"type": "interval", "every": "PT1H", "start": spell(due)} if recurring
                else {"type": "date", "at": spell(due)},
            }
            for n in range(start, min(start + 1000, count))
        ]  # fmt: skip
        view = await client.create_schedules(items)  # type: ignore[attr-defined]
        refused = [item.problem for item in view.items if item.status != 201]
        assert not refused, refused[0]


async def storm(folder: Path) -> Figures:
    """Fires committed per second from the due instant to the last commit."""
    told = 0

    async def listen(events: Sequence[Event]) -> None:
        nonlocal told
        told += len(events)

    app = app_in(folder, limited(), Echo())
    app.subscribe("bench", listen)
    async with app.running():
        due = SystemClock().now() + 15_000_000
        await fill(app.client, SCHEDULES, due)
        await asyncio.sleep(max(0.0, (due - SystemClock().now()) / 1e6 - 0.2))
        while SystemClock().now() < due:
            await asyncio.sleep(0.001)
        started, cpu = time.perf_counter(), thread_cpu()
        while app.engine.tick.fired < SCHEDULES:
            await asyncio.sleep(0.002)
        wall, spent = time.perf_counter() - started, thread_cpu() - cpu
        raw = await asyncio.to_thread(raw_sqlite, folder / "raw.sqlite3")
    return {
        "fires committed /s": SCHEDULES / wall, "loop CPU us per fire": spent / SCHEDULES * 1e6,
        "raw sqlite3, same rows, /s": raw, "ratio to raw": SCHEDULES / wall / raw,
    }  # fmt: skip


def raw_sqlite(path: Path) -> float:
    """The same rows (schedule update, run, event) by bare sqlite3 in one transaction: the limit on this machine."""
    disk = sqlite3.connect(path, isolation_level=None)
    disk.execute("PRAGMA journal_mode=WAL")
    disk.execute("PRAGMA synchronous=FULL")
    disk.execute("CREATE TABLE schedules (id TEXT PRIMARY KEY, next_due INTEGER, last_due INTEGER, fired INTEGER)")
    disk.execute(
        "CREATE TABLE runs (id TEXT PRIMARY KEY, schedule_id TEXT, occurrence TEXT, guild_id TEXT, handler TEXT, "
        "method TEXT, priority INTEGER, due INTEGER, start_before INTEGER, state TEXT, attempt INTEGER, "
        "created INTEGER, UNIQUE (schedule_id, occurrence))"
    )
    disk.execute(
        "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, kind TEXT, guild_id TEXT, "
        "schedule_id TEXT, run_id TEXT, data TEXT)"
    )
    ids = [f"sch_{n:020d}" for n in range(SCHEDULES)]
    disk.executemany("INSERT INTO schedules VALUES (?, 1, 0, 0)", [(id,) for id in ids])
    now = time.time_ns() // 1000
    runs = [
        (f"run_{n:020d}", id, f"t:{now}", str(1000 + n % GUILDS), "echo", "echo", 1, now, now + 3600, "waiting", 0, now)
        for n, id in enumerate(ids)
    ]
    events = [(now, "run.created", run[3], run[1], run[0], "{}") for run in runs]
    started = time.perf_counter()
    disk.execute("BEGIN IMMEDIATE")
    disk.executemany("UPDATE schedules SET next_due = ?, last_due = ?, fired = 1 WHERE id = ?",
                     [(now, now, id) for id in ids])  # fmt: skip
    disk.executemany(f"INSERT INTO runs VALUES ({','.join('?' * 12)})", runs)
    disk.executemany(
        "INSERT INTO journal (at, kind, guild_id, schedule_id, run_id, data) VALUES (?, ?, ?, ?, ?, ?)", events
    )
    disk.execute("COMMIT")
    wall = time.perf_counter() - started
    disk.close()
    return SCHEDULES / wall


async def stock(folder: Path) -> Figures:
    """Stock APScheduler 4.0.0a6 on its SQLAlchemy store, 500 schedules: jobs written per second."""
    from datetime import UTC, datetime, timedelta

    from apscheduler import AsyncScheduler, SchedulerRole
    from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
    from apscheduler.triggers.interval import IntervalTrigger
    from sqlalchemy.ext.asyncio import create_async_engine

    count = 500
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'stock.sqlite3'}")
    store = SQLAlchemyDataStore(engine)
    async with AsyncScheduler(store, role=SchedulerRole.scheduler) as scheduler:
        await scheduler.configure_task("nothing", func=nothing)
        due = datetime.now(UTC) + timedelta(seconds=8)
        for n in range(count):
            await scheduler.add_schedule("nothing", IntervalTrigger(hours=1, start_time=due), id=f"s{n}")
        running = asyncio.create_task(scheduler.run_until_stopped())
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        started = time.perf_counter()
        while len(await scheduler.get_jobs()) < count and time.perf_counter() - started < 30:
            await asyncio.sleep(0.1)
        wall = time.perf_counter() - started
        done = len(await scheduler.get_jobs())
        await scheduler.stop()
        await running
    await engine.dispose()
    return {"stock APScheduler SQL store, jobs /s": done / wall}


def nothing() -> None:
    """What the stock scheduler is asked to schedule."""


def main() -> None:
    ours = median_of("10,000 schedules due at one instant", storm)
    peer = median_of("the same kind of storm, stock store", stock, runs=1)
    ratio = ours["fires committed /s"] / peer["stock APScheduler SQL store, jobs /s"]
    print(f"  {'ratio to the stock store':<44} {ratio:>12,.0f}")


if __name__ == "__main__":
    main()
