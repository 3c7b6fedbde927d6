"""Views of guilds, and of the people in them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from schedule_zero.bounds import TO_THE_END, Id, Locale, Word
from schedule_zero.schedule import Catchup, ClockChange, MonthEnd, UndoToken

MOST_MENTIONS: Final = 20
"""The most mentions a message may make, whatever a guild has set."""
MOST_LISTED: Final = 25
"""Roles or channels of a list; as many as a menu of Discord's shows as chosen."""
_Hour = Annotated[
    str,
    msgspec.Meta(pattern=rf"^([01][0-9]|2[0-3]):[0-5][0-9]{TO_THE_END}", description="a time of day such as 09:00"),
]
_Ids = Annotated[
    tuple[Id, ...], msgspec.Meta(max_length=MOST_LISTED, description=f"a list of at most {MOST_LISTED} ids")
]


class GuildChannels(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a guild wants to hear of what (None: nowhere), and where schedules may post.

    Attributes:
        allow: where schedules may post; empty: wherever the bot may. A thread counts by itself.
        deny: where they may not, nor in the threads there.
    """

    default: Id | None = None
    log: Id | None = None
    review: Id | None = None
    failures: Id | None = None
    allow: _Ids = ()
    deny: _Ids = ()


class GuildRoles(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which roles may do more here than Discord's permissions say.

    Attributes:
        manager: may do with everybody's schedules and jobs what Manage Messages and Manage Server allow.
        member: may schedule messages of their own. The guild's own id stands for everybody in it.
    """

    manager: _Ids = ()
    member: _Ids = ()


class GuildMentions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom scheduled messages may mention, beside what Discord's own rights say.

    Attributes:
        everyone: ``off``: nobody mentions everyone; ``managers``: those who manage here do.
        roles: ``off``: no role is mentioned; ``listed``: those of ``listed``, by everybody who may schedule;
            ``managers``: any, by those who manage here.
        max: mentions in one message.
    """

    everyone: Literal["off", "managers"] = "managers"
    roles: Literal["off", "listed", "managers"] = "managers"
    listed: _Ids = ()
    max: Annotated[int, msgspec.Meta(ge=0, le=MOST_MENTIONS)] = MOST_MENTIONS


class GuildPolicy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What new schedules do where they say nothing themselves; None: what they do everywhere."""

    catchup: Catchup | None = None
    dst: ClockChange | None = None
    month_end: MonthEnd | None = None


class GuildRetention(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How long what is over is kept.

    Attributes:
        history_days: days for which runs, their logs and events are kept, and schedules that are done; None: as long as
            the operator keeps them.
        delete_on_leave: whether everything of the guild goes some time after the bot has left it.
    """

    history_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    delete_on_leave: bool = False


class GuildSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a guild has set, with defaults filled in.

    Attributes:
        locale: the language that says in which order figures of a date stand; None: ``03/04`` is asked back.
        hour24: whether words say 18:30 or 6:30pm.
        default_time: the time of day where nobody says one.
        ephemeral: whether answers to commands are for the person alone.
        defaults: the fields nobody has set; of a group of which something is set, by ``group.field``.
        undo: how the change that is answered can be taken back.
    """

    guild_id: str
    timezone: Word = "UTC"
    locale: Locale | None = None
    hour24: bool = True
    default_time: _Hour = "09:00"
    channels: GuildChannels = msgspec.field(default_factory=GuildChannels)
    roles: GuildRoles = msgspec.field(default_factory=GuildRoles)
    mentions: GuildMentions = msgspec.field(default_factory=GuildMentions)
    policy: GuildPolicy = GuildPolicy()
    retention: GuildRetention = msgspec.field(default_factory=GuildRetention)
    ephemeral: bool = True
    defaults: tuple[str, ...] = ()
    undo: UndoToken | None = None


class UserTimezone(msgspec.Struct, kw_only=True):
    """A person's time zone, if one was set. ``shared``: others may see it."""

    user_id: str
    timezone: str | None
    shared: bool = False


class PresentGuilds(msgspec.Struct, kw_only=True):
    """Ids of guilds that the bot is in."""

    items: tuple[str, ...]
    next: str | None = None


class Erasure(msgspec.Struct, kw_only=True):
    """What becomes of the wish that data be erased. ``finished``: nothing is left of it; else it goes on by itself."""

    kind: Literal["guild", "user"]
    id: str
    finished: bool


class Done(msgspec.Struct, kw_only=True):
    """It was done; there is nothing more to say."""

    ok: bool = True
