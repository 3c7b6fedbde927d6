"""Time zones: IANA names, the cities people type instead, and what to offer while they type."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_POPULAR: Final = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Amsterdam",
    "Europe/Warsaw",
    "Europe/Istanbul",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Toronto",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Singapore",
    "Asia/Dubai",
    "Australia/Sydney",
    "Pacific/Auckland",
)

_CITIES: Final = {
    "abuja": "Africa/Lagos",
    "atlanta": "America/New_York",
    "austin": "America/Chicago",
    "bangalore": "Asia/Kolkata",
    "barcelona": "Europe/Madrid",
    "basel": "Europe/Zurich",
    "beijing": "Asia/Shanghai",
    "bengaluru": "Asia/Kolkata",
    "bern": "Europe/Zurich",
    "birmingham": "Europe/London",
    "bonn": "Europe/Berlin",
    "boston": "America/New_York",
    "brasilia": "America/Sao_Paulo",
    "calgary": "America/Edmonton",
    "canberra": "Australia/Sydney",
    "cape town": "Africa/Johannesburg",
    "chennai": "Asia/Kolkata",
    "cologne": "Europe/Berlin",
    "dallas": "America/Chicago",
    "delhi": "Asia/Kolkata",
    "edinburgh": "Europe/London",
    "frankfurt": "Europe/Berlin",
    "geneva": "Europe/Zurich",
    "gmt": "UTC",
    "hamburg": "Europe/Berlin",
    "hanoi": "Asia/Bangkok",
    "houston": "America/Chicago",
    "hyderabad": "Asia/Kolkata",
    "islamabad": "Asia/Karachi",
    "kiev": "Europe/Kyiv",
    "krakow": "Europe/Warsaw",
    "las vegas": "America/Los_Angeles",
    "lyon": "Europe/Paris",
    "manchester": "Europe/London",
    "marseille": "Europe/Paris",
    "miami": "America/New_York",
    "milan": "Europe/Rome",
    "minneapolis": "America/Chicago",
    "montreal": "America/Toronto",
    "mumbai": "Asia/Kolkata",
    "munich": "Europe/Berlin",
    "naples": "Europe/Rome",
    "new delhi": "Asia/Kolkata",
    "nyc": "America/New_York",
    "osaka": "Asia/Tokyo",
    "ottawa": "America/Toronto",
    "philadelphia": "America/New_York",
    "porto": "Europe/Lisbon",
    "portland": "America/Los_Angeles",
    "pretoria": "Africa/Johannesburg",
    "rio de janeiro": "America/Sao_Paulo",
    "saint petersburg": "Europe/Moscow",
    "salt lake city": "America/Denver",
    "san diego": "America/Los_Angeles",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "shenzhen": "Asia/Shanghai",
    "stuttgart": "Europe/Berlin",
    "tel aviv": "Asia/Jerusalem",
    "the hague": "Europe/Amsterdam",
    "turin": "Europe/Rome",
    "washington": "America/New_York",
    "wellington": "Pacific/Auckland",
    "z": "UTC",
    "zulu": "UTC",
}

_LONGEST_NAME: Final = 64


class BadZone(ValueError):
    """No zone has that name; the sentence offers the nearest ones."""

    def __init__(self, name: str, suggestions: tuple[str, ...]) -> None:
        self.suggestions = suggestions
        offer = f"; did you mean {' or '.join(suggestions)}?" if suggestions else "; write one such as Europe/Berlin"
        super().__init__(f"{name[:_LONGEST_NAME]!r} is no time zone{offer}")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name in any case, or of a city ("berlin", "new york"); its ``key`` is the name to store.

    Raises:
        BadZone: no such name, with the nearest names as suggestions.
    """
    wanted = _plain(name)
    key = _by_plain_name().get(wanted) or _by_city().get(wanted)
    if key is None:
        raise BadZone(name, _nearest(wanted))
    return ZoneInfo(key)


def search_zones(prefix: str, limit: int = 25) -> list[str]:
    """Names of zones for half-typed text, best first: by city, then by name, then anywhere; popular ones for none."""
    wanted = _plain(prefix)
    if not wanted:
        return list(_POPULAR[:limit])
    found: dict[str, None] = {}
    for names in (_by_city(), _by_plain_name()):
        found.update(dict.fromkeys(names[name] for name in sorted(names) if name.startswith(wanted)))
    if len(wanted) > 2:
        found.update(dict.fromkeys(key for name, key in _by_plain_name().items() if wanted in name))
    popular = [key for key in _POPULAR if key in found]
    return [*popular, *(key for key in found if key not in popular)][:limit]


def _nearest(wanted: str) -> tuple[str, ...]:
    # Imported when somebody mistypes: it is not needed to fire anything.
    from difflib import get_close_matches  # noqa: PLC0415

    if not wanted or len(wanted) > _LONGEST_NAME:
        return ()
    started = search_zones(wanted, 2) if len(wanted) > 2 else []
    if started:
        return tuple(started)
    names = _by_city() | _by_plain_name()
    close = get_close_matches(wanted, list(names), n=3, cutoff=0.75)
    return tuple(dict.fromkeys(names[name] for name in close))[:2]


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """Every name of the tzdata package: the list is the same on every machine, and reading it walks no folders."""
    # Imported with the first question: importlib.resources costs more than all the rest of this module.
    from importlib.resources import files  # noqa: PLC0415

    listed = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return tuple(name for name in listed if name != "Factory")


@lru_cache(maxsize=1)
def _by_plain_name() -> dict[str, str]:
    return {_plain(name): name for name in _names()}


@lru_cache(maxsize=1)
def _by_city() -> dict[str, str]:
    """City → zone. The last part of a name is the city; a name without a continent, and what is no city, are left out."""
    cities = {
        _plain(name.rsplit("/", 1)[1]): name
        for name in sorted(_names(), key=lambda name: (name in _POPULAR, name))
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "Canada/", "Brazil/", "Mexico/", "Chile/"))
    }
    return cities | _CITIES
