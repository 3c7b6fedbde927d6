"""Views of time: due times to come, and what words about it mean."""

from __future__ import annotations

import msgspec

from schedule_zero.schedule import MonthEnd
from schedule_zero.trigger import Trigger


class Fire(msgspec.Struct, kw_only=True):
    """One due time to come: the instant in UTC, the wall time in the zone, and what is odd about it."""

    at: str
    local: str
    notes: tuple[str, ...] = ()


class PreviewView(msgspec.Struct, kw_only=True):
    """The due times to come, and the trigger as it was understood."""

    fires: tuple[Fire, ...]
    trigger: Trigger | None
    timezone: str
    words: str
    notes: tuple[str, ...] = ()


class ReadingView(msgspec.Struct, kw_only=True):
    """What words about time mean: the trigger, the words said back, and the first fires."""

    trigger: Trigger
    timezone: str
    words: str
    recurring: bool
    fires: tuple[Fire, ...]
    start: str | None = None
    until: str | None = None
    count: int | None = None
    month_end: MonthEnd = "clamp"
    """What the policy of a schedule made from it should say: ``trigger`` does not tell words from cron."""
