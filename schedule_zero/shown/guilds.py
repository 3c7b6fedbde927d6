"""Views of guilds, and of the people in them."""

from __future__ import annotations

import msgspec


class GuildChannels(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a guild wants to hear of what; None: nowhere."""

    default: str | None = None
    log: str | None = None
    review: str | None = None
    failures: str | None = None


class GuildSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a guild has set, with defaults filled in. ``defaults`` names the fields nobody has set."""

    guild_id: str
    timezone: str = "UTC"
    locale: str = "en-US"
    hour24: bool = True
    default_time: str = "09:00"
    channels: GuildChannels = msgspec.field(default_factory=GuildChannels)
    mentions_everyone: bool = False
    mention_roles: tuple[str, ...] = ()
    ephemeral: bool = True
    defaults: tuple[str, ...] = ()


class UserTimezone(msgspec.Struct, kw_only=True):
    """A person's time zone, if one was set."""

    user_id: str
    timezone: str | None


class Done(msgspec.Struct, kw_only=True):
    """It was done; there is nothing more to say."""

    ok: bool = True
