"""Days, as people name them: tomorrow, next friday, the 15th, 3 march 2027, end of month."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from core.timing.grammar.dates import Days, dated, last_of_month, month_name, nth_of_month, shifted, year_number
from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import DAY_NAMES, MONTHS, PERIODS, TODAY, TOMORROW, WEEKDAYS

_SHORT_ENDS: Final = {"eow": "week", "eom": "month", "eoq": "quarter", "eoy": "year"}
_WEEK: Final = timedelta(days=7)


def day(cursor: Cursor, today: date) -> Days | None:
    """Read a day.

    Raises:
        Refused: a day that does not exist, such as 31 February.
    """
    start = cursor.place
    cursor.among(("on", "at", "by"))
    for read in (_near, _weekend, _coming_unit, _edge, nth_of_month, _weekday, dated):
        found = read(cursor, today)
        if found is not None:
            return found if found.period else found._replace(period=_part(cursor))
    cursor.place = start
    return None


def _near(cursor: Cursor, today: date) -> Days | None:
    tomorrow = today + timedelta(days=1)
    if cursor.phrase("overmorrow") or _after_tomorrow(cursor):
        return _with_period(cursor, tomorrow + timedelta(days=1))
    if cursor.among(TODAY):
        return _with_period(cursor, today)
    if cursor.among(TOMORROW):
        return _with_period(cursor, tomorrow)
    if cursor.phrase("the day before yesterday", "day before yesterday"):
        return Days((today - timedelta(days=2),), again="day")
    if cursor.among(("yesterday",)):
        return _with_period(cursor, today - timedelta(days=1))
    if cursor.phrase("last night"):
        return Days((today - timedelta(days=1),), period="night", again="day")
    if cursor.among(("tonight", "tonite")) or cursor.phrase("this night"):
        return Days((today,), period="night", again="day")
    for period in ("morning", "afternoon", "evening"):
        if cursor.phrase(f"this {period}"):
            return Days((today,), period=period, again="day")
    return None


def _after_tomorrow(cursor: Cursor) -> bool:
    start = cursor.place
    if cursor.phrase("the day after", "day after") and cursor.among(TOMORROW):
        return True
    cursor.place = start
    return False


def _with_period(cursor: Cursor, named: date) -> Days:
    """A day, with the part of it or the weeks that may follow: tomorrow evening, tomorrow week."""
    if cursor.among(("week",)):
        return Days((named + _WEEK,), period=_part(cursor))
    return Days((named,), period=_part(cursor), again="day")


def _part(cursor: Cursor) -> str | None:
    """The part of the day that follows a day: evening, in the evening."""
    named = cursor.among(PERIODS)
    return named or next((part for part in PERIODS[:3] if cursor.phrase(f"in the {part}")), None)


def _weekend(cursor: Cursor, today: date) -> Days | None:
    """This weekend, next weekend: days enough to have to ask."""
    start = cursor.place
    way = cursor.among(("this", "the", "next", "coming"))
    if way in ("the", "this"):
        way = cursor.among(("next", "coming")) or way
    if not cursor.among(("weekend",)):
        cursor.place = start
        return None
    saturday = today + timedelta(days=5 - today.weekday())
    sunday = saturday + timedelta(days=1)
    if way != "next":
        return Days((saturday, sunday), again="week", asks="a weekend has two days; say which one")
    coming = (saturday,) if today < saturday else ()
    return Days(
        (*coming, saturday + _WEEK, sunday + _WEEK),
        asks="a weekend has two days, and the next one may be this week's; say which one",
    )


def _coming_unit(cursor: Cursor, today: date) -> Days | None:
    """Next week, next month, next year, the week after next, where no day of it is named; the next day."""
    start = cursor.place
    cursor.among(("the",))
    if cursor.phrase("next day", "following day"):
        return _with_period(cursor, today + timedelta(days=1))
    if cursor.phrase("week after next"):
        dates = {today + timedelta(days=14 - today.weekday()), today + 2 * _WEEK}
        return Days(tuple(sorted(dates)), asks="the week after next has many days; say which one")
    unit = cursor.among(("week", "month", "year")) if cursor.among(("next", "coming", "following")) else None
    if unit is None or cursor.peek().text in ("on", *WEEKDAYS, *MONTHS):
        cursor.place = start
        return None
    if unit == "week":
        dates = {today + timedelta(days=7 - today.weekday()), today + _WEEK}
    else:
        first = shifted(today.replace(day=1), 1, 0) if unit == "month" else date(today.year + 1, 1, 1)
        dates = {first, shifted(today, 1 if unit == "month" else 12, 0)}
    return Days(tuple(sorted(dates)), asks=f"next {unit} has many days; say which one")


def _edge(cursor: Cursor, today: date) -> Days | None:
    """The end of a week, month, quarter or year; the beginning of one that is still to come."""
    start = cursor.place
    of = _SHORT_ENDS.get(cursor.peek().text)
    if of is not None:
        cursor.place += 1
        return _last(of, today, 0)
    cursor.among(("at", "by"))
    cursor.among(("the",))
    for unit in ("week", "month", "quarter", "year"):
        if cursor.phrase(f"{unit} end", f"{unit} - end"):
            return _last(unit, today, 0)
    edge = cursor.among(("end", "start", "beginning")) or ("end" if cursor.phrase("last day") else None)
    if edge is None and cursor.peek().kind == "ordinal" and cursor.phrase("1 day"):
        edge = "start"
    found = _edge_of(cursor, today, edge) if edge and cursor.among(("of", "in")) else None
    if found is None:
        cursor.place = start
    return found


def _edge_of(cursor: Cursor, today: date, edge: str) -> Days | None:
    month = month_name(cursor)
    if month is not None:
        year = year_number(cursor)
        found = [last_of_month(date(year or today.year + ahead, month, 1)) for ahead in (0, 1)]
        if edge != "end":
            found = [last.replace(day=1) for last in found]
        return Days((found[0] if year or found[0] >= today else found[1],))
    way = cursor.among(("the", "this", "next"))
    of = cursor.among(("week", "month", "quarter", "year"))
    if of is not None and edge == "end":
        return _last(of, today, int(way == "next"))
    if of is not None and way == "next":
        return Days((_last(of, today, 0).dates[0] + timedelta(days=1),))
    return None


def _last(of: str, today: date, ahead: int) -> Days:
    if of == "week":
        return Days((today + timedelta(days=6 - today.weekday() + 7 * ahead),))
    if of == "year":
        return Days((date(today.year + ahead, 12, 31),))
    months = ahead if of == "month" else (2 - (today.month - 1) % 3) + 3 * ahead
    return Days((last_of_month(shifted(today.replace(day=1), months, 0)),))


def _weekday(cursor: Cursor, today: date) -> Days | None:
    start = cursor.place
    ahead = cursor.phrase("next week")
    if ahead:
        cursor.among(("on",))
    if cursor.peek(1).text in ("next", "coming", "upcoming"):
        cursor.among(("the",))
    which = cursor.among(("this", "next", "coming", "upcoming", "last"))
    which = cursor.among(("coming", "upcoming")) or which if which == "this" else which
    number = WEEKDAYS.get(cursor.peek().text)
    if number is None:
        cursor.place = start
        return None
    cursor.place += 1
    written = _dated_behind(cursor, today, number)
    if written is not None and not which:
        return written
    coming = today + timedelta(days=(number - today.weekday()) % 7)
    period = _part(cursor)
    in_this_week = today + timedelta(days=number - today.weekday())
    if ahead or cursor.phrase("next week", "of next week", ", next week"):
        return Days((in_this_week + _WEEK,), period=period)
    if cursor.phrase("this week", "of this week", ", this week"):
        return Days((in_this_week,), period=period, again="week")
    if cursor.phrase("after next"):
        return Days((coming + _WEEK, coming + 2 * _WEEK), period=period)
    weeks = _weeks_on(cursor)
    if weeks:
        return Days(tuple(named + weeks * _WEEK for named in _which(which, coming, today)), period=period)
    return Days(_which(which, coming, today), period=period, again="week")


def _weeks_on(cursor: Cursor) -> int:
    """How many weeks after its next one a weekday is meant: friday week, friday in 2 weeks, friday fortnight."""
    start = cursor.place
    led = cursor.among(("in",)) is not None
    token = cursor.take("number") if led else None
    if led and token is None and not cursor.among(("a",)):
        cursor.place = start
        return 0
    unit = cursor.among(("week", "weeks", "fortnight"))
    if unit is None or not 0 < (token.number if token else 1) < 100:
        cursor.place = start
        return 0
    return (token.number if token else 1) * (2 if unit == "fortnight" else 1)


def _which(which: str | None, coming: date, today: date) -> tuple[date, ...]:
    """The dates that "this", "next" or "last" and a weekday may mean.

    "Next friday" is the first one to come. Said on a thursday it may be tomorrow or the week after; said on a friday
    it is never today. "Friday" said on a friday may be today or in a week.
    """
    if which == "last":
        return (coming - _WEEK,)
    if coming == today:
        return {"next": (coming + _WEEK,), "this": (coming,)}.get(which or "", (coming, coming + _WEEK))
    if which == "next" and coming - today == timedelta(days=1):
        return coming, coming + _WEEK
    return (coming,)


def _dated_behind(cursor: Cursor, today: date, weekday: int) -> Days | None:
    """The date behind a weekday's name, which must fall on it: friday, 20 november 2026."""
    start = cursor.place
    cursor.among((",",))
    cursor.among(("the",))
    kinds = ("ordinal", "number", "word", "iso", "slashes", "dots")
    if cursor.peek().kind not in kinds or cursor.peek(1).text == "thing":  # monday, first thing
        cursor.place = start
        return None
    found = dated(cursor, today)
    if found is None:
        cursor.place = start
        return None
    fitting = tuple(named for named in found.dates if named.weekday() == weekday)
    if not fitting:
        named = found.dates[0]
        offers = (
            [named, *_that_number(named, weekday)] if cursor.tokens[cursor.place - 1].kind == "ordinal" else [named]
        )
        raise Refused(
            f"{named.isoformat()} is a {DAY_NAMES[named.weekday()]}, not a {DAY_NAMES[weekday]}",
            tuple(cursor.swapped(start - 1, offer.isoformat()) for offer in offers),
        )
    return Days(fitting)


def _that_number(named: date, weekday: int) -> list[date]:
    """The next date with this number of the month that falls on the weekday: friday the 13th."""
    for ahead in range(12 * 28):
        found = shifted(named.replace(day=1), ahead, 0)
        if last_of_month(found).day >= named.day and found.replace(day=named.day).weekday() == weekday:
            return [found.replace(day=named.day)]
    return []
