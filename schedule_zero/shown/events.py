"""Views of events."""

from __future__ import annotations

import msgspec

from schedule_zero.event import Event


class EventPage(msgspec.Struct, kw_only=True):
    """A page of the journal; ``next`` continues it, also when nothing newer is there yet."""

    items: tuple[Event, ...]
    next: str
