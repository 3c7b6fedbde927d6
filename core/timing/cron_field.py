"""One field of a cron expression: the values it names, and the marks of days that only a month can tell.

Values, names, lists, ranges, steps, ``L``, ``LW`` and ``#`` are read by cronsim, which follows Debian's cron(8). What
Quartz adds to them is read here: ``?``, the weekday nearest to a day (``15W``), days before the last one (``L-3``,
``L-3W``), ``FRIL``, and ranges that run over the end (``22-2``, ``FRI-MON``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Final

from cronsim.cronsim import SYMBOLIC_DAYS, CronSim, CronSimError, Field, SpecItem

from core.timing.rule import BadPattern


class Mark(IntEnum):
    """Marks of days of the month, beside cronsim's own; each stands first in a pair with a number."""

    NEAREST_WEEKDAY = -2000
    """With a day of the month: the weekday (Monday to Friday) nearest to it within the month."""
    BEFORE_LAST = -2001
    """With a number: so many days before the last one."""
    WEEKDAY_BEFORE_LAST = -2002
    """With a number: the weekday nearest to so many days before the last one."""


NAMES: Final = {
    Field.SECOND: "second",
    Field.MINUTE: "minute",
    Field.HOUR: "hour",
    Field.DAY: "day of the month",
    Field.MONTH: "month",
    Field.DOW: "day of the week",
}
_ALLOWED: Final = {
    Field.SECOND: "0-59",
    Field.MINUTE: "0-59",
    Field.HOUR: "0-23",
    Field.DAY: "1-31",
    Field.MONTH: "1-12 or JAN-DEC",
    Field.DOW: "0-7 or SUN-SAT",
}
_LIMITS: Final = {
    Field.SECOND: (0, 59),
    Field.MINUTE: (0, 59),
    Field.HOUR: (0, 23),
    Field.DAY: (1, 31),
    Field.MONTH: (1, 12),
    Field.DOW: (0, 6),
}
_HASHED: Final = re.compile(r"H([(/].*)?")
_NEAREST: Final = re.compile(r"([0-9]{1,2})W")
_BEFORE_LAST: Final = re.compile(r"L-([0-9]{1,2})(W?)")
_LAST_NAMED: Final = re.compile(r"([A-Z]{3})L")
_RANGE: Final = re.compile(r"([0-9A-Z]+)-([0-9A-Z]+)(?:/([0-9]+))?")


@lru_cache(maxsize=2048)  # there are endless expressions, but few ways to write one field
def read_field(field: Field, text: str) -> frozenset[SpecItem]:
    """Read a field in capitals: its numbers, and pairs or cronsim's marks for days that depend on the month.

    Raises:
        BadPattern: the field cannot be read; says which it is and what it may hold.
    """
    if text == "?" and field in (Field.DAY, Field.DOW):
        text = "*"
    found: set[SpecItem] = set()
    for term in text.split(","):
        if _HASHED.fullmatch(term):
            raise BadPattern(
                f"H in the {NAMES[field]} field stands for a value drawn once for each schedule, as in Jenkins, and is "
                f"not read here; write a number from {_ALLOWED[field]}"
            )
        try:
            found.update(_own(field, term) or field.parse(term))
        except (CronSimError, ValueError, IndexError, AssertionError) as why:
            # Besides its own error, cronsim lets those of int() and of an `assert` escape on odd input such as "L-".
            raise _bad(field, text) from why
    return frozenset(found)


def known_to_cronsim(parts: Iterable[str]) -> list[str]:
    """The six fields of an expression in cronsim's spelling, as far as it has one."""
    return [_respelled(field, part) for field, part in zip(Field, parts, strict=True)]


def _respelled(field: Field, part: str) -> str:
    try:
        field.parse(part)
    except (CronSimError, ValueError, IndexError, AssertionError):
        items = sorted(read_field(field, part), key=str)
        if items == sorted(read_field(field, "*"), key=str):
            return "*"
        pairs = [item for item in items if isinstance(item, tuple)]
        numbers = [str(item) for item in sorted(item for item in items if isinstance(item, int))]
        return ",".join([*numbers, *(f"{day}L" if n == CronSim.LAST else f"{day}#{n}" for day, n in pairs)])
    return part


def _bad(field: Field, text: str) -> BadPattern:
    return BadPattern(f"the {NAMES[field]} field {text!r} is no value, list, range or step of {_ALLOWED[field]}")


def _own(field: Field, term: str) -> Iterable[SpecItem]:
    """What a term says that cronsim does not read; nothing if cronsim reads it, or nobody."""
    if field is Field.DAY:
        if match := _NEAREST.fullmatch(term):
            return ((Mark.NEAREST_WEEKDAY, field.int(match[1])),)
        if match := _BEFORE_LAST.fullmatch(term):
            days = int(match[1])
            mark = Mark.WEEKDAY_BEFORE_LAST if match[2] else Mark.BEFORE_LAST
            return ((mark, days),) if days <= 30 else ()
    if field is Field.DOW and (match := _LAST_NAMED.fullmatch(term)) and match[1] in SYMBOLIC_DAYS:
        return field.parse(f"{field.int(match[1])}L")
    if match := _RANGE.fullmatch(term):
        return _over_the_end(field, match)
    return ()


def _over_the_end(field: Field, match: re.Match[str]) -> Iterable[SpecItem]:
    """The values of a range that begins after it ends, such as ``22-2``; steps are counted from its beginning."""
    first, last, step = field.int(match[1]), field.int(match[2]), int(match[3] or 1)
    if first <= last or step == 0:
        return ()
    low, high = _LIMITS[field]
    size = high - low + 1
    return {low + (value - low) % size for value in range(first, last + size + 1, step)}
