"""Rows for the tests: everything has a plain value, what matters is named by the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from core.ledger.port import Ledger, Transaction
from core.ledger.rows import AttemptRow, AuditRow, EventRow, LeaseRow, Move, RunRow, ScheduleRow, UndoRow
from schedule_zero.run import RunState

T = TypeVar("T")
NOW = 1_800_000_000_000_000
MINUTE = 60_000_000


def schedule(id: str, **given: Any) -> ScheduleRow:
    """A schedule of guild 1, active, due in a minute."""
    values: dict[str, Any] = {
        "id": id, "revision": 1, "guild_id": "1", "name": None, "owner_id": "7", "handler": "echo", "method": "say",
        "args": '{"text":"hello"}', "trigger": '{"type":"interval","every":"PT1M"}', "timezone": "UTC",
        "words": "every minute", "anchor": NOW, "start": None, "until": None, "count": None, "calendar": None,
        "active_hours": None, "policy": "{}", "after": "[]", "metadata": "{}", "state": "active",
        "paused_until": None, "note": None, "next_due": NOW + MINUTE, "last_due": None, "fired": 0, "failures": 0,
        "created": NOW, "updated": NOW,
    }  # fmt: skip
    return ScheduleRow(**(values | given))


def run(id: str, schedule_id: str = "sch_1", **given: Any) -> RunRow:
    """A waiting run; its occurrence is unique to it."""
    values: dict[str, Any] = {
        "id": id, "schedule_id": schedule_id, "occurrence": f"m:{id}", "guild_id": "1", "handler": "echo",
        "method": "say", "priority": 1, "due": NOW, "start_before": None, "state": RunState.WAITING, "attempt": 0,
        "not_before": None, "args": None, "result": None, "reason": None, "error": None, "missed": None,
        "created": NOW, "ended": None, "lost": 0, "line": 1, "charged": None,
    }  # fmt: skip
    return RunRow(**(values | given))


def attempt(run_id: str, number: int = 1, **given: Any) -> AttemptRow:
    """An attempt on the handler echo."""
    values: dict[str, Any] = {
        "run_id": run_id, "attempt": number, "handler": "echo", "instance": "here#1", "sent": NOW,
    }  # fmt: skip
    return AttemptRow(**(values | given))


def lease(run_id: str, number: int = 1, **given: Any) -> LeaseRow:
    """Six seconds for an attempt."""
    values: dict[str, Any] = {"run_id": run_id, "attempt": number, "instance": "here#1", "remaining": 6_000_000}
    return LeaseRow(**(values | given))


def dispatch(run_id: str, number: int = 1, **given: Any) -> Move:
    """A waiting run gets its attempt of that number."""
    values: dict[str, Any] = {
        "run_id": run_id, "before": RunState.WAITING, "before_attempt": number - 1, "after": RunState.DISPATCHED,
        "attempt": number, "at": NOW,
    }  # fmt: skip
    return Move(**(values | given))


def end(run_id: str, after: RunState = RunState.SUCCEEDED, **given: Any) -> Move:
    """A dispatched run ends with its first attempt."""
    values: dict[str, Any] = {
        "run_id": run_id, "before": RunState.DISPATCHED, "before_attempt": 1, "after": after, "attempt": 1, "at": NOW,
    }  # fmt: skip
    return Move(**(values | given))


def event(kind: str = "schedule.created", **given: Any) -> EventRow:
    """An event of now."""
    values: dict[str, Any] = {"at": NOW, "kind": kind}
    return EventRow(**(values | given))


def undo(token: str, **given: Any) -> UndoRow:
    """An undo token for fifteen minutes."""
    values: dict[str, Any] = {
        "token": token, "schedule_id": "sch_1", "guild_id": "1", "actor": "7", "revision": 1, "before": None,
        "until": NOW + 15 * MINUTE,
    }  # fmt: skip
    return UndoRow(**(values | given))


def audit_line(**given: Any) -> AuditRow:
    """Somebody created a schedule."""
    values: dict[str, Any] = {
        "at": NOW, "guild_id": "1", "actor": "member:7", "action": "schedule.created", "target": "sch_1",
        "before": None, "after": "{}",
    }  # fmt: skip
    return AuditRow(**(values | given))


Doing = Callable[[Transaction], Awaitable[T]]


async def save(ledger: Ledger, *rows: ScheduleRow | RunRow | EventRow) -> None:
    """Write rows as they are, in one unit."""

    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert([row for row in rows if isinstance(row, ScheduleRow)])
        await tx.runs.insert([row for row in rows if isinstance(row, RunRow)])
        await tx.journal.append([row for row in rows if isinstance(row, EventRow)])

    await ledger.write(unit)


async def begin(ledger: Ledger, *run_ids: str) -> None:
    """Give waiting runs their first attempt."""

    async def unit(tx: Transaction) -> None:
        await tx.runs.move([dispatch(id) for id in run_ids])
        await tx.runs.begin([attempt(id) for id in run_ids], [lease(id) for id in run_ids])

    await ledger.write(unit)


async def finish(ledger: Ledger, *run_ids: str, at: int = NOW) -> None:
    """End the first attempt of dispatched runs well."""

    async def unit(tx: Transaction) -> None:
        await tx.runs.move([end(id, at=at) for id in run_ids])
        await tx.runs.finish([attempt(id, ended=at, outcome="succeeded") for id in run_ids])

    await ledger.write(unit)
