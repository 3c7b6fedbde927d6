"""Which data about time is installed: the zones' and the holidays'. When it changes, due times that were computed may.

Python reads the system's zone files where there are any, however old they are, and else those of the ``tzdata`` package.
"""

from __future__ import annotations

import os
import zoneinfo
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_COMPACT: Final = "tzdata.zi"
_PROBE: Final = "Europe/London"
_BY_HAND: Final = "PYTHONTZPATH"


def take_newest_zones() -> None:
    """Read zones from the ``tzdata`` package where the system's files are older than it, or do not say what they are.

    Must be called before the first zone is read. Who has set PYTHONTZPATH knows what they want.
    """
    from tzdata import IANA_VERSION  # type: ignore[import-untyped]  # noqa: PLC0415

    system = system_zones()
    if system is None or os.environ.get(_BY_HAND) is not None:
        return
    if not system[:1].isdigit() or system < IANA_VERSION:
        zoneinfo.reset_tzpath(to=())


def data_version() -> str:
    """A text that is another one when the zones' data or the holidays are: ``2026b, holidays 0.109``."""
    zones = system_zones() or f"package {_package('tzdata')}"
    return f"{zones}, holidays {_package('holidays')}"


def system_zones() -> str | None:
    """The version of the zone files that Python reads from the system (``2025b``), or when they were written; None where
    it reads the package's."""
    for folder in map(Path, zoneinfo.TZPATH):
        probe = folder / _PROBE
        if not probe.is_file():
            continue
        try:
            with (folder / _COMPACT).open(encoding="ascii") as lines:
                return lines.readline().removeprefix("# version").strip()
        except OSError:  # not every system has that file; a file of a zone is written anew with the others
            return f"written {int(probe.stat().st_mtime)}"
    return None


@cache  # reading it takes milliseconds, and a process goes on with what it has loaded
def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
