"""Recurring times, as people say them: every weekday at 9, every other friday, the last day of the month at 6pm.

A phrase is a row of clauses in any order: how often, on which days, at which times, between which hours, from when and
until when. Every clause fills its part of a ``Draft``; a part said twice refuses the phrase, as does a word left over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from core.timing.grammar.days import month_day, named_weekday
from core.timing.grammar.once import Moment, Now, on_a_day
from core.timing.grammar.times import DAY_SECONDS, Time, in_period, length, time_of_day
from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.grammar.vocabulary import DAY_NAMES, MONTHS, PERIODS, PLURAL_DAYS, UNITS, WEEKDAYS, ordinal
from core.timing.series import Series

_WORKDAYS: Final = (0, 1, 2, 3, 4)
_WEEKEND: Final = (5, 6)
_PERIOD_TIMES: Final = {"morning": 9 * 3600, "afternoon": 15 * 3600, "evening": 18 * 3600, "night": 21 * 3600}
_ADVERBS: Final = {
    "hourly": ("hour", 1),
    "daily": ("day", 1),
    "weekly": ("week", 1),
    "fortnightly": ("week", 2),
    "monthly": ("month", 1),
    "quarterly": ("month", 3),
    "yearly": ("year", 1),
    "annually": ("year", 1),
}
_DAY_GROUPS: Final = {
    "weekday": _WORKDAYS,
    "weekdays": _WORKDAYS,
    "workday": _WORKDAYS,
    "workdays": _WORKDAYS,
    "weekend": _WEEKEND,
    "weekends": _WEEKEND,
}
_HEADS: Final = {"every", "each", *_ADVERBS, *PLURAL_DAYS, "weekdays", "weekends", "workdays", "repeat", "repeating"}
_PER_UNIT: Final = {"second": 1, "minute": 60, "hour": 3600}


class Draft(msgspec.Struct):
    """What the clauses read so far have said."""

    unit: str | None = None
    every: int = 1
    times: list[Time] = []
    period: str | None = None
    window: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()
    except_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()
    last_weekday: bool = False
    month: int | None = None
    of_the_month: bool = False
    on_the_clock: bool = False
    start: Moment | None = None
    until: Moment | None = None
    count: int | None = None

    @property
    def has_days(self) -> bool:
        return bool(self.weekdays or self.month_days or self.nth or self.last_weekday or self.except_days)


class Recurring(msgspec.Struct, frozen=True):
    """A recurring time: the series, its bounds, and what nobody said."""

    series: Series
    start: Moment | None = None
    until: Moment | None = None
    count: int | None = None
    defaulted_time: bool = False
    defaulted_day: bool = False


def recurs(tokens: tuple[Token, ...]) -> bool:
    """Whether the words are about something that comes again."""
    words = [token.text for token in tokens]
    if any(word in _HEADS for word in words):
        return True
    if sum(word in WEEKDAYS for word in words) > 1:
        return True
    joined = f" {' '.join(words)} "
    monthly = any(f" {phrase} " in joined for phrase in ("of the month", "of month", "once a"))
    return monthly and not {"end", "start", "beginning"} & set(words)


def recurring(cursor: Cursor, now: Now, *, alone: bool = False) -> Recurring:
    """Read a recurring time from the whole cursor; with ``alone`` a bare length such as 15m means "every 15 minutes".

    Raises:
        Refused: a clause is not understood, stands twice, or does not go with the others.
    """
    draft = Draft()
    if alone and _repeated_length(cursor, draft):
        return _finished(draft, now)
    clauses: tuple[Callable[[Cursor, Draft, Now], bool], ...] = (
        _between, _bounds, _head, _adverb, _of_the_month, _on_the_clock, _except, _on_days, _times,
    )  # fmt: skip
    while not cursor.done:
        if cursor.among((",",)):
            continue
        if not any(clause(cursor, draft, now) for clause in clauses):
            known = "in these words" if cursor.place else "as a repetition; try 'every day at 9'"
            raise Refused(f"{cursor.rest()!r} is not understood {known}")
    return _finished(draft, now)


def _repeated_length(cursor: Cursor, draft: Draft) -> bool:
    start = cursor.place
    if _length(cursor, draft) and cursor.done:
        return True
    cursor.place = start
    return False


def _head(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001 - clauses share one shape
    """Every 15 minutes, every other friday, every 2nd day, every monday and thursday, every 29 february, every day."""
    start = cursor.place
    if cursor.phrase("once a", "once an", "once per") or cursor.phrase("once every", "repeat every", "repeating every"):
        pass
    elif not cursor.among(("every", "each")):
        return False
    cursor.among(("single",))
    if _yearly(cursor, draft) or _ordinal_head(cursor, draft) or _group(cursor, draft) or _length(cursor, draft):
        return True
    period = cursor.among(PERIODS)
    if period is not None:
        _unit(draft, "day", 1)
        draft.period = period
        return True
    if _weekdays(cursor, draft):
        return True
    cursor.place = start
    return False


def _ordinal_head(cursor: Cursor, draft: Draft) -> bool:
    """Every other week, every second friday, every 3rd day, every last friday, every 15th."""
    start = cursor.place
    other = cursor.among(("other", "second")) if _unit_or_weekday(cursor.peek(1)) else None
    if other is None and cursor.peek().text == "last":
        return _month_places(cursor, draft)
    token = cursor.take("ordinal") if other is None else None
    number = 2 if other else token.number if token else 0
    if not number:
        return False
    unit = UNITS.get(cursor.peek().text)
    if unit is not None:
        cursor.place += 1
        _steps(draft, unit, number)
        return True
    weekday = named_weekday(cursor)
    if weekday is None:
        cursor.place = start
        return _month_places(cursor, draft)
    if cursor.peek().text in ("of", "in") or number == 1:
        draft.nth += ((_ordinal(number), weekday),)
        _unit(draft, "month", 1)
        return True
    if number > 2:
        nth, name, rest = ordinal(number), DAY_NAMES[weekday], cursor.rest()
        weeks, month = f"every {number} weeks on {name} {rest}", f"every month on the {nth} {name} {rest}"
        raise Refused(f"every {nth} {name} can be every {number} weeks or once a month", (weeks, month))
    _unit(draft, "week", number)
    draft.weekdays = (weekday,)
    return True


def _unit_or_weekday(token: Token) -> bool:
    return token.kind == "word" and (token.text in WEEKDAYS or token.text in UNITS)


def _adverb(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Daily, weekly, mondays, weekdays, nightly."""
    if cursor.among(("nightly",)):
        _unit(draft, "day", 1)
        draft.period = "night"
        return True
    adverb = cursor.among(_ADVERBS)
    if adverb is None:
        return False
    unit, number = _ADVERBS[adverb]
    _steps(draft, unit, number)
    return True


