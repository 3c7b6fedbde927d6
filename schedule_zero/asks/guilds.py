"""Requests about guilds, and about the people in them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

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
    """Answers Done. The bot tells which guild it joined (or still is in), or left. An empty ``name`` leaves the known one."""

    guild_id: Id
    name: Line
    present: bool = True


class ListPresentGuilds(BaseRequest, tag="guild.present.list", frozen=True):
    """Answers PresentGuilds: where the bot told that it is. Of one shard, so that a bot can say which of them it left."""

    shard: Annotated[int, Meta(ge=0, description="the number of a shard")] = 0
    shards: Annotated[int, Meta(ge=1, description="how many shards there are, at least 1")] = 1
    cursor: Id | None = None
    limit: int = 1000


class EraseGuild(BaseRequest, tag="guild.erase", frozen=True):
    """Answers Erasure. Everything that is kept of a guild goes for good."""

    guild_id: Id


class EraseUser(BaseRequest, tag="user.erase", frozen=True):
    """Answers Erasure. Everything that is one person's own goes for good, and their name elsewhere."""

    user_id: Id


class GetUserTimezone(BaseRequest, tag="user.timezone.get", frozen=True):
    """Answers UserTimezone."""

    user_id: Id


class PutUserTimezone(BaseRequest, tag="user.timezone.put", frozen=True):
    """Answers UserTimezone; ``timezone`` None forgets it. ``shared``: whether others may see it; None: as it was, and not
    where none was set."""

    user_id: Id
    timezone: Word | None
    shared: bool | None = None
