"""One moment, as people say it: in 2 hours, tomorrow at 5pm, friday 9am, <t:1770000000>, 2026-03-29 09:00.

The grammar says every moment that the words may mean; ``core.timing.reading`` refuses what is past or has two meanings.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from core.timing.clock import Clock
from core.timing.grammar.days import Days, day, shifted
from core.timing.grammar.times import DAY_SECONDS, PERIOD_TIMES, Length, Time, in_period, length, time_of_day
from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.rule import EARLIEST, LATEST
from schedule_zero.instant import DAY, SECOND, from_datetime, to_datetime

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_STAMP: Final = re.compile(r"^<t:(-?\d{1,13})(?::[tTdDfFsSR])?>$")
_UNIX: Final = re.compile(r"^\d{9,11}$")
_ISO: Final = re.compile(
    r"^\d{4}-\d{2}-\d{2}(?:[tT ]\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d{1,9})?)?\s?(?:[zZ]|[+-]\d{2}:?\d{2})?)?$"
)


class Moment(NamedTuple):
    """An instant, and the wall it was said as; no wall where the words counted real time or named an offset."""

    instant: int
    wall: int | None


class Now(NamedTuple):
    """What words are relative to."""

    instant: int
    clock: Clock
    default: int
    """Seconds of the day that stand for a time nobody said."""

    @property
    def wall(self) -> int:
        return self.clock.wall(self.instant)

    @property
    def today(self) -> date:
        return to_datetime(self.wall).date()

    def at(self, named: date, second: int) -> Moment:
        """The moment when the zone's clocks show this date and time."""
        wall = ((named.toordinal() - _EPOCH_DAY) * DAY_SECONDS + second) * SECOND
        if not EARLIEST <= wall < LATEST:
            raise Refused("that is not within the years 1900 to 2199")
        return Moment(self.clock.first(wall), wall)


class Said(NamedTuple):
    """The moments that words may mean, at least one, and whether the time of day is the default one."""

    moments: tuple[Moment, ...]
    defaulted: bool = False
    asks: str | None = None
    """Why the words are not enough although their moments are known: the question to ask back."""


def written(text: str, now: Now) -> Said | None:
    """Read what machines write: Discord's timestamps, unix seconds, ISO 8601. None when the text is none of these.

    Raises:
        Refused: it is one of these, and that time does not exist.
    """
    return _stamp(text) or _iso(text, now)


def once(tokens: tuple[Token, ...], now: Now) -> Said | None:
    """Read one moment in words; None when the words are none of ours.

    Raises:
        Refused: the words are about a time, and that time cannot be.
    """
    for read in (_alone, _relative, on_a_day):
        cursor = Cursor(tokens)
        found = read(cursor, now)
        if found is not None and cursor.done:
            return found
    return None


def _stamp(text: str) -> Said | None:
    """Discord's timestamps, and bare unix seconds."""
    match = _STAMP.match(text)
    if match is None and not _UNIX.match(text):
        return None
    instant = int(match[1] if match else text) * SECOND
    if not EARLIEST <= instant < LATEST:
        raise Refused("that timestamp is not within the years 1900 to 2199")
    return Said((Moment(instant, None),))


def _iso(text: str, now: Now) -> Said | None:
    if not _ISO.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", ""))
        wall = from_datetime(moment.replace(tzinfo=UTC))
    except ValueError as why:
        raise Refused(f"{text} does not exist: {why}") from why
    if not EARLIEST + 2 * DAY <= wall < LATEST:
        raise Refused(f"{text} is not within the years 1900 to 2199")
    if moment.tzinfo is not None:
        return Said((Moment(from_datetime(moment), None),))
    if len(text) == len("2026-03-29"):
        return Said((now.at(moment.date(), now.default),), defaulted=True)
    return Said((Moment(now.clock.first(wall), wall),))


def _alone(cursor: Cursor, now: Now) -> Said | None:
    """A lone number, or a coming week or month without a day in it: the words say too little."""
    token = cursor.peek()
    if len(cursor.tokens) == 1 and token.text in ("now", "immediately"):
        raise Refused("a time must be still to come; say 'in 10 seconds' for almost now")
    if len(cursor.tokens) == 1 and token.kind == "number" and token.number <= 23:
        cursor.place += 1
        hours = [token.number, token.number + 12] if 1 <= token.number < 12 else [token.number % 24]
        moments = [_coming(now, hour * 3600 % DAY_SECONDS) for hour in hours]
        if len(hours) == 1:
            moments.append(Moment(now.instant + token.number * 60 * SECOND, None))
        return Said(tuple(sorted(moments)), asks=f"{token.text} can be read in two ways")
    cursor.among(("the",))
    if cursor.among(("next",)):
        unit = cursor.among(("week", "month", "year"))
        if unit is not None and cursor.done:
            return _some_day_next(unit, now)
    cursor.place = 0
    return None


