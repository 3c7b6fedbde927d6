"""Entitlements: calendar quotas of a scope. Which of them count a run, and in which periods.

The ledger holds the counters, and the engine charges them in the transaction that creates the runs (semantics,
section 3); here is only the calendar. A guild's periods are those of its own clocks, all others go by UTC.

Who sets other clocks begins nothing anew: until the hour, day and month that were running end, runs count in these as well
as in those that the new clocks show.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from core.governor.measures import Measured
from core.governor.settings import Limits
from core.governor.verdict import scope_of, scope_of_schedule
from schedule_zero.instant import HOUR, MINUTE, SECOND, from_datetime, to_datetime

UTC: Final = ZoneInfo("UTC")


class Clocks(msgspec.Struct, frozen=True):
    """By which clocks a scope's periods go.

    Attributes:
        zone: those of now.
        before: those it had lately, with the instant at which each was left (microseconds since 1970).
    """

    zone: ZoneInfo = UTC
    before: tuple[tuple[ZoneInfo, int], ...] = ()

    def changed(self, zone: ZoneInfo, now: int) -> Clocks:
        """The same set to another zone. Forgotten are those of which every period has ended."""
        if zone == self.zone:
            return self
        kept = ((each, left) for each, left in self.before if each not in (zone, self.zone))
        running = ((each, left) for each, left in kept if month_end(left, each) > now)
        return Clocks(zone, (*running, (self.zone, now)))


BY_UTC: Final = Clocks()


class Calendar(msgspec.Struct, frozen=True, gc=False):
    """The calendar quotas of one scope, and on which clocks."""

    scope: str
    limits: Limits
    clocks: Clocks = BY_UTC


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


def limited(limits: Limits | None) -> bool:
    """Whether any calendar quota applies."""
    return limits is not None and bool(allowances(limits))


def allowances(limits: Limits) -> list[int]:
    """How many runs each of the calendar quotas that there are allows."""
    found = (limits.runs_per_hour, limits.runs_per_day, limits.runs_per_month)
    return [allowed for allowed in found if allowed is not None]


def calendars_of(
    measures: Measured, guild: str | None, method: str, schedule_id: str, clocks: Clocks
) -> list[Calendar]:
    """What counts the runs of a schedule, from the outside in.

    Args:
        guild: whose it is; None: the operator's own.
        method: ``handler.method``.
        clocks: the guild's.
    """
    found: list[tuple[str, Limits | None, Clocks]] = [("global", measures.global_, BY_UTC)]
    if guild is not None:
        name, quota = measures.plan_of(guild), measures.quota_of(guild)
        found += [
            (f"plan:{name}", measures.plans[name].shared, BY_UTC),
            (scope_of(guild), quota, clocks),
            (scope_of_schedule(schedule_id), quota.each_schedule, BY_UTC),
        ]
    found.append((f"method:{method}", measures.methods.get(method), BY_UTC))
    return [Calendar(scope, limits, own) for scope, limits, own in found if limits is not None and limited(limits)]


class Alike:
    """Tells which runs the same calendars count: those of one guild, unless their method, or each schedule there, has quotas
    of its own."""

    def __init__(self, measures: Measured) -> None:
        self._measures = measures
        self._methods = {name for name, quota in measures.methods.items() if limited(quota)}
        self._alone: dict[str | None, bool] = {}

    def of(self, guild: str | None, handler: str, method: str, schedule_id: str) -> tuple[str | None, str, str]:
        """Guild, method and schedule as ``calendars_of`` takes them; empty where they make no difference."""
        alone = self._alone.get(guild)
        if alone is None:
            alone = self._alone[guild] = limited(self._measures.quota_of(guild).each_schedule)
        name = f"{handler}.{method}" if self._methods else ""
        return guild, name if name in self._methods else "", schedule_id if alone else ""


def periods_of(calendar: Calendar, instant: int) -> list[Period]:
    """The periods of a scope that count a run created at ``instant``: those of its clocks, shortest first, and of those it
    had before what was running when they were left, and still is."""
    found = periods(calendar.limits, instant, calendar.clocks.zone)
    for zone, left in calendar.clocks.before:
        known = {period.key for period in found}
        there = zip(periods(calendar.limits, instant, zone), periods(calendar.limits, left, zone), strict=True)
        found += [period for period, then in there if period.key == then.key and period.key not in known]
    return found


def month_end(instant: int, zone: tzinfo) -> int:
    """When the month ends that the clocks of ``zone`` show at ``instant``, microseconds since 1970."""
    following = (to_datetime(instant, zone).date().replace(day=1) + timedelta(days=32)).replace(day=1)
    return _midnight_after(instant, following, zone)


def periods(limits: Limits, instant: int, zone: tzinfo) -> list[Period]:
    """The quotas of a scope that count a run created at ``instant``, shortest period first.

    Days and months begin at midnight on the clocks of ``zone``, or at the first instant after a midnight that a clock
    change leaves out. Hours are sixty minutes long; one that the clocks show twice is two.
    """
    local = to_datetime(instant, zone)
    found: list[Period] = []
    if limits.runs_per_hour is not None:
        begun = instant - local.minute * MINUTE - local.second * SECOND - local.microsecond
        key = f"{local:%Y-%m-%dT%H}{_offset(local)}"
        found.append(Period("runs_per_hour", key, limits.runs_per_hour, begun + HOUR))
    if limits.runs_per_day is not None:
        following = local.date() + timedelta(days=1)
        until = _midnight_after(instant, following, zone)
        found.append(Period("runs_per_day", local.date().isoformat(), limits.runs_per_day, until))
    if limits.runs_per_month is not None:
        found.append(Period("runs_per_month", f"{local:%Y-%m}", limits.runs_per_month, month_end(instant, zone)))
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
