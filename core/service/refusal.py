"""A refusal that does not take back what was written: a wrong try counts."""

from __future__ import annotations

import msgspec

from schedule_zero.errors import ScheduleZeroError


class Refusal(msgspec.Struct, frozen=True):
    """What a change comes to that is refused, although what it wrote stays; it is not remembered for a repetition."""

    error: ScheduleZeroError
