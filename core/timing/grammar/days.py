"""Days, as people name them: tomorrow, next friday, the 15th, 3 march 2027, end of month."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, NamedTuple

from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import (
    DAY_NAMES,
    MONTH_NAMES,
    MONTHS,
    PLURAL_DAYS,
    TODAY,
    TOMORROW,
    WEEKDAYS,
    ordinal,
)

_SHORT_ENDS: Final = {"eod": "day", "eow": "week", "eom": "month", "eoy": "year"}
_YEARS: Final = range(1970, 2200)


class Days(NamedTuple):
    """The dates that words may mean; two where they can be read in two ways."""

    dates: tuple[date, ...]
    weekly: bool = False
    """A weekday of this week, which moves on a week when its time is over."""
    second: int | None = None
    """The time of day that the words bring along: the end of a day."""
    period: str | None = None
    """The part of the day that the words bring along: tonight."""


def day(cursor: Cursor, today: date) -> Days | None:
    """Read a day.

    Raises:
        Refused: a day that does not exist, such as 31 February.
    """
    start = cursor.place
    cursor.among(("on",))
    found = _near(cursor, today) or _end(cursor, today) or _weekday(cursor, today) or _dated(cursor, today)
    if found is None:
        cursor.place = start
    return found


def month_day(cursor: Cursor) -> tuple[int, int] | None:
    """Read a month and a day without a year, in either order, as (month, day)."""
    start = cursor.place
    cursor.among(("the",))
    token = cursor.take("ordinal", "number")
    cursor.among(("of",))
    month = _month(cursor)
    if token is None and month is not None:
        cursor.among(("the",))
        token = cursor.take("ordinal", "number")
    if token is None or month is None or not 1 <= token.number <= 31:
        cursor.place = start
        return None
    longest = 29 if month == 2 else monthrange(2001, month)[1]
    if token.number > longest:
        name = MONTH_NAMES[month - 1]
        raise Refused(f"{token.number} {name} does not exist; the last day of {name} is the {ordinal(longest)}")
    return month, token.number


def shifted(start: date, months: int, days: int) -> date:
    """A date moved on the calendar; where the month is too short, to its last day.

    Raises:
        Refused: it leaves the calendar.
    """
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    try:
        moved = date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
        return moved + timedelta(days=days)
    except (ValueError, OverflowError) as why:
        raise Refused("that is more than a hundred years away") from why


def _near(cursor: Cursor, today: date) -> Days | None:
    tomorrow = today + timedelta(days=1)
    if cursor.phrase("the day after tomorrow", "day after tomorrow", "overmorrow"):
        return _with_period(cursor, tomorrow + timedelta(days=1))
    if cursor.among(TODAY):
        return _with_period(cursor, today)
    if cursor.among(TOMORROW):
        return _with_period(cursor, tomorrow)
    if cursor.phrase("the day before yesterday"):
        return Days((today - timedelta(days=2),))
    if cursor.among(("yesterday",)):
        return _with_period(cursor, today - timedelta(days=1))
    if cursor.among(("tonight", "tonite")) or cursor.phrase("this night"):
        return Days((today,), period="night")
    for period in ("morning", "afternoon", "evening"):
        if cursor.phrase(f"this {period}"):
            return Days((today,), period=period)
    return None


def _with_period(cursor: Cursor, named: date) -> Days:
    """A day, with the part of it that may follow: tomorrow evening."""
    return Days((named,), period=cursor.among(("morning", "afternoon", "evening", "night")))


def _end(cursor: Cursor, today: date) -> Days | None:
    """The end of a day, week, month or year; its beginning, when that is still to come."""
    start = cursor.place
    of = _SHORT_ENDS.get(cursor.peek().text)
    if of is not None:
        cursor.place += 1
        return _last(of, today, 0)
    cursor.among(("at", "by"))
    cursor.among(("the",))
    edge = cursor.among(("end", "start", "beginning")) or (cursor.phrase("last day") and "end")
    if edge and cursor.among(("of",)):
        month = _month(cursor) if edge == "end" else None
        if month is not None:
            year = _year(cursor) or today.year + (month < today.month)
            return Days((date(year, month, monthrange(year, month)[1]),))
        way = cursor.among(("the", "this", "next"))
        of = cursor.among(("day", "week", "month", "year"))
        if of is not None and edge == "end":
            return _last(of, today, int(way == "next"))
        if of is not None and way == "next" and of != "day":
            return Days((_last(of, today, 0).dates[0] + timedelta(days=1),))
    cursor.place = start
    return None


def _last(of: str, today: date, ahead: int) -> Days:
    if of == "day":
        return Days((today + timedelta(days=ahead),), second=86_340)
    if of == "week":
        return Days((today + timedelta(days=6 - today.weekday() + 7 * ahead),))
    if of == "year":
        return Days((date(today.year + ahead, 12, 31),))
    first = shifted(today.replace(day=1), ahead, 0)
    return Days((first.replace(day=monthrange(first.year, first.month)[1]),))


def _weekday(cursor: Cursor, today: date) -> Days | None:
    start = cursor.place
    ahead = cursor.phrase("next week")
    if ahead:
        cursor.among(("on",))
    if cursor.peek(1).text in ("next", "coming"):
        cursor.among(("the",))
    which = cursor.among(("this", "next", "coming", "last"))
    number = WEEKDAYS.get(cursor.peek().text)
    if number is None:
        cursor.place = start
        return None
    cursor.place += 1
    written = _dated_behind(cursor, today, number)
    if written is not None and not which:
        return written
    coming = today + timedelta(days=(number - today.weekday()) % 7)
    period = cursor.among(("morning", "afternoon", "evening", "night"))
    if ahead or cursor.phrase("next week", "of next week"):
        coming = today + timedelta(days=7 - today.weekday() + number)
        return Days((coming,), period=period)
    if cursor.phrase("in a week"):
        return Days((coming + timedelta(days=7),), period=period)
    return Days(_which(which, coming, today), weekly=which not in ("last", "next"), period=period)


def _which(which: str | None, coming: date, today: date) -> tuple[date, ...]:
    """The dates that "this", "next" or "last" and a weekday may mean.

    "Next friday" is the first one to come. Said on a thursday it may be tomorrow or the week after; said on a friday
    it is never today.
    """
    week = timedelta(days=7)
    if which == "last":
        return (coming - week,)
    if which == "next" and coming == today:
        return (coming + week,)
    if which == "next" and coming - today == timedelta(days=1):
        return coming, coming + week
    return (coming,)


def _dated_behind(cursor: Cursor, today: date, weekday: int) -> Days | None:
    """The date behind a weekday's name, which must fall on it: friday, 20 november 2026."""
    start = cursor.place
    cursor.among((",",))
    cursor.among(("the",))
    if cursor.peek().kind not in ("ordinal", "number", "word", "iso", "slashes", "dots"):
        cursor.place = start
        return None
    found = _dated(cursor, today)
    if found is None:
        cursor.place = start
        return None
    fitting = tuple(named for named in found.dates if named.weekday() == weekday)
    if not fitting:
        named = found.dates[0]
        raise Refused(f"{named.isoformat()} is a {DAY_NAMES[named.weekday()]}, not a {DAY_NAMES[weekday]}")
    return Days(fitting)


