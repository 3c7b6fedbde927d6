"""Requests about time: what words about it mean, and when a trigger that need not be saved is due."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Text, TimeField, Word
from schedule_zero.schedule import ActiveHours, Calendar
from schedule_zero.trigger import Trigger


class PreviewTrigger(BaseRequest, tag="time.preview", frozen=True):
    """Answers PreviewView of a trigger that need not be saved."""

    trigger: Trigger
    timezone: Word = "UTC"
    n: int = 10
    after: Word | None = None
    policy: dict[str, Any] = msgspec.field(default_factory=dict)
    start: Word | None = None
    until: Word | None = None
    calendar: Word | Calendar | None = None
    active_hours: Word | ActiveHours | None = None
    guild_id: Id | None = None
    """Whose named calendars and hours are meant."""


class ReadTime(BaseRequest, tag="time.read", frozen=True):
    """Answers ReadingView: what ``when`` (and ``repeat``) mean, in the zone that applies to guild and user. ``when`` is
    empty where ``repeat`` says it all. ``past``: it may be over, as far as it means the same whenever it is said;
    ``now`` is a moment, too."""

    when: Text
    repeat: Text | None = None
    timezone: Word | None = None
    guild_id: Id | None = None
    user_id: Id | None = None
    past: bool = False


class SuggestTimes(BaseRequest, tag="time.suggest", frozen=True):
    """Answers Suggestions for a half-typed ``when`` or ``repeat`` (``field``), with readings."""

    field: TimeField
    text: Text
    timezone: Word | None = None
    guild_id: Id | None = None
    user_id: Id | None = None


class SuggestZones(BaseRequest, tag="time.zones", frozen=True):
    """Answers Suggestions of time zones for half-typed text; popular ones for none."""

    text: Text


class SuggestCountries(BaseRequest, tag="time.countries", frozen=True):
    """Answers Suggestions of countries whose holidays are known, by half-typed name or code; the values are codes."""

    text: Text
