"""Who is at the other end of a client's connection, and what opens the core to them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from schedule_zero.actor import OPERATOR, Actor
from schedule_zero.asking import Role


class Identity(msgspec.Struct, frozen=True):
    """Somebody the core knows.

    Attributes:
        name: by which they are known.
        role: ``bot`` may ask in the name of members, and nobody else may.
        actor: in whose name they ask otherwise.
        guilds: the guilds they are confined to; None: they are not.
    """

    name: str
    role: Role
    actor: Actor
    guilds: frozenset[str] | None = None


OWNER: Final = Identity("api-token", "operator", OPERATOR)
"""Whoever can read the data folder's ``api-token``."""
BOT: Final = Identity("bot-token", "bot", Actor(kind="operator", id="bot"))
"""Whoever can read its ``bot-token``."""

Admit = Callable[[str | None], Identity | None]
"""Who a token belongs to; None for nobody. Takes the same time whatever the token."""


def by_token(known: Mapping[str, Identity]) -> Admit:
    """Admit the holders of these tokens."""
    tokens = [(token.encode(), identity) for token, identity in known.items()]

    def admit(presented: str | None) -> Identity | None:
        given = (presented or "").encode(errors="replace")
        found = None
        for token, identity in tokens:
            if hmac.compare_digest(token, given):
                found = identity
        return found

    return admit
