"""Dates in arrangements the grammar does not know, such as ``Fri Nov 20 18:30:00 2026``, through dateparser.

dateparser would rather guess than refuse, so its answer must bear witness: every number and every name in the text has
to stand in the date it found. What it silently left out or filled in cannot pass.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from itertools import pairwise
from typing import Final

from core.timing.grammar.once import Moment, Now, Said
from core.timing.grammar.tokens import Token
from core.timing.grammar.vocabulary import MONTHS, WEEKDAYS
from schedule_zero.instant import SECOND, from_datetime, to_datetime

_WORDS: Final = frozenset({*MONTHS, *WEEKDAYS, "of", "the", "at", "on", "am", "pm"})
_MARKS: Final = frozenset({",", "-"})
_MOST_TOKENS: Final = 12


def foreign(text: str, tokens: tuple[Token, ...], now: Now) -> Said | None:
    """Read a written-out date with a month's name; None when it is none, or when dateparser's answer is no witness."""
    words = [token for token in tokens if token.kind == "word"]
    if not any(token.kind in ("number", "ordinal") for token in tokens):
        return None
    if any(first.kind == "ordinal" and behind.text in WEEKDAYS for first, behind in pairwise(tokens)):
        return None  # the 4th thursday of november is not the 4th
    if len(tokens) > _MOST_TOKENS or tokens[0].kind == "mark" or not any(word.text in MONTHS for word in words):
        return None
    if any(word.text not in _WORDS for word in words) or any(t.kind == "mark" and t.text not in _MARKS for t in tokens):
        return None
    found = _parsed(text, now)
    if found is None or not _bears_witness(found, tokens):
        return None
    timed = any(token.kind == "clock" or token.text in ("am", "pm") for token in tokens)
    if not timed:
        return Said((now.at(found.date(), now.default),), defaulted=True)
    wall = from_datetime(found.replace(tzinfo=to_datetime(0).tzinfo)) // SECOND * SECOND
    return Said((Moment(now.clock.first(wall), wall),))


def _parsed(text: str, now: Now) -> datetime | None:
    # Loaded on first use: reading its language tables takes longer than everything else here together.
    import dateparser  # type: ignore[import-untyped]  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its strptime calls are deprecated from Python 3.13 on
        found: datetime | None = dateparser.parse(
            text,
            languages=["en"],
            settings={
                "PREFER_DATES_FROM": "future",
                "RELATIVE_BASE": to_datetime(now.wall).replace(tzinfo=None),
                "PARSERS": ["absolute-time"],
                "RETURN_AS_TIMEZONE_AWARE": False,
                "STRICT_PARSING": False,
            },
        )
    return found


def _bears_witness(found: datetime, tokens: tuple[Token, ...]) -> bool:
    """Whether all that the text says stands in the date, each figure once, and the day was said at all."""
    figures = [found.day, found.year, found.hour, found.minute, found.second]
    day_said = False
    afternoon = any(token.text == "pm" for token in tokens)
    if any(token.text in ("am", "pm") for token in tokens):
        figures[2] = (found.hour + 11) % 12 + 1
        if afternoon is not (found.hour >= 12):
            return False
    for token in tokens:
        if MONTHS.get(token.text, found.month) != found.month:
            return False
        if WEEKDAYS.get(token.text, found.weekday()) != found.weekday():
            return False
        if token.kind in ("iso", "slashes", "dots", "decimal"):
            return False
        for figure in token.text.split(":") if token.kind in ("number", "ordinal", "clock") else ():
            if int(figure) not in figures:
                return False
            day_said = day_said or int(figure) == found.day
            figures.remove(int(figure))
    return day_said
