"""Dates: 3 march 2027, the 15th, 03/04, 29.11., the last friday of next month."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, NamedTuple

from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.grammar.vocabulary import DAY_NAMES, HOURS, MONTH_NAMES, MONTHS, PLURAL_DAYS, WEEKDAYS, ordinal

_YEARS: Final = range(1900, 2200)
_FAR: Final = 20
"""Years ahead; a year of two figures that lies further on was rather meant to be past."""
_MOST_FIGURES: Final = 99
"""What is more beside a month's name is a year."""
TO: Final = ("to", "through", "thru", "till", "til", "until", "-")
"""What stands between the ends of a span of days."""
PLACES: Final = {-1: "last", 1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
"""The weekdays of a month by number."""


class Days(NamedTuple):
    """The dates that words may mean; two where they can be read in two ways."""

    dates: tuple[date, ...]
    period: str | None = None
    """The part of the day that the words bring along: tonight."""
    again: str = "year"
    """When days said this way come again, should they be over: every "day", "week", "month" or "year"."""
    asks: str | None = None
    """Why the words are not enough to know the day."""


def month_day(cursor: Cursor) -> tuple[int, int] | None:
    """Read a month and a day without a year, in either order, as (month, day)."""
    start = cursor.place
    cursor.among(("the",))
    token = cursor.take("ordinal", "number")
    cursor.among(("of", "-"))
    month = month_name(cursor)
    if token is None and month is not None:
        cursor.among(("the", "-"))
        token = cursor.take("ordinal", "number")
    if token is None or month is None or token.number > _MOST_FIGURES:
        cursor.place = start
        return None
    longest = 29 if month == 2 else monthrange(2001, month)[1]
    if not 1 <= token.number <= longest:
        raise missing(month, token.number, year_number(cursor))
    return month, token.number


def days_in_month(cursor: Cursor) -> tuple[int, int, int] | None:
    """Read the first day in the 1st to the 5th of january, as (month, first, last): the month is said once, behind both.

    Raises:
        Refused: the first day is not before the last one, so that it belongs to another month.
    """
    start = cursor.place
    if cursor.peek().kind == "word" and not cursor.among(("the",)):
        return None
    token = cursor.take("ordinal", "number")
    behind = cursor.place
    last = month_day(cursor) if token is not None and cursor.among(TO) else None
    cursor.place = behind
    if token is None or last is None:
        cursor.place = start
        return None
    if token.number >= last[1]:
        raise Refused("a span over the end of a month names the months of both its days")
    return last[0], token.number, last[1]


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
        raise Refused("that is beyond the calendar; write a date up to 2199-12-31") from why


def dated(cursor: Cursor, today: date) -> Days | None:
    """A date with figures or a month's name; without a year the next one to come."""
    token = cursor.take("iso", "slashes", "dots")
    if token is not None:
        return Days(_figures(token, today))
    start = cursor.place
    next_year = cursor.phrase("next year")
    month_first = cursor.phrase("next month") - cursor.phrase("this month")
    cursor.among(("on",))
    found = None if month_first else month_day(cursor)
    if found is not None:
        year = today.year + 1 if next_year or cursor.phrase("next year") else _year_behind(cursor)
        return Days(next_dates([found], year, today))
    cursor.among(("the",))
    token = cursor.take("ordinal") if not next_year else None
    if token is not None and cursor.peek().text not in WEEKDAYS:
        if not month_first:
            month_first = cursor.phrase("of next month", "next month") - cursor.phrase("of this month", "this month")
        if month_first:
            first = shifted(today.replace(day=1), int(month_first > 0), 0)
            return Days(next_dates([(first.month, token.number)], first.year, today))
        if not cursor.phrase("of the month", "of every month"):
            return Days((_coming(token.number, today),), again="month")
    cursor.place = start
    return None


def nth_of_month(cursor: Cursor, today: date) -> Days | None:
    """The first monday of next month, the last friday of march 2027.

    Raises:
        Refused: one that may come once or again and again, such as "the first monday of march".
    """
    start = cursor.place
    cursor.among(("the",))
    place = _place_in_month(cursor)
    weekday = WEEKDAYS.get(cursor.peek().text)
    if place is None or weekday is None:
        cursor.place = start
        return None
    cursor.place += 1
    led = cursor.among(("of", "in"))
    ahead = cursor.phrase("next month", "the next month") - cursor.phrase("this month")
    if ahead:
        return Days((_nth(shifted(today.replace(day=1), int(ahead > 0), 0), place, weekday),))
    month = month_name(cursor) if led else None
    year = None if month is None else year_number(cursor)
    if month is not None and year is not None:
        return Days((_nth(date(year, month, 1), place, weekday),))
    if (led and month is None) or (place == -1 and not led):
        cursor.place = start
        return None
    said = f"the {PLACES[place]} {DAY_NAMES[weekday]}"
    again = f"every month on {said}" if month is None else f"every year on {said} of {MONTH_NAMES[month - 1]}"
    raise Refused(
        f"{said} can be once or {again.partition(' on ')[0]}",
        (cursor.swapped(start, _next_nth(today, month, place, weekday).isoformat()), cursor.swapped(start, again)),
    )


def _place_in_month(cursor: Cursor) -> int | None:
    if cursor.among(("last",)):
        return -1
    if cursor.among(("second",)):
        return 2
    token = cursor.take("ordinal")
    return token.number if token is not None and token.number in PLACES else None


def _nth(first: date, place: int, weekday: int) -> date:
    """The weekday in the month that begins with ``first``. Raises Refused where the month has no fifth."""
    if place == -1:
        last = last_of_month(first)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    found = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (place - 1))
    if found.month != first.month:
        raise Refused(f"{MONTH_NAMES[first.month - 1]} {first.year} has no fifth {DAY_NAMES[weekday]}")
    return found


