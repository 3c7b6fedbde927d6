"""Where a repetition begins and ends: starting tomorrow, until 1 june, from 1 to 24 december, for 2 weeks, 5 times."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from core.timing.grammar.dates import (
    TO,
    days_in_month,
    last_of_month,
    month_name,
    next_dates,
    shifted,
    year_number,
)
from core.timing.grammar.draft import Draft
from core.timing.grammar.once import Moment, Now, Said, in_length, on_a_day
from core.timing.grammar.times import DAY_SECONDS, length
from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import MONTH_NAMES, TODAY, TOMORROW
from schedule_zero.instant import DAY, SECOND, to_datetime

_FROM: Final = ("starting", "beginning", "start", "from", "commencing", "after")
_UNTIL: Final = (*TO, "ending")
_MOST_TIMES: Final = 10_000


def bounds(cursor: Cursor, draft: Draft, now: Now) -> bool:
    """Read one bound.

    Raises:
        Refused: a bound that is not one clear day, such as "until june".
    """
    start = cursor.place
    if cursor.among(("between",)):
        draft_start = _bound(cursor, now, draft.start, last=False)
        if draft_start is not None and cursor.among(("and",)):
            until = _end(cursor, now, draft_start, draft.until)
            if until is not None:
                draft.start, draft.until = draft_start, until
                return True
    elif cursor.among(_FROM):
        cursor.among(("on", "from"))
        found = _bound(cursor, now, draft.start, last=False)
        if found is not None:
            draft.start = found
            _take_time(draft, found)
            return True
    elif word := cursor.among(_UNTIL) or (cursor.phrase("up to", "up until") and "until"):
        cursor.among(("and",))
        found = _until(cursor, now, draft, word, start)
        if found is not None:
            draft.until = found
            if found.instant - now.instant > DAY and draft.bound_time is None:
                _take_time(draft, found)
            return True
    elif (draft.unit or draft.has_days) and (span := _whole(cursor, now)) is not None:
        named, first, last = span
        begin = "" if first == now.today else f"starting {first.isoformat()}, "
        words = cursor.swapped(start, f"{begin}until {last.isoformat()}")
        raise Refused(f"a {named} to repeat in is said by its first and last day", (words,))
    elif draft.start is None and (said := _first_in_month(cursor, now)) is not None:
        draft.start = said.moments[0]
        return True
    elif _times(cursor, draft) or _lasting(cursor, draft):
        return True
    cursor.place = start
    return False


def _take_time(draft: Draft, bound: Moment) -> None:
    """Daily until 24 december at 8: where nothing else says at what time, it is at 8."""
    second = None if bound.wall is None else bound.wall % DAY // SECOND
    if second not in (None, 0, DAY_SECONDS - 1):
        draft.bound_time = second


def _times(cursor: Cursor, draft: Draft) -> bool:
    """Five times, for 5 times, x5, 5x."""
    start = cursor.place
    cursor.among(("for",))
    crossed = cursor.among(("x",)) is not None
    token = cursor.take("number")
    counted = token is not None and (crossed or cursor.among(("times", "time", "x", "occurrences")) is not None)
    if token is not None and counted and draft.count is None and 0 < token.number <= _MOST_TIMES:
        draft.count = token.number
        return True
    cursor.place = start
    return False


def _lasting(cursor: Cursor, draft: Draft) -> bool:
    """For 2 weeks, for the next hour."""
    if not cursor.among(("for", "during")):
        return False
    following = cursor.phrase("the next", "the coming")
    span = length(cursor)
    if span is None or draft.lasts is not None:
        return False
    if not following:
        cursor.phrase("from now")
    draft.lasts = span
    return True


def _end(cursor: Cursor, now: Now, begin: Moment | None, already: Moment | None) -> Moment | None:
    """An end; one that comes again, such as friday or the 15th, is the next one behind the start."""
    place = cursor.place
    found = _bound(cursor, now, already, last=True)
    if found is None or begin is None or found.instant > begin.instant:
        return found
    behind = cursor.place
    cursor.place = place
    said = on_a_day(cursor, now, on_24=True)
    if said is None or cursor.place != behind or said.again not in ("week", "month", "year"):
        cursor.place = behind
        return found
    cursor.place = place
    return _bound(cursor, now._replace(instant=begin.instant), already, last=True)


def _until(cursor: Cursor, now: Now, draft: Draft, word: str, start: int) -> Moment | None:
    """An end; a month alone may be meant with all its days or without any."""
    found = _end(cursor, now, draft.start, draft.until)
    if found is not None:
        return found
    first = _first_of_month(cursor, now)
    if first is None:
        return None
    last = last_of_month(first)
    if word in ("through", "thru"):
        return now.at(last, DAY_SECONDS - 1)
    before = first - timedelta(days=1)
    raise Refused(
        f"until {MONTH_NAMES[first.month - 1]} can be until it begins or until it ends",
        tuple(cursor.swapped(start, f"until {end.isoformat()}") for end in (before, last)),
    )


def _first_of_month(cursor: Cursor, now: Now) -> date | None:
    """The first day of a month said by its name alone, of this year or the next."""
    month = month_name(cursor)
    if month is None:
        return None
    year = year_number(cursor) or now.today.year + (month <= now.today.month)
    return date(year, month, 1)


def _first_in_month(cursor: Cursor, now: Now) -> Said | None:
    """The first day in 1 to 24 december."""
    found = days_in_month(cursor)
    if found is None:
        return None
    month, first, _ = found
    return Said((now.at(next_dates([(month, first)], None, now.today)[0], 0),), defaulted=True)


def _whole(cursor: Cursor, now: Now) -> tuple[str, date, date] | None:
    """Today, tomorrow, this week, next month, in december: what to repeat in, as its name, its first and last day."""
    today = now.today
    if cursor.among(TODAY):
        return "day", today, today
    if cursor.among(TOMORROW):
        return "day", today + timedelta(days=1), today + timedelta(days=1)
    for ahead, way in enumerate(("this", "next")):
        monday = today + timedelta(days=7 * ahead - today.weekday())
        if cursor.phrase(f"{way} week"):
            return "week", max(today, monday), monday + timedelta(days=6)
        if cursor.phrase(f"{way} month"):
            first = shifted(today.replace(day=1), ahead, 0)
            return "month", max(today, first), last_of_month(first)
    month = _whole_month(cursor, now)
    return None if month is None else ("month", month, last_of_month(month))


def _whole_month(cursor: Cursor, now: Now) -> date | None:
    """In december, with no day of it."""
    start = cursor.place
    month = _first_of_month(cursor, now) if cursor.among(("in", "during", "throughout")) else None
    if month is None or cursor.peek().kind in ("number", "ordinal"):
        cursor.place = start
        return None
    return month


def _bound(cursor: Cursor, now: Now, already: Moment | None, *, last: bool) -> Moment | None:
    """A start or an end: an end without a time of day is the end of its day, a start without one its beginning."""
    place = cursor.place
    said = None if last else _first_in_month(cursor, now) or _soft_start(cursor, now)
    if said is None:
        cursor.place = place
        said = in_length(cursor, now) or on_a_day(cursor, now, on_24=True)
    if said is None:
        return None
    if already is not None or len(said.moments) > 1 or said.asks is not None:
        words = tuple(cursor.swapped(place, shown) for shown in map(_shown, said.moments)) if already is None else ()
        raise Refused("a start or an end must be one clear day, such as 3 march 2027", words)
    moment = said.moments[0]
    if not said.defaulted or moment.wall is None:
        return moment
    day = moment.wall - moment.wall % (DAY_SECONDS * SECOND)
    wall = day + (DAY_SECONDS - 1) * SECOND if last else day
    return Moment(now.clock.first(wall), wall)


def _shown(moment: Moment) -> str:
    return to_datetime(moment.instant if moment.wall is None else moment.wall).date().isoformat()


def _soft_start(cursor: Cursor, now: Now) -> Said | None:
    """What begins on one day only: next week on its monday, december on its first."""
    cursor.among(("in",))
    today = now.today
    named = None
    for unit, first in (
        ("week", today + timedelta(days=7 - today.weekday())),
        ("month", shifted(today.replace(day=1), 1, 0)),
        ("year", date(today.year + 1, 1, 1)),
    ):
        if cursor.phrase(f"next {unit}"):
            named = first
    if named is None:
        named = _first_of_month(cursor, now)
        if cursor.peek().kind in ("number", "ordinal") or cursor.peek().text == "the":
            return None  # december 5: the month is only the half of it
    return None if named is None else Said((now.at(named, 0),), defaulted=True)


def until_of(draft: Draft, now: Now) -> Moment | None:
    """The end of a draft, said as such or by how long it lasts. Raises Refused for both."""
    if draft.lasts is None:
        return draft.until
    if draft.until is not None:
        raise Refused("the words say in two ways when it ends")
    start = draft.start or Moment(now.instant, now.wall)
    if draft.lasts.absolute:
        return Moment(start.instant + draft.lasts.seconds * SECOND, None)
    begun = now._replace(instant=start.instant)
    whole_days = draft.start is not None and begun.second == 0
    end = now.at(shifted(begun.today, draft.lasts.months, draft.lasts.days), begun.second)
    moved = end.instant + draft.lasts.seconds * SECOND - whole_days * SECOND
    return Moment(moved, None)
