"""ScheduleZero: scheduled work that fires once, for Discord communities and for programs.

The public face: ``from schedule_zero import ScheduleZero, Handler, method, Context, Client``. Everything here but
``ScheduleZero`` needs only this package; the embedded mode needs the whole application and is loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schedule_zero.connection import Client
from schedule_zero.errors import Passing, Reject, RetryAfter
from schedule_zero.handler import Context, Handler, method

if TYPE_CHECKING:
    from core.embedded import ScheduleZero as ScheduleZero

# Without ScheduleZero: a star import takes all of these, and has to be possible where only this package is installed.
__all__ = ["Client", "Context", "Handler", "Passing", "Reject", "RetryAfter", "method"]


def __getattr__(name: str) -> Any:
    if name != "ScheduleZero":
        raise AttributeError(f"module 'schedule_zero' has no attribute {name!r}")
    try:
        from core.embedded import ScheduleZero
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "core":
            raise ImportError(_explain()) from error
        raise
    return ScheduleZero


def _explain() -> str:
    """Why the embedded mode is not there: not installed, or hidden by another package named core."""
    import importlib.util

    found = importlib.util.find_spec("core")
    if found is None:
        return "the embedded mode needs the whole application: install the distribution schedule-zero"
    place = found.origin or (next(iter(found.submodule_search_locations or ["?"])))
    return f"the embedded mode needs ScheduleZero's package 'core', but another one hides it: {place}"
