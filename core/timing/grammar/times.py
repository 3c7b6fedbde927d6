"""Times of day and lengths of time, as people write them."""

from __future__ import annotations

from typing import Final, NamedTuple

from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import (
    HOURS,
    PLURAL_DAYS,
    TODAY,
    TOMORROW,
    UNIT_DAYS,
    UNIT_MONTHS,
    UNIT_SECONDS,
    UNITS,
    WEEKDAYS,
    ordinal,
)

DAY_SECONDS: Final = 86_400
_INEXACT: Final = "that length of time cannot be counted exactly; use whole months and whole seconds"
PERIOD_TIMES: Final = {"morning": 9 * 3600, "afternoon": 15 * 3600, "evening": 18 * 3600, "night": 20 * 3600}
"""The time that a part of the day stands for."""

END_OF_DAY: Final = 86_340
"""23:59."""
MIDDLES: Final = ("noon", "midday", "noontime", "midnight")
_HALF_DAY: Final = 12 * 3600
_ONE: Final = 1000  # amounts are counted in thousandths
_MOST_DAYS: Final = 36_600


class Time(NamedTuple):
    """A time of day: seconds, and whether only half of the day was said."""

    second: int
    bare: bool = False
    """Written as no 24-hour clock must show it, 9 or 9:30 without a 0: alone it may be morning or evening."""
    midnight: bool = False
    """Said as "midnight", which belongs to the day before as much as to the day after."""
    either: bool = False
    """Said in a way that no 24-hour clock knows (half past nine, 9 o'clock): morning or evening on any day."""
    half: str | None = None
    """am or pm, where one of them was written."""


