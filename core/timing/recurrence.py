"""RFC 5545 recurrence rules as text: which parts there are, and what they may hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Final

import msgspec

from core.timing.rule import BadPattern
from schedule_zero.instant import from_datetime

FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

MOST_COUNTED: Final = 10_000
_LONGEST: Final = 2_000
_MOST_SET: Final = 366
_BYDAY: Final = re.compile(r"^([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)$")
_UNTIL: Final = re.compile(r"^\d{8}(T\d{6}Z?)?$")

_RANGES: Final = {
    "BYMONTH": (1, 12, False),
    "BYWEEKNO": (1, 53, True),
    "BYYEARDAY": (1, 366, True),
    "BYMONTHDAY": (1, 31, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
    "BYSETPOS": (1, 366, True),
}


class Recurrence(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's parts. Weekdays count from Monday = 0; ``byday`` pairs them with their ordinal, 0 for every one."""

    freq: str
    interval: int = 1
    wkst: int = 0
    count: int | None = None
    until: int | None = None
    """A wall, or with ``until_utc`` an instant, that may still be due."""
    until_utc: bool = False
    bymonth: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    byhour: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    bysecond: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()


def read_recurrence(text: str) -> Recurrence:
    """Read a rule, with or without the ``RRULE:`` prefix.

    Raises:
        BadPattern: a part is missing, doubled, unknown, out of range, or of a kind we refuse (SECONDLY).
    """
    body = text.strip().upper().removeprefix("RRULE:")
    if not body or len(body) > _LONGEST:
        raise BadPattern(f"a recurrence rule has 1 to {_LONGEST} characters, for example FREQ=WEEKLY;BYDAY=MO")
    parts: dict[str, str] = {}
    for part in body.rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise BadPattern(f"{part!r} in the recurrence rule is not of the form NAME=VALUE")
        if name in parts:
            raise BadPattern(f"{name} stands twice in the recurrence rule")
        parts[name] = value
    return _checked(_assembled(parts))


def _assembled(parts: dict[str, str]) -> Recurrence:
    freq = parts.pop("FREQ", "")
    if freq == "SECONDLY":
        raise BadPattern("FREQ=SECONDLY is not accepted; use an interval of seconds instead")
    if freq not in FREQUENCIES:
        raise BadPattern(f"FREQ must be one of {', '.join(FREQUENCIES)}")
    interval = _number("INTERVAL", parts.pop("INTERVAL", "1"), 100_000)
    count = parts.pop("COUNT", None)
    until, until_utc = _until(parts.pop("UNTIL", None))
    wkst = parts.pop("WKST", "MO")
    if wkst not in WEEKDAYS:
        raise BadPattern(f"WKST must be one of {', '.join(WEEKDAYS)}")
    byday = _byday(parts.pop("BYDAY", ""))
    unknown = [name for name in parts if name not in _RANGES]
    if unknown:
        raise BadPattern(f"{unknown[0]} is no part of a recurrence rule that we know")
    lists = {name.lower(): _list(name, value) for name, value in parts.items()}
    return Recurrence(
        freq=freq,
        interval=interval,
        wkst=WEEKDAYS.index(wkst),
        count=None if count is None else _number("COUNT", count, MOST_COUNTED),
        until=until,
        until_utc=until_utc,
        byday=byday,
        **lists,
    )


def _checked(rule: Recurrence) -> Recurrence:
    """The combinations RFC 5545 section 3.3.10 forbids."""
    if rule.count is not None and rule.until is not None:
        raise BadPattern("COUNT and UNTIL cannot stand in one recurrence rule")
    if any(n for n, _ in rule.byday) and (rule.freq not in ("MONTHLY", "YEARLY") or rule.byweekno):
        raise BadPattern("BYDAY takes a number, such as 1MO, only in MONTHLY and YEARLY rules without BYWEEKNO")
    if rule.byweekno and rule.freq != "YEARLY":
        raise BadPattern("BYWEEKNO stands only in YEARLY rules")
    if rule.byyearday and rule.freq in ("DAILY", "WEEKLY", "MONTHLY"):
        raise BadPattern(f"BYYEARDAY does not stand in {rule.freq} rules")
    if rule.bymonthday and rule.freq == "WEEKLY":
        raise BadPattern("BYMONTHDAY does not stand in WEEKLY rules")
    days = rule.bymonth or rule.byweekno or rule.byyearday or rule.bymonthday or rule.byday
    if rule.bysetpos and not (days or rule.byhour or rule.byminute or rule.bysecond):
        raise BadPattern("BYSETPOS needs another BY part to choose from")
    return rule


def _number(name: str, value: str, most: int) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value[:9]) <= most or len(value) > 9:
        raise BadPattern(f"{name}={value} must be a whole number from 1 to {most}")
    return int(value)


def _list(name: str, value: str) -> tuple[int, ...]:
    low, high, negative = _RANGES[name]
    found = set()
    for item in value.split(","):
        digits = item.removeprefix("-") if negative else item
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else -1
        if not low <= number <= high:
            raise BadPattern(f"{item!r} in {name} is not a number from {low} to {high}{' or its negative' * negative}")
        found.add(-number if item.startswith("-") else number)
    if len(found) > _MOST_SET:
        raise BadPattern(f"{name} lists more than {_MOST_SET} values")
    return tuple(sorted(found))


def _byday(value: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for item in value.split(",") if value else ():
        match = _BYDAY.match(item)
        if match is None or (match[1] is not None and not 1 <= abs(int(match[1])) <= 53):
            raise BadPattern(f"{item!r} in BYDAY is no weekday such as MO, 2TU or -1FR")
        found.add((int(match[1] or 0), WEEKDAYS.index(match[2])))
    return tuple(sorted(found))


def _until(value: str | None) -> tuple[int | None, bool]:
    """UNTIL as (wall or instant, whether it is an instant); a bare date lasts to the end of that day."""
    if value is None:
        return None, False
    if not _UNTIL.match(value):
        raise BadPattern(f"UNTIL={value} is not of the form 20261231T090000Z, 20261231T090000 or 20261231")
    try:
        moment = datetime.strptime(value[:15], "%Y%m%dT%H%M%S" if "T" in value else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError as why:
        raise BadPattern(f"UNTIL={value} is no date that exists") from why
    if "T" not in value:
        moment = datetime.combine(moment.date(), time(23, 59, 59), UTC)
    return from_datetime(moment), value.endswith("Z")
