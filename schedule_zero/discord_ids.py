"""The ids of Discord: numbers, each with one spelling. Whatever counts or compares by them takes that one."""

from __future__ import annotations

import re
from typing import Final

from schedule_zero.bounds import TO_THE_END

PATTERN: Final = rf"^[1-9][0-9]{{0,19}}{TO_THE_END}"
"""What is sent has to be spelled so."""
_NUMBER: Final = re.compile(r"0*([1-9][0-9]{0,19})")


def canonical(id: str) -> str | None:
    """The one spelling of an id, without zeros before it; None: the text is none."""
    number = _NUMBER.fullmatch(id)
    return None if number is None else number[1]
