"""Rows for engine tests, with everything a test does not care about filled in."""

from __future__ import annotations

from typing import Any

import msgspec

from core.engine.flights import Flight
from core.engine.plan import Plan, rule_of, terms_of
from core.engine.ports import Order
from core.ledger.port import ActiveRun
from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.instant import MINUTE
from schedule_zero.run import RunState
from schedule_zero.schedule import Policy
from schedule_zero.trigger import IntervalTrigger, Trigger

T0 = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def schedule_row(trigger: Trigger | None = None, policy: Policy | None = None, **fields: Any) -> ScheduleRow:
    """An active schedule, by default every five minutes from T0."""
    every = trigger or IntervalTrigger(every="PT5M", start="2026-01-01T00:00:00Z")
    values: dict[str, Any] = {
        "id": "sch_1", "revision": 1, "guild_id": "1", "name": None, "owner_id": "9", "handler": "echo",
        "method": "echo", "args": "{}", "trigger": msgspec.json.encode(every).decode(), "timezone": "UTC",
        "words": "every 5 minutes", "anchor": T0, "start": None, "until": None, "count": None, "calendar": None,
        "active_hours": None, "policy": msgspec.json.encode(policy or Policy()).decode(), "after": "[]",
        "metadata": "{}", "state": "active", "paused_until": None, "note": None, "next_due": T0, "last_due": None,
        "fired": 0, "failures": 0, "created": T0, "updated": T0,
    }  # fmt: skip
    return ScheduleRow(**{**values, **fields})


def run_row(**fields: Any) -> RunRow:
    """A waiting run of guild 1 that the hands are to do, and that waits behind no other of its schedule."""
    values: dict[str, Any] = {
        "schedule_id": "sch_1", "guild_id": "1", "handler": "hands", "method": "work", "priority": 1, "due": T0,
        "start_before": None, "state": RunState.WAITING, "attempt": 0, "not_before": None, "args": None,
        "result": None, "reason": None, "error": None, "missed": None, "created": T0, "ended": None, "lost": 0, "line": 0,
    } | fields  # fmt: skip
    return RunRow(**{"occurrence": f"m:{values['id']}", **values})


def plan(trigger: Trigger | None = None, policy: Policy | None = None, **fields: Any) -> Plan:
    """A schedule ready to compute with."""
    policy = policy or Policy()
    row = schedule_row(trigger, policy, **fields)
    return Plan(row, rule_of(row, policy), terms_of(policy))


def active_run(id: str = "run_old", state: RunState = RunState.WAITING, attempt: int = 0) -> ActiveRun:
    """A run of the same schedule that has not ended."""
    return ActiveRun(id=id, schedule_id="sch_1", state=state, attempt=attempt, due=T0 - MINUTE)


def flight(policy: Policy | None = None, **fields: Any) -> Flight:
    """An attempt under way."""
    terms = terms_of(policy or Policy())
    order = Order(
        run_id="run_1", attempt=fields.pop("attempt", 1), schedule_id="sch_1", guild_id="1", owner_id="9",
        handler="echo", method="echo", instance="echo@1", due=T0, late_by=0, deadline=T0 + MINUTE, timeout_s=30.0,
        args="{}", metadata="{}",
    )  # fmt: skip
    values: dict[str, Any] = {
        "order": order, "terms": terms, "start_before": None, "instance": "echo@1", "sent_at": 0.0, "sent": T0,
        "lease_s": 6.0, "lease_until": 6.0, "timeout_at": 30.0, "revision": 1, "failures": 0, "lost": 0,
    }  # fmt: skip
    return Flight(**{**values, **fields})
