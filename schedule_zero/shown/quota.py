"""Views of what guilds may use, and what they use of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

MOST_WAITING: Final = 10_000
"""Up to so many of a guild's waiting runs are counted."""
NO_HANDLER: Final = "none may be used"
"""What a list of handlers says in which there is none; no list at all is no limit."""


def say_handlers(handlers: Sequence[str] | None) -> str:
    """The handlers that may be used, as people read them; empty where there is no limit."""
    return "" if handlers is None else ", ".join(handlers) or NO_HANDLER


class Gauge(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One limit, and how much of it is in use.

    Attributes:
        scope: whose limit it is, as in ``why``: ``guild:123``, ``plan:verified``, ``user:456``.
        limit: its name, as in a plan.
        used: how much is in use now; None: it is not counted (a size, a shortest interval), or another core counts it.
        allowed: how much there may be; None: no limit.
        until: when some of it frees, RFC 3339; None: when something of it ends.
        words: the limit as people write it, such as ``30/min`` or ``PT5M``; ``used up`` in the place of ``used`` and
            ``allowed``, where others' share of it is not for who asks.
        origin: who says so: ``plan``, ``configuration``, ``operator`` or ``temporary``.
        ends: when a temporary limit ends.
    """

    scope: str
    limit: str
    used: float | None = None
    allowed: float | None = None
    until: str | None = None
    words: str = ""
    origin: str = "plan"
    ends: str | None = None


USED_UP: Final = "used up"
"""What a shared limit says to who may not know how much of it others use."""


def is_shared(gauge: Gauge) -> bool:
    """Whether a guild shares a limit with others: that of its plan, or of the whole service."""
    return gauge.scope == "global" or gauge.scope.startswith("plan:")


class MarkView(msgspec.Struct, kw_only=True):
    """That something was done to a guild: when, by whom, and why.

    Attributes:
        by: empty for all but who runs the service; where it was a member, who manages the guild sees it, too.
        why: empty, too, for who does not manage the guild.
    """

    at: str
    by: str
    why: str = ""


class Heavy(msgspec.Struct, kw_only=True):
    """Somebody who has many of a guild's schedules."""

    owner_id: str
    schedules: int


class GuildSummary(msgspec.Struct, kw_only=True):
    """A guild among others. ``present``: whether the bot is there; None: it never said."""

    guild_id: str
    name: str | None
    present: bool | None
    plan: str
    verified: bool
    suspended: bool


class GuildPage(msgspec.Struct, kw_only=True):
    """Some guilds; ``next`` is the cursor of the rest."""

    items: tuple[GuildSummary, ...]
    next: str | None = None


class GuildView(msgspec.Struct, kw_only=True):
    """A guild: its plan, and each limit with what is used of it.

    Attributes:
        waiting: how many of its runs wait, counted up to 10,000: that many, or more.
        most: who has most of its schedules; empty for who does not manage it.
        whole: whether all limits are here; False: only those of the person who asks.
    """

    guild_id: str
    name: str | None
    present: bool | None
    plan: str
    verified: MarkView | None
    suspended: MarkView | None
    gauges: tuple[Gauge, ...]
    waiting: int = 0
    most: tuple[Heavy, ...] = ()
    whole: bool = True


class TemporaryQuota(msgspec.Struct, kw_only=True):
    """Limits that hold until an instant. ``by``: who set them; empty for all but who runs the service."""

    limits: dict[str, Any]
    until: str
    by: str


class QuotaView(msgspec.Struct, kw_only=True):
    """What a guild may use, and which layer says so.

    Attributes:
        limits: every limit as it holds now; null: none.
        origins: who says it, for each that is not as in the plan; ``plan`` is among them where an operator set it.
        own: what an operator set for this guild.
        temporary: what holds for a time, later ones over earlier ones.
    """

    guild_id: str
    plan: str
    limits: dict[str, Any]
    origins: dict[str, str]
    own: dict[str, Any]
    temporary: tuple[TemporaryQuota, ...] = ()


class VerificationView(msgspec.Struct, kw_only=True):
    """A code to enter in the guild, and until when it is good.

    Attributes:
        code: shown once; None in the repetition of a request under its idempotency key: ask under another for a new one.
    """

    guild_id: str
    until: str
    code: str | None = None


class RefusalView(msgspec.Struct, kw_only=True):
    """The limit that somebody met last; all None: none since the service started.

    Attributes:
        now: that limit as it is now, where it is one of the guild's or the person's own.
    """

    sentence: str | None = None
    at: str | None = None
    scope: str | None = None
    limit: str | None = None
    used: float | None = None
    allowed: float | None = None
    until: str | None = None
    now: Gauge | None = None
