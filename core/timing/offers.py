"""What half-typed words about time may become, most likely first. Whether a text means anything, the reader decides."""

from __future__ import annotations

from typing import Final

from core.timing.grammar.vocabulary import DAY_NAMES, MONTH_NAMES

_DAYS: Final = tuple(name.lower() for name in DAY_NAMES)
_WORDS: Final = (
    "tomorrow", "today", "tonight", "in", "every", "at", "on", "next", "noon", "midnight", "end of", "minutes", "hours",
    "days", "weeks", "months", "weekday", "day", "week", "month", "weekdays", "other", "between", "morning", "afternoon",
    "evening", "first", "last", *_DAYS, *(name.lower() for name in MONTH_NAMES), "daily", "weekly", "monthly", "yearly",
    "until", "starting",
)  # fmt: skip
_RULES: Final = tuple(word for word in _WORDS if word not in {name.lower() for name in MONTH_NAMES})
"""What may follow "every": a month says too little there."""
_FOLLOWING: Final = {
    "in": ("10 minutes", "1 hour", "1 day"),
    "every": ("day", "weekday", "week"),
    "each": ("day", "weekday", "week"),
    "next": ("monday", "friday", "wednesday"),
    "this": ("friday", "evening", "afternoon"),
    "on": ("monday", "friday", "weekdays"),
    "at": ("9:00", "12:00", "18:00"),
    "other": ("day", "week", "friday"),
    "of": ("month", "week", "the month"),
    "end": ("of day", "of week", "of month"),
    "between": ("9:00 and 17:00",),
    "first": ("monday of the month", "day of the month"),
    "last": ("day of the month", "friday of the month"),
}
_COUNTED: Final = ("minutes", "hours", "days")
_MOST: Final = 40


def completions(text: str) -> list[str]:
    """Texts that half-typed text may become; itself first, a few common ones for none."""
    if not text.strip():
        return ["in 1 hour", "tomorrow", "every weekday"]
    return [text, *_continued(text)][:_MOST]


def repeat_completions(text: str) -> list[str]:
    """The same for a repetition."""
    if not text.strip():
        return ["every day", "every weekday", "every week"]
    plain = text if text.lower().lstrip().startswith(("every", "each")) else f"every {text.lstrip()}"
    return [text, *_continued(text), plain, *_continued(plain)][:_MOST]


def _continued(text: str) -> list[str]:
    found = []
    stem, _, last = text.rpartition(" ")
    stem = f"{stem} " if stem else ""
    word = last.lower()
    if word:
        words = _RULES if stem.lower().endswith(("every ", "each ")) else _WORDS
        found += [stem + full for full in words if full.startswith(word) and full != word]
        found += [f"{text} {more}" for more in _FOLLOWING.get(word, ())]
        if word.isdigit() and len(word) < 5:
            found += [f"{text} {unit}" for unit in _COUNTED]
    else:
        before = text.rsplit(maxsplit=1)[-1].lower()
        found += [text + more for more in _FOLLOWING.get(before, ())]
        if before.isdigit():
            found += [f"{text}{unit}" for unit in _COUNTED]
    # A word that was just completed may ask for another one behind it: "every o" becomes "every other day".
    return found + [f"{longer} {more}" for longer in found[:6] for more in _FOLLOWING.get(longer.split()[-1], ())]
