"""Entitlements: calendar quotas of a guild, in its own zone. Which periods count a run.

The ledger holds the counters, and the engine charges them in the transaction that creates the runs (semantics,
section 3); here is only the calendar.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

import msgspec

from core.governor.settings import Quota
from schedule_zero.instant import HOUR, MINUTE, SECOND, from_datetime, to_datetime


class Period(msgspec.Struct, frozen=True, gc=False):
    """A stretch of the calendar with a quota.

    Attributes:
        limit: ``runs_per_hour``, ``runs_per_day`` or ``runs_per_month``.
        key: its name, such as ``2026-11-21T09+0100``, ``2026-11-21`` or ``2026-11``; no two periods share one.
        allowed: how many runs it holds.
        until: when it ends, microseconds since 1970.
    """

    limit: str
    key: str
    allowed: int
    until: int


def periods(quota: Quota, instant: int, zone: tzinfo) -> list[Period]:
    """The quotas that count a run created at ``instant``, shortest period first.

    Days and months begin at midnight on the clocks of ``zone``, or at the first instant after a midnight that a clock
    change leaves out. Hours are sixty minutes long; one that the clocks show twice is two.
    """
    local = to_datetime(instant, zone)
    found: list[Period] = []
    if quota.runs_per_hour is not None:
        begun = instant - local.minute * MINUTE - local.second * SECOND - local.microsecond
        key = f"{local:%Y-%m-%dT%H}{_offset(local)}"
        found.append(Period("runs_per_hour", key, quota.runs_per_hour, begun + HOUR))
    if quota.runs_per_day is not None:
        following = local.date() + timedelta(days=1)
        until = _midnight_after(instant, following, zone)
        found.append(Period("runs_per_day", local.date().isoformat(), quota.runs_per_day, until))
    if quota.runs_per_month is not None:
        following = (local.date().replace(day=1) + timedelta(days=32)).replace(day=1)
        until = _midnight_after(instant, following, zone)
        found.append(Period("runs_per_month", f"{local:%Y-%m}", quota.runs_per_month, until))
    return found


def _offset(local: datetime) -> str:
    """The offset as in ISO 8601, such as ``+0100``."""
    return f"{local:%z}"


def _midnight_after(instant: int, day: date, zone: tzinfo) -> int:
    """The first instant after ``instant`` that the clocks of ``zone`` call the beginning of ``day``.

    A midnight inside a gap is read with the offset before it, which is the gap's own instant (PEP 495). One that
    comes twice may lie behind already the first time.
    """
    first = datetime(day.year, day.month, day.day, tzinfo=zone)
    at = from_datetime(first)
    return at if at > instant else from_datetime(first.replace(fold=1))
