"""Requests about secret links that calendar programs subscribe to: one of each guild, one of each person."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id


class NewCalendarLink(BaseRequest, tag="calendar_link.new", frozen=True):
    """Answers CalendarLink, with its ``url``. Of a guild, or of a person. The one there was is good no more."""

    guild_id: Id | None = None
    user_id: Id | None = None


class GetCalendarLink(BaseRequest, tag="calendar_link.get", frozen=True):
    """Answers CalendarLink, without what is secret."""

    guild_id: Id | None = None
    user_id: Id | None = None


class EndCalendarLink(BaseRequest, tag="calendar_link.end", frozen=True):
    """Answers CalendarLink: there is none. Who has it gets nothing by it any more."""

    guild_id: Id | None = None
    user_id: Id | None = None
