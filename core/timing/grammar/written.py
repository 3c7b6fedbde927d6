"""What machines write: Discord's timestamps, unix time, ISO 8601 in its basic, extended, week and ordinal forms."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from core.timing.grammar.once import Moment, Now, Said
from core.timing.grammar.tokens import Refused
from core.timing.rule import EARLIEST, LATEST
from schedule_zero.instant import DAY, SECOND, from_datetime

_STAMP: Final = re.compile(r"^<t:(-?\d{1,13})(?::([A-Za-z]*))?>$")
_STYLES: Final = frozenset({None, *"tTdDfFsSR"})
_UNIX: Final = re.compile(r"^@?(\d{9,13})$")
_MILLISECONDS: Final = 12
"""From so many digits on a unix time is in milliseconds: as seconds it would be thousands of years away."""
_YEARS: Final = "is not within the years 1900 to 2199"
_ISO: Final = re.compile(
    r"^(?P<date>\d{4}-\d{2}-\d{2}|\d{4}-?W\d{2}(?:-?[1-7])?|\d{4}-\d{3}|\d{7,8})"
    r"(?:[T ](?P<time>\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d{1,9})?)?)?)\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$"
)


def written(text: str, now: Now) -> Said | None:
    """Read what machines write; None when the text is nothing of the kind.

    Raises:
        Refused: it is, and that time does not exist.
    """
    return _stamp(text) or _unix(text) or _iso(text, now)


def _stamp(text: str) -> Said | None:
    match = _STAMP.match(text)
    if match is None:
        return None
    if match[2] not in _STYLES:
        raise Refused(f"a timestamp of Discord ends in one of :t :T :d :D :f :F :s :S :R, not in :{match[2]}")
    return _instant(int(match[1]) * SECOND)


def _unix(text: str) -> Said | None:
    match = _UNIX.match(text)
    if match is None:
        return None
    return _instant(int(match[1]) * (SECOND // 1000 if len(match[1]) >= _MILLISECONDS else SECOND))


def _instant(instant: int) -> Said:
    if not EARLIEST <= instant < LATEST:
        raise Refused(f"that timestamp {_YEARS}")
    return Said((Moment(instant, None),), again=None)


def _iso(text: str, now: Now) -> Said | None:
    match = _ISO.match(text.upper())
    if match is None:
        return None
    named = _date(match["date"], text)
    day = from_datetime(datetime.combine(named, datetime.min.time(), UTC))
    if not EARLIEST + 2 * DAY <= day < LATEST:
        raise Refused(f"{text} {_YEARS}")
    if match["time"] is None:
        return Said((now.at(named, now.default),), defaulted=True)
    if match["time"].startswith("24"):
        following = named + timedelta(days=1)
        raise Refused("24:00 is no time of day; the day after begins at 0:00", (f"{following.isoformat()} 00:00",))
    zone = match["zone"] or ""
    try:
        spelled = f"{named.isoformat()}T{match['time']}{'Z' if zone in ('UTC', 'GMT') else zone}"
        moment = datetime.fromisoformat(spelled.replace(",", "."))
    except ValueError as why:
        raise Refused(f"{text} does not exist: {why}") from why
    if moment.tzinfo is not None:
        return Said((Moment(from_datetime(moment), None),))
    wall = from_datetime(moment.replace(tzinfo=UTC))
    return Said((Moment(now.clock.first(wall), wall),))


def _date(text: str, whole: str) -> date:
    """A calendar date, a day of a week, or a day of a year."""
    if "W" in text and len(text.replace("-", "")) < len("2026W492"):
        raise Refused("a week has seven days; say which one", (f"{text}-1" if "-" in text else f"{text}1",))
    figures = text.replace("-", "")
    try:
        if len(figures) == len("2026335") and "W" not in figures:
            found = date(int(figures[:4]), 1, 1) + timedelta(days=int(figures[4:]) - 1)
            if found.year != int(figures[:4]):
                raise ValueError(f"the year has no day {figures[4:]}")
            return found
        return date.fromisoformat(text)
    except (ValueError, OverflowError) as why:
        raise Refused(f"{whole} does not exist: {why}") from why
