"""Clauses of a recurring phrase that name days: on mondays, the 1st and 15th, the last friday, except sunday."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from typing import Final

from core.timing.grammar.dates import TO, days_in_month, missing, month_day, named_weekday, orders_of
from core.timing.grammar.draft import Draft, take_unit, take_weekdays
from core.timing.grammar.once import Now
from core.timing.grammar.times import time_of_day
from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import DAY_NAMES, MONTH_NAMES, MONTHS, UNITS, WEEKDAYS, ordinal
from core.timing.recurrence import WEEKDAYS as WEEKDAYS_OF_RULES

_WORKING: Final = ",".join(WEEKDAYS_OF_RULES[:5])
_MOST_FROM_THE_END: Final = 4
"""Places that every month has."""
_OF_MONTH: Final = ("of the month", "of every month", "of each month", "of month", "of a month", "in the month")
_WORKDAYS: Final = (0, 1, 2, 3, 4)
_WEEKEND: Final = (5, 6)
_DAY_GROUPS: Final = {
    "weekday": _WORKDAYS,
    "weekdays": _WORKDAYS,
    "workday": _WORKDAYS,
    "workdays": _WORKDAYS,
    "weekend": _WEEKEND,
    "weekends": _WEEKEND,
}


def on_days(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """On mondays, on weekdays, on the 15th, the last day, the first monday, on 29 february."""
    start = cursor.place
    if cursor.among(("on", "in", "at")) and cursor.peek(1).text in WEEKDAYS:
        cursor.among(("a",))
    if yearly(cursor, draft) or month_places(cursor, draft) or group(cursor, draft) or weekdays(cursor, draft):
        return True
    cursor.place = start
    return False


def group(cursor: Cursor, draft: Draft) -> bool:
    """Weekday, weekend, working day, and their plurals."""
    group = cursor.among(_DAY_GROUPS)
    if group == "weekend":
        cursor.among(("day", "days"))
    if group is None and cursor.phrase(
        "working day", "working days", "business day", "business days", "work day", "work days"
    ):
        group = "weekday"
    if group is None:
        return False
    take_weekdays(draft, _DAY_GROUPS[group])
    return True


def yearly(cursor: Cursor, draft: Draft) -> bool:
    """29 february, march 3rd: once a year, unless more years were said."""
    found = _figures(cursor) or month_day(cursor)
    if found is None:
        return False
    if draft.has_days:
        raise Refused("the words name the day twice")
    draft.month, draft.month_days = found[0], (found[1],)
    if draft.unit != "year":
        take_unit(draft, "year", 1)
    return True


def _figures(cursor: Cursor) -> tuple[int, int] | None:
    """A month and a day in figures, 25.12. or 12/25. Raises Refused where both may be the month."""
    token = cursor.take("dots") or (cursor.take("slashes") if cursor.peek(1).text not in UNITS else None)
    if token is None:
        return None
    start = cursor.place - 1
    figures = [int(figure) for figure in token.text.strip(".").replace("-", "/").replace(".", "/").split("/")]
    orders = orders_of(token, *figures) if len(figures) == 2 else []
    fitting = {(month, number) for month, number in orders if 1 <= month <= 12}
    words = tuple(f"{number} {MONTH_NAMES[month - 1]}" for month, number in sorted(fitting))
    if not words:
        raise Refused(f"{token.text!r} is no day that comes every year; write day and month, such as 25 december")
    if len(words) > 1:
        offers = tuple(cursor.swapped(start, named) for named in words)
        raise Refused(f"{token.text!r} can be {' or '.join(words)}", offers)
    month, number = fitting.pop()
    if not 1 <= number <= monthrange(2000, month)[1]:
        raise missing(month, number, None)
    return month, number


def month_places(cursor: Cursor, draft: Draft) -> bool:
    """The 15th, the 1st and 15th, the last day, the first and third monday, the last weekday, and in which month."""
    start = cursor.place
    days: list[int] = []
    nth: list[tuple[int, int]] = []
    last = False
    _refuse_from_the_end(cursor, draft)
    while not last and (places := _places(cursor)):
        weekday = named_weekday(cursor)
        working = cursor.stands("weekday", "workday", "working day", "business day")
        if working and places not in ([-1], []):
            raise _only_as_rule(
                cursor, draft, "a working day other than the last", f"BYDAY={_WORKING};BYSETPOS={places[0]}"
            )
        if weekday is not None:
            nth += [(nth_weekday(place), weekday) for place in places]
        elif places == [-1] and (cursor.among(("weekday", "workday")) or cursor.phrase("working day", "business day")):
            last = True
        elif cursor.among(("day", "days")) or -1 not in places:
            _refuse_of_week(cursor, start, places)
            days += places
        else:
            raise Refused("say what the last one is: the last day, the last weekday or the last friday")
        _next_in_list(cursor, lambda at: _place(at) is not None)
    if not (days or nth or last):
        cursor.place = start
        return False
    if len(draft.weekdays) == len(days) == 1 and not nth:
        rule = f"BYDAY={WEEKDAYS_OF_RULES[draft.weekdays[0]]};BYMONTHDAY={days[0]}"
        raise _only_as_rule(cursor, draft, f"a {DAY_NAMES[draft.weekdays[0]]} that is the {ordinal(days[0])}", rule)
    if draft.has_days or bool(days) + bool(nth) + last > 1:
        raise Refused("the words name the day in two ways")
    draft.month_days, draft.nth, draft.last_weekday = month_days(days), tuple(sorted(set(nth))), last
    unit_of_places(cursor, draft)
    return True


def month_days(days: list[int]) -> tuple[int, ...]:
    """Days of a month in order; the last is -1. Raises Refused for one that no month has."""
    if not all(-1 <= number <= 31 and number for number in days):
        raise Refused("no month has that day")
    return tuple(sorted(set(days)))


def _refuse_from_the_end(cursor: Cursor, draft: Draft) -> None:
    """The second to last day, the penultimate friday. Raises Refused."""
    start = cursor.place
    cursor.among(("the",))
    place = _place_from_the_end(cursor)
    if place is not None:
        weekday = named_weekday(cursor)
        if weekday is not None:
            raise _only_as_rule(
                cursor, draft, "a weekday before the last", f"BYDAY=-{place}{WEEKDAYS_OF_RULES[weekday]}"
            )
        if cursor.among(("day",)) or cursor.done or cursor.stands(*_OF_MONTH):
            raise _only_as_rule(cursor, draft, "a day before the last", f"BYMONTHDAY=-{place}")
    cursor.place = start


def _refuse_of_week(cursor: Cursor, start: int, places: list[int]) -> None:
    """The first day of the week, which is not the same everywhere. Raises Refused."""
    if cursor.phrase("of the week", "of every week", "of each week"):
        led = start > 0 and cursor.tokens[start - 1].text in ("every", "each")
        names = [DAY_NAMES[place - (place > 0)] for place in places if place and place <= len(DAY_NAMES)]
        words = (name if led else f"every {name}" for name in names)
        raise Refused("a day of the week goes by its name", tuple(cursor.swapped(start, name) for name in words))


def _place_from_the_end(cursor: Cursor) -> int | None:
    """The place in second to last, third last, penultimate."""
    if cursor.phrase("penultimate", "next to last"):
        return 2
    token = cursor.take("ordinal")
    place = token.number if token is not None else 2 if cursor.among(("second",)) else 0
    if cursor.phrase("last", "to last", "- to - last", "- last") and 2 <= place <= _MOST_FROM_THE_END:
        return place
    return None


def _only_as_rule(cursor: Cursor, draft: Draft, what: str, days: str) -> Refused:
    """The refusal of days that only a recurrence rule can say, offering it where no other word would be lost."""
    cursor.among(("weekday", "workday", "day", "working", "business"))
    cursor.among(("day",))
    cursor.phrase(*_OF_MONTH)
    rule = f"RRULE:FREQ=MONTHLY;{days}"
    time = draft.times[0] if len(draft.times) == 1 else time_of_day(cursor, led=True)
    if time is not None and not time.either:
        rule += f";BYHOUR={time.second // 3600};BYMINUTE={time.second // 60 % 60}"
    alone = cursor.done and len(draft.times) < 2 and draft.start is None and draft.count is None
    return Refused(f"{what} is said with a recurrence rule: {rule}", (rule,) if alone else ())


def unit_of_places(cursor: Cursor, draft: Draft) -> None:
    """Days of the month repeat monthly, in a named month yearly, unless a longer step was said."""
    cursor.phrase("or the last day", ", or the last day")
    month = MONTHS.get(cursor.peek(1).text) if cursor.peek().text in ("of", "in") else None
    if month is not None:
        cursor.place += 2
        draft.month = month
    if draft.unit not in ("month", "year"):
        take_unit(draft, "month" if month is None else "year", 1)


def _places(cursor: Cursor) -> list[int]:
    """One or more ordinals in a row: the first and third."""
    places: list[int] = []
    while (place := _place(cursor)) is not None:
        places.append(place)
        here = cursor.place
        last = _place(cursor) if cursor.among(TO) else None
        if last is not None and 0 < place < last:
            places += range(place + 1, last + 1)
        else:
            cursor.place = here
        if not _next_in_list(cursor, lambda at: _place(at) is not None):
            break  # "second last" is one place, and none that a rule of ours has
    return places


def _place(cursor: Cursor) -> int | None:
    """An ordinal, with or without its article; the last is -1."""
    start = cursor.place
    cursor.among(("the",))
    if cursor.among(("last",)):
        return -1
    if cursor.peek().text == "second" and cursor.peek(1).text in (*WEEKDAYS, "day", "and", ","):
        cursor.place += 1
        return 2
    behind = (cursor.peek(1).text, cursor.peek(2).text) if cursor.peek().kind == "number" else ("", "")
    of_month = behind[0] == "of" and behind[1] in ("the", "every", "each", "month")
    token = cursor.take("ordinal", "number") if of_month else cursor.take("ordinal")
    if token is None:
        cursor.place = start
        return None
    return token.number


def nth_weekday(number: int) -> int:
    """The ordinal of a weekday in its month. Raises Refused above five."""
    if number > 5:
        raise Refused("a month has no more than five of each weekday")
    return number


def of_the_month(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Of the month, of every month: it belongs to a day that was named before it."""
    if not cursor.phrase(*_OF_MONTH):
        return False
    if not (draft.month_days or draft.nth or draft.last_weekday):
        raise Refused("say which day of the month")
    return True


