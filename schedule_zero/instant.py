"""Instants and durations: the two quantities of time, and their spellings.

An instant inside the program is an ``int``: microseconds since 1970-01-01T00:00:00Z. It compares, stores and
travels without a time zone to get wrong. At the doors it is RFC 3339 with an offset; durations are ISO 8601.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DURATION: Final = re.compile(
    r"^P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?$"
)
_LONGEST: Final = 36_600 * DAY
_TO_SECONDS: Final = len("2026-03-29T09:00:00")


def from_datetime(moment: datetime) -> int:
    """The instant of an aware datetime, in microseconds.

    Raises:
        ValueError: the datetime names no zone or offset.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is no instant")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int, zone: tzinfo = UTC) -> datetime:
    """The aware datetime of an instant, as the clocks of ``zone`` show it."""
    if instant < 0:  # before 1970 not every system's C library helps
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone)
    seconds, micros = divmod(instant, SECOND)
    moment = datetime.fromtimestamp(seconds, zone)
    return moment.replace(microsecond=micros) if micros else moment


def parse(text: str) -> int:
    """Read RFC 3339 (with offset or Z) into an instant.

    Raises:
        ValueError: the text is no RFC 3339 date-time, or it names no offset.
    """
    return from_datetime(datetime.fromisoformat(text))


def spell(instant: int, zone: tzinfo | ZoneInfo = UTC) -> str:
    """RFC 3339 with the offset of ``zone``; fractions of a second only where there are any."""
    if instant < 0:
        return to_datetime(instant, zone).isoformat()
    seconds, micros = divmod(instant, SECOND)
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    # Answers are full of instants, and a second datetime for the fraction would cost as much as the first.
    return f"{text[:_TO_SECONDS]}.{micros:06d}{text[_TO_SECONDS:]}" if micros else text


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> int:
    """Read an ISO 8601 duration of fixed length (weeks to seconds) into microseconds.

    Months and years have no fixed length; an interval trigger reads those itself (``core.timing``).

    Raises:
        ValueError: the text is no such duration, or it is longer than a hundred years.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as PT30S, PT1H30M or P1D")
    part = {name: value or "0" for name, value in match.groupdict().items()}
    whole, _, fraction = part["seconds"].partition(".")
    micros = (
        (int(part["weeks"]) * 7 + int(part["days"])) * DAY
        + int(part["hours"]) * HOUR
        + int(part["minutes"]) * MINUTE
        + int(whole) * SECOND
        + int(fraction.ljust(6, "0") or "0")
    )
    if micros > _LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return micros


def spell_duration(micros: int) -> str:
    """The shortest ISO 8601 spelling in days, hours, minutes and seconds; ``PT0S`` for nothing."""
    if micros < 0:
        raise ValueError("a duration is not negative")
    days, rest = divmod(micros, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    clock = f"{hours}H" if hours else ""
    clock += f"{minutes}M" if minutes else ""
    if seconds or fraction:
        clock += f"{seconds}" + (f".{fraction:06d}".rstrip("0") if fraction else "") + "S"
    text = "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return "PT0S" if text == "P" else text


def say_duration(text: str) -> str:
    """A spelled duration as people read it, to two or three places: ``25 ms``, ``3.7 s``, ``12 min``, ``5 h``, ``3 d``."""
    micros = parse_duration(text)
    if micros < SECOND:
        return f"{micros / 1000:.3g} ms" if micros else "0 s"
    for unit, size, up_to in (("s", SECOND, 2 * MINUTE), ("min", MINUTE, 2 * HOUR), ("h", HOUR, 2 * DAY)):
        if micros < up_to:
            return f"{micros / size:.3g} {unit}"
    return f"{micros / DAY:.3g} d"
