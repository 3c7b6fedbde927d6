"""Keys: what somebody shows to be known to a core, as clients see it. The secret half is never among it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

KeyRole = Literal["operator", "bot", "handler"]
"""``operator`` asks for itself, ``bot`` in the name of members too, ``handler`` is given work."""
KeyKind = Literal["curve", "token", "registration"]
"""``registration``: a token that binds a handler's public key to its name, once."""
KeyState = Literal["active", "pending", "expired", "revoked"]

KeyName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.\-]{1,64}(?![\s\S])",
        description="a name of 1 to 64 letters, digits, points, dashes and underscores",
    ),
]
PublicKey = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}(?![\s\S])",
        description="a CURVE public key, which is 40 characters of Z85",
    ),
]


class Key(msgspec.Struct, kw_only=True):
    """One key.

    Attributes:
        name: whose it is; for a handler the name that schedules address.
        guild_id: the one guild its holder is confined to; None: all.
        created_by: the actor who made it, as ``operator:NAME``.
        public: the public half of a CURVE key.
        expires: until when a registration can be used.
        last_used: about when its holder was last here.
        token: what opens the door, for a handler's pair a plain one; only in the answer that made it, and not when that
            is repeated.
        keyless: how many processes of its name were connected without a key when it was made: they get nothing new, finish
            what they hold, and are refused then. Only in the answer that made it, and where there are any.
        server: the core's own public key, for the holder's key file; None where the doors it comes to are plain.
    """

    id: str
    name: str
    role: KeyRole
    kind: KeyKind
    state: KeyState
    guild_id: str | None
    created: str
    created_by: str
    public: str | None = None
    expires: str | None = None
    last_used: str | None = None
    revoked: str | None = None
    token: str | None = None
    keyless: int | None = None
    server: str | None = None


class KeyPage(msgspec.Struct, kw_only=True):
    """The keys there are, newest last, and the core's own public key."""

    items: tuple[Key, ...]
    server: str | None = None
