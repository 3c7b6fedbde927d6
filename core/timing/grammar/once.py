"""One moment, as people say it: in 2 hours, tomorrow at 5pm, friday 9am, this time tomorrow.

The grammar says every moment that the words may mean; ``core.timing.reading`` refuses what is past or has two meanings.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, NamedTuple

from core.timing.clock import Clock
from core.timing.grammar.dates import Days, is_year, shifted
from core.timing.grammar.days import day
from core.timing.grammar.times import (
    DAY_SECONDS,
    PERIOD_TIMES,
    Length,
    Time,
    clock_of_hours,
    in_period,
    length,
    time_of_day,
)
from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.grammar.vocabulary import HOURS, PERIODS, TODAY, TOMORROW, UNITS, WEEKDAYS
from core.timing.rule import EARLIEST, LATEST
from schedule_zero.instant import DAY, SECOND, to_datetime

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


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
    def second(self) -> int:
        """What the clocks show as seconds of the day, the next one where one has begun."""
        return -(-(self.wall % DAY) // SECOND)

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
    """The moments that words may mean, at least one, and whether nobody said a time of day."""

    moments: tuple[Moment, ...]
    defaulted: bool = False
    part_of_day: bool = False
    """A part of the day was said, and no time in it."""
    asks: str | None = None
    """Why the words are not enough although their moments are known: the question to ask back."""
    again: str | None = "year"
    """When such a time comes again, should it be past: on the next "day", in the next "week", "month" or "year", or never."""


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


def _alone(cursor: Cursor, now: Now) -> Said | None:
    """A lone number, or four figures with "hours": the words say too little."""
    token = cursor.peek()
    alone = len(cursor.tokens) == 1
    if (alone and token.text in ("now", "immediately")) or [t.text for t in cursor.tokens] == ["right", "now"]:
        raise Refused("a time must be still to come; say 'in 10 seconds' for almost now")
    if alone and token.kind == "number" and len(token.text) < len("0900") and 1 <= token.number <= 23:
        cursor.place += 1
        hours = [token.number, (token.number + 12) % 24] if 1 <= token.number <= 12 else [token.number]
        moments = [_coming(now, hour * 3600) for hour in hours]
        if len(hours) == 1:
            moments.append(Moment(now.instant + token.number * 60 * SECOND, None))
        return Said(tuple(sorted(moments)), asks=f"{token.text} can be read in two ways")
    return _four_figures(cursor, token, now) if token.kind == "number" and len(token.text) == len("0900") else None


def _four_figures(cursor: Cursor, token: Token, now: Now) -> Said | None:
    """1830, 1830 hours."""
    hour, minute = divmod(token.number, 100)
    if len(cursor.tokens) == 1 and hour < 24 and minute < 60:
        cursor.place += 1  # a year alone would say nothing
        asks = f"{token.text} may be a year or a time of day" if is_year(token.number) else None
        return Said((_coming(now, (hour * 60 + minute) * 60),), asks=asks, again="day")
    if len(cursor.tokens) == 2 and cursor.peek(1).text in HOURS:
        cursor.place += 1
        time = clock_of_hours(cursor, token.text)
        if time is not None and token.text.startswith("0"):
            return Said((_coming(now, time.second),), again="day")
        if time is not None:
            moments = [_coming(now, time.second), _real_time(now, token.number * 3600)]
            return Said(tuple(sorted(moments)), asks=f"{token.text} hours can be a time of day or a length")
    cursor.place = 0
    return None


def _relative(cursor: Cursor, now: Now) -> Said | None:
    """In 2 hours, 1h30m, 3 days from now at 9, in 2 weeks on friday, a week tomorrow, 2 hours ago."""
    start = cursor.place
    led = cursor.among(("in", "after")) is not None
    if led:
        cursor.among(("about",))
        _refuse_unclear_length(cursor, start)
    span = length(cursor)
    if span is None:
        cursor.place = start
        return None
    if not led and [token.text for token in cursor.tokens[1:2]] == ["h"] and len(cursor.tokens) <= 3 and cursor.done:
        return _length_or_time(cursor, now, span)
    if cursor.among(("ago",)):
        past = Length(-span.months, -span.days, -span.seconds)
        return _counted(now, past, None)._replace(again="day")
    if cursor.peek().text == "before":
        return _before_a_day(cursor, now, span, start)
    if cursor.peek().text in ("from", "after") and cursor.peek(1).text not in ("now", "today"):
        cursor.place += 1
        return _from_a_day(cursor, now, span)
    if span.seconds == 0 and span.months == 0 and cursor.peek().text in ("on", *TODAY, *TOMORROW, *WEEKDAYS):
        return _in_that_week(cursor, now, span) if led else _from_a_day(cursor, now, span)
    cursor.phrase("from now", "from today", "later", "time", "hence")
    return _counted(now, span, None if span.seconds else time_of_day(cursor, led=True))


def _length_or_time(cursor: Cursor, now: Now, span: Length) -> Said:
    """17h and 17h30 are times of day in some countries, and lengths of time in others; 12h, 1h30 and 90h are lengths."""
    moments = [_real_time(now, span.seconds)]
    hour, minutes = cursor.tokens[0], cursor.tokens[2:]
    plain = all(token.kind == "number" for token in (hour, *minutes))
    minute = minutes[0].number if plain and minutes else 0
    if plain and 12 < hour.number < 24 and minute < 60:
        moments.append(_coming(now, hour.number * 3600 + minute * 60))
    written = "".join(token.text for token in cursor.tokens)
    return Said(
        tuple(sorted(moments)), asks=f"{written} can be a length or a time of day" if len(moments) > 1 else None
    )


def _refuse_unclear_length(cursor: Cursor, start: int) -> None:
    """In 5, in 1:30: of what? Raises Refused."""
    token = cursor.peek()
    last = len(cursor.tokens) == cursor.place + 1
    if token.kind == "number" and last:
        cursor.place += 1
        raise Refused(
            f"in {token.text} of what? write minutes, hours or days behind it",
            tuple(cursor.swapped(start, f"in {token.text} {unit}") for unit in ("minutes", "hours", "days")),
        )
    if token.kind == "clock" and (last or cursor.peek(1).text in UNITS):
        cursor.place = len(cursor.tokens)
        first, second = token.text.split(":")[:2]
        words = f"in {first} hours {second} minutes", f"in {first} minutes {second} seconds"
        raise Refused(f"{token.text} is a time of day and no length; write hours and minutes with their names", words)


def _counted(now: Now, span: Length, time: Time | None) -> Said:
    """So long from now, at a time of day if one is said."""
    if span.absolute:
        return Said((_real_time(now, span.seconds),))
    named = shifted(now.today, span.months, span.days)
    if time is not None:
        return Said(_at_times(now, Days((named,)), time))
    # Days, weeks and months keep the time on the wall, seconds included; hours said with them come on top.
    moment = now.at(named, now.second)
    return Said((_real_time(now._replace(instant=moment.instant), span.seconds) if span.seconds else moment,))


def _in_that_week(cursor: Cursor, now: Now, span: Length) -> Said | None:
    """In 2 weeks on friday: the friday of that week, or the next one from that day on, where these differ."""
    cursor.among(("on",))
    weekday = WEEKDAYS.get(cursor.peek().text)
    if weekday is None or span.days % 7:
        return None
    cursor.place += 1
    there = shifted(now.today, 0, span.days)
    in_week = shifted(there, 0, weekday - there.weekday())
    dates = dict.fromkeys((in_week, shifted(there, 0, (weekday - there.weekday()) % 7)))
    return _on_days(now, Days(tuple(dates)), time_of_day(cursor, led=True))


def _before_a_day(cursor: Cursor, now: Now, span: Length, start: int) -> Said | None:
    """Two days before friday: refused, with the day that is meant. Raises Refused."""
    cursor.place += 1
    back = Length(-span.months, -span.days, -span.seconds)
    said = _from_a_day(cursor, now, back)
    if said is None or not cursor.done:
        cursor.place = start
        return None
    texts = tuple(to_datetime(moment.wall or 0).strftime("%Y-%m-%d %H:%M") for moment in said.moments)
    raise Refused("times are not counted back from a day; name the day itself", texts)


def _from_a_day(cursor: Cursor, now: Now, span: Length) -> Said | None:
    """A week from friday, 3 days after tomorrow at 9, a week tomorrow."""
    start = cursor.place
    named = day(cursor, now.today)
    if named is None or span.seconds:
        cursor.place = start
        return None
    dates = tuple(shifted(date_, span.months, span.days) for date_ in named.dates)
    return _on_days(now, named._replace(dates=dates, again="year"), time_of_day(cursor, led=True))


def _real_time(now: Now, seconds: int) -> Moment:
    """So many seconds from now, on the next whole second: never early, and nothing to read behind the comma."""
    instant = -(-now.instant // SECOND) * SECOND + seconds * SECOND
    if not EARLIEST <= instant < LATEST:
        raise Refused("that is not within the years 1900 to 2199")
    return Moment(instant, None)


def in_length(cursor: Cursor, now: Now) -> Said | None:
    """Read ``in 3 days``, a length from now that is led by a word, and leave the rest to the cursor."""
    start = cursor.place
    span = length(cursor) if cursor.among(("in", "after")) else None
    if span is None:
        cursor.place = start
        return None
    cursor.phrase("from now", "time")
    return _counted(now, span, None if span.seconds else time_of_day(cursor))


def on_a_day(cursor: Cursor, now: Now, *, on_24: bool = False) -> Said | None:
    """Read a day and a time in either order, or one of them, and leave the rest to the cursor.

    With ``on_24`` an hour without a day is one of the 24-hour clock, as it is everywhere in a repetition.
    """
    start = cursor.place
    same = _same_time(cursor, now)
    time = same or time_of_day(cursor)
    if time is not None:
        cursor.among((",",))
    named = day(cursor, now.today)
    if time is None and named is not None:
        place = cursor.place
        comma = cursor.among((",", "-")) is not None
        same = _same_time(cursor, now)
        time = same or time_of_day(cursor, led=not comma)
        if time is None:
            cursor.place = place
    if named is None and time is None:
        period = next((period for period in PERIODS if cursor.phrase(f"in the {period}", f"at {period}")), None)
        if period is not None:
            return Said((_coming(now, PERIOD_TIMES[period]),), defaulted=True, part_of_day=True)
        cursor.place = start
        return None
    if named is None and same is not None:
        return Said((_coming(now, same.second),), asks="this time is now; say on which day", again="day")
    if named is None:
        return _next_time(now, time._replace(bare=time.bare and not on_24)) if time is not None else None
    if same is not None and named.asks is not None:  # this time next week is in seven days
        same_days = {shifted(now.today, months, days) for months, days in ((0, 7), (1, 0), (12, 0))} & set(named.dates)
        named = named._replace(dates=tuple(same_days), asks=None) if same_days else named
    return _on_days(now, named, time)


def _on_days(now: Now, named: Days, time: Time | None) -> Said:
    """A time on the days that may be meant; without one the time of the part of the day, or the default one."""
    if time is None:
        second = now.default if named.period is None else PERIOD_TIMES[named.period]
        moments, part = _at_times(now, named, Time(second)), named.period is not None
        return Said(moments, defaulted=True, part_of_day=part, asks=named.asks, again=named.again)
    time = time if named.period is None else in_period(time, named.period)
    return Said(_at_times(now, named, time), asks=named.asks, again=named.again)


def _same_time(cursor: Cursor, now: Now) -> Time | None:
    """This time tomorrow: the one that the clocks show now."""
    start = cursor.place
    cursor.among(("at",))
    cursor.among(("the",))
    if cursor.phrase("this time", "same time", "this same time"):
        return Time(now.second % DAY_SECONDS)
    cursor.place = start
    return None


def _next_time(now: Now, time: Time) -> Said:
    """A time without a day: the next one; both halves of the day, if the hour may lie in either."""
    if not (time.bare or time.either):
        return Said((_coming(now, time.second),), again="day")
    moments = sorted({_coming(now, time.second), _coming(now, (time.second + DAY_SECONDS // 2) % DAY_SECONDS)})
    return Said(tuple(moments), asks="that hour comes in the morning and in the evening")


def _at_times(now: Now, named: Days, time: Time) -> tuple[Moment, ...]:
    """A time on each of the dates; midnight stands at both ends of a day, unless the part of the day tells."""
    if time.either:
        halves = (time._replace(either=False), Time((time.second + DAY_SECONDS // 2) % DAY_SECONDS))
        return tuple(moment for half in halves for moment in _at_times(now, named, half))
    moments = []
    for date_ in named.dates:
        following = date_ + timedelta(days=1)
        late = named.period == "night" and time.second < 5 * 3600
        moments.append(now.at(following if late else date_, time.second))
        if time.midnight and not late and time.second < 3600:
            moments.append(now.at(following, time.second))
    return tuple(moments)


def _coming(now: Now, second: int) -> Moment:
    """The next moment at which the clocks show this time of day."""
    moment = now.at(now.today, second)
    return moment if moment.instant > now.instant else now.at(now.today + timedelta(days=1), second)
