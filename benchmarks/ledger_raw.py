"""The ledger's units alone, without engine: rows per second and CPU time of loop and writer thread, against bare
sqlite3 writing the same rows into the same tables in one transaction (``executemany``, nothing read, nothing checked).

Raw and ledger take turns, thousand by thousand, so that both meet the same moments of a shared machine.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import astuple

from benchmarks.measure import GUILDS, Figures, median_of
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.port import Transaction
from core.ledger.rows import (
    Advance,
    AttemptRow,
    AuditRow,
    EventRow,
    LeaseRow,
    Move,
    RunRow,
    ScheduleRow,
    UndoRow,
)
from core.ledger.schema import create_schema
from schedule_zero.ids import IdMaker
from schedule_zero.run import RunState
from schedule_zero.schedule import Policy

SCHEDULES = 10_000
TICK = 1_000
BATCH = 256
CREATES = 1_600
NOW = 1_800_000_000_000_000
MINUTE = 60_000_000
POLICY = msgspec.json.encode(Policy()).decode()

Unit = Callable[[Transaction], Awaitable[None]]
ids = IdMaker(random.Random(1).randbytes)


class Meter:
    """Adds up wall time, the loop's CPU time and the other threads' CPU time of what it surrounds."""

    def __init__(self) -> None:
        self.wall = self.loop = self.thread = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.thread_time(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, loop, process = self._start
        own = time.thread_time() - loop
        self.wall += time.perf_counter() - wall
        self.loop += own
        self.thread += time.process_time() - process - own

    def figures(self, name: str, count: int) -> Figures:
        return {
            f"{name} /s": count / self.wall, f"{name}: loop CPU us": self.loop / count * 1e6,
            f"{name}: writer CPU us": self.thread / count * 1e6,
        }  # fmt: skip


def schedule(number: int) -> ScheduleRow:
    return ScheduleRow(
        id=ids.make("sch", NOW - 10**12 + number * 1000), revision=1, guild_id=str(10**17 + number % GUILDS),
        name=f"standup-{number}", owner_id="456789012345678901", handler="discord", method="send_message",
        args='{"channel_id":"100000000000000789","content":"Standup in five minutes!"}',
        trigger='{"type":"interval","every":"PT1M"}', timezone="Europe/Berlin", words="every minute", anchor=NOW,
        start=None, until=None, count=None, calendar=None, active_hours=None, policy=POLICY, after="[]",
        metadata="{}", state="active", paused_until=None, note=None, next_due=NOW, last_due=None, fired=0, failures=0,
        created=NOW, updated=NOW,
    )  # fmt: skip


def run(row: ScheduleRow, due: int) -> RunRow:
    return RunRow(
        id=ids.make("run", due), schedule_id=row.id, occurrence=f"t:{due}", guild_id=row.guild_id, handler=row.handler,
        method=row.method, priority=1, due=due, start_before=due + 60 * MINUTE, state=RunState.WAITING, attempt=0,
        not_before=None, args=None, result=None, reason=None, error=None, missed=None, created=due, ended=None, lost=0,
    )  # fmt: skip


def event(kind: str, row: RunRow, data: str = '{"attempt":1}') -> EventRow:
    return EventRow(at=NOW, kind=kind, guild_id=row.guild_id, schedule_id=row.schedule_id, run_id=row.id, data=data)


class Tick:
    """What a tick over a thousand schedules writes."""

    def __init__(self, rows: list[ScheduleRow], due: int, fired: int) -> None:
        self.steps = [Advance(row.id, 1, due, due + MINUTE, due, fired, "active") for row in rows]
        self.runs = [run(row, due) for row in rows]
        self.events = [event("run.created", row, "{}") for row in self.runs]

    async def unit(self, tx: Transaction) -> None:
        await tx.runs.active([step.id for step in self.steps])
        await tx.schedules.advance(self.steps)
        await tx.runs.insert(self.runs)
        await tx.journal.append(self.events)

    def raw(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "UPDATE standings SET next_due = ?, last_due = ?, fired = ? WHERE id = ?",
            [(step.next_due, step.last_due, step.fired, step.id) for step in self.steps],
        )
        _insert(database, "runs", [astuple(row) for row in self.runs])
        _insert(database, "journal", [(None, *astuple(row)) for row in self.events])
        database.execute("COMMIT")


def _insert(database: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    database.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)


async def ticks(
    ledger: StoredLedger, raw: sqlite3.Connection, order: list[ScheduleRow]
) -> tuple[Figures, list[RunRow]]:
    meter, bare, made = Meter(), Meter(), []
    for again in range(2):
        due = NOW + again * MINUTE
        for rows in batched(order, TICK):
            tick = Tick(rows, due, again + 1)
            with meter:
                await ledger.write(tick.unit)
            with bare:
                tick.raw(raw)
            made += tick.runs
    figures = meter.figures("tick: schedules", len(made))
    figures["tick: raw sqlite3 /s"] = len(made) / bare.wall
    figures["tick: ratio to raw"] = bare.wall / meter.wall
    figures["tick: CPU ratio to raw"] = bare.loop / meter.thread
    return figures, made


def batched(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


async def attempts(ledger: StoredLedger, made: list[RunRow]) -> Figures:
    begins, ends = Meter(), Meter()
    for batch in batched(made, BATCH):
        with begins:
            await ledger.write(_beginning(batch))
    for batch in batched(made, BATCH):
        with ends:
            await ledger.write_essential(_ending(batch))
    return begins.figures("begin: attempts", len(made)) | ends.figures("outcome: attempts", len(made))


def _beginning(batch: list[RunRow]) -> Unit:
    async def unit(tx: Transaction) -> None:
        ready = await tx.runs.ready([row.id for row in batch])
        await tx.runs.move([
            Move(run_id=row.id, before=RunState.WAITING, before_attempt=0, after=RunState.DISPATCHED, attempt=1, at=NOW,
                 args=ready[row.id].args)
            for row in batch
        ])  # fmt: skip
        await tx.runs.begin(
            [AttemptRow(run_id=row.id, attempt=1, handler="discord", instance="here#1", sent=NOW) for row in batch],
            [LeaseRow(run_id=row.id, attempt=1, instance="here#1", remaining=6_000_000) for row in batch],
        )
        await tx.journal.append([event("run.dispatched", row) for row in batch])

    return unit


def _ending(batch: list[RunRow]) -> Unit:
    async def unit(tx: Transaction) -> None:
        await tx.runs.standing([row.id for row in batch])
        await tx.runs.move([
            Move(run_id=row.id, before=RunState.DISPATCHED, before_attempt=1, after=RunState.SUCCEEDED, attempt=1,
                 at=NOW, result='{"message_id":"100000000000000789"}')
            for row in batch
        ])  # fmt: skip
        await tx.runs.finish([
            AttemptRow(run_id=row.id, attempt=1, handler="discord", instance="here#1", sent=NOW, ended=NOW,
                       outcome="succeeded")
            for row in batch
        ])  # fmt: skip
        await tx.journal.append([event(kind, row) for row in batch for kind in ("run.started", "run.succeeded")])

    return unit


async def creates(ledger: StoredLedger, callers: int) -> Figures:
    fresh = iter([schedule(SCHEDULES + callers * 100_000 + number) for number in range(CREATES)])

    async def caller() -> None:
        for row in fresh:
            await ledger.write(_creating(row))

    meter = Meter()
    with meter:
        await asyncio.gather(*(caller() for _ in range(callers)))
    return meter.figures(f"create, {callers} callers:", CREATES)


def _creating(row: ScheduleRow) -> Unit:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.count(row.guild_id)
        await tx.schedules.insert([row])
        await tx.journal.append([EventRow(at=NOW, kind="schedule.created", guild_id=row.guild_id, schedule_id=row.id)])
        await tx.notes.audit([
            AuditRow(at=NOW, guild_id=row.guild_id, actor="member:7", action="schedule.created", target=row.id,
                     before=None, after="{}")
        ])  # fmt: skip
        await tx.notes.remember_undo([
            UndoRow(token=row.id, schedule_id=row.id, guild_id=row.guild_id, actor="7", revision=1, before=None,
                    until=NOW + 15 * MINUTE)
        ])  # fmt: skip

    return unit


async def once(folder: Path) -> Figures:
    ledger = StoredLedger(FileDriver(folder / "ledger.sqlite3"))
    await ledger.open()
    raw = _raw(folder / "raw.sqlite3")
    rows = [schedule(number) for number in range(SCHEDULES)]
    for some in batched(rows, TICK):
        await ledger.write(inserting(some))
        raw.executemany("INSERT INTO standings VALUES (?, 1, 'active', NULL, ?, NULL, 0, 0)",
                        [(row.id, row.next_due) for row in some])  # fmt: skip
    order = random.Random(1).sample(rows, len(rows))
    figures, made = await ticks(ledger, raw, order)
    figures |= await attempts(ledger, made)
    for callers in (1, 16):
        figures |= await creates(ledger, callers)
    raw.close()
    await ledger.close()
    return figures


def inserting(rows: list[ScheduleRow]) -> Unit:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert(rows)

    return unit


def _raw(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "cache_size=-32768"):
        database.execute(f"PRAGMA {pragma}")
    create_schema(database)
    return database


def main() -> None:
    median_of("The ledger's units, thousand by thousand beside raw sqlite3", once)


if __name__ == "__main__":
    main()