def _some_day_next(unit: str, now: Now) -> Said:
    today = now.today
    if unit == "week":
        dates = [today + timedelta(days=7 - today.weekday()), today + timedelta(days=7)]
    else:
        first = shifted(today.replace(day=1), 1, 0) if unit == "month" else date(today.year + 1, 1, 1)
        dates = [first, shifted(today, 1 if unit == "month" else 12, 0)]
    moments = dict.fromkeys(now.at(named, now.default) for named in dates)
    return Said(tuple(moments), defaulted=True, asks=f"next {unit} has many days; say which one")


def _relative(cursor: Cursor, now: Now) -> Said | None:
    """In 2 hours, 1h30m, 3 days from now at 9, 2 hours ago."""
    start = cursor.place
    led = cursor.among(("in", "after")) is not None
    if led:
        cursor.among(("about",))
    span = length(cursor)
    if span is None:
        cursor.place = start
        return None
    if cursor.among(("ago",)):
        span = Length(-span.months, -span.days, -span.seconds)
    elif cursor.peek().text in ("from", "after") and cursor.peek(1).text not in ("now", "today"):
        return _from_a_day(cursor, now, span)
    else:
        cursor.phrase("from now", "from today", "later", "time")
    if span.absolute:
        return Said((_real_time(now, span.seconds),))
    named = shifted(now.today, span.months, span.days)
    time = time_of_day(cursor, led=True) if not span.seconds else None
    if time is not None:
        return Said(_at_times(now, Days((named,)), time))
    # Days, weeks and months keep the time on the wall, seconds included; hours said with them come on top.
    moment = now.at(named, -(-(now.wall % DAY) // SECOND))
    return Said((_real_time(now._replace(instant=moment.instant), span.seconds) if span.seconds else moment,))


def _from_a_day(cursor: Cursor, now: Now, span: Length) -> Said | None:
    """A week from friday, 3 days after tomorrow at 9."""
    start = cursor.place
    cursor.place += 1
    named = day(cursor, now.today)
    if named is None or span.seconds:
        cursor.place = start
        return None
    time = time_of_day(cursor, led=True)
    dates = tuple(shifted(date_, span.months, span.days) for date_ in named.dates)
    return Said(_at_times(now, Days(dates), time or Time(now.default)), defaulted=time is None)


def _real_time(now: Now, seconds: int) -> Moment:
    """So many seconds from now, on the next whole second: never early, and nothing to read behind the comma."""
    instant = -(-now.instant // SECOND) * SECOND + seconds * SECOND
    if not EARLIEST <= instant < LATEST:
        raise Refused("that is not within the years 1900 to 2199")
    return Moment(instant, None)


def on_a_day(cursor: Cursor, now: Now) -> Said | None:
    """Read a day and a time in either order, or one of them, and leave the rest to the cursor."""
    start = cursor.place
    time = time_of_day(cursor)
    if time is not None:
        cursor.among((",",))
    named = day(cursor, now.today)
    if time is None and named is not None:
        place = cursor.place
        comma = cursor.among((",",)) is not None
        time = time_of_day(cursor, led=not comma)
        if time is None:
            cursor.place = place
    if named is None and time is None:
        cursor.place = start
        return None
    if named is None:
        return _next_time(now, time) if time is not None else None
    if named.period is not None and time is not None:
        time = in_period(time, named.period)
    if time is not None:
        return Said(_at_times(now, named, time))
    if named.second is not None:
        return Said(tuple(now.at(date_, named.second) for date_ in named.dates))
    second = now.default if named.period is None else PERIOD_TIMES[named.period]
    return Said(_at_times(now, named, Time(second)), defaulted=True)


def _next_time(now: Now, time: Time) -> Said:
    """A time without a day: the next one; both halves of the day, if the hour may lie in either."""
    if not time.bare:
        return Said((_coming(now, time.second),))
    moments = sorted({_coming(now, time.second), _coming(now, (time.second + DAY_SECONDS // 2) % DAY_SECONDS)})
    return Said(tuple(moments), asks="that hour comes in the morning and in the evening")


def _at_times(now: Now, named: Days, time: Time) -> tuple[Moment, ...]:
    """A time on each of the dates; midnight stands at both ends of a day, unless the part of the day tells."""
    if time.either:
        halves = (time._replace(either=False), Time((time.second + DAY_SECONDS // 2) % DAY_SECONDS))
        return tuple(moment for half in halves for moment in _at_times(now, named, half))
    moments = []
    for date_ in named.dates:
        late = named.period == "night" and time.second < 5 * 3600
        found = [now.at(date_ + timedelta(days=1), time.second)] if late else [now.at(date_, time.second)]
        if time.midnight and not late and time.second == 0:
            found.append(now.at(date_ + timedelta(days=1), 0))
        if named.weekly and all(moment.instant <= now.instant for moment in found):
            found = [now.at(date_ + timedelta(days=7), time.second)]
        moments += found
    return tuple(moments)


def _coming(now: Now, second: int) -> Moment:
    """The next moment at which the clocks show this time of day."""
    moment = now.at(now.today, second)
    return moment if moment.instant > now.instant else now.at(now.today + timedelta(days=1), second)
