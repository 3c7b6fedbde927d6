"""Due times by definition: slow, plain, and without a line of the code under test.

Every day is looked at, every time of day on it is a wall, and every wall is looked up in the zone through datetime. The
corpus (``tests/timing/corpus``) was worked out with this and read by eye; the tests ask both the corpus and this.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MINUTE = timedelta(minutes=1)


def fields_of(expression: str) -> list[str]:
    """Six fields, in capitals."""
    parts = expression.upper().split()
    return parts if len(parts) == 6 else ["0", *parts]


def number(place: int, text: str) -> int:
    if place == 4 and text in MONTHS:
        return MONTHS.index(text) + 1
    if place == 5:
        return WEEKDAYS.index(text) if text in WEEKDAYS else int(text) % 7
    return int(text)


@cache  # asked for every day of a hundred years
def values(place: int, part: str) -> frozenset[int]:
    """The plain numbers of a field: values, ranges (also over the end), steps, lists."""
    low, high = RANGES[place]
    found: set[int] = set()
    for term in part.split(","):
        body, _, step = term.partition("/")
        if body in ("*", "?"):
            body = f"{low}-{high}"
        elif step and "-" not in body:
            body = f"{body}-{high}"
        if place == 5 and body.endswith("-7"):  # up to Sunday
            body = f"{body[:-1]}SUN"
        match = re.fullmatch(r"(\w+)(?:-(\w+))?", body)
        if match is None or re.search(r"\d[LW]|^L", body):
            continue  # a day that the month decides
        first = number(place, match[1])
        last = first if match[2] is None else number(place, match[2])
        if last < first:
            last += high - low + 1
        found |= {low + (value - low) % (high - low + 1) for value in range(first, last + 1, int(step or 1))}
    return frozenset(found)


def nearest_weekday(year: int, month: int, day: int) -> int:
    """The weekday of that month with the smallest distance to a day; of two the one before cannot be, Saturday to
    Monday being two days."""
    length = monthrange(year, month)[1]
    weekdays = [other for other in range(1, length + 1) if date(year, month, other).weekday() < 5]
    return min(weekdays, key=lambda other: abs(other - day))


def on_month_day(part: str, day: date) -> bool:
    length = monthrange(day.year, day.month)[1]
    if day.day in values(3, part):
        return True
    for term in part.split(","):
        match = re.fullmatch(r"(?:L(?:-(\d+))?|(\d+))(W?)", term)
        if match is None:
            continue
        wanted = int(match[2]) if match[2] else length - int(match[1] or 0)
        if not 1 <= wanted <= length:
            continue
        if term == "LW":
            wanted = max(d for d in range(1, length + 1) if day.replace(day=d).weekday() < 5)
        elif match[3]:
            wanted = nearest_weekday(day.year, day.month, wanted)
        if day.day == wanted:
            return True
    return False


def on_weekday(part: str, day: date) -> bool:
    weekday = day.isoweekday() % 7
    for term in part.split(","):
        if match := re.fullmatch(r"(\w+)#(\d)", term):
            if number(5, match[1]) == weekday and (day.day + 6) // 7 == int(match[2]):
                return True
        elif match := re.fullmatch(r"(\w+)L", term):
            if number(5, match[1]) == weekday and day.month != (day + timedelta(days=7)).month:
                return True
        elif weekday in values(5, term):
            return True
    return False


def matches(parts: list[str], day: date) -> bool:
    if day.month not in values(4, parts[4]):
        return False
    both = parts[3][0] in "*?" or parts[5][0] in "*?"
    answers = on_month_day(parts[3], day), on_weekday(parts[5], day)
    return all(answers) if both else any(answers)


def walls(expression: str, since: date) -> Iterator[datetime]:
    """The walls of an expression from a day on, for a hundred years at most."""
    parts = fields_of(expression)
    times = [
        time(hour, minute, second)
        for hour in sorted(values(2, parts[2]))
        for minute in sorted(values(1, parts[1]))
        for second in sorted(values(0, parts[0]))
    ]
    for days in range(36_525):
        day = since + timedelta(days=days)
        if matches(parts, day):
            yield from (datetime.combine(day, at) for at in times)


def instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """When a zone's clocks show a wall."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == wall)


def first(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a wall is shown or, in a gap, is past."""
    if shown := instants(wall, zone):
        return shown[0]
    moment = wall.replace(tzinfo=zone).astimezone(UTC)  # read with the offset before the gap, so it lies after it
    while (moment - MINUTE).astimezone(zone).replace(tzinfo=None) >= wall:
        moment -= MINUTE
    while (moment - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) >= wall:
        moment -= timedelta(seconds=1)
    return moment


def due(expression: str, zone: ZoneInfo, after: datetime, n: int, *, literal: bool = False) -> list[datetime]:
    """The first ``n`` due times after an instant, under the policy ``debian`` or ``literal``."""
    parts = fields_of(expression)
    as_shown = literal or parts[1][0] == "*" or parts[2][0] == "*"
    began = after.astimezone(zone).date() - timedelta(days=2)
    found: set[datetime] = set()
    wanted = walls(expression, began)
    # Clock changes reorder due times within two days at most, so some more are taken before they are sorted: twice as many
    # as are there, for to sort after every few seconds' walls would be to sort two days of them again and again.
    while page := list(islice(wanted, max(64, len(found)))):
        for wall in page:
            found.update(instants(wall, zone) if as_shown else [first(wall, zone)])
        sure = sorted(moment for moment in found if moment > after)
        if len(sure) >= n and first(page[-1], zone) - sure[n - 1] > timedelta(days=2):
            return sure[:n]
    return sorted(moment for moment in found if moment > after)[:n]
