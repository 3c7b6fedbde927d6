"""Events as the engine writes them: each is about a schedule, a run of it, or an attempt, and lies in its guild."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from core.engine.ports import Order
from core.ledger.rows import EventRow, RunRow, ScheduleRow

_encode: Final = msgspec.json.Encoder().encode


def facts(of: Mapping[str, object]) -> str:
    """What an event tells besides, as it is stored."""
    return _encode(of).decode()


def about_schedule(
    row: ScheduleRow, kind: str, at: int, data: str = "{}", *, run_id: str | None = None
) -> EventRow:  # fmt: skip
    """An event about a schedule, or about a run by who has its schedule at hand. ``data``: JSON text."""
    return EventRow(at=at, kind=kind, guild_id=row.guild_id, schedule_id=row.id, run_id=run_id, data=data)


def about_run(run: RunRow, kind: str, at: int, data: str) -> EventRow:
    """An event about a run."""
    return EventRow(at=at, kind=kind, guild_id=run.guild_id, schedule_id=run.schedule_id, run_id=run.id, data=data)


def about_attempt(order: Order, kind: str, at: int, data: str) -> EventRow:
    """An event about a run, by its attempt."""
    return EventRow(
        at=at, kind=kind, guild_id=order.guild_id, schedule_id=order.schedule_id, run_id=order.run_id, data=data
    )
