"""What to say to words that nobody can read: vague ones, holidays, zones, and misspellings, which are never guessed."""

from __future__ import annotations

from typing import Final

from core.timing.grammar.dates import TO
from core.timing.grammar.how_often import ADVERBS
from core.timing.grammar.tokens import Cursor, Refused, Token
from core.timing.grammar.vocabulary import MONTHS, NUMBERS, ORDINALS, PERIODS, PLURAL_DAYS, UNITS, WEEKDAYS
from core.timing.zones import is_abbreviation, is_place

_HOLIDAYS: Final = {
    "christmas eve": "24 december",
    "christmas day": "25 december",
    "christmas": "25 december",
    "xmas": "25 december",
    "boxing day": "26 december",
    "new year eve": "31 december",
    "new year day": "1 january",
    "new year": "1 january",
    "new years eve": "31 december",
    "new years day": "1 january",
    "new years": "1 january",
    "valentine day": "14 february",
    "valentines day": "14 february",
    "april fools day": "1 april",
    "halloween": "31 october",
}
_VAGUE: Final = (
    "soon", "later", "sometime", "some time", "someday", "eventually", "asap", "in a bit", "in a while", "in a moment",
    "so often", "further notice", "middle of", "mid", "1 thing", "early", "late", "anytime", "any time",
)  # fmt: skip
_ROUGHLY: Final = (
    "at around", "around", "at about", "about", "roughly", "approximately", "approx", "exactly", "sharp", "- ish", "ish",
)  # fmt: skip
"""What a time that is due to the second has no use for."""
_WORKING_DAYS: Final = ("business days", "working days", "workdays", "weekdays", "work days")
_HOURS: Final = ("business hours", "working hours", "office hours")
_LONGEST_PLACE: Final = 3  # words: salt lake city
_SPELLED: Final = (
    *(word for word in (*WEEKDAYS, *MONTHS, *UNITS, *PLURAL_DAYS, *ADVERBS, *PERIODS, *NUMBERS, *ORDINALS) if len(word) > 3),
    "tomorrow", "today", "tonight", "yesterday", "every", "each", "next", "this", "noon", "midnight", "weekday",
    "weekdays", "weekend", "weekends", "between", "until", "starting", "except", "last", "other", "half", "from",
    "after", "quarter", "times", "time", "month", "working", "business", "mornings", "afternoons", "evenings", "nights", "before", "past",
)  # fmt: skip
_WELL_SPELLED: Final = frozenset((*_SPELLED, "never", "right", "early", "light"))
_SHORTEST: Final = 4


def hint(tokens: tuple[Token, ...]) -> Refused | None:
    """A sentence about one of the words, with the text that may be meant; None where no word stands out."""
    return _of_phrases(Cursor(tokens)) or _of_spelling(tokens)


def _of_phrases(cursor: Cursor) -> Refused | None:
    for place in range(len(cursor.tokens)):
        for about in (_holiday, _vague, _rough, _working_days, _open, _hours, _zone):
            cursor.place = place
            found = about(cursor)
            if found is not None:
                return found
    return None


def _holiday(cursor: Cursor) -> Refused | None:
    start = cursor.place
    for name, day in _HOLIDAYS.items():
        if cursor.phrase(name):
            return Refused(f"holidays are not read by their names; write {day}", (cursor.swapped(start, day),))
    return None


def _vague(cursor: Cursor) -> Refused | None:
    words = next((words for words in _VAGUE if cursor.stands(words)), None)
    if words is None:
        return None
    shown = words.replace("1 ", "first ")
    return Refused(f"{shown!r} is no definite time; say which, such as 'in 2 hours' or 'tomorrow at 17:00'")


def _rough(cursor: Cursor) -> Refused | None:
    start = cursor.place
    for words in _ROUGHLY:
        if cursor.phrase(words):
            without = cursor.swapped(start, "")
            return Refused(f"a time is due to the second; leave out {words.removeprefix('- ')!r}", (without,))
    return None


def _working_days(cursor: Cursor) -> Refused | None:
    """In 5 working days."""
    if cursor.take("number") and cursor.phrase(*_WORKING_DAYS):
        return Refused("only days of the calendar are counted; name the day that is meant")
    return None


def _open(cursor: Cursor) -> Refused | None:
    """What leaves open which moment is meant: friday or saturday, 5-6pm."""
    if cursor.place and cursor.peek().text == "or":
        return Refused("'or' leaves it open; say one of the times that are meant")
    if _span_at(cursor):
        return Refused("a span has two ends; say one time, or how often it comes between them")
    return None


def _hours(cursor: Cursor) -> Refused | None:
    words = next((words for words in _HOURS if cursor.stands(words)), None)
    if words is None:
        return None
    return Refused(f"{words!r} are not known here; say between which, such as 'between 9 and 17'")


def _zone(cursor: Cursor) -> Refused | None:
    zone = _zone_at(cursor) if cursor.place else None
    return None if zone is None else Refused(f"the time zone ({zone}) is named beside the words, not in them")


def _span_at(cursor: Cursor) -> bool:
    """Whether a span of hours or of days stands in the words: 5-6pm, 10 to 15 december."""
    start = cursor.place
    first = cursor.take("number", "clock", "ordinal")
    cursor.among(("am", "pm", *MONTHS))
    word = cursor.among(TO) if first is not None else None
    cursor.among(("the", *MONTHS))
    last = cursor.take("number", "clock", "ordinal") if word else None
    figures = all(token.kind in ("number", "mark") for token in cursor.tokens)  # 12-25 may be a date
    cursor.place = start
    return last is not None and not figures


def _zone_at(cursor: Cursor) -> str | None:
    """A time zone that stands in the words: UTC, GMT+1, in Tokyo, Europe/Berlin."""
    token = cursor.peek()
    if token.kind == "word" and is_abbreviation(token.text):
        offset = cursor.peek(1).text in ("+", "-") and cursor.peek(2).kind in ("number", "clock")
        return token.text.upper() + (cursor.peek(1).text + cursor.peek(2).text if offset else "")
    if token.kind == "word" and cursor.peek(1).text == "/" and cursor.peek(2).kind == "word":
        name = f"{token.text}/{cursor.peek(2).text}"
        return name.title() if is_place(name) else None
    led = cursor.phrase("in")
    for number in range(_LONGEST_PLACE, 0, -1):
        name = " ".join(cursor.peek(ahead).text for ahead in range(number)).strip()
        # Without "in" a name may be somebody's: Jordan is one only as Jordan time.
        if (led or cursor.peek(number).text == "time") and is_place(name):
            return name.title()
    return None


def _of_spelling(tokens: tuple[Token, ...]) -> Refused | None:
    """What misspelled words may have been. The text with all of them put right is offered, and not taken."""
    # Imported when somebody mistypes.
    from difflib import get_close_matches  # noqa: PLC0415

    words, wrong = [], None
    for token in tokens:
        odd = token.kind == "word" and len(token.text) >= _SHORTEST and token.text not in _WELL_SPELLED
        close = get_close_matches(token.text, _SPELLED, n=1, cutoff=0.8) if odd else []
        wrong = (token.text, close[0]) if close and wrong is None else wrong
        words.append(close[0] if close else token.shown)
    if wrong is None:
        return None
    return Refused(f"{wrong[0]!r} is no word about time; did you mean {wrong[1]!r}?", (" ".join(words),))
