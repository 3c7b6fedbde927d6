"""Lengths of time as people type them: ``90``, ``30 s``, ``5 minutes``, ``1h 30m``, or ISO 8601."""

from __future__ import annotations

import re
from typing import Final

from cogs.refusals import Refusal
from cogs.texts import shorten
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, parse_duration, spell_duration

_UNITS: Final = {
    "": SECOND, "s": SECOND, "sec": SECOND, "second": SECOND, "m": MINUTE, "min": MINUTE, "minute": MINUTE, "h": HOUR,
    "hour": HOUR, "d": DAY, "day": DAY,
}  # fmt: skip
_PART: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([a-z]*)")
_LONGEST: Final = 366 * DAY


def read_duration(option: str, text: str) -> str:
    """The length of time that was written in an option, in ISO 8601.

    Raises:
        Refusal: it is none; says what to write instead.
    """
    plain = " ".join(text.split())
    try:
        micros = parse_duration(plain.upper()) if plain[:1].upper() == "P" else _sum(plain.casefold())
    except (ValueError, OverflowError):
        raise Refusal(
            f"`{option}`: {shorten(plain, 60)!r} is no length of time; write for example `30 s`, `5 min` or `2 h`."
        ) from None
    if not 0 < micros <= _LONGEST:
        raise Refusal(f"`{option}`: {shorten(plain, 60)!r} has to be more than nothing and at most a year.")
    return spell_duration(micros)


def _sum(text: str) -> int:
    parts = list(_PART.finditer(text))
    if not parts or re.sub(r"\band\b|[\s,]", "", _PART.sub("", text)):
        raise ValueError(text)
    if len(parts) > 1 and any(not part[2] for part in parts):
        raise ValueError(text)
    return sum(int(float(part[1]) * _unit(part[2])) for part in parts)


def _unit(word: str) -> int:
    found = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
    if found is None:
        raise ValueError(word)
    return found
