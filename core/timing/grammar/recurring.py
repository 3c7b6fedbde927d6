"""Recurring times, as people say them: every weekday at 9, every other friday, the last day of the month at 6pm.

A phrase is a row of clauses in any order: how often, on which days, at which times, between which hours, from when and
until when. Every clause fills its part of a ``Draft``; a part said twice refuses the phrase, as does a word left over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.timing.grammar.bounds import bounds, until_of
from core.timing.grammar.dates import named_weekday
from core.timing.grammar.draft import Draft, Recurring, finished, take_steps, take_unit
from core.timing.grammar.hours import between, in_periods, minute_of_hour, on_the_clock, times
from core.timing.grammar.how_often import ADVERBS, BI_WORDS, HALF_WORDS, adverb, bi, steps, tally
from core.timing.grammar.once import Now
from core.timing.grammar.tokens import Cursor, NotUnderstood, Refused, Token
from core.timing.grammar.vocabulary import (
    DAY_NAMES,
    MONTH_NAMES,
    MONTHS,
    PERIODS,
    PLURAL_DAYS,
    PLURAL_PERIODS,
    UNITS,
    WEEKDAYS,
    ordinal,
)
from core.timing.grammar.which_days import (
    day_span,
    except_days,
    group,
    month_places,
    nth_weekday,
    of_the_month,
    on_days,
    unit_of_places,
    weekday_list,
    weekday_span,
    weekdays,
    yearly,
)

_HEADS: Final = {
    "every", "each", "alternate", "alternating", "weekdays", "weekends", "workdays", "repeat", "repeats", "repeating", "recurring", "nightly",
    "twice", "thrice", "semiweekly", "semimonthly", *ADVERBS, *PLURAL_DAYS, *PLURAL_PERIODS, *BI_WORDS, *HALF_WORDS,
}  # fmt: skip
_PHRASES: Final = (
    "of the month", "of month", "once a", "once an", "once per", "times a", "x a", "x per", "times an", "times per", "business days", "working days", "all days",
    "on the hour", "of the hour", "past the hour", "on the half hour",
)  # fmt: skip


def recurs(tokens: tuple[Token, ...]) -> bool:
    """Whether the words are about something that comes again."""
    words = [token.text for token in tokens]
    if any(word in _HEADS for word in words):
        return True
    if sum(word in WEEKDAYS for word in words) > 1 or sum(token.kind == "ordinal" for token in tokens) > 1:
        return True
    joined = f" {' '.join(words)} "
    again = any(f" {phrase} " in joined for phrase in _PHRASES)
    return again and not {"end", "start", "beginning"} & set(words)


def recurring(cursor: Cursor, now: Now, *, alone: bool = False) -> Recurring:
    """Read a recurring time from the whole cursor; with ``alone`` a bare length such as 15m means "every 15 minutes".

    Raises:
        Refused: a clause is not understood, stands twice, or does not go with the others.
    """
    draft = Draft()
    if not alone:
        _refuse_two_days(cursor)
    if alone and _repeated_length(cursor, draft):
        return finished(draft, now, None)
    clauses: tuple[Callable[[Cursor, Draft, Now], bool], ...] = (
        minute_of_hour, between, weekday_span, day_span, tally, bounds, _head, adverb, bi, of_the_month, on_the_clock,
        except_days, on_days, in_periods, times,
    )  # fmt: skip
    while not cursor.done:
        if cursor.among((",", "only", "repeat", "repeats", "repeating", "recurring")):
            continue
        _refuse_second_rule(cursor, draft)
        if not any(clause(cursor, draft, now) for clause in clauses):
            _refuse_lone_number(cursor, alone=alone)
            known = (
                "in these words; leave it out, or say it in other words"
                if cursor.place
                else "as a repetition; try 'every day at 9'"
            )
            raise NotUnderstood(f"{cursor.rest()!r} is not understood {known}")
    return finished(draft, now, until_of(draft, now))


def _refuse_two_days(cursor: Cursor) -> None:
    """Monday tuesday: both, again and again, or one put right by the other? Three days can only be the first.

    Raises Refused.
    """
    days = [token.text in WEEKDAYS for token in cursor.tokens]
    if sum(days) != 2 or any(token.text in _HEADS for token in cursor.tokens):
        return
    start = days.index(True)
    if not days[start + 1]:
        return
    cursor.place = start + 2
    names = [DAY_NAMES[WEEKDAYS[token.text]] for token in cursor.tokens[start : start + 2]]
    row = f"every {' and '.join(names)}"
    words = tuple(cursor.swapped(start, text) for text in (row, *names))
    raise Refused(f"{' '.join(names)} can be both of them or one; write {row}, or one of the days", words)


def _refuse_lone_number(cursor: Cursor, *, alone: bool) -> None:
    """Every 15. Raises Refused."""
    start = cursor.place
    led = cursor.among(("every", "each")) is not None
    token = cursor.take("number")
    if token is not None and cursor.done and (led or (alone and start == 0)):
        words = (cursor.swapped(start, f"every {token.text} {unit}") for unit in ("minutes", "hours", "days"))
        raise Refused(
            f"every {token.text} does not say how often; write minutes, hours or days behind it", tuple(words)
        )
    cursor.place = start


def _refuse_second_rule(cursor: Cursor, draft: Draft) -> None:
    """Monday at 9 and thursday at 18, every 1st at 9 and 15th at 10. Raises Refused."""
    start = cursor.place
    cursor.among((",",))
    cursor.among(("and", "&"))
    behind = cursor.place
    cursor.among(("on", "every"))
    cursor.among(("the",))
    another = cursor.peek().text in (*WEEKDAYS, *PLURAL_DAYS) or cursor.peek().kind == "ordinal"
    if draft.times and draft.has_days and another and cursor.peek(1).text:
        first = Cursor(cursor.tokens[:start]).rest()
        first = first if recurs(cursor.tokens[:start]) else f"every {first}"
        cursor.place = behind
        other = cursor.rest() if cursor.stands("every") else f"every {cursor.rest().removeprefix('on ')}"
        raise Refused("days at different times go into schedules of their own", (first, other))
    cursor.place = start


def _repeated_length(cursor: Cursor, draft: Draft) -> bool:
    start = cursor.place
    if steps(cursor, draft) and cursor.done:
        return True
    cursor.place = start
    return False


def _head(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001 - clauses share one shape
    """Every 15 minutes, every other friday, every 2nd day, every monday and thursday, every 29 february, every day."""
    start = cursor.place
    repeated = cursor.phrase("once every", "all")
    if not repeated and not cursor.among(("every", "each")) and cursor.peek().text not in ("alternate", "alternating"):
        return False
    cursor.among(("single",))
    _refuse_month(cursor)
    if yearly(cursor, draft) or _ordinal_head(cursor, draft) or group(cursor, draft) or steps(cursor, draft):
        cursor.phrase("of the week")
        return True
    if _counted_weekday(cursor, draft):
        return True
    if cursor.peek().text in (*PERIODS, "noon", "midday", "midnight"):
        take_unit(draft, "day", 1)
        draft.period = cursor.among(PERIODS)
        return True
    if weekdays(cursor, draft):
        return True
    cursor.place = start
    return False


def _refuse_month(cursor: Cursor) -> None:
    """Every january, without a day in it. Raises Refused."""
    month = MONTHS.get(cursor.peek().text)
    if month is None or cursor.peek(1).kind in ("number", "ordinal") or cursor.peek(1).text in ("the", "second"):
        return
    name = MONTH_NAMES[month - 1]
    cursor.place += 1
    words = tuple(cursor.swapped(cursor.place - 1, f"{day} {name}") for day in (1, 15))
    raise Refused(f"say on which day of {name}", words)


def _ordinal_head(cursor: Cursor, draft: Draft) -> bool:
    """Every other week, every second friday, every 3rd day, every last friday, every 15th."""
    start = cursor.place
    others = ("other", "second", "alternate", "alternating")
    if cursor.peek().text in others and cursor.peek(1).text in ("weekday", "workday", "weekend"):
        weekend = cursor.peek(1).text == "weekend"
        cursor.place += 2
        words = "2 weeks on saturday and sunday" if weekend else "monday, wednesday and friday"
        raise Refused("name the days that are meant", (cursor.swapped(start, words),))
    other = cursor.among(others) if _unit_or_weekday(cursor.peek(1)) else None
    if other is None and cursor.peek().text == "last":
        return month_places(cursor, draft)
    token = cursor.take("ordinal") if other is None else None
    number = 2 if other else token.number if token else 0
    if not number:
        cursor.place = start
        return False
    unit = UNITS.get(cursor.peek().text)
    if unit is not None:
        cursor.place += 1
        if unit == "day" and other is None and cursor.peek().text in ("of", "in"):
            cursor.place = start  # every 15th day of the month
            return month_places(cursor, draft)
        take_steps(draft, unit, number)
        return True
    weekday = named_weekday(cursor)
    if weekday is None:
        cursor.place = start
        return month_places(cursor, draft)
    if cursor.peek().text in ("of", "in") or number == 1:
        draft.nth = ((nth_weekday(number), weekday),)
        unit_of_places(cursor, draft)
        return True
    if number > 2:
        nth, name, rest = ordinal(number), DAY_NAMES[weekday], cursor.rest()
        weeks, month = f"every {number} weeks on {name} {rest}", f"every month on the {nth} {name} {rest}"
        raise Refused(f"every {nth} {name} can be every {number} weeks or once a month", (weeks, month))
    take_unit(draft, "week", number)
    cursor.place -= 1
    draft.weekdays = weekday_list(cursor)
    return True


def _counted_weekday(cursor: Cursor, draft: Draft) -> bool:
    """Every 2 fridays."""
    token = cursor.take("number") if cursor.peek(1).text in PLURAL_DAYS else None
    if token is None:
        return False
    take_steps(draft, "week", token.number)
    draft.weekdays = weekday_list(cursor)
    return True


def _unit_or_weekday(token: Token) -> bool:
    return token.kind == "word" and (token.text in WEEKDAYS or token.text in UNITS or token.text in PLURAL_DAYS)
