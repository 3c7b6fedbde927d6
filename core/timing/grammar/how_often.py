"""How often: daily, every 15 minutes, once a week, twice a day, bi-weekly."""

from __future__ import annotations

from typing import Final

from core.timing.grammar.draft import PER_UNIT, Draft, take_steps, take_unit
from core.timing.grammar.once import Now
from core.timing.grammar.times import length
from core.timing.grammar.tokens import Cursor, Refused
from core.timing.grammar.vocabulary import PLURAL_PERIODS, UNITS

ADVERBS: Final = {
    "minutely": ("minute", 1),
    "hourly": ("hour", 1),
    "daily": ("day", 1),
    "weekly": ("week", 1),
    "fortnightly": ("week", 2),
    "monthly": ("month", 1),
    "quarterly": ("month", 3),
    "yearly": ("year", 1),
    "annually": ("year", 1),
    "annual": ("year", 1),
    "biennially": ("year", 2),
}
_HALVES: Final = {"hourly": ("minute", 30), "yearly": ("month", 6), "annually": ("month", 6), "annual": ("month", 6)}
_BI: Final = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
    "annual": "year",
}
BI_WORDS: Final = {f"bi{adverb}": unit for adverb, unit in _BI.items()}
HALF_WORDS: Final = {f"semi{adverb}": steps for adverb, steps in _HALVES.items()}
_SEMI: Final = {"semiweekly": "week", "semimonthly": "month", "semidaily": "day"}
TALLIES: Final = {"once": 1, "twice": 2, "thrice": 3}
_PER: Final = ("a", "an", "per", "each", "every")
_TWICE: Final = {
    "day": ("every day at 9:00 and 21:00", "every 12 hours"),
    "week": ("every monday and thursday",),
    "month": ("every month on the 1st and 15th",),
    "year": ("every 6 months",),
}
_DAYTIMES: Final = {2: "9:00 and 21:00", 3: "8:00, 14:00 and 20:00", 4: "8:00, 12:00, 16:00 and 20:00"}


def adverb(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001 - clauses share one shape
    """Daily, fortnightly, nightly, mornings, half-yearly."""
    start = cursor.place
    if cursor.among(("nightly",)):
        take_unit(draft, "day", 1)
        draft.period = "night"
        return True
    if cursor.peek().text in PLURAL_PERIODS and draft.unit is None and not draft.has_days:
        take_unit(draft, "day", 1)
        return False  # the part of the day is read by the clause for it
    steps = HALF_WORDS.get(cursor.peek().text) or ADVERBS.get(cursor.peek().text)
    if steps is None and cursor.among(("half", "semi")):
        cursor.among(("-",))
        steps = _HALVES.get(cursor.peek().text)
    if steps is None:
        cursor.place = start
        return False
    cursor.place += 1
    take_steps(draft, *steps)
    return True


def steps(cursor: Cursor, draft: Draft) -> bool:
    """15 minutes, 2 weeks, 1h30m, or a unit alone."""
    unit = UNITS.get(cursor.peek().text) if cursor.peek().kind == "word" else None
    if unit == "quarter" and "hour" in (cursor.peek(1).text, cursor.peek(2).text, cursor.peek(3).text):
        unit = None  # a quarter of an hour is a length
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


def tally(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Once a day, twice daily, 3 times a week: so many times or days must be named, too."""
    start = cursor.place
    if cursor.stands("semi - weekly", "semi - monthly", "semi weekly", "semi monthly"):
        semi = _SEMI["semi" + cursor.tokens[start + 1 + (cursor.peek(1).text == "-")].text]
        cursor.place += 2 + (cursor.peek(1).text == "-")
    else:
        semi = _SEMI.get(cursor.among(_SEMI) or "", "")
    number = TALLIES.get(cursor.among(TALLIES) or "", 0)
    token = cursor.take("number") if not number else None
    if token is not None and cursor.among(("times", "time", "x")):
        number = token.number
    number, unit = (2, semi) if semi else (number, _per(cursor) if number else None)
    if unit is None or draft.tally is not None:
        cursor.place = start
        return False
    if number == 1:
        take_steps(draft, unit, 1)
        return True
    draft.tally = number, unit
    draft.instead = tuple(cursor.swapped(start, words) for words in _so_often(number, unit))
    if unit not in PER_UNIT:
        take_steps(draft, unit, 1)
    return True


def _per(cursor: Cursor) -> str | None:
    """The unit of a tally: a day, per week, daily."""
    steps = ADVERBS.get(cursor.peek().text)
    if steps is not None and steps[1] == 1:
        cursor.place += 1
        return steps[0]
    start = cursor.place
    unit = UNITS.get(cursor.peek().text) if cursor.among(_PER) else None
    if unit is None:
        cursor.place = start
        return None
    cursor.place += 1
    return unit


def _so_often(number: int, unit: str) -> tuple[str, ...]:
    """Words for so many times in a unit, among those that may be meant."""
    if unit == "day":
        hours = (f"every {24 // number} hours",) if 0 < number <= 24 and 24 % number == 0 else ()
        return (*((f"every day at {_DAYTIMES[number]}",) if number in _DAYTIMES else ()), *hours)
    if unit == "hour" and 0 < number <= 60 and 60 % number == 0:
        return (f"every {60 // number} minutes",)
    return _TWICE.get(unit, ()) if number == 2 else ()


def bi(cursor: Cursor, draft: Draft, now: Now) -> bool:  # noqa: ARG001
    """Bi-weekly: every 2 weeks to some, twice a week to others. Days named with it may decide."""
    start = cursor.place
    unit = BI_WORDS.get(cursor.among(BI_WORDS) or "")
    if unit is None and cursor.among(("bi",)):
        cursor.among(("-",))
        unit = _BI.get(cursor.among(_BI) or "")
    if unit is None or draft.bi is not None:
        cursor.place = start
        return False
    draft.bi = unit
    every, each = (f"every 2 {unit}s", f"every {unit}")
    draft.instead = tuple(cursor.swapped(start, words) for words in (every, *_TWICE[unit]))
    draft.instead_on_days = tuple(cursor.swapped(start, words) for words in (every, each))
    return True
