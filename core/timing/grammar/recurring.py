"""Recurring times, as people say them: every weekday at 9, every other friday, the last day of the month at 6pm.

A phrase is a row of clauses in any order: how often, on which days, at which times, between which hours, from when and
until when. Every clause fills its part of a ``Draft``; a part said twice refuses the phrase, as does a word left over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.timing.grammar.days import named_weekday
from core.timing.grammar.draft import PER_UNIT, Draft, Recurring, finished, take_steps, take_unit
from core.timing.grammar.once import Moment, Now, on_a_day
from core.timing.grammar.times import DAY_SECONDS, length, time_of_day
from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.grammar.vocabulary import DAY_NAMES, PERIODS, PLURAL_DAYS, UNITS, WEEKDAYS, ordinal
from core.timing.grammar.which_days import (
    except_days,
    group,
    month_places,
    nth_weekday,
    of_the_month,
    on_days,
    unit_of_places,
    weekdays,
    yearly,
)

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
_HEADS: Final = {"every", "each", *_ADVERBS, *PLURAL_DAYS, "weekdays", "weekends", "workdays", "repeat", "repeating"}


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
        return finished(draft, now)
    clauses: tuple[Callable[[Cursor, Draft, Now], bool], ...] = (
        _between, _bounds, _head, _adverb, of_the_month, _on_the_clock, except_days, on_days, _times,
    )  # fmt: skip
    while not cursor.done:
        if cursor.among((",",)):
            continue
        if not any(clause(cursor, draft, now) for clause in clauses):
            known = "in these words" if cursor.place else "as a repetition; try 'every day at 9'"
            raise Refused(f"{cursor.rest()!r} is not understood {known}")
    return finished(draft, now)


def _repeated_length(cursor: Cursor, draft: Draft) -> bool:
    start = cursor.place
    if _length(cursor, draft) and cursor.done:
        return True
    cursor.place = start
    return False


def _head(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001 - clauses share one shape
    """Every 15 minutes, every other friday, every 2nd day, every monday and thursday, every 29 february, every day."""
    start = cursor.place
    once_a = cursor.phrase("once a", "once an", "once per", "once every", "repeat every", "repeating every")
    if not once_a and not cursor.among(("every", "each")):
        return False
    cursor.among(("single",))
    if yearly(cursor, draft) or _ordinal_head(cursor, draft) or group(cursor, draft) or _length(cursor, draft):
        return True
    period = cursor.among(PERIODS)
    if period is not None:
        take_unit(draft, "day", 1)
        draft.period = period
        return True
    if weekdays(cursor, draft):
        return True
    cursor.place = start
    return False


def _ordinal_head(cursor: Cursor, draft: Draft) -> bool:
    """Every other week, every second friday, every 3rd day, every last friday, every 15th."""
    start = cursor.place
    other = cursor.among(("other", "second")) if _unit_or_weekday(cursor.peek(1)) else None
    if other is None and cursor.peek().text == "last":
        return month_places(cursor, draft)
    token = cursor.take("ordinal") if other is None else None
    number = 2 if other else token.number if token else 0
    if not number:
        return False
    unit = UNITS.get(cursor.peek().text)
    if unit is not None:
        cursor.place += 1
        take_steps(draft, unit, number)
        return True
    weekday = named_weekday(cursor)
    if weekday is None:
        cursor.place = start
        return month_places(cursor, draft)
    if cursor.peek().text == "of" or number == 1:
        draft.nth = ((nth_weekday(number), weekday),)
        unit_of_places(cursor, draft)
        return True
    if number > 2:
        nth, name, rest = ordinal(number), DAY_NAMES[weekday], cursor.rest()
        weeks, month = f"every {number} weeks on {name} {rest}", f"every month on the {nth} {name} {rest}"
        raise Refused(f"every {nth} {name} can be every {number} weeks or once a month", (weeks, month))
    take_unit(draft, "week", number)
    draft.weekdays = (weekday,)
    return True


def _unit_or_weekday(token: Token) -> bool:
    return token.kind == "word" and (token.text in WEEKDAYS or token.text in UNITS)


def _adverb(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Daily, weekly, mondays, weekdays, nightly."""
    if cursor.among(("nightly",)):
        take_unit(draft, "day", 1)
        draft.period = "night"
        return True
    adverb = cursor.among(_ADVERBS)
    if adverb is None:
        return False
    unit, number = _ADVERBS[adverb]
    take_steps(draft, unit, number)
    return True


def _length(cursor: Cursor, draft: Draft) -> bool:
    """15 minutes, 2 weeks, 1h30m, or a unit alone."""
    unit = UNITS.get(cursor.peek().text) if cursor.peek().kind == "word" else None
    if unit is not None:
        cursor.place += 1
        if unit in ("hour", "minute") and cursor.phrase("and a half"):
            take_steps(draft, "second", PER_UNIT[unit] * 3 // 2)
        else:
            take_steps(draft, unit, 1)
        return True
    span = length(cursor)
    if span is None:
        return False
    parts = [(name, number) for name, number in zip(("month", "day", "second"), span, strict=True) if number]
    if not parts:
        raise Refused("a repetition needs some time in between, as in 'every 10 minutes'")
    if len(parts) > 1:
        raise Refused("a repetition is counted in one kind of unit: hours and minutes, or days, weeks, months or years")
    unit, number = parts[0]
    if unit == "day" and number % 7 == 0:
        unit, number = "week", number // 7
    if unit == "month" and number % 12 == 0:
        unit, number = "year", number // 12
    take_steps(draft, unit, number)
    return True


def _on_the_clock(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """At whole steps of the clock instead of counted from now: every 15 minutes on the clock."""
    if not cursor.phrase("on the clock", "on the hour"):
        return False
    draft.on_the_clock = True
    return True


def _times(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """At 9, at 9 and 17, 18:30, in the evening."""
    for period in PERIODS[:3]:
        if cursor.phrase(f"in the {period}"):
            draft.period = period
            return True
    time = time_of_day(cursor, led=draft.unit is not None or draft.has_days)
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
