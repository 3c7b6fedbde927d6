"""Forecast: what a plan's limits have to say about the due times of a schedule. Pure; what is used already is told to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from core.governor.entitlement import Calendar, Period, allowances, periods_of
from core.governor.settings import Quota
from core.timing.clock import spell_minute
from core.timing.say import say_length
from schedule_zero.errors import QuotaExceeded
from schedule_zero.instant import SECOND, parse_duration
from schedule_zero.schedule import OnQuota
from schedule_zero.views import Fire

Used = Mapping[tuple[str, str, str], int]
"""Runs by scope, limit and period."""
_WHOSE: Final = {"guild": "this server's", "schedule": "this schedule's", "global": "the whole service's"}


class Pace(msgspec.Struct, frozen=True):
    """Two due times that lie too close for a plan, microseconds."""

    apart: int
    allowed: int

    def __str__(self) -> str:
        apart, allowed = (say_length(-(-length // SECOND)) for length in (self.apart, self.allowed))
        return f"repeats after {apart}; the shortest interval this server's plan allows is {allowed}"


def too_fast(dues: Sequence[int], quota: Quota) -> Pace | None:
    """The first two of some due times in a row that are closer than the plan's ``min_interval``."""
    if quota.min_interval is None:
        return None
    allowed = parse_duration(quota.min_interval)
    return next((Pace(later - due, allowed) for due, later in pairwise(dues) if later - due < allowed), None)


def require_pace(dues: Sequence[int], guild_id: str | None, quota: Quota) -> None:
    """Raises QuotaExceeded where due times in a row lie too close for a plan."""
    pace = too_fast(dues, quota)
    if pace is not None:
        raise QuotaExceeded(
            f"This {pace}.", scope=f"guild:{guild_id or '-'}", limit="min_interval", used=pace.apart / 1e6,
            allowed=pace.allowed / 1e6,
        )  # fmt: skip


def with_quota_notes(
    fires: Sequence[Fire], dues: Sequence[int], *, calendars: Sequence[Calendar], zone: ZoneInfo, used: Used,
    on_quota: OnQuota,
) -> tuple[Fire, ...]:  # fmt: skip
    """The fires, each with a note if the runs of its hour, day or month are used up by then. ``zone``: to say times in.

    At best: what other schedules will use of it is not counted, only what was used already.
    """
    limits = [limit for each in calendars for limit in allowances(each.limits)]
    if not limits or len(dues) + max(used.values(), default=0) <= min(limits):
        return tuple(fires)
    counts = Counter(used)
    noted = []
    for fire, due in zip(fires, dues, strict=True):
        full: list[tuple[str, Period]] = []
        for calendar in calendars:
            for period in periods_of(calendar, due):
                key = (calendar.scope, period.limit, period.key)
                counts[key] += 1
                if counts[key] > period.allowed:
                    full.append((calendar.scope, period))
        if not full:
            noted.append(fire)
        else:
            scope, last = max(full, key=lambda each: each[1].until)
            note = _note(scope, last, spell_minute(last.until, zone), on_quota)
            noted.append(msgspec.structs.replace(fire, notes=(*fire.notes, note)))
    return tuple(noted)


def _note(scope: str, period: Period, until: str, on_quota: OnQuota) -> str:
    allowed, unit = period.allowed, period.limit.rpartition("_")[2]
    whose = _WHOSE.get(scope.partition(":")[0]) or f"{scope.replace(':', ' ')}'s"
    runs = f"{whose} {allowed:,} run{'s' * (allowed != 1)} of the {unit} are used up by then"
    if on_quota == "skip":
        return f"would be left out: {runs}"
    if allowed == 0:
        return f"would wait until more is allowed: {runs}"
    return f"would wait until {until}: {runs}"