def _length(cursor: Cursor, draft: Draft) -> bool:
    """15 minutes, 2 weeks, 1h30m, or a unit alone."""
    unit = UNITS.get(cursor.peek().text) if cursor.peek().kind == "word" else None
    if unit is not None:
        cursor.place += 1
        if unit in ("hour", "minute") and cursor.phrase("and a half"):
            _steps(draft, "second", _PER_UNIT[unit] * 3 // 2)
        else:
            _steps(draft, unit, 1)
        return True
    span = length(cursor)
    if span is None:
        return False
    parts = [(name, number) for name, number in zip(("month", "day", "second"), span, strict=True) if number]
    if not parts:
        raise Refused("a repetition needs some time in between")
    if len(parts) > 1:
        raise Refused("a repetition is counted in one kind of unit: hours and minutes, or days, weeks, months or years")
    unit, number = parts[0]
    if unit == "day" and number % 7 == 0:
        unit, number = "week", number // 7
    if unit == "month" and number % 12 == 0:
        unit, number = "year", number // 12
    _steps(draft, unit, number)
    return True


def _steps(draft: Draft, unit: str, number: int) -> None:
    if unit in _PER_UNIT:
        unit, number = "second", number * _PER_UNIT[unit]
    elif unit in ("fortnight", "quarter"):
        unit, number = ("week", 2 * number) if unit == "fortnight" else ("month", 3 * number)
    if not 0 < number <= 36_525 * DAY_SECONDS or (unit != "second" and number > 1_200):
        raise Refused("a repetition comes at least once in a hundred years, and after some time")
    _unit(draft, unit, number)


def _unit(draft: Draft, unit: str, number: int) -> None:
    if draft.unit is not None and (draft.unit, draft.every) != (unit, number):
        raise Refused("the words say in two ways how often it comes")
    draft.unit, draft.every = unit, number


def _group(cursor: Cursor, draft: Draft) -> bool:
    """Weekday, weekend, working day, and their plurals."""
    group = cursor.among(_DAY_GROUPS)
    if group is None and cursor.phrase("working day", "working days", "business day", "business days", "work day"):
        group = "weekday"
    if group is None:
        return False
    _take_weekdays(draft, _DAY_GROUPS[group])
    return True


def _on_days(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """On mondays, on weekdays, on the 15th, the last day, the first monday, on 29 february."""
    start = cursor.place
    cursor.among(("on", "in"))
    if _yearly(cursor, draft) or _month_places(cursor, draft) or _group(cursor, draft) or _weekdays(cursor, draft):
        return True
    cursor.place = start
    return False


def _yearly(cursor: Cursor, draft: Draft) -> bool:
    found = month_day(cursor)
    if found is None:
        return False
    if draft.has_days:
        raise Refused("the words name the day twice")
    draft.month, draft.month_days = found[0], (found[1],)
    if draft.unit != "year":
        _unit(draft, "year", 1)
    return True


def _month_places(cursor: Cursor, draft: Draft) -> bool:
    """The 15th, the 1st and 15th, the last day, the first and third monday, the last weekday, and in which month."""
    start = cursor.place
    days: list[int] = []
    nth: list[tuple[int, int]] = []
    last = False
    while not last and (places := _places(cursor)):
        weekday = named_weekday(cursor)
        if weekday is not None:
            nth += [(_ordinal(place), weekday) for place in places]
        elif places == [-1] and (cursor.among(("weekday", "workday")) or cursor.phrase("working day", "business day")):
            last = True
        elif cursor.among(("day", "days")) or -1 not in places:
            days += places
        else:
            break
        _next_in_list(cursor, lambda at: _place(at) is not None)
    if not (days or nth or last):
        cursor.place = start
        return False
    if draft.has_days or bool(days) + bool(nth) + last > 1:
        raise Refused("the words name the day in two ways")
    if not all(-1 <= number <= 31 and number for number in days):
        raise Refused("no month has that day")
    draft.month_days, draft.nth, draft.last_weekday = tuple(sorted(set(days))), tuple(sorted(set(nth))), last
    _unit_of_places(cursor, draft)
    return True


def _unit_of_places(cursor: Cursor, draft: Draft) -> None:
    """Days of the month repeat monthly, in a named month yearly, unless a longer step was said."""
    cursor.phrase("or the last day", ", or the last day")
    month = MONTHS.get(cursor.peek(1).text) if cursor.peek().text == "of" else None
    if month is not None:
        cursor.place += 2
        draft.month = month
    if draft.unit not in ("month", "year"):
        _unit(draft, "month" if month is None else "year", 1)


def _places(cursor: Cursor) -> list[int]:
    """One or more ordinals in a row: the first and third."""
    places: list[int] = []
    while (place := _place(cursor)) is not None:
        places.append(place)
        _next_in_list(cursor, lambda at: _place(at) is not None)
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
    token = cursor.take("ordinal")
    if token is None:
        cursor.place = start
        return None
    return token.number


def _ordinal(number: int) -> int:
    if number > 5:
        raise Refused("a month has no more than five of each weekday")
    return number


def _of_the_month(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Of the month, of every month: it belongs to a day that was named before it."""
    if not cursor.phrase("of the month", "of every month", "of each month", "of month", "of a month", "in the month"):
        return False
    if not (draft.month_days or draft.nth or draft.last_weekday):
        raise Refused("say which day of the month")
    return True


def _on_the_clock(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """At whole steps of the clock instead of counted from now: every 15 minutes on the clock."""
    if not cursor.phrase("on the clock", "on the hour"):
        return False
    draft.on_the_clock = True
    return True


def _weekdays(cursor: Cursor, draft: Draft) -> bool:
    found = _weekday_list(cursor)
    if not found:
        return False
    _take_weekdays(draft, found)
    return True


def _weekday_list(cursor: Cursor) -> tuple[int, ...]:
    """Monday, wed and fri; monday to thursday."""
    found: list[int] = []
    while (weekday := named_weekday(cursor)) is not None:
        found.append(weekday)
        start = cursor.place
        if cursor.among(("to", "through", "thru", "till", "-")):
            last = named_weekday(cursor)
            if last is None:
                cursor.place = start
            else:
                found += [(weekday + step) % 7 for step in range(1, (last - weekday) % 7 + 1)]
        _next_in_list(cursor, lambda at: named_weekday(at) is not None)
    return tuple(sorted(set(found)))


def _next_in_list(cursor: Cursor, another: Callable[[Cursor], bool]) -> None:
    """Step over a comma, ``and`` or both, if another item of the list stands behind."""
    start = cursor.place
    separated = cursor.among((",",)) is not None
    separated = cursor.among(("and", "&")) is not None or separated
    if separated:
        cursor.among(("on",))
    here = cursor.place
    follows = another(cursor)
    cursor.place = here if follows and separated else start


def _take_weekdays(draft: Draft, weekdays: tuple[int, ...]) -> None:
    if draft.weekdays or draft.month_days or draft.nth:
        raise Refused("the words name the day twice")
    draft.weekdays = weekdays
    if draft.unit is None:
        draft.unit = "week"


def _except(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Except sunday, but not on weekends."""
    if not (cursor.among(("except", "excluding", "without")) or cursor.phrase("but not", "not", "apart from")):
        return False
    cursor.among(("for",))
    cursor.among(("on",))
    group = cursor.among(_DAY_GROUPS)
    days = _DAY_GROUPS[group] if group is not None else _weekday_list(cursor)
    if not days or draft.except_days:
        raise Refused("after 'except' name weekdays, once")
    draft.except_days = days
    return True


def _times(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """At 9, at 9 and 17, 18:30, in the evening."""
    for period in PERIODS[:3]:
        if cursor.phrase(f"in the {period}"):
            draft.period = period
            return True
    time = time_of_day(cursor, led=draft.unit is not None)
    if time is None:
        return False
    if draft.times:
        raise Refused("the words name the time of day twice")
    draft.times.append(time)
    while True:
        start = cursor.place
        separated = cursor.among((",",)) is not None
        separated = cursor.among(("and", "&")) is not None or separated
        time = time_of_day(cursor, led=True) if separated else None
        if time is None:
            cursor.place = start
            return True
        draft.times.append(time)


def _between(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Between 9 and 17, from 9am to 5pm; both ends belong to it."""
    start = cursor.place
    if not cursor.among(("between", "from")):
        return False
    first = time_of_day(cursor, led=True)
    joined = first is not None and cursor.among(("and", "to", "till", "until", "-"))
    last = time_of_day(cursor, led=True) if joined else None
    if first is None or last is None:
        cursor.place = start
        return False
    if draft.window is not None:
        raise Refused("the words name two spans of hours")
    if last.second <= first.second:
        raise Refused("a span of hours ends later on the same day than it begins; write 17 or 5pm for the afternoon")
    draft.window = first.second, last.second
    return True


def _bounds(cursor: Cursor, draft: Draft, now: Now) -> bool:
    """Starting tomorrow, until june, 5 times."""
    start = cursor.place
    if cursor.among(("starting", "beginning", "start", "from")):
        cursor.among(("on", "from"))
        draft.start = _bound(cursor, now, draft.start, last=False)
        if draft.start is not None:
            return True
    elif cursor.among(("until", "till", "ending")):
        draft.until = _bound(cursor, now, draft.until, last=True)
        if draft.until is not None:
            return True
    else:
        cursor.among(("for",))
        token = cursor.take("number")
        if token is not None and cursor.among(("times", "time")) and draft.count is None and 0 < token.number <= 10_000:
            draft.count = token.number
            return True
    cursor.place = start
    return False


def _bound(cursor: Cursor, now: Now, already: Moment | None, *, last: bool) -> Moment | None:
    """A start or an end: an end without a time of day is the end of its day, a start without one its beginning."""
    said = on_a_day(cursor, now)
    if said is None:
        return None
    if already is not None or len(said.moments) > 1 or said.asks is not None:
        raise Refused("a start or an end must be one clear day, such as 3 march 2027")
    moment = said.moments[0]
    if not said.defaulted or moment.wall is None:
        return moment
    day = moment.wall - moment.wall % (DAY_SECONDS * 1_000_000)
    wall = day + (DAY_SECONDS - 1) * 1_000_000 if last else day
    return Moment(now.clock.first(wall), wall)


def _finished(draft: Draft, now: Now) -> Recurring:
    """Check that the clauses go together, and fill in what they leave open."""
    if draft.unit is None:
        raise Refused("the words do not say how often it comes; try 'every day at 9'")
    if draft.except_days:
        if draft.weekdays or draft.unit not in ("day", "second"):
            raise Refused("'except' goes with every day, or with every so many minutes or hours")
        draft.weekdays = tuple(sorted(set(range(7)) - set(draft.except_days)))
    defaulted_day = draft.unit in ("week", "month", "year") and not draft.has_days
    series = _within_days(draft) if draft.unit == "second" else _on_calendar(draft, now)
    return Recurring(
        series=series,
        start=draft.start,
        until=draft.until,
        count=draft.count,
        defaulted_time=series.unit != "second" and not draft.times and draft.unit != "second" and draft.window is None,
        defaulted_day=defaulted_day,
    )


def _on_calendar(draft: Draft, now: Now) -> Series:
    if draft.window is not None or draft.on_the_clock:
        raise Refused("a span of hours goes with every so many minutes or hours")
    unit = draft.unit or "day"
    if unit == "week" and draft.every == 1 and draft.weekdays:
        unit = "day"
    if unit == "day" and draft.weekdays and draft.every > 1:
        raise Refused("every so many days and a weekday do not go together; say 'every 2 weeks on' that day")
    if draft.weekdays and unit in ("month", "year"):
        raise Refused("say which of the weekdays in the month, such as 'the first monday of the month'")
    if unit == "year" and not draft.month and draft.has_days:
        raise Refused("say which month, such as 'every year on 3 march'")
    times = [time if draft.period is None else in_period(time, draft.period) for time in draft.times]
    if any(time.either for time in times):
        raise Refused("that hour comes twice a day; add am or pm")
    default = now.default if draft.period is None else _PERIOD_TIMES[draft.period]
    return Series(
        unit=unit,
        every=draft.every,
        times=tuple(sorted({time.second for time in times})) or (default,),
        weekdays=draft.weekdays if len(draft.weekdays) < 7 else (),
        month_days=draft.month_days,
        nth=draft.nth,
        last_weekday=draft.last_weekday,
        month=draft.month,
        start=None if draft.start is None or draft.every == 1 else draft.start.wall,
    )


def _within_days(draft: Draft) -> Series:
    """Every so many minutes or hours: in real time, or at fixed times where hours, days or the clock are named."""
    if draft.times or draft.period:
        raise Refused("every so many minutes or hours has no time of day; say between which hours, or from when")
    if draft.month_days or draft.nth or draft.last_weekday or draft.month:
        raise Refused("every so many minutes or hours goes with weekdays, not with days of the month")
    if draft.window is None and not draft.weekdays and not draft.on_the_clock:
        return Series(unit="second", every=draft.every, start=None if draft.start is None else draft.start.wall)
    if draft.every % 60:
        raise Refused("seconds cannot be kept to hours or days; use whole minutes")
    if draft.window is None and DAY_SECONDS % draft.every:
        raise Refused("those steps do not divide a day; say between which hours they run")
    first, last = draft.window or (0, DAY_SECONDS - 1)
    times = tuple(range(first, last + 1, draft.every))
    weekdays = draft.weekdays if len(draft.weekdays) < 7 else ()
    return Series(unit="day", times=times, weekdays=weekdays)
