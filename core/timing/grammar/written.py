"""What machines write: Discord's timestamps, unix time, ISO 8601 in its basic, extended, week and ordinal forms."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final

from core.timing.grammar.dates import missing
from core.timing.grammar.once import Moment, Now, Said
from core.timing.grammar.tokens import Refused
from core.timing.grammar.vocabulary import DAY_NAMES, MONTHS, WEEKDAYS
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
_MAIL: Final = re.compile(
    r"^(?:(?P<weekday>[A-Za-z]{3}),? )?(?P<day>\d{1,2}) (?P<month>[A-Za-z]{3}) (?P<year>\d{4}) "
    r"(?P<time>\d{2}:\d{2}(?::\d{2})?) (?P<zone>[+-]\d{2}:?\d{2}|UTC|GMT|UT|Z)$",
    re.ASCII,
)
_ASCTIME: Final = re.compile(
    r"^(?P<weekday>[A-Za-z]{3}) (?P<month>[A-Za-z]{3}) {1,2}(?P<day>\d{1,2}) (?P<time>\d{2}:\d{2}:\d{2}) "
    r"(?:(?P<zone>UTC|GMT) )?(?P<year>\d{4})$",
    re.ASCII,
)


def written(text: str, now: Now) -> Said | None:
    """Read what machines write; None when the text is nothing of the kind.

    Raises:
        Refused: it is, and that time does not exist.
    """
    return _stamp(text) or _unix(text) or _iso(text, now) or _spelled_out(text, now)


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
    if not match["time"].startswith("24") and int(match["time"][:2]) > 23:
        raise Refused(f"{match['time']} is no time of day; the last one is 23:59")
    if match["time"].startswith("24"):
        following = named + timedelta(days=1)
        raise Refused("24:00 is no time of day; the day after begins at 0:00", (f"{following.isoformat()} 00:00",))
    return _at(f"{named.isoformat()}T{match['time']}", match["zone"] or "", text, now)


def _spelled_out(text: str, now: Now) -> Said | None:
    """The way e-mail and C write dates: Tue, 01 Dec 2026 18:30:00 +0100, Tue Dec  1 18:30:00 2026."""
    match = _MAIL.match(text) or _ASCTIME.match(text)
    month = MONTHS.get(match["month"].lower()) if match else None
    if match is None or month is None:
        return None
    year, number = int(match["year"]), int(match["day"])
    if not 1900 < year < 2200:
        raise Refused(f"{text} {_YEARS}")
    if not 1 <= number <= monthrange(year, month)[1]:
        raise missing(month, number, year)
    named = date(year, month, number)
    if match["weekday"] and WEEKDAYS.get(match["weekday"].lower()) != named.weekday():
        raise Refused(f"{named.isoformat()} is a {DAY_NAMES[named.weekday()]}")
    return _at(f"{named.isoformat()}T{match['time']}", match["zone"] or "", text, now)


def _at(spelled: str, zone: str, text: str, now: Now) -> Said:
    """The moment of an ISO date and time, in the zone of ``now`` where it names none. Raises Refused."""
    try:
        moment = datetime.fromisoformat(spelled.replace(",", ".") + ("Z" if zone.isalpha() else zone))
    except ValueError as why:
        raise Refused(f"{text} does not exist") from why
    if moment.microsecond:  # words go to the second; never early
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
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
                raise Refused(f"the year {figures[:4]} has no day {figures[4:]}")
            return found
        if "W" in text and not 1 <= int(figures[5:7]) <= date(int(figures[:4]), 12, 28).isocalendar().week:
            raise Refused(f"the year {figures[:4]} has no week {figures[5:7]}")
        if "W" in text:
            return date.fromisocalendar(int(figures[:4]), int(figures[5:7]), int(figures[7]))
        year, month, number = int(figures[:4]), int(figures[4:6]), int(figures[6:])
        if 1 <= month <= 12 and 1 <= number <= 31 and year and number > monthrange(year, month)[1]:
            raise missing(month, number, year)
        return date(year, month, number)
    except Refused:
        raise
    except (ValueError, OverflowError) as why:
        raise Refused(f"{whole} does not exist") from why