def _dated(cursor: Cursor, today: date) -> Days | None:
    """A date with figures or a month's name; without a year the next one to come."""
    token = cursor.take("iso", "slashes", "dots")
    if token is not None:
        return Days(_figures(token.kind, token.text, today))
    start = cursor.place
    found = month_day(cursor)
    if found is not None:
        if len(cursor.peek(1).text) == 4:
            cursor.among((",",))
        return Days(_dates([found], _year(cursor), today))
    cursor.among(("the",))
    token = cursor.take("ordinal")
    if token is not None and cursor.peek().text not in WEEKDAYS and not cursor.phrase("of the month", "of every month"):
        return Days((_coming(token.number, today),))
    cursor.place = start
    return None


def _figures(kind: str, text: str, today: date) -> tuple[date, ...]:
    """Dates of figures. With slashes day and month may stand in either order; dots put the day first."""
    if kind == "iso":
        first, second, third = map(int, text.split("-"))
        return _dates([(second, third)], first, today)
    parts = [int(part) for part in text.strip(".").replace("/", ".").split(".")]
    if len(str(parts[0])) > 2:
        return _dates([(parts[1], parts[2])] if len(parts) == 3 else [], parts[0], today)
    year = None if len(parts) < 3 else parts[2] + (2000 if parts[2] < 100 else 0)
    orders = [(parts[1], parts[0])] if kind == "dots" else [(parts[1], parts[0]), (parts[0], parts[1])]
    return _dates(orders, year, today)


def _dates(orders: Iterable[tuple[int, int]], year: int | None, today: date) -> tuple[date, ...]:
    """The dates that exist among (month, day) pairs, without a year the next of each."""
    found: dict[date, None] = {}
    pairs = [(month, number) for month, number in orders if 1 <= month <= 12 and 1 <= number <= 31]
    for month, number in pairs:
        years = range(today.year, today.year + 9) if year is None else range(year, year + 1)
        for candidate in years:
            if candidate in _YEARS and number <= monthrange(candidate, month)[1]:
                named = date(candidate, month, number)
                if year is not None or named >= today:
                    found[named] = None
                    break
    if not found:
        month, number = pairs[0] if pairs else (0, 0)
        name = f"{number} {MONTH_NAMES[month - 1]}{f' {year}' if year else ''}" if pairs else "a date of these figures"
        raise Refused(f"{name} does not exist")
    return tuple(found)


def _coming(number: int, today: date) -> date:
    """The next day of the month with that number."""
    if not 1 <= number <= 31:
        raise Refused(f"no month has a day {number}")
    first = today.replace(day=1)
    while number > monthrange(first.year, first.month)[1] or first.replace(day=number) < today:
        first = shifted(first, 1, 0)
    return first.replace(day=number)


def _month(cursor: Cursor) -> int | None:
    month = MONTHS.get(cursor.peek().text)
    if month is not None:
        cursor.place += 1
    return month


def _year(cursor: Cursor) -> int | None:
    token = cursor.peek()
    if token.kind == "number" and len(token.text) == 4 and token.number in _YEARS:
        cursor.place += 1
        return token.number
    return None


def named_weekday(cursor: Cursor) -> int | None:
    """Read a weekday's name, also in the plural."""
    number = WEEKDAYS.get(cursor.peek().text, PLURAL_DAYS.get(cursor.peek().text))
    if number is not None:
        cursor.place += 1
    return number
