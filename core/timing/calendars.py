"""Calendars: whole days on which nothing is due: dates, days of every year, spans of days, holidays of a country.

Which days are holidays is the word of the ``holidays`` package (by law, and where a year's days are not announced yet, by
computation). A day lasts from midnight to midnight on the wall clock of the schedule's zone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from core.timing.clock import clock_of
from core.timing.closures import MOST_JOINED, Stretch
from core.timing.rule import LATEST, BadPattern
from schedule_zero.instant import DAY

MOST_DATES: Final = 1000
MOST_DAYS: Final = 4_000
"""Closed days that spans may add up to."""
LONGEST: Final = 16_000
"""Characters of all dates together: every schedule that heeds a calendar holds it."""
_LONGEST_SPAN: Final = 366
_AHEAD: Final = 5 * 366
"""Days that are searched for the next holiday; a country without one in five years has none."""
_EPOCH: Final = date(1970, 1, 1)
_DATE: Final = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")
_YEARLY: Final = re.compile(r"^(?:--)?(\d{2})-(\d{2})$")
_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SMALL: Final = re.compile(r"(?<= )(And|Of|The)\b")
_EXAMPLE: Final = "write days like '2026-12-25', '12-25' for every year, or '2026-12-24/2027-01-02'"


class Days:
    """The closed days of a calendar, by day number since 1970-01-01."""

    __slots__ = ("_country", "_days", "_listed", "_yearly")

    def __init__(self, dates: Iterable[str] = (), country: str | None = None) -> None:
        """``dates``: single days, days of every year, spans, each perhaps with a name behind it (``2026-12-25 Christmas``);
        ``country``: ISO 3166 code, with a region behind a dash if one is meant (``DE-BY``).

        Raises:
            BadPattern: a day cannot be read, or the country is not known.
        """
        self._days: dict[int, str] = {}
        self._yearly: dict[tuple[int, int], str] = {}
        if sum(map(len, dates := tuple(dates))) > LONGEST:
            raise BadPattern(
                f"the days of a calendar take at most {LONGEST:,} characters together; shorten their names"
            )
        for text in dates:
            self._read(text)
            if len(self._days) > MOST_DAYS:
                raise BadPattern(f"a calendar closes at most {MOST_DAYS:,} days by its dates")
        self._country = None if country is None else country_of(country)
        self._listed = sorted(self._days)

    def coming(self, day: int) -> Iterable[int]:
        """Days after this one among which every closed one is, in order; few where only single days are closed."""
        if not self._yearly and self._country is None:
            return self._listed[bisect_right(self._listed, day) :]
        return range(day + 1, day + _AHEAD)

    def name(self, day: int) -> str | None:
        """Why a day is closed; None on one that is open."""
        if day in self._days:
            return self._days[day]
        if not self._yearly and self._country is None:
            return None
        moment = _EPOCH + timedelta(days=day)
        yearly = self._yearly.get((moment.month, moment.day))
        if yearly is not None or self._country is None:
            return yearly
        return _holidays(self._country, moment.year).get(moment)

    def _read(self, text: str) -> None:
        spelled, _, name = text.strip().partition(" ")
        name = name.strip()
        first, slash, last = spelled.partition("/")
        yearly = _YEARLY.match(spelled)
        if yearly is not None:
            month, day = int(yearly[1]), int(yearly[2])
            _date(f"2028-{month:02}-{day:02}", text)  # a leap year, so that 02-29 is a day
            self._yearly[month, day] = name or "a day off"
            return
        low = _date(first, text)
        high = _date(last, text) if slash else low
        if not 0 <= high - low < _LONGEST_SPAN:
            raise BadPattern(f"{spelled!r} is no span of 1 to {_LONGEST_SPAN} days; {_EXAMPLE}")
        self._days.update(dict.fromkeys(range(low, high + 1), name or "a day off"))


class ClosedDays:
    """The closed days of a calendar, in a zone."""

    __slots__ = ("_clock", "_days")

    word = "on_clash"

    def __init__(self, days: Days, zone: ZoneInfo) -> None:
        self._days = days
        self._clock = clock_of(zone)

    def around(self, instant: int) -> Stretch | None:
        day = self._clock.highest(instant) // DAY
        if self._days.name(day) is None:
            return None
        first = last = day
        while last - day < MOST_JOINED and self._days.name(last + 1) is not None:
            last += 1
        while day - first < MOST_JOINED and self._days.name(first - 1) is not None:
            first -= 1
        end = self._clock.first((last + 1) * DAY) if last - day < MOST_JOINED else LATEST
        return Stretch(self._clock.first(first * DAY), end)

    def next_closing(self, instant: int) -> int:
        for day in self._days.coming(self._clock.highest(instant) // DAY):
            if self._days.name(day) is not None and self._days.name(day - 1) is None:
                return self._clock.first(day * DAY) if day * DAY < LATEST else LATEST
        return LATEST

    def why(self, instant: int) -> str:
        return self._days.name(self._clock.highest(instant) // DAY) or "a day off"


def country_of(text: str) -> tuple[str, str | None]:
    """A country and perhaps a region, as the ``holidays`` package knows them.

    Raises:
        BadPattern: it does not know that one; the sentence names some it does know.
    """
    country, dash, region = text.strip().upper().partition("-")
    known = countries()
    if country not in known:
        raise BadPattern(f"there are no holidays of {text[:16]!r}; write a country's code such as DE, US or DE-BY")
    if dash and region not in known[country]:
        listed = ", ".join(known[country][:20]) or "none"
        raise BadPattern(f"{country} has no region {region[:16]!r}; its regions are {listed}")
    return country, region or None


@lru_cache(maxsize=1)
def countries() -> dict[str, tuple[str, ...]]:
    """The countries whose holidays are known, by code, with the codes of their regions."""
    # Imported by the first who asks: most have no calendar, and it takes 50 ms.
    from holidays import list_supported_countries  # noqa: PLC0415

    return {code: tuple(regions) for code, regions in list_supported_countries(include_aliases=False).items()}


def search_countries(text: str, most: int = 25) -> list[tuple[str, str]]:
    """Countries by half-typed name or code, as (code, English name): what begins so comes before what contains it."""
    wanted = " ".join(text.split()).casefold()

    def place(item: tuple[str, str]) -> int | None:
        code, name = item[0].casefold(), item[1].casefold()
        if wanted in (code, name):
            return 0
        if name.startswith(wanted):
            return 1
        return 2 if wanted in name else None

    found = [(rank, name, code) for code, name in _names().items() if (rank := place((code, name))) is not None]
    return [(code, name) for _, name, code in sorted(found)[:most]]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """The English names of the countries, by code. The package has none but those of its classes: ``UnitedStates``."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    spelled = {entry[1]: _CAPITAL.sub(" ", entry[0]) for entry in COUNTRIES.values()}
    return {code: _SMALL.sub(lambda word: word[0].lower(), spelled.get(code, code)) for code in countries()}


@lru_cache(maxsize=4096)
def _holidays(country: tuple[str, str | None], year: int) -> dict[date, str]:
    from holidays import country_holidays  # noqa: PLC0415

    code, region = country
    language = "en_US"
    try:
        found = country_holidays(code, subdiv=region, years=year, language=language)
    except (ValueError, NotImplementedError):  # no names in English
        found = country_holidays(code, subdiv=region, years=year)
    return dict(found)


def _date(text: str, whole: str) -> int:
    """The number of a day."""
    match = _DATE.match(text)
    try:
        if match is None:
            raise ValueError
        return (date(*(int(part) for part in match.groups())) - _EPOCH).days
    except ValueError:
        raise BadPattern(f"{whole[:64]!r} is no day that exists; {_EXAMPLE}") from None
