"""Verdicts: what the governor answers. Admit, or Wait until when and why.

Scopes are named ``global``, ``plan:verified``, ``guild:123``, ``schedule:sch_…``, ``method:webhook.post``, ``channel:123/789`` (a
channel of a guild), ``dms:123`` (a guild's direct messages), ``person:456`` (those of a person outside guilds), ``handler:NAME``
and ``handler:NAME/METHOD``; ``guild:-`` is the operator's own work, which belongs to no guild.
"""

from __future__ import annotations

from typing import Final

import msgspec

SCHEDULE: Final = "schedule:"
HANDLERS: Final = "handlers"
"""The limit of a guild that may not use a run's handler; of a method, that no process is there to do it."""


class Admit(msgspec.Struct, frozen=True, gc=False):
    """The run may start now, on this handler; what that takes has been taken."""

    handler: str


class Wait(msgspec.Struct, frozen=True, gc=False):
    """The run may not start now; nothing has been taken.

    Attributes:
        scope: the scope that refused.
        limit: which of its limits: ``running``, ``rate``, ``handlers``, ``share`` …
        used: how much of it is in use.
        allowed: how much there is.
        until: monotonic seconds at which it frees by itself; None: as soon as something of it is released.
    """

    scope: str
    limit: str
    used: float
    allowed: float
    until: float | None = None


def scope_of(guild: str | None) -> str:
    """The name of a guild's scope; the operator's own work counts as the guild ``-``."""
    return "guild:-" if guild is None else f"guild:{guild}"


def scope_of_schedule(id: str) -> str:
    """The name of a schedule's own scope."""
    return f"{SCHEDULE}{id}"