class Length(NamedTuple):
    """A length of time in the three kinds that cannot be turned into one another."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @property
    def absolute(self) -> bool:
        """Only hours, minutes and seconds: counted in real time, not on the calendar."""
        return not (self.months or self.days)


def time_of_day(cursor: Cursor, *, led: bool = False) -> Time | None:
    """Read a time, with or without ``at`` before it and ``in the evening`` behind it.

    With ``led`` something before it already said that a time follows, so that a lone number is one.

    Raises:
        Refused: it is written like a time and is none, such as 25:00 or 13pm.
    """
    start = cursor.place
    announced = cursor.among(("at", "@", "by")) is not None
    time = _named(cursor) or _past_the_hour(cursor) or _written(cursor, led or announced, announced)
    if time is None:
        cursor.place = start
        return None
    period = _period_behind(cursor)
    return time if period is None else in_period(time, period)


def in_period(time: Time, period: str) -> Time:
    """The time, when the part of the day is known: 8 in the evening is 20:00.

    Raises:
        Refused: the two contradict each other (17:00 in the morning).
    """
    hour = time.second // 3600
    if time.half == "am" and period != "morning" and not (period == "night" and hour < 5):
        raise Refused(f"{hand(time.second)} is not in the {period}")
    if time.half == "pm" and period != "morning":
        return time
    if period == "morning":
        if hour >= 12 and not (time.bare and hour == 12):
            raise Refused(f"{hand(time.second)} is not in the morning")
        return Time(time.second % _HALF_DAY)
    if hour > 12 or time.midnight:
        return Time(time.second, midnight=time.midnight)
    if period == "afternoon":
        return Time(time.second % _HALF_DAY + _HALF_DAY)
    if hour == 12:
        return Time(time.second % _HALF_DAY, midnight=True)
    if period == "night" and hour < 5:
        return Time(time.second)
    return Time(time.second % _HALF_DAY + _HALF_DAY)


def length(cursor: Cursor) -> Length | None:
    """Read a length such as ``2 hours``, ``1h30m``, ``an hour and a half``, ``a fortnight``.

    Raises:
        Refused: a fraction of something that has no halves, or more than a hundred years.
    """
    total = [0, 0, 0]
    unit: str | None = None
    while (part := _part(cursor, unit)) is not None:
        amount, unit = part
        _add(total, amount, unit)
    return None if unit is None else _whole(total)


def _part(cursor: Cursor, before: str | None) -> tuple[int, str] | None:
    """One amount with its unit; in 1h30 the unit is left out and minutes are meant."""
    start = cursor.place
    joined = before is None or cursor.among(("and", ",", "&", "+")) is not None
    if not joined and cursor.peek().text in ("a", "an"):
        return None  # 7 days a week
    amount = _amount(cursor)
    unit = UNITS.get(cursor.peek().text) if cursor.peek().kind == "word" else None
    if amount is not None and unit is not None:
        cursor.place += 1
        return (amount + _ONE // 2 if cursor.phrase("and a half") else amount), unit
    if amount is not None and before == "hour" and cursor.place == start + 1 and cursor.tokens[start].kind == "number":
        short = cursor.tokens[start - 1].text == "h"
        broken = start > 1 and cursor.tokens[start - 2].kind == "decimal"
        if not broken and (short or (cursor.done and cursor.tokens[start].number < 60)):
            return amount, "minute"
    cursor.place = start
    return None


def _whole(total: list[int]) -> Length:
    months, days, seconds = total
    if days % _ONE:  # half a day is twelve hours; half a month is nothing that a calendar knows
        days, seconds = 0, seconds + days * DAY_SECONDS
    if months % _ONE or seconds % _ONE:
        raise Refused(_INEXACT)
    span = Length(months // _ONE, days // _ONE, seconds // _ONE)
    if span.months * 30 + span.days + span.seconds // DAY_SECONDS > _MOST_DAYS:
        raise Refused("that is more than a hundred years; write the date itself, up to 2199-12-31")
    return span


def _add(total: list[int], amount: int, unit: str) -> None:
    """Add to [months, days, seconds], all in thousandths."""
    if unit in UNIT_MONTHS:
        total[0] += amount * UNIT_MONTHS[unit]
    elif unit in UNIT_DAYS:
        total[1] += amount * UNIT_DAYS[unit]
    else:
        total[2] += amount * UNIT_SECONDS[unit]


def _amount(cursor: Cursor) -> int | None:
    """A number before a unit, in thousandths: 2, 1.5, two and a half, a, an, half an, a couple of."""
    if cursor.phrase("3 quarters of an", "3 - quarters of an"):
        return _ONE * 3 // 4
    if cursor.phrase("a quarter of an", "quarter of an") or _before_hour(cursor, "a quarter", "quarter"):
        return _ONE // 4
    if cursor.phrase("half an", "half a", "a half -", "half -", "a half", "half"):
        return _ONE // 2
    if cursor.phrase("a couple of", "couple of", "a couple"):
        return 2 * _ONE
    for many in ("a few", "few", "several", "some", "many"):
        if cursor.phrase(many):
            if cursor.peek().text in UNITS:
                raise Refused(f"{many!r} is no number; say how many")
            return None
    if (broken := _fraction(cursor)) is not None:
        return broken
    _refuse_thousands(cursor)
    token = cursor.take("number", "decimal")
    if token is not None:
        whole, _, thousandths = token.text.partition(".")
        amount = int(whole) * _ONE + int(thousandths.ljust(3, "0"))
        cursor.phrase("-")  # a 15-minute step
        return amount + _ONE // 2 if cursor.phrase("and a half") else amount
    return _ONE if cursor.among(("a", "an")) else None


def _refuse_thousands(cursor: Cursor) -> None:
    """1.000 minutes, 1,000 minutes: one to some and a thousand to others. Raises Refused."""
    start = cursor.place
    token = cursor.take("number", "decimal")
    if token is None or token.spoken:
        cursor.place = start
        return
    whole, mark, behind = token.text.partition(".")
    comma, last = cursor.peek(), cursor.peek(1)
    if token.kind == last.kind == "number" and comma.text == "," and comma.glued and last.glued:
        cursor.place += 2
        mark, behind = ",", last.text
    grouped = len(whole) <= len(behind) == len("000") and not whole.startswith("0")
    if grouped and cursor.peek().text in UNITS:
        plain, broken = f"{whole}{behind}", f"{whole}.{behind}".rstrip("0").rstrip(".")
        words = cursor.swapped(start, plain), cursor.swapped(start, broken)
        said = f"{whole}{mark}{behind} is {plain} to some and {broken} to others; write {plain} or {broken}"
        raise Refused(said, words)
    cursor.place = start


def _fraction(cursor: Cursor) -> int | None:
    """1/2 hour, 1 1/2 hours, 3/4 of an hour, in thousandths; not 1/2, a date."""
    start = cursor.place
    whole = cursor.take("number") if cursor.peek(1).kind == "slashes" else None
    token = cursor.take("slashes")
    if token is not None:
        cursor.phrase("of an", "of a", "an", "a")
        over, _, under = token.text.partition("/")
        if cursor.peek().text in UNITS and under.isdecimal() and 0 < int(over) < int(under) <= _ONE:
            if int(over) * _ONE % int(under):
                raise Refused(_INEXACT)
            return int(over) * _ONE // int(under) + (whole.number if whole else 0) * _ONE
    cursor.place = start
    return None


def _before_hour(cursor: Cursor, *amounts: str) -> bool:
    """Read one of these, if an hour follows: a quarter is three months elsewhere."""
    start = cursor.place
    if cursor.phrase(*amounts):
        cursor.phrase("-")
        if cursor.peek().text == "hour":
            return True
    cursor.place = start
    return False


def _named(cursor: Cursor) -> Time | None:
    if cursor.phrase("12 noon", "12 midday", "12 midnight"):
        cursor.place -= 1  # the 12 says nothing more
    if cursor.among(MIDDLES[:-1]):
        return Time(_HALF_DAY)
    if cursor.phrase("eod", "end of day", "end of the day", "the end of the day"):
        return Time(END_OF_DAY)
    if cursor.stands("end of") and cursor.peek(2).text in (*TODAY, *TOMORROW, *WEEKDAYS):
        cursor.place += 2
        return Time(END_OF_DAY)
    return Time(0, midnight=True) if cursor.among(("midnight",)) else None


def _past_the_hour(cursor: Cursor) -> Time | None:
    """Half past nine, quarter to five, ten past 8, 20 minutes to 6.

    Raises:
        Refused: "half nine", which is 9:30 to some and 8:30 to others.
    """
    start = cursor.place
    if cursor.phrase("half"):
        hour = cursor.take("number")
        if hour is not None and 1 <= hour.number <= 12 and cursor.peek().text not in UNITS:
            words = (f"half past {number}" for number in (hour.number, (hour.number + 10) % 12 + 1))
            raise Refused(
                f"half {hour.text} is half past {hour.text} to some and half an hour before {hour.text} to others",
                tuple(cursor.swapped(start, text) for text in words),
            )
        cursor.place = start
    if cursor.peek(1).text == "quarter":
        cursor.among(("a",))
    minutes = {"half": 30, "quarter": 15}.get(cursor.peek().text)
    if minutes is not None:
        cursor.place += 1
    else:
        token = cursor.take("number")
        minutes = token.number if token is not None else 0
        # "9 to 5" is a span of hours; "9 minutes to 5" and "ten to five" are times.
        span = start > 0 and cursor.tokens[start - 1].text in ("from", "between")
        said = token is not None and token.spoken and minutes % 5 == 0 and not span
        counted = cursor.among(("minutes", "minute", "mins", "min")) is not None or said
        if not counted and cursor.peek().text != "past":
            minutes = 0
    way = cursor.among(("past", "after", "to", "before")) if 0 < minutes < 60 else None
    shift = minutes if way in ("past", "after") else -minutes
    middle = cursor.among(MIDDLES) if way else None
    if middle is not None:
        second = (_HALF_DAY * (middle != "midnight") + shift * 60) % DAY_SECONDS
        return Time(second, midnight=middle == "midnight" and shift > 0)
    hour = cursor.take("number") if way else None
    if hour is None or hour.number > 23:
        cursor.place = start
        return None
    return _either(_with_meridiem(cursor, hour.number, 0, 0, shift * 60))


def _either(time: Time) -> Time:
    return time._replace(either=time.bare)


def _written(cursor: Cursor, led: bool, announced: bool) -> Time | None:
    start = cursor.place
    token = cursor.take("clock")
    if token is not None:
        hour, minute, second = (*map(int, token.text.split(":")), 0)[:3]
        time = _with_meridiem(cursor, hour, minute, second, 0, exact=True)
        return time._replace(bare=time.half is None and 0 < hour < 10 and len(token.text) == len("9:30"))
    token = cursor.take("decimal")
    alone = len(cursor.tokens) == 1
    if (
        token is not None
        and (cursor.peek().text in ("am", "pm") or led or alone)
        and len(token.text.partition(".")[2]) == 2
    ):
        hour, minute = map(int, token.text.split("."))
        if hour > 23 and 1 <= minute <= 12:
            words = cursor.swapped(start, f"{token.text}.")
            raise Refused(f"{token.text} is no time of day; a date has a dot behind the month", (words,))
        return _with_meridiem(cursor, hour, minute, 0, 0, exact=True)
    token = cursor.take("number") if token is None else None
    if token is None:
        cursor.place = start
        return None
    minutes = cursor.peek()
    if token.spoken and token.number <= 12 and minutes.spoken and minutes.kind == "number" and minutes.number >= 10:
        cursor.place += 1  # seven thirty
        return _either(_with_meridiem(cursor, token.number, minutes.number, 0, 0))
    return _from_number(cursor, token.text, led or _day_behind(cursor), announced, start)


def _day_behind(cursor: Cursor) -> bool:
    """Whether a day follows that is named in words: 9 tomorrow, 8 tonight, 9 on friday."""
    if cursor.peek().text == "on":
        return cursor.peek(1).text in WEEKDAYS or cursor.peek(1).text in PLURAL_DAYS
    return cursor.peek().text in (*TODAY, *TOMORROW, "tonight", "this", "every", "each", "daily")


def _from_number(cursor: Cursor, digits: str, led: bool, announced: bool, start: int) -> Time | None:
    """A time that begins with a plain number: 9am, 18h30, 9 oclock, 1830 and, where a time was announced, 9."""
    crossed = cursor.peek().text == "x" and cursor.peek(1).kind != "number"
    if crossed or cursor.peek().text in ("times", "time"):  # a count: every day at 9, 5 times
        cursor.place = start
        return None
    if cursor.peek().text in ("am", "pm"):
        if len(digits) in (3, 4):
            return _with_meridiem(cursor, int(digits[:-2]), int(digits[-2:]), 0, 0)
        return _with_meridiem(cursor, int(digits), 0, 0, 0)
    if cursor.phrase("oclock"):
        return _either(_with_meridiem(cursor, int(digits), 0, 0, 0))
    if led and len(digits) == 4 and cursor.peek().text in HOURS:
        return clock_of_hours(cursor, digits)
    if led and cursor.among(("h", "hrs", "hours")):
        minute = cursor.take("number") if cursor.peek(-1).text == "h" else None
        return _checked(int(digits), minute.number if minute else 0, 0)
    if (announced or _day_behind(cursor)) and len(digits) == 4:  # without them it would rather be a year
        return _checked(int(digits[:2]), int(digits[2:]), 0)
    if announced and len(digits) == 3:
        return _either(_with_meridiem(cursor, int(digits[0]), int(digits[1:]), 0, 0))
    if len(digits) <= 2 and (led or (cursor.peek().text, cursor.peek(1).text) in (("in", "the"), ("at", "night"))):
        if 24 <= int(digits) <= 31:  # rather a day of the month
            words = (cursor.swapped(start, ordinal(int(digits))),)
            raise Refused(f"{digits}:00 is no time of day; the last one is 23:59", words)
        return _with_meridiem(cursor, int(digits), 0, 0, 0)
    cursor.place = start
    return None


def clock_of_hours(cursor: Cursor, digits: str) -> Time | None:
    """A time of four figures with "hours" behind it, which is read: 1830 hours."""
    hour, minute = int(digits[:2]), int(digits[2:])
    if hour > 23 or minute > 59:
        return None
    cursor.place += 1
    return _checked(hour, minute, 0)


def _with_meridiem(cursor: Cursor, hour: int, minute: int, second: int, shift: int, *, exact: bool = False) -> Time:
    """Finish a time: read am or pm, check it, move it by ``shift`` seconds (a quarter to five)."""
    half = cursor.among(("am", "pm"))
    time = _checked(hour, minute, second)
    if half is not None:
        if not 1 <= hour <= 12:
            raise Refused(f"{hour}{half} is no time: with {half} the hour is 1 to 12")
        moment = time.second % _HALF_DAY + _HALF_DAY * (half == "pm")
        return Time((moment + shift) % DAY_SECONDS, half=half)
    return Time((time.second + shift) % DAY_SECONDS, bare=not exact and 1 <= hour <= 12)


def _checked(hour: int, minute: int, second: int) -> Time:
    if hour > 23 or minute > 59 or second > 59:
        written = f"{hour}:{minute:02}" + (f":{second:02}" if second else "")
        raise Refused(f"{written} is no time of day; the last one is 23:59")
    return Time(hour * 3600 + minute * 60 + second)


def _period_behind(cursor: Cursor) -> str | None:
    for period in ("morning", "afternoon", "evening"):
        if cursor.phrase(f"in the {period}"):
            return period
    return "night" if cursor.phrase("at night") else None


def hand(second: int) -> str:
    """A time of day as the hands of a clock show it, for refusals."""
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
