"""Actors: who asks. Every request is judged for its actor, and every change remembers one."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

ActorKind = Literal["operator", "member", "core"]
Via = Literal["discord", "http", "zmq", "cli", "page", "embedded", "core"]
"""From where somebody asks: a command or button in Discord, the HTTP API, a client over ZeroMQ, the command line, a page
in the browser, a program that holds a core inside itself, or the service itself."""
Standing = Literal["", "member", "manager"]
"""What a guild's own settings make of somebody by their roles: nothing, who may schedule, who manages there."""

# Discord's permission bits that our own checks ask for (Discord documentation, "Permissions").
ADMINISTRATOR: Final = 1 << 3
MANAGE_GUILD: Final = 1 << 5
VIEW_AUDIT_LOG: Final = 1 << 7
MANAGE_MESSAGES: Final = 1 << 13
MENTION_EVERYONE: Final = 1 << 17


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks.

    Attributes:
        kind: ``operator`` holds an API token or owns the process; ``member`` speaks through Discord; ``core`` is the
            service itself.
        id: the token's name, or the Discord user's id.
        guild_id: where a member speaks; None in a direct message.
        owner: whether the guild is the member's own.
        permissions: the member's Discord permission bits in all of that guild, without what single channels add or
            take away.
        via: from where they ask, as the door knows it by which they came. It is noted in the audit, and gives no rights.
        roles: the ids of the member's roles there. What they are worth the guild's settings say.
        standing: what the core made of those roles; nothing else may say it, and what is sent is not heeded.
    """

    kind: ActorKind
    id: str
    guild_id: str | None = None
    permissions: int = 0
    owner: bool = False
    via: Via = "core"
    roles: tuple[str, ...] = ()
    standing: Standing = ""

    @property
    def who(self) -> str:
        """How marks and lines of the audit name them."""
        return f"{self.kind}:{self.id}"

    def has(self, bit: int) -> bool:
        """Whether the member holds that permission of Discord's (administrators hold all, operators need none)."""
        return self.kind != "member" or bool(self.permissions & (bit | ADMINISTRATOR))


OPERATOR: Final = Actor(kind="operator", id="operator")
CORE: Final = Actor(kind="core", id="core")
