"""The limits of each schedule alone as people write and read them: ``running 2, rate 1/min``.

Over HTTP they are an object with these fields (``each_schedule`` of a plan, or of what differs for a guild).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

EACH_SCHEDULE: Final = "each_schedule"
FIELDS: Final = ("running", "rate", "burst", "runs_per_hour", "runs_per_day", "runs_per_month")
EXAMPLE: Final = "running 2, rate 1/min"
_PART: Final = re.compile(rf"({'|'.join(name.replace('_', '[ _]') for name in FIELDS)})\s*[ :=]\s*(\S.*)")


def read_limits(text: str) -> dict[str, int | str]:
    """Read ``running 2, rate 1/min``: each field once, in any order. Whether a rate is one, the core judges.

    Raises:
        ValueError: a part names no limit, or has no number where one belongs; one sentence that quotes it.
    """
    found: dict[str, int | str] = {}
    for part in (each.strip() for each in text.split(",")):
        match = _PART.fullmatch(part.casefold())
        if match is None:
            raise ValueError(
                f"{part[:60]!r} is no limit of a schedule; write for example {EXAMPLE}; there are {', '.join(FIELDS)}"
            )
        name = match[1].replace(" ", "_")
        if name in found:
            raise ValueError(f"{name} is there twice; write it once")
        if name != "rate" and not match[2].isdecimal():
            raise ValueError(f"{match[2][:60]!r} is no whole number, 0 or more, for {name}; write for example {name} 2")
        found[name] = match[2] if name == "rate" else int(match[2])
    return found


def say_limits(limits: Mapping[str, Any]) -> str:
    """The same limits as they are written; empty where there are none."""
    return ", ".join(f"{name} {limits[name]}" for name in FIELDS if limits.get(name) is not None)
