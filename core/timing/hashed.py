"""``H`` in cron expressions, as Jenkins has it: a value drawn once from a seed, so that schedules spread over the hour.

``H`` is any value of its field, ``H(0-29)`` one from a range, ``H/15`` every 15 from a drawn beginning on. It is
replaced once, before the expression is stored; the reader of cron expressions knows no ``H``.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from cronsim.cronsim import Field

from core.timing.cron_field import NAMES
from core.timing.rule import BadPattern

_TERM: Final = re.compile(r"H(?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/([0-9]{1,3}))?", re.IGNORECASE)
_PART: Final = re.compile(
    r"(?:[\d*/,\-#?()]|L|W|H|MON|TUE|WED|THU|FRI|SAT|SUN|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)+",
    re.IGNORECASE,
)
_RANGES: Final = {
    Field.SECOND: (0, 59),
    Field.MINUTE: (0, 59),
    Field.HOUR: (0, 23),
    Field.DAY: (1, 28),  # days that every month has
    Field.MONTH: (1, 12),
    Field.DOW: (0, 6),
}
_WIDEST: Final = {**_RANGES, Field.DAY: (1, 31)}


def is_hashed(text: str) -> bool:
    """Whether a text is a cron expression with an ``H``, right or wrong."""
    parts = text.split()
    return (
        len(parts) in (5, 6)
        and all(map(_PART.fullmatch, parts))
        and any(term[:1] in ("H", "h") for part in parts for term in part.split(","))
    )


def drawn(text: str, seed: str) -> str:
    """A text about time, its ``H`` drawn where it is a cron expression that has one. Raises BadPattern."""
    return resolve_hashed(text, seed) if is_hashed(text) else text


def resolve_hashed(expression: str, seed: str) -> str:
    """The expression with every ``H`` replaced by the values that the seed draws; one without ``H`` stays as it is.

    Args:
        expression: five fields, or six with seconds first.
        seed: what belongs to the schedule and stays with it, such as its guild and name. Equal seeds draw alike.

    Raises:
        BadPattern: the range or the step behind an ``H`` cannot be.
    """
    parts = expression.split()
    if not any(term[:1] in "Hh" for part in parts for term in part.split(",") if term):
        return expression
    fields = list(Field)[-len(parts) :] if len(parts) in (5, 6) else []
    return " ".join(map(_resolved, fields, parts, [seed] * len(parts))) if fields else expression


def _resolved(field: Field, part: str, seed: str) -> str:
    return ",".join(_drawn(field, term, seed) if term[:1] in ("H", "h") else term for term in part.split(","))


def _drawn(field: Field, term: str, seed: str) -> str:
    match = _TERM.fullmatch(term)
    low, high = _RANGES[field]
    if match is None:
        raise BadPattern(f"{term!r} in the {NAMES[field]} field is not of the form H, H({low}-{high}) or H/2")
    if match[1] is not None:
        least, most = _WIDEST[field]
        low, high = int(match[1]), int(match[2])
        if not least <= low <= high <= most:
            raise BadPattern(f"the range in {term!r} must run from {least} to {most} at most, the smaller number first")
    size = high - low + 1
    step = size if match[3] is None else int(match[3])
    if not 0 < step <= size:
        raise BadPattern(f"the step in {term!r} must be a number from 1 to {size}")
    # A draw for each field: minute and hour of the same seed do not go together.
    first = low + int.from_bytes(sha256(f"{field.name} {seed}".encode()).digest()[:8]) % step
    return str(first) if first + step > high else f"{first}-{high}/{step}"