def _next_nth(today: date, month: int | None, place: int, weekday: int) -> date:
    """The next such weekday from today on, in this month of the year or in any."""
    for ahead in range(12 * 12):
        first = shifted(today.replace(day=1), ahead, 0)
        if month in (None, first.month):
            try:
                found = _nth(first, place, weekday)
            except Refused:
                continue
            if found >= today:
                return found
    raise Refused("that never comes")


def named_weekday(cursor: Cursor) -> int | None:
    """Read a weekday's name, also in the plural."""
    number = WEEKDAYS.get(cursor.peek().text, PLURAL_DAYS.get(cursor.peek().text))
    if number is not None:
        cursor.place += 1
    return number


def last_of_month(first: date) -> date:
    """The last day of the month of a date."""
    return first.replace(day=monthrange(first.year, first.month)[1])


def month_name(cursor: Cursor) -> int | None:
    """Read a month's name."""
    month = MONTHS.get(cursor.peek().text)
    if month is not None:
        cursor.place += 1
    return month


def is_year(number: int) -> bool:
    """Whether a number may be a year that words reach."""
    return number in _YEARS


def year_number(cursor: Cursor) -> int | None:
    """Read a year of four figures."""
    token = cursor.peek()
    if token.kind == "number" and len(token.text) == 4 and token.number in _YEARS and not _hours_behind(cursor):
        cursor.place += 1
        return token.number
    return None


def _hours_behind(cursor: Cursor) -> bool:
    """Whether four figures are a time of day: 1930 hours."""
    return cursor.peek(1).text in HOURS


def _year_behind(cursor: Cursor) -> int | None:
    """The year behind a month and a day, if one is written. Raises Refused for one of two figures, or out of bounds."""
    place = cursor.place
    cursor.among((",", "-"))
    year = year_number(cursor)
    if year is not None:
        return year
    token = cursor.peek()
    if token.kind == "number" and len(token.text) == 2 and token.number >= 24 and not token.spoken:
        cursor.place += 1
        words = cursor.swapped(cursor.place - 1, f"20{token.text}")
        raise Refused("a year has four figures", (words,))
    if token.kind == "number" and len(token.text) == 4 and not _hours_behind(cursor):
        cursor.place += 1
        words = cursor.swapped(cursor.place - 1, f"at {token.text}")
        raise Refused(_out_of_bounds(token.number), (words,))
    cursor.place = place
    return None


def missing(month: int, number: int, year: int | None) -> Refused:
    """The refusal of a day that a month lacks."""
    name = MONTH_NAMES[month - 1]
    if year is not None:
        last, name = ordinal(monthrange(year, month)[1]), f"{name} {year}"
    else:
        last = "28th (29th in leap years)" if month == 2 else ordinal(monthrange(2001, month)[1])
    return Refused(f"{number} {name} does not exist; the last day of {name} is the {last}")


def _out_of_bounds(year: int) -> str:
    return f"{year} is not within the years {_YEARS.start} to {_YEARS.stop - 1}"


def orders_of(token: Token, first: int, second: int) -> list[tuple[int, int]]:
    """What two figures may be as (month, day). Dots put the day first; with slashes either may stand first, unless it is
    known which, and a date can be made of them that way."""
    day_first, month_first = (second, first), (first, second)
    if token.kind == "dots":
        return [day_first]
    if token.order is None:
        return [day_first, month_first]
    known, other = (day_first, month_first) if token.order == "day" else (month_first, day_first)
    return [known] if 1 <= known[0] <= 12 and 1 <= known[1] <= 31 else [other]


def _figures(token: Token, today: date) -> tuple[date, ...]:
    """Dates of figures."""
    text = token.text
    if token.kind == "iso":
        first, second, third = map(int, text.replace(".", "-").split("-"))
        return next_dates([(second, third)], first, today)
    parts = [int(part) for part in text.strip(".").replace("/", ".").replace("-", ".").split(".")]
    if len(str(parts[0])) > 2:
        return next_dates([(parts[1], parts[2])] if len(parts) == 3 else [], parts[0], today)
    year = None if len(parts) < 3 else parts[2] + (2000 if parts[2] < 100 else 0)
    if year is not None and parts[2] < 100 and year > today.year + _FAR:
        raise Refused("a year has four figures")
    return next_dates(orders_of(token, parts[0], parts[1]), year, today)


def next_dates(orders: Iterable[tuple[int, int]], year: int | None, today: date) -> tuple[date, ...]:
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
        if not pairs:
            raise Refused(
                "a date of these figures does not exist; write day and month, such as 31 december or 2026-12-31"
            )
        month, number = pairs[0]
        if year is not None and year not in _YEARS:
            raise Refused(_out_of_bounds(year))
        raise missing(month, number, year)
    return tuple(found)


def _coming(number: int, today: date) -> date:
    """The next day of the month with that number."""
    if not 1 <= number <= 31:
        raise Refused(f"no month has a day {number}")
    first = today.replace(day=1)
    while number > monthrange(first.year, first.month)[1] or first.replace(day=number) < today:
        first = shifted(first, 1, 0)
    return first.replace(day=number)
