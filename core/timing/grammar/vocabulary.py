"""The words of the grammar: names of days, months, units and numbers, with the abbreviations people use."""

from __future__ import annotations

from typing import Final

DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_SHORT_DAYS: Final = {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}

WEEKDAYS: Final = (
    {name.lower(): number for number, name in enumerate(DAY_NAMES)}
    | {name.lower()[:3]: number for number, name in enumerate(DAY_NAMES)}
    | _SHORT_DAYS
)
"""Monday is 0."""

PLURAL_DAYS: Final = {name.lower() + "s": number for number, name in enumerate(DAY_NAMES)}

MONTHS: Final = (
    {name.lower(): number for number, name in enumerate(MONTH_NAMES, 1)}
    | {name.lower()[:3]: number for number, name in enumerate(MONTH_NAMES, 1)}
    | {"sept": 9}
)

UNITS: Final = {
    word: unit
    for unit, words in {
        "second": "s sec secs second seconds",
        "minute": "m min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "w wk wks week weeks",
        "fortnight": "fortnight fortnights",
        "month": "mo mos month months",
        "quarter": "quarter quarters",
        "year": "y yr yrs year years",
    }.items()
    for word in words.split()
}

HOURS: Final = ("h", "hrs", "hour", "hours")
"""What may stand behind a time of day in figures: 1830 hours."""

UNIT_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
"""Units of a fixed length."""

UNIT_DAYS: Final = {"day": 1, "week": 7, "fortnight": 14}
UNIT_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}

NUMBERS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

ORDINALS: Final = {
    "first": 1, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
"""Without "second", which is a unit first; the grammar reads it as an ordinal where a day follows."""


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    return f"{number}{'th' if 10 < number < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


TODAY: Final = ("today",)
TOMORROW: Final = ("tomorrow", "tmr", "tmrw", "tmw")
PERIODS: Final = ("morning", "afternoon", "evening", "night")
PLURAL_PERIODS: Final = {f"{period}s": period for period in PERIODS}

SHORTENED: Final = (
    *(name.lower()[:3] for name in (*DAY_NAMES, *MONTH_NAMES)),
    *_SHORT_DAYS, "sept", "sec", "secs", "min", "mins", "hr", "hrs", "wk", "wks", "yr", "yrs",
)  # fmt: skip
"""Short forms that may have a dot behind them."""
