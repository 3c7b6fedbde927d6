"""Windows of the week, as hours keep them (``MO-FR 09:00-17:00``): read from what people type, and put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK: Final = frozenset(range(7))
_NAMED: Final = {
    "weekdays": range(5),
    "workdays": range(5),
    "weekends": range(5, 7),
    "every day": range(7),
    "all day": range(7),
    "daily": range(7),
    "all": range(7),
}
_TIME: Final = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?\s*(?P<half>am|pm)?")
_WINDOW: Final = re.compile(r"(?:(?P<days>[a-z ,-]+?) )?(?P<times>\d{1,2}:\d\d ?- ?\d{1,2}:\d\d)", re.IGNORECASE)


class Unreadable(Exception):
    """Days or times that cannot be read; says what to write instead."""


def read_days(text: str) -> frozenset[int]:
    """Days of the week, Monday being 0: ``weekdays``, ``mon-fri``, ``monday to friday, sunday``.

    Raises:
        Unreadable: something in it is no day.
    """
    plain = " ".join(text.casefold().split())
    for name, days in _NAMED.items():
        if plain in (name, name.removesuffix("s")):
            return frozenset(days)
    found: set[int] = set()
    for part in re.split(r"[,; ]+", re.sub(r" ?- ?| to ", "-", plain)):
        if part in ("", "and"):
            continue
        first, dash, last = part.partition("-")
        low = _day(first, text)
        high = _day(last, text) if dash else low
        found.update((low + step) % 7 for step in range((high - low) % 7 + 1))
    if not found:
        raise Unreadable(f"{text!r} names no day; write for example `weekdays`, `mon-fri` or `sat, sun`.")
    return frozenset(found)


def read_times(text: str) -> list[str]:
    """Times of day (``HH:MM``), one or several with commas between: ``9``, ``9:00, 13:30``, ``5pm``, ``24:00``.

    Raises:
        Unreadable: something in it is no time of day.
    """
    return [_time(part.strip(), text) for part in text.casefold().split(",")]


def with_windows(
    windows: Sequence[str], days: frozenset[int], begins: Sequence[str], ends: Sequence[str]
) -> tuple[str, ...]:
    """The windows with these days opened so instead: what was said of other days stays.

    Raises:
        Unreadable: there are more beginnings than ends, or the other way round.
    """
    if len(begins) != len(ends):
        raise Unreadable(f"`from` has {len(begins)} times and `to` has {len(ends)}; each window needs both.")
    kept = [left for window in windows for left in _without(window, days)]
    return (*kept, *(f"{spell_days(days)} {begin}-{end}" for begin, end in zip(begins, ends, strict=True)))


def spell_days(days: Iterable[int]) -> str:
    """Days as a window has them: ``MO-FR``, ``SA,SU``."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    short = [name[:2].upper() for name in DAYS]
    parts = [
        f"{short[run[0]]}-{short[run[-1]]}" if len(run) > 2 else ",".join(short[day] for day in run) for run in runs
    ]
    return ",".join(parts)


def _without(window: str, days: frozenset[int]) -> list[str]:
    """What is left of a window when these days are taken from it."""
    match = _WINDOW.fullmatch(" ".join(window.split()))
    if match is None:
        return [window]  # written in a way that only the core reads
    own = read_days(match["days"]) if match["days"] else _WEEK
    if not own & days:
        return [window]
    return [f"{spell_days(own - days)} {match['times']}"] if own - days else []


def _day(text: str, whole: str) -> int:
    word = text.strip().removesuffix("s")
    for number, name in enumerate(DAYS):
        if len(word) > 1 and name.startswith(word):
            return number
    raise Unreadable(f"{text.strip()!r} in {whole!r} is no day of the week; write for example `weekdays` or `mon-fri`.")


def _time(text: str, whole: str) -> str:
    match = _TIME.fullmatch(text)
    if match is not None:
        hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
        fits_half = half is None or 1 <= hour <= 12
        if half is not None:
            hour = hour % 12 + (12 if half == "pm" else 0)
        if fits_half and minute < 60 and (hour < 24 or (hour == 24 and minute == 0)):
            return f"{hour:02}:{minute:02}"
    raise Unreadable(f"{text or whole!r} is no time of day; write for example `9:00`, `17:30` or `5pm`.")
