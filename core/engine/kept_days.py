"""Kept days: calendars as the ledger holds them, read so that a text in one costs at most itself.

What is saved is looked at where it comes in. What older versions let in, or somebody wrote into the store, must not end the
reading of everything beside it: it is mended as far as it goes, and a line of the log says so, once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec
import structlog

from schedule_zero.bounds import without_controls
from schedule_zero.schedule import Calendar, OnClash

log = structlog.get_logger("schedule_zero.kept_days")
_LONGEST: Final = 200
_MOST: Final = 1000
_strict: Final = msgspec.json.Decoder(Calendar)


class _AsStored(msgspec.Struct, kw_only=True):
    """A calendar whose texts may be anything."""

    name: str | None = None
    dates: tuple[str, ...] = ()
    country: str | None = None
    on_clash: OnClash = "skip"


_lenient: Final = msgspec.json.Decoder(_AsStored)


def calendar_in(text: str) -> Calendar:
    """A calendar from its stored JSON, mended where need be. Raises ValueError: it is none."""
    try:
        return _strict.decode(text)
    except msgspec.ValidationError:
        return _mended(text)


@lru_cache(maxsize=256)  # a thousand schedules may heed one calendar
def _mended(text: str) -> Calendar:
    found = _lenient.decode(text)
    log.warning("a stored calendar held text that cannot be read; it is left out", calendar=found.name)
    return Calendar(
        name=None if found.name is None else _line(found.name),
        dates=tuple(_line(day) for day in found.dates[:_MOST]),
        country=None if found.country is None else _line(found.country),
        on_clash=found.on_clash,
    )


def _line(text: str) -> str:
    return without_controls(text)[:_LONGEST]
