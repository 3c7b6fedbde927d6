"""Rules written and answered in local times, so that tables of cases read like a calendar."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings

from core.timing.compile import compile_rule
from core.timing.rule import Rule
from schedule_zero.instant import from_datetime, to_datetime
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, Trigger

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no failure."""


def instant(local: str, zone: str = "UTC", fold: int = 0) -> int:
    """The instant at which a zone's clocks show a local time such as ``2026-03-29 03:00``."""
    return from_datetime(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold))


def compiled(
    trigger: Trigger,
    zone: str = "UTC",
    *,
    anchor: str = "2026-01-01 00:00",
    dst: str = "debian",
    month_end: str | None = None,
    start: int | None = None,
    until: int | None = None,
) -> Rule:
    return compile_rule(
        trigger,
        timezone=zone,
        anchor=instant(anchor, zone),
        dst=dst,
        month_end=month_end,
        start=start,
        until=until,
    )


def cron(expression: str, zone: str = "UTC", dst: str = "debian", month_end: str | None = None) -> Rule:
    return compiled(CronTrigger(expression), zone, dst=dst, month_end=month_end)


def rrule(text: str, start: str | None, zone: str = "UTC", dst: str = "debian", month_end: str | None = None) -> Rule:
    return compiled(RRuleTrigger(text, start=start), zone, dst=dst, month_end=month_end)


def interval(every: str, start: str | None = None, zone: str = "UTC", month_end: str | None = None) -> Rule:
    return compiled(IntervalTrigger(every, start=start), zone, month_end=month_end)


def once(at: str, zone: str = "UTC", dst: str = "debian") -> Rule:
    return compiled(DateTrigger(at), zone, dst=dst)


def due_after(rule: Rule, after: int, n: int) -> list[int]:
    """The next ``n`` due times, one question after the other."""
    found: list[int] = []
    while len(found) < n and (due := rule.next_after(after)) is not None:
        found.append(due)
        after = due
    return found


def local_times(rule: Rule, after: str, n: int) -> list[str]:
    """The next ``n`` due times as ``MM-DD HH:MM+OFFSET`` in the rule's zone, after a local time."""
    return [
        to_datetime(due, rule.zone).strftime("%m-%d %H:%M%z")
        for due in due_after(rule, instant(after, rule.zone.key), n)
    ]


def dates(rule: Rule, after: str, n: int) -> list[str]:
    """The next ``n`` due times as local dates with the year."""
    return [to_datetime(due, rule.zone).date().isoformat() for due in due_after(rule, instant(after, rule.zone.key), n)]
