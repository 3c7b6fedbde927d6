"""Views of the audit: who changed what, from where, and what it was before."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from schedule_zero.schedule import Schedule
from schedule_zero.shown.guilds import GuildSettings

WayBack = Literal["undo", "revert"]


class AuditLine(msgspec.Struct, kw_only=True):
    """One change.

    Attributes:
        actor: ``kind:id``; of a person ``member:`` and their Discord id, of somebody erased ``user:erased``.
        via: from where it was asked for (``schedule_zero.actor.Via``); None: the line is older than this is noted.
        action: ``noun.verb`` (``schedule_zero.audit.Action``).
        target: the id or name of what was changed; ``title``: what people call it, as far as that is known.
        before, after: what it was and what it became, secrets masked; None: there was, or is, nothing.
        hidden: what it was and became is not for who asks.
        back: how whoever asks can take it back: ``undo`` within the time of an undo, ``revert`` later; None: not at all.
    """

    id: str
    at: str
    guild_id: str | None
    actor: str
    via: str | None
    action: str
    target: str
    title: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    hidden: bool = False
    back: WayBack | None = None


class AuditPage(msgspec.Struct, kw_only=True):
    """A page of the audit, newest first."""

    items: tuple[AuditLine, ...]
    next: str | None = None


class AuditRevert(msgspec.Struct, kw_only=True):
    """What a change was taken back of, as it is now: one of the two."""

    schedule: Schedule | None = None
    settings: GuildSettings | None = None
