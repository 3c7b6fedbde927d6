"""Clauses of a recurring phrase that name hours: at 9 and 17, between 9 and 17, in the evening, at quarter past."""

from __future__ import annotations

from itertools import product
from typing import Final

from core.timing.grammar.dates import days_in_month
from core.timing.grammar.draft import Draft
from core.timing.grammar.once import Now
from core.timing.grammar.times import DAY_SECONDS, MIDDLES, Time, hand, time_of_day
from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import PERIODS, PLURAL_PERIODS

_NAMED_MINUTES: Final = {"half": 30, "quarter": 15}
_MOST_BARE: Final = 6
_HALF_DAY: Final = DAY_SECONDS // 2
_BOTH_HALVES: Final = "one of the hours lacks am or pm; write it with each of them"


def on_the_clock(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001 - clauses share one shape
    """At whole steps of the clock instead of counted from now: every 15 minutes on the clock."""
    if not cursor.phrase("on the clock", "on the hour", "at the top of the hour", "top of the hour"):
        return False
    draft.on_the_clock = True
    return True


def minute_of_hour(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Every hour at :15, at quarter past, at 20 minutes to the hour, on the half hour."""
    start = cursor.place
    minute = _minute(cursor)
    if minute is None or draft.minute is not None:
        cursor.place = start
        return False
    draft.minute = minute
    return True


def _minute(cursor: Cursor) -> int | None:
    if cursor.phrase("on the half hour", "on the half - hour", "at the half hour"):
        return 30
    cursor.among(("at",))
    token = cursor.take("minute")
    if token is not None:
        if cursor.among(("past", "after")) and not (
            cursor.phrase("the hour", "each hour") or cursor.stands("every hour")
        ):
            return None
        return int(token.text[1:]) if int(token.text[1:]) < 60 else None
    cursor.phrase("a")
    named = cursor.among(_NAMED_MINUTES)
    token = cursor.take("number") if named is None else None
    if token is not None:
        cursor.among(("minutes", "minute", "mins", "min"))
    minute = _NAMED_MINUTES[named] if named is not None else 60 if token is None else token.number
    way = cursor.among(("past", "after", "to", "before"))
    if way is None or minute > 59:
        return None
    # "Every hour" after it is read by itself; a number would make a time of day of it.
    hourly = cursor.phrase("the hour", "each hour", "hour") or cursor.stands("every hour")
    of_an_hour = cursor.peek().kind == "number" or cursor.peek().text in MIDDLES
    if not hourly and (of_an_hour if way == "past" else not (way == "to" and cursor.done)):
        return None
    return minute if way in ("past", "after") else (60 - minute) % 60


def in_periods(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """In the evening; behind days also evening alone: every friday night, weekday mornings."""
    start = cursor.place
    led = cursor.phrase("in the") or cursor.phrase("at night")
    period = "night" if led and cursor.tokens[cursor.place - 1].text == "night" else None
    if period is None and (led or draft.unit is not None or draft.has_days):
        word = cursor.among((*PERIODS, *PLURAL_PERIODS)) or ""
        period = PLURAL_PERIODS.get(word, word or None)
    if period is None or draft.period is not None:
        cursor.place = start
        return False
    draft.period = period
    return True


def times(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """At 9, at 9 and 17, 18:30, 9-17.

    Raises:
        Refused: a second time where one was named, or two spans of hours.
    """
    start = cursor.place
    time = time_of_day(cursor, led=draft.unit is not None or draft.has_days)
    if time is None:
        return False
    place = cursor.place
    last = time_of_day(cursor, led=True) if cursor.among(("-", "to")) else None
    if last is not None:
        _take_window(cursor, draft, start, (time, last))
        return True
    cursor.place = place
    if draft.times:
        raise Refused("the words name the time of day twice")
    draft.times = [time, *_more_times(cursor)]
    _look_at(cursor, draft, start)
    return True


def _more_times(cursor: Cursor) -> list[Time]:
    found: list[Time] = []
    while True:
        start = cursor.place
        separated = cursor.among((",", "/")) is not None
        separated = cursor.among(("and", "&")) is not None or separated
        time = time_of_day(cursor, led=True) if separated else None
        if time is None:
            cursor.place = start
            return found
        found.append(time)


def _look_at(cursor: Cursor, draft: Draft, start: int) -> None:
    """Note what is not clear about the times of day: 8 and 10pm may be in the morning and in the evening."""
    named = draft.times
    if any(time.midnight or time.either for time in named):
        clear = [[_either_way(time, late) for time in named] for late in (False, True)]
        draft.clear = tuple(cursor.swapped(start, f"at {' and '.join(words)}") for words in clear)
    if any(time.half for time in named) and 0 < sum(time.bare for time in named) <= _MOST_BARE:
        halves = product(*([time.second, (time.second + _HALF_DAY) % DAY_SECONDS][: 1 + time.bare] for time in named))
        in_order = [seconds for seconds in halves if list(seconds) == sorted(seconds)]
        if len(in_order) == 1:
            draft.times = [Time(second) for second in in_order[0]]
            return
        said = (f"at {' and '.join(map(hand, seconds))}" for seconds in in_order)
        draft.unclear = Refused(_BOTH_HALVES, tuple(cursor.swapped(start, words) for words in said))


def _either_way(time: Time, late: bool) -> str:
    """A time that stands at both ends of a day, or comes twice in it, at one of them."""
    if time.midnight and not time.second:
        return "23:59" if late else "0:00"
    return hand((time.second + _HALF_DAY * (time.either and late)) % DAY_SECONDS)


def between(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Between 9 and 17, from 9am to 5pm; both ends belong to it."""
    start = cursor.place
    if not cursor.among(("between", "from")) or days_in_month(cursor) is not None:
        cursor.place = start  # from 1 to 24 december: no hours
        return False
    first = time_of_day(cursor, led=True)
    joined = first is not None and cursor.among(("and", "to", "till", "until", "through", "-"))
    last = time_of_day(cursor, led=True) if joined else None
    if first is None or last is None:
        cursor.place = start
        return False
    _take_window(cursor, draft, start, (first, last))
    return True


def _take_window(cursor: Cursor, draft: Draft, start: int, ends: tuple[Time, Time]) -> None:
    """Take a span of hours, if it has one meaning.

    Raises:
        Refused: it has none, or two, such as from 1 to 5pm; or there was one before.
    """
    if draft.window is not None:
        raise Refused("the words name two spans of hours")
    found = _spans(*ends)
    in_order = [(first, last) for first, last in found if first < last]
    if len(in_order) == 1 and found[0] in in_order:
        draft.window = in_order[0]
        return
    said = tuple(cursor.swapped(start, f"between {hand(first)} and {hand(last)}") for first, last in in_order)
    if len(in_order) > 1:
        raise Refused(_BOTH_HALVES, said)
    if not said:
        raise Refused("a span of hours ends later on the same day than it begins; over midnight it is two schedules")
    raise Refused("a span of hours ends later on the same day than it begins; write 17 or 5pm for the afternoon", said)


def _spans(first: Time, last: Time) -> list[tuple[int, int]]:
    """The spans that two ends may mean: as they stand, and with a bare hour in the other half of the day."""
    plain = (first.second, last.second)
    if first.either or last.either:
        halves = (0, _HALF_DAY)
        return [(plain[0] + one * first.either, plain[1] + two * last.either) for one in halves for two in halves]
    if first.bare and last.half is not None:
        both = [plain, ((plain[0] + _HALF_DAY) % DAY_SECONDS, plain[1])]
        return sorted(both, key=lambda span: span[0] >= span[1])
    if last.bare and first.half is not None:
        both = [plain, (plain[0], (plain[1] + _HALF_DAY) % DAY_SECONDS)]
        return sorted(both, key=lambda span: span[0] >= span[1])
    if first.bare and last.bare and plain[0] >= plain[1]:
        return [plain, (plain[0], plain[1] + _HALF_DAY)]
    return [plain]
