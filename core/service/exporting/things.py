"""What an export is made of."""

from __future__ import annotations

from typing import Any

import msgspec

from core.ledger.rows import ScheduleRow
from core.service.closings import Closings


class Guild(msgspec.Struct, gc=False):
    """What a guild has set: its settings, and what it keeps closed."""

    id: str
    settings: dict[str, Any]
    closings: Closings


class Item(msgspec.Struct, gc=False):
    """A schedule to be written down, and its arguments as they may be shown."""

    row: ScheduleRow
    args: dict[str, Any]