def weekday_span(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """From monday to friday, between monday and friday."""
    start = cursor.place
    word = cursor.among(("from", "between"))
    first = named_weekday(cursor) if word else None
    joined = first is not None and cursor.among(
        ("and",) if word == "between" else ("to", "through", "thru", "till", "until", "-")
    )
    last = named_weekday(cursor) if joined else None
    if first is None or last is None:
        cursor.place = start
        return False
    take_weekdays(draft, _span(first, last))
    return True


def day_span(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """From the 1st to the 5th of every month; elsewhere such days are a start and an end."""
    start = cursor.place
    word = cursor.among(("from", "between"))
    places = _places(cursor) if word and days_in_month(cursor) is None else []
    if word == "between" and len(places) == 2:
        places = list(range(places[0], places[1] + 1))
    monthly = cursor.stands(*_OF_MONTH) or (draft.unit == "month" and not draft.has_days)
    if len(places) < 2 or not monthly:
        cursor.place = start
        return False
    if draft.has_days:
        raise Refused("the words name the day twice")
    draft.month_days = month_days(places)
    unit_of_places(cursor, draft)
    return True


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(sorted((first + step) % 7 for step in range((last - first) % 7 + 1)))


def weekdays(cursor: Cursor, draft: Draft) -> bool:
    """Monday, wed and fri; monday to thursday."""
    found = weekday_list(cursor)
    if not found:
        return False
    take_weekdays(draft, found)
    return True


def weekday_list(cursor: Cursor) -> tuple[int, ...]:
    """Names of weekdays in a list or a span, in order."""
    found: list[int] = []
    while (weekday := named_weekday(cursor)) is not None:
        found.append(weekday)
        start = cursor.place
        if cursor.among(("to", "through", "thru", "till", "-")):
            last = named_weekday(cursor)
            if last is None:
                cursor.place = start
            else:
                found += _span(weekday, last)
        _next_in_list(cursor, lambda at: named_weekday(at) is not None)
    return tuple(sorted(set(found)))


def _next_in_list(cursor: Cursor, another: Callable[[Cursor], bool]) -> bool:
    """Step over a comma, ``and`` or both, if another item of the list stands behind; whether one does."""
    start = cursor.place
    separated = cursor.among((",", "/")) is not None
    separated = cursor.among(("and", "&")) is not None or separated
    if separated:
        cursor.among(("on", "every", "each"))
    here = cursor.place
    follows = another(cursor)
    cursor.place = here if follows and separated else start
    return follows and separated


def except_days(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Except sunday, but not on weekends."""
    if not (
        cursor.among(("except", "excluding", "without"))
        or cursor.phrase("but not", "but", "not", "apart from", "other than")
    ):
        return False
    cursor.among(("for",))
    cursor.among(("on", "the"))
    group = cursor.among(_DAY_GROUPS)
    days = _DAY_GROUPS[group] if group is not None else weekday_list(cursor)
    if not days or draft.except_days:
        raise Refused(
            "after 'except' name weekdays, once; holidays and single days are left out by a calendar beside the words, "
            "or by skipping them when they come"
        )
    draft.except_days = days
    return True
