"""Views of what operators did to the service as a whole."""

from __future__ import annotations

import msgspec

from schedule_zero.shown.quota import MarkView


class MaintenanceView(msgspec.Struct, kw_only=True):
    """What everybody is told, until when (None: until it is taken away), and by whom."""

    message: str
    until: str | None
    by: str


class Upkeep(msgspec.Struct, kw_only=True):
    """What operators did to the service as a whole.

    Attributes:
        drained: nothing new is given out, since when and by whom.
        maintenance: what everybody is told.
    """

    drained: MarkView | None = None
    maintenance: MaintenanceView | None = None
