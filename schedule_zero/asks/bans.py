"""Requests about people who may not use the service. ``by``: in whose name a program of the operators asks."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line, Word


class BanUser(BaseRequest, tag="user.ban", frozen=True):
    """Answers BanView. From now on what this person asks is refused everywhere, and nothing of theirs starts: runs of their
    schedules and reminders are cancelled when their turn comes. Nothing else of theirs is lost."""

    user_id: Id
    why: Line = ""
    by: Word | None = None


class UnbanUser(BaseRequest, tag="user.unban", frozen=True):
    """Answers BanView: the ban that is over. What was cancelled meanwhile is not made up for."""

    user_id: Id
    by: Word | None = None


class ListBans(BaseRequest, tag="user.bans", frozen=True):
    """Answers BanPage: everybody who is banned, the newest first."""
