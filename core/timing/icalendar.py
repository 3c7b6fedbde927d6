"""Days off out of an iCalendar file (RFC 5545): its events that last whole days.

The ``icalendar`` package reads the file. What comes again is written as days of every year where that says the same, else as
the single days of some years to come.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from core.timing.compile import BadTrigger, compile_rule
from core.timing.rule import BadPattern
from schedule_zero.instant import from_datetime, to_datetime
from schedule_zero.trigger import RRuleTrigger

MOST_DAYS: Final = 1000
MOST_RULES: Final = 50
"""Repeating events; to follow each takes some time."""
_YEARS: Final = 5
_NAME: Final = 80


def days_in(text: str, *, now: int) -> list[str]:
    """The whole days of a file's events, as a calendar's ``dates`` have them, each with its event's name.

    Raises:
        BadPattern: no iCalendar file, none with whole days, or one with too many.
    """
    # Imported when somebody brings such a file.
    from icalendar import Calendar  # noqa: PLC0415

    try:
        events = list(Calendar.from_ical(text).walk("VEVENT"))
    except Exception as why:  # the package raises what its parsers raise
        raise BadPattern("this is no iCalendar file; export one (.ics) from a calendar program") from why
    found: list[str] = []
    rules = 0
    for event in events:
        rules += "RRULE" in event
        if rules > MOST_RULES:
            raise BadPattern(
                f"this iCalendar file has more than the {MOST_RULES} repeating events that a calendar takes"
            )
        found += _days_of(event, now)
        if len(found) > MOST_DAYS:
            raise BadPattern(f"this iCalendar file has more days than the {MOST_DAYS:,} that a calendar takes")
    if not found:
        raise BadPattern("this iCalendar file has no event that lasts whole days")
    return found


def _days_of(event: Any, now: int) -> list[str]:
    try:
        return _days(event, now)
    except BadPattern:
        raise
    except Exception as why:  # a date that does not exist, two rules in one event: the package says so when it is asked
        name = " ".join(str(event.get("SUMMARY", "")).split())[:_NAME]
        raise BadPattern(
            f"the event {name!r} of this iCalendar file cannot be read; correct it or leave it out"
        ) from why


def _days(event: Any, now: int) -> list[str]:
    first = _date(event, "DTSTART")
    if first is None:
        return []
    last = (_date(event, "DTEND") or first + timedelta(days=1)) - timedelta(days=1)
    length = max(0, (last - first).days)
    name = " ".join(str(event.get("SUMMARY", "")).split())[:_NAME]
    rule = event.get("RRULE")
    if rule is None:
        return [_span(first, length, name)]
    written = rule.to_ical().decode()
    if written == "FREQ=YEARLY" and length == 0:
        return [f"{first:%m-%d} {name}".strip()]
    return [_span(day, length, name) for day in _repeated(first, written, now)]


def _repeated(first: date, rule: str, now: int) -> list[date]:
    if "FREQ=HOURLY" in rule or "FREQ=MINUTELY" in rule:
        raise BadPattern("a whole day cannot repeat by the hour, as an event of this iCalendar file does")
    start = from_datetime(datetime(first.year, first.month, first.day, tzinfo=UTC))
    until = from_datetime(datetime(to_datetime(now).year + _YEARS, 1, 1, tzinfo=UTC))
    trigger = RRuleTrigger(rule=rule, start=f"{first.isoformat()}T00:00:00")
    try:
        compiled = compile_rule(trigger, timezone="UTC", anchor=start)
    except BadTrigger as why:
        raise BadPattern(f"a rule of this iCalendar file cannot be followed: {why.message}") from why
    found: list[date] = []
    due = compiled.next_after(start - 1)
    while due is not None and due < until and len(found) <= MOST_DAYS:
        found.append(to_datetime(due).date())
        due = compiled.next_after(due)
    return found


def _date(event: Any, name: str) -> date | None:
    """A whole day; None where the event has a time of day, or nothing."""
    value = getattr(event.get(name), "dt", None)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _span(first: date, length: int, name: str) -> str:
    last = f"/{(first + timedelta(days=length)).isoformat()}" if length else ""
    return f"{first.isoformat()}{last} {name}".strip()
