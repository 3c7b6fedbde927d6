"""Days off out of an iCalendar file (RFC 5545): its events that last whole days.

The ``icalendar`` package reads the file. What comes again is written as days of every year where that says the same, else as
the single days of some years to come: with the dates an event adds (``RDATE``), without those it leaves out (``EXDATE``),
those that an event of its own stands for (``RECURRENCE-ID``), those that a second rule takes away (``EXRULE``, of older
programs), and what was called off. What lasts from midnight to midnight lasts whole days, too: some programs write it so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

from core.timing.compile import BadTrigger, compile_rule
from core.timing.rule import BadPattern
from schedule_zero.bounds import without_controls
from schedule_zero.instant import from_datetime, to_datetime
from schedule_zero.trigger import RRuleTrigger

R = TypeVar("R")
MOST_DAYS: Final = 1000
MOST_RULES: Final = 50
"""Repeating events; to follow each takes some time."""
_YEARS: Final = 5
_NAME: Final = 80
_BYTE_ORDER: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""What some programs begin a file with."""


def days_in(text: str, *, now: int) -> list[str]:
    """The whole days of a file's events, as a calendar's ``dates`` have them, each with its event's name.

    Raises:
        BadPattern: no iCalendar file, none with whole days, or one with too many.
    """
    # Imported when somebody brings such a file.
    from icalendar import Calendar  # noqa: PLC0415

    try:
        events = list(Calendar.from_ical(text.removeprefix(_BYTE_ORDER)).walk("VEVENT"))
    except Exception as why:  # the package raises what its parsers raise
        raise BadPattern("this is no iCalendar file; export one (.ics) from a calendar program") from why
    found: list[str] = []
    rules = 0
    replaced = _replaced(events)
    for event in events:
        rules += ("RRULE" in event) + len(_several(event, "EXRULE"))
        if rules > MOST_RULES:
            raise BadPattern(
                f"this iCalendar file has more than the {MOST_RULES} repeating events that a calendar takes"
            )
        found += _read(event, _days, now, () if "RECURRENCE-ID" in event else replaced[_id(event)])
        if len(found) > MOST_DAYS:
            raise BadPattern(f"this iCalendar file has more days than the {MOST_DAYS:,} that a calendar takes")
    if not found:
        raise BadPattern("this iCalendar file has no event that lasts whole days")
    return found


def _replaced(events: Sequence[Any]) -> defaultdict[str, set[date]]:
    """By the id of what comes again, the days for which the file has events of their own."""
    found = defaultdict[str, set[date]](set)
    for event in events:
        moved = event.get("RECURRENCE-ID")
        if moved is not None:
            if "RANGE" in moved.params:
                raise BadPattern(
                    f"the event {_name(event)!r} of this iCalendar file changes itself and all that follow; give those an "
                    "event of their own"
                )
            found[_id(event)].update(_read(event, _days_in, "RECURRENCE-ID"))
    return found


def _read(event: Any, read: Callable[..., R], *given: Any) -> R:
    """What is read of an event; what the package cannot read, as one sentence that names it."""
    try:
        return read(event, *given)
    except BadPattern:
        raise
    except Exception as why:  # a date that does not exist, two rules in one event: the package says so when it is asked
        raise BadPattern(
            f"the event {_name(event)!r} of this iCalendar file cannot be read; correct it or leave it out"
        ) from why


def _name(event: Any) -> str:
    """What an event is called, without what no stored text may hold."""
    texts = _several(event, "SUMMARY")
    return without_controls(" ".join(str(texts[0]).split()))[:_NAME].strip() if texts else ""


def _several(event: Any, name: str) -> list[Any]:
    """A property as often as an event has it."""
    value = event.get(name, [])
    return value if isinstance(value, list) else [value]


def _id(event: Any) -> str:
    return str(event.get("UID", ""))


def _days(event: Any, now: int, replaced: Collection[date]) -> list[str]:
    first = _first(event)
    if first is None or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return []
    length, name = _length(event, first), _name(event)
    more, without = _days_in(event, "RDATE"), _days_in(event, "EXDATE").union(replaced)
    rule = event.get("RRULE")
    written = None if rule is None else rule.to_ical().decode()
    if written == "FREQ=YEARLY" and length == 0 and not (more or without or "EXRULE" in event):
        return [f"{first:%m-%d} {name}".strip()]
    own = [first] if written is None else _repeated(first, written, now)
    for taken in _several(event, "EXRULE"):
        without = without.union(_repeated(first, taken.to_ical().decode(), now))
    return [_span(day, length, name) for day in sorted(more.union(own) - without)]


def _first(event: Any) -> date | None:
    """The first of the whole days an event lasts; None where it begins or ends within one."""
    begin = _dt(event, "DTSTART")
    if not isinstance(begin, datetime):
        return begin
    if _within_a_day(begin):
        return None  # whatever else it says
    end = _end(event, begin)
    return begin.date() if end > begin and not _within_a_day(end) else None


def _within_a_day(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) != (0, 0, 0)


def _length(event: Any, first: date) -> int:
    """How many days it lasts beyond its first."""
    begin = _dt(event, "DTSTART")
    end = _end(event, first if begin is None else begin)
    last = end.date() if isinstance(end, datetime) else end
    if last < first:
        raise BadPattern(
            f"the event {_name(event)!r} of this iCalendar file ends before it begins; correct it or leave it out"
        )
    return max(0, (last - first).days - 1)


def _end(event: Any, begin: Any) -> Any:
    """When it is over, as a day or a time of day as it begins: what says nothing of it lasts its day, or no time."""
    end, duration = _dt(event, "DTEND"), event.get("DURATION")
    if end is not None and isinstance(end, datetime) == isinstance(begin, datetime):
        return _on_clock_of(begin, end) if isinstance(end, datetime) else end
    if duration is not None:
        return begin + duration.dt
    return begin if isinstance(begin, datetime) else begin + timedelta(days=1)


def _on_clock_of(begin: datetime, end: datetime) -> datetime:
    """A time of day as the clock of another says it; one that says no zone is on that clock already."""
    if begin.tzinfo is None or end.tzinfo is None:
        return end.replace(tzinfo=begin.tzinfo)
    return end.astimezone(begin.tzinfo)


def _days_in(event: Any, name: str) -> set[date]:
    """The days that a property names, once or several times; of a time of day, that day."""
    value = event.get(name, ())
    lists = value if isinstance(value, (list, tuple)) else [value]
    times = [each.dt for some in lists for each in getattr(some, "dts", [some])]
    return {each.date() if isinstance(each, datetime) else each for each in times}


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


def _dt(event: Any, name: str) -> date | datetime | None:
    """A day, or a time of day; None where the event has none."""
    value = getattr(event.get(name), "dt", None)
    return value if isinstance(value, date) else None


def _span(first: date, length: int, name: str) -> str:
    last = f"/{(first + timedelta(days=length)).isoformat()}" if length else ""
    return f"{first.isoformat()}{last} {name}".strip()
