"""Requests about guilds, and about the people in them."""

from __future__ import annotations

from typing import Any

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line, Word


class GetGuildSettings(BaseRequest, tag="guild.settings.get", frozen=True):
    """Answers GuildSettings, defaults filled in."""

    guild_id: Id


class PutGuildSettings(BaseRequest, tag="guild.settings.put", frozen=True):
    """Answers GuildSettings. ``changes`` may name a part of the fields."""

    guild_id: Id
    changes: dict[str, Any]


class UndoGuildSettings(BaseRequest, tag="guild.settings.undo", frozen=True):
    """Answers GuildSettings as they are after a change to them was taken back."""

    guild_id: Id
    token: Id


class NoteGuild(BaseRequest, tag="guild.note", frozen=True):
    """Answers Done. The bot tells which guild it joined (or still is in), or left."""

    guild_id: Id
    name: Line
    present: bool = True


class GetUserTimezone(BaseRequest, tag="user.timezone.get", frozen=True):
    """Answers UserTimezone."""

    user_id: Id


class PutUserTimezone(BaseRequest, tag="user.timezone.put", frozen=True):
    """Answers UserTimezone; ``timezone`` None forgets it."""

    user_id: Id
    timezone: Word | None
