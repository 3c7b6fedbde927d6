"""What operators tell everybody while something is done to the service, as it was told last."""

from __future__ import annotations

from typing import Final

from cogs.texts import one_line, stamp
from schedule_zero.instant import parse
from schedule_zero.views import MaintenanceView

_SHOWN: Final = 500


class LastBanner:
    """The message that was told last: a core that is away for maintenance cannot be asked for it."""

    def __init__(self) -> None:
        self._told: MaintenanceView | None = None

    def remember(self, told: MaintenanceView | None) -> None:
        """What is told now."""
        self._told = told

    def at(self, now: int) -> MaintenanceView | None:
        """What is told at an instant (microseconds since 1970), as far as it is known."""
        told = self._told
        over = told is not None and told.until is not None and parse(told.until) <= now
        return None if over else told


def banner_line(told: MaintenanceView | None) -> str:
    """A message as a line; empty where there is none."""
    if told is None:
        return ""
    until = f" (until {stamp(told.until, 'f')})" if told.until is not None else ""
    return f"🔧 **{one_line(told.message, _SHOWN)}**{until}"
