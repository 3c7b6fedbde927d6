"""RFC 5545 recurrence sets as text: ``DTSTART``, ``RRULE``, ``RDATE`` and ``EXDATE``, on lines or pasted into one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from core.timing.recurrence import Recurrence, read_recurrence
from core.timing.rule import EARLIEST, LATEST, BadPattern
from core.timing.zones import BadZone, zone
from schedule_zero.instant import from_datetime

MOST_DATES: Final = 500
_LONGEST: Final = 10_000
_NAMES: Final = ("DTSTART", "RRULE", "RDATE", "EXDATE")
_OTHERS: Final = (
    "EXRULE|DTEND|DTSTAMP|DUE|DURATION|BEGIN|END|UID|SUMMARY|DESCRIPTION|LOCATION|SEQUENCE|STATUS|X-[A-Z-]{1,40}"
)
_NAME: Final = rf"({'|'.join(_NAMES)}|{_OTHERS})"
_PROPERTY: Final = re.compile(rf"(?:^|\s){_NAME}((?:;(?:[^:\"\r\n]|\"[^\"\r\n]{{0,99}}\"){{0,200}})?):", re.IGNORECASE)
_FOLD: Final = re.compile(r"\r?\n[ \t](?![ \t]*" + _NAME + "[;:])", re.IGNORECASE)
_DATE: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)


class Written(NamedTuple):
    """A date or a date-time as it is written."""

    wall: int
    """On the clock of its zone; of a date, midnight."""
    zone: ZoneInfo | None
    """None is the zone of the rule."""
    whole_day: bool
    """A date without a time of day."""


class RecurrenceSet(NamedTuple):
    """What such a text says."""

    start: Written | None
    rule: Recurrence | None
    rule_text: str
    """The RRULE as written, in capitals and without its name."""
    added: tuple[Written, ...]
    excluded: tuple[Written, ...]

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone that the start names, and with it the rule."""
        return None if self.start is None else self.start.zone


@lru_cache(maxsize=512)  # to be compiled and said, a text is read several times over
def read_set(text: str) -> RecurrenceSet:
    """Read a text of one or more properties; a rule alone may lack its name (``FREQ=DAILY``).

    Raises:
        BadPattern: a property is unknown, doubled or cannot be read, there are too many dates, or nothing recurs.
    """
    if len(text) > _LONGEST:
        raise BadPattern(f"a recurrence has at most {_LONGEST} characters")
    starts: list[Written] = []
    rules: list[str] = []
    added: list[Written] = []
    excluded: list[Written] = []
    for name, parameters, value in _properties(text):
        if name == "RRULE":
            rules.append(value)
        elif name == "DTSTART":
            starts += _dates(name, parameters, value)
        else:
            (added if name == "RDATE" else excluded).extend(_dates(name, parameters, value))
    for name, found in (("DTSTART", starts), ("RRULE", rules)):
        if len(found) > 1:
            raise BadPattern(f"{name} stands more than once in the recurrence; a schedule has one")
    if len(added) + len(excluded) > MOST_DATES:
        raise BadPattern(f"a recurrence names at most {MOST_DATES} dates in RDATE and EXDATE together")
    if not rules and not added:
        raise BadPattern("the recurrence has no RRULE, for example RRULE:FREQ=WEEKLY;BYDAY=MO, and no RDATE")
    return RecurrenceSet(
        start=starts[0] if starts else None,
        rule=read_recurrence(rules[0]) if rules else None,
        rule_text=rules[0].upper() if rules else "",
        added=tuple(added),
        excluded=tuple(excluded),
    )


def _properties(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, parameters and value of each property; the value without the white space that pasting leaves in it."""
    text = _FOLD.sub("", text.strip())  # what begins with a space goes on with the line before
    heads = list(_PROPERTY.finditer(text))
    bare = text[: heads[0].start()] if heads else text
    if bare or not heads:
        yield "RRULE", "", "".join(bare.split())
    for number, head in enumerate(heads):
        name = head[1].upper()
        if name not in _NAMES:
            raise BadPattern(f"{name} is not read in a recurrence; it holds {', '.join(_NAMES[:-1])} and {_NAMES[-1]}")
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        yield name, head[2], "".join(text[head.end() : end].split())


def _dates(name: str, parameters: str, value: str) -> Iterable[Written]:
    kind, where = None, None
    for parameter in parameters.split(";")[1:]:
        key, _, said = parameter.strip().partition("=")
        if key.upper() == "TZID":
            where = _zone(said.strip().strip('"'))
        elif key.upper() == "VALUE" and said.strip().upper() in ("DATE", "DATE-TIME"):
            kind = said.strip().upper()
        else:
            raise BadPattern(
                f"{parameter.strip()!r} of {name} is not read; it takes TZID, VALUE=DATE and VALUE=DATE-TIME"
            )
    return [_date(name, item, kind, where) for item in value.split(",")]


def _date(name: str, text: str, kind: str | None, where: ZoneInfo | None) -> Written:
    match = _DATE.fullmatch(text.upper())
    if match is None or (kind is not None and (kind == "DATE") is not (match[2] is None)):
        form = "20261231" if kind == "DATE" else "20261231T090000, 20261231T090000Z or 20261231"
        raise BadPattern(f"{text[:32]!r} in {name} is not of the form {form}")
    if match[3] and where is not None:
        raise BadPattern(f"{text} in {name} is in UTC already; leave out either the Z or TZID")
    try:
        moment = datetime.strptime(f"{match[1]}T{match[2] or '000000'}+0000", "%Y%m%dT%H%M%S%z")
        wall = from_datetime(moment)
    except (ValueError, OverflowError) as why:
        raise BadPattern(f"{text} in {name} is no date that exists") from why
    if not EARLIEST <= wall < LATEST:
        raise BadPattern(f"{text} in {name} lies outside the years 1900 to 2199")
    if match[2] is None:
        return Written(wall, where if name == "DTSTART" else None, whole_day=True)
    return Written(wall, zone("UTC") if match[3] else where, whole_day=False)


def _zone(name: str) -> ZoneInfo:
    try:
        return zone(name)
    except BadZone as why:
        raise BadPattern(f"TZID={name[:64]}: {why}") from why
