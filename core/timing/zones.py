"""Time zones: IANA names, the cities people type instead, and what to offer while they type."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from core.timing.zone_names import (
    ABBREVIATIONS,
    CITIES,
    COUNTRIES,
    MEANT_BY_SHORT,
    NAMED_SHORT,
    POPULAR,
    STATES,
    TIMES,
)

_LONGEST_NAME: Final = 64
_PLACELESS: Final = ("Etc/", "SystemV/", "US/", "Canada/", "Brazil/", "Mexico/", "Chile/")
_OFFSET: Final = re.compile(r"^(?:utc|gmt)?\s?[+-]\s?\d")
_GAPS: Final = re.compile(r"[\s_()&,.]+|-(?!\d)")


class BadZone(ValueError):
    """No zone has that name; the sentence offers the nearest ones."""

    def __init__(self, name: str, suggestions: tuple[str, ...], *, several: bool = False, offset: bool = False) -> None:
        self.suggestions = suggestions
        offer = f"; did you mean {' or '.join(suggestions)}?" if suggestions else "; write one such as Europe/Berlin"
        what = "is not one time zone" if several else "is no time zone"
        if offset:
            what = "is an offset, which forgets that clocks change"
        super().__init__(f"{name[:_LONGEST_NAME]!r} {what}{offer}")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name in any case, of a city ("berlin", "são paulo"), of a country or state that has one
    ("japan"), or of what people call the time ("Central European Time"); its ``key`` is the name to store.

    Raises:
        BadZone: no such name, or several zones go by it; with the nearest names as suggestions.
    """
    wanted = _plain(name)
    key = _by_plain_name().get(wanted)
    if key is not None and "/" in key:
        return ZoneInfo(key)
    named = _by_other_name().get(wanted, ())
    # Not so an old name of the database: "Japan" is stored as Asia/Tokyo, "Queensland" as Australia/Brisbane.
    if named and wanted not in ABBREVIATIONS and (len(named) == 1 or wanted in TIMES):
        return ZoneInfo(named[0])
    key = key or _by_city().get(wanted)
    if key is not None:
        return ZoneInfo(key)
    if named:
        raise BadZone(name, named, several=True)
    raise BadZone(name, _nearest(wanted), offset=_OFFSET.match(wanted) is not None)


def is_abbreviation(word: str) -> bool:
    """Whether a word in lower case is a short name for the time somewhere, such as pst or utc."""
    return word in ABBREVIATIONS or word in NAMED_SHORT


def is_place(name: str) -> bool:
    """Whether a time zone goes by a name, or several do: of the database, a city, a country, a state."""
    wanted = _plain(name)
    return any(wanted in names for names in (_by_plain_name(), _by_city(), _by_other_name()))


def search_zones(prefix: str, limit: int = 25) -> list[str]:
    """Names of zones for half-typed text, best first: popular ones, then by where the text stands; popular ones alone
    for none."""
    wanted = _plain(prefix)
    if not wanted:
        return list(POPULAR[:limit])
    if _OFFSET.match(wanted):
        return []  # Etc/GMT+2 would be found, and is two hours behind UTC
    found = dict.fromkeys(_exactly(wanted))
    index = _index()
    fitting = []
    for entry in islice(index, bisect_left(index, _Entry(wanted, 0, ())), None):
        if not entry.text.startswith(wanted):
            break
        fitting.append(entry)
    fitting.sort(key=lambda entry: entry.rank)
    begun = dict.fromkeys(key for entry in fitting for key in entry.keys)
    if len(wanted) > 2:
        begun.update(dict.fromkeys(key for name, key in _by_plain_name().items() if wanted in name))
    found.update(dict.fromkeys(key for key in POPULAR if key in begun))
    found.update(begun)
    return list(found)[:limit]


def _exactly(wanted: str) -> tuple[str, ...]:
    """What is meant by a whole name that is typed out; several zones where they share it."""
    meant = MEANT_BY_SHORT.get(wanted)
    whole = _by_other_name().get(wanted, ())
    return whole if meant is None else (meant, *whole)


def _nearest(wanted: str) -> tuple[str, ...]:
    # Imported when somebody mistypes: it is not needed to fire anything.
    from difflib import get_close_matches  # noqa: PLC0415

    if not wanted or len(wanted) > _LONGEST_NAME or _OFFSET.match(wanted):
        return ()
    started = search_zones(wanted, 2) if len(wanted) > 2 else []
    if started:
        return tuple(started)
    names = {name: keys[0] for name, keys in _by_other_name().items()} | _by_city() | _by_plain_name()
    close = get_close_matches(wanted, list(names), n=3, cutoff=0.75)
    return tuple(dict.fromkeys(names[name] for name in close))[:2]


def _plain(name: str) -> str:
    """Lower case without accents; spaces for everything that parts words."""
    bare = "".join(part for part in unicodedata.normalize("NFKD", name[:1000]) if not unicodedata.combining(part))
    return " ".join(_GAPS.sub(" ", bare.lower().replace("'", "").replace("’", "")).split())


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """Every name of the tzdata package: the list is the same on every machine, and reading it walks no folders."""
    return tuple(name for name in _table("zones").split() if name != "Factory")


def _table(*path: str) -> str:
    # Imported with the first question: importlib.resources costs more than all the rest of this module.
    from importlib.resources import files  # noqa: PLC0415

    return files("tzdata").joinpath(*path).read_text("utf-8")


@lru_cache(maxsize=1)
def _by_plain_name() -> dict[str, str]:
    return {_plain(name): name for name in _names()}


@lru_cache(maxsize=1)
def _by_city() -> dict[str, str]:
    """City → zone. The last part of a name is the city; a name without a continent, and what is no city, are left out."""
    cities = {
        _plain(name.rsplit("/", 1)[1]): name
        for name in sorted(_names(), key=lambda name: (name in POPULAR, name))
        if "/" in name and not name.startswith(_PLACELESS)
    }
    return cities | CITIES


@lru_cache(maxsize=1)
def _by_other_name() -> dict[str, tuple[str, ...]]:
    """Country, state, name of a time, abbreviation → its zones."""
    return _countries() | COUNTRIES | STATES | TIMES | ABBREVIATIONS


def _countries() -> dict[str, tuple[str, ...]]:
    """The countries of the database, by the English name it gives them."""
    zones: dict[str, list[str]] = {}
    for line in _rows("zone.tab"):
        zones.setdefault(line[0], []).append(line[2])
    names = {code: name for code, name, *_ in _rows("iso3166.tab")}
    return {_plain(names[code]): tuple(keys) for code, keys in zones.items() if code in names}


def _rows(table: str) -> Iterable[list[str]]:
    lines = _table("zoneinfo", table).splitlines()
    return (line.split("\t") for line in lines if line and not line.startswith("#"))


class _Entry(NamedTuple):
    """One place at which a name can be found: its beginning, or that of a later word."""

    text: str
    rank: int
    keys: tuple[str, ...]


@lru_cache(maxsize=1)
def _index() -> list[_Entry]:
    """Every name from each of its words on, in order, so that half a name is looked up and not searched for."""
    single = [(text, (key,), 0) for text, key in _by_city().items()]
    single += [(text, (key,), 2) for text, key in _by_plain_name().items()]
    several = [(text, keys, 1) for text, keys in _by_other_name().items()]
    entries = []
    for text, keys, rank in (*single, *several):
        words = text.split()
        entries += [_Entry(" ".join(words[place:]), rank + 3 * bool(place), keys) for place in range(len(words))]
    return sorted(entries)
