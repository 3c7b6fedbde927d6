"""Limits as people read them: what each is called, and a bar of how much is in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from cogs.texts import one_line, stamp
from schedule_zero.instant import say_duration
from schedule_zero.shown.quota import USED_UP, is_shared
from schedule_zero.views import Gauge

CELLS: Final = 10
"""Cells of a bar; with a label beside it, it fits into a line on a phone."""
NEAR: Final = 0.8
"""The part of a limit from which on it is marked as nearly used up."""
LABELS: Final[dict[str, str]] = {
    "schedules": "Schedules",
    "reminders": "Reminders",
    "running": "Runs going at once",
    "rate": "Starts",
    "runs_per_hour": "Runs this hour",
    "runs_per_day": "Runs today",
    "runs_per_month": "Runs this month",
    "sends_per_channel": "Messages into one channel",
    "dms_per_hour": "Direct messages this hour",
    "each_schedule": "Each schedule alone",
    "min_interval": "Shortest time between two runs",
    "payload_bytes": "Arguments of a schedule",
    "handlers": "Handlers",
    "burst": "Starts at one moment",
    "weight": "Share of the slots",
}
_PERIODS: Final = {"runs_per_hour": "hour", "runs_per_day": "day", "runs_per_month": "month"}
_UNITS: Final = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_LIFTED: Final = {"operator", "temporary"}

Fill = Literal["full", "near", "free"]
MARKS: Final[dict[Fill, str]] = {"full": "🔴", "near": "🟡", "free": "🟢"}
_URGENCY: Final[tuple[Fill, ...]] = ("full", "near", "free")


def label_of(limit: str) -> str:
    """What a limit is called."""
    return LABELS.get(limit) or limit.replace("_", " ").capitalize()


def is_counted(gauge: Gauge) -> bool:
    """Whether there is a bar to draw: so much of so much, or all of what is shared."""
    return (gauge.used is not None and gauge.allowed is not None) or _is_used_up(gauge)


def _is_used_up(gauge: Gauge) -> bool:
    """Whether that is all there is to say of a limit that others share."""
    return is_shared(gauge) and gauge.words == USED_UP


def fill_of(gauge: Gauge) -> Fill:
    """How full it is. A rate gives back all the time, so it is full where the next one does not fit."""
    used, allowed = gauge.used or 0.0, gauge.allowed or 0.0
    if used >= allowed or (gauge.limit == "rate" and used > allowed - 1):
        return "full"
    return "near" if used >= NEAR * allowed else "free"


def bar(used: float, allowed: float) -> str:
    """A bar of fixed width: something in use is seen, and only what is full looks full."""
    if used >= allowed:
        return "█" * CELLS
    cells = min(CELLS - 1, max(1 if used > 0 else 0, int(CELLS * used / allowed)))
    return "█" * cells + "░" * (CELLS - cells)


def gauge_line(gauge: Gauge) -> str:
    """A limit with its bar, use and what is allowed; below it, small, when some of it frees, and who set it."""
    used, allowed = gauge.used or 0.0, gauge.allowed or 0.0
    fill = fill_of(gauge)
    whose = "Your reminders" if gauge.scope.startswith("user:") else label_of(gauge.limit)
    if is_shared(gauge):
        whose += ", of all servers" if gauge.scope == "global" else ", of all servers with this plan"
    amount = USED_UP if _is_used_up(gauge) else f"{number(used)} of {number(allowed)}"
    line = f"{MARKS[fill]} `{bar(used, allowed)}` **{whose}** {amount}"
    if gauge.words and amount != USED_UP:
        line += f" ({gauge.words})"
    notes = []
    if gauge.until is not None and (used > 0 or _is_used_up(gauge)) and (fill != "free" or gauge.limit in _PERIODS):
        notes.append(f"{'begins anew' if gauge.limit in _PERIODS else 'all free again'} {stamp(gauge.until, 'R')}")
    notes += _who_says(gauge)
    return f"{line}\n-# {' · '.join(notes)}" if notes else line


def size_line(gauge: Gauge) -> str:
    """A limit of which nothing is used up, such as a shortest interval; empty where there is none and nobody lifted it."""
    if gauge.allowed is not None:
        allowed = _bytes(gauge.allowed) if gauge.limit.endswith("_bytes") else number(gauge.allowed)
        said = f"at most {allowed}"
    elif gauge.words:
        said = say_duration(gauge.words) if gauge.limit == "min_interval" else one_line(gauge.words, 200)
    elif gauge.origin in _LIFTED:
        said = "no limit"
    else:
        return ""
    return " · ".join([f"**{label_of(gauge.limit)}** {said}", *_who_says(gauge)])


def ordered(gauges: Iterable[Gauge]) -> list[Gauge]:
    """What is counted, the fullest kinds first; alike they keep their order, so that each is found where it was."""
    return sorted((each for each in gauges if is_counted(each)), key=lambda each: _URGENCY.index(fill_of(each)))


def fullest(gauges: Iterable[Gauge]) -> Gauge | None:
    """The limit that is met next, if nothing changes."""
    counted = [each for each in gauges if is_counted(each)]
    return max(
        counted, key=lambda each: 1.0 if _is_used_up(each) else (each.used or 0.0) / (each.allowed or 0.1), default=None
    )


def number(value: float) -> str:
    """A number without a fraction that says nothing."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def lines_of(gauges: Sequence[Gauge]) -> tuple[list[str], list[str]]:
    """The bars, and what there is beside them."""
    sizes = [size_line(each) for each in gauges if not is_counted(each)]
    return [gauge_line(each) for each in ordered(gauges)], [line for line in sizes if line]


def _who_says(gauge: Gauge) -> list[str]:
    if gauge.origin == "temporary":
        return [f"set until {stamp(gauge.ends, 'f')}" if gauge.ends else "set for a time"]
    return ["set by an operator"] if gauge.origin == "operator" else []


def _bytes(value: float) -> str:
    unit = next((unit for unit in reversed(_UNITS) if value >= _UNITS[unit]), "B")
    return f"{number(round(value / _UNITS[unit], 1))} {unit}"
