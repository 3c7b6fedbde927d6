"""Gauges: a guild's limits as a page shows them, each with how much of it is in use. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schedule_zero.instant import say_duration
from schedule_zero.shown.quota import USED_UP, is_shared
from schedule_zero.views import Gauge

_LABELS: Final = {
    "schedules": "Schedules",
    "reminders": "Reminders",
    "running": "Runs at once",
    "rate": "Starts",
    "runs_per_hour": "Runs this hour",
    "runs_per_day": "Runs today",
    "runs_per_month": "Runs this month",
    "each_schedule": "Each schedule alone",
    "payload_bytes": "Size of what a run is given",
    "min_interval": "Shortest interval",
    "handlers": "Handlers",
    "sends_per_channel": "Messages to one channel",
    "dms_per_hour": "Direct messages in an hour",
}
_ORIGINS: Final = {
    "configuration": "set in the configuration", "operator": "set by an operator", "temporary": "set for a time"
}  # fmt: skip


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """One gauge as it is shown.

    Attributes:
        words: what is in use, and what is allowed.
        part: how much of what is allowed, from 0 to 1; None: there is nothing to draw.
        is_full: nothing more is allowed now.
        frees: when some of it frees, RFC 3339.
        note: who set it, where it is not as in the plan; ``ends``: until when.
    """

    label: str
    words: str
    part: float | None
    is_full: bool
    frees: str | None
    note: str | None
    ends: str | None


def dials_of(gauges: Iterable[Gauge]) -> list[Dial]:
    """The gauges, in their order."""
    return [_dial(each) for each in gauges]


def _dial(gauge: Gauge) -> Dial:
    label = _LABELS.get(gauge.limit, gauge.limit.replace("_", " ").capitalize())
    used, allowed = gauge.used, gauge.allowed
    is_used_up = is_shared(gauge) and gauge.words == USED_UP
    is_full = is_used_up or (used is not None and allowed is not None and used >= allowed)
    kind, _, name = gauge.scope.partition(":")
    if kind == "channel":
        label = f"{label}, {name.rpartition('/')[2]}"
    elif is_shared(gauge):
        label = f"{label}, of all servers{'' if kind == 'global' else ' with this plan'}"
    part = None if used is None or allowed is None else _part(used, allowed)
    return Dial(
        label=f"Your {label.lower()}" if kind == "user" else label,
        words=_words(gauge), part=1.0 if is_used_up else part, is_full=is_full,
        frees=gauge.until if used or is_used_up else None, note=_ORIGINS.get(gauge.origin), ends=gauge.ends,
    )  # fmt: skip


def _words(gauge: Gauge) -> str:
    if gauge.limit == "min_interval":
        return say_duration(gauge.words) if gauge.words else "none"
    if gauge.limit == "handlers":
        return gauge.words or "all"
    if gauge.limit == "payload_bytes":
        return "no limit" if gauge.allowed is None else f"at most {gauge.allowed:,.0f} bytes"
    allowed = "no limit" if gauge.allowed is None else f"at most {gauge.allowed:,g}"
    if gauge.used is None:
        return gauge.words or allowed
    if gauge.allowed is None:
        return f"{gauge.used:,g}, {f'at most {gauge.words}' if gauge.words else allowed}"
    return f"{gauge.used:,g} of {gauge.allowed:,g}" + (f" ({gauge.words})" if gauge.words else "")


def _part(used: float, allowed: float) -> float:
    return 1.0 if used >= allowed else max(0.0, round(used / allowed, 4))
