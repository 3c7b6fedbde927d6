"""The keyring: every key there is, in memory, as the doors look them up. Pure; the ledger has the durable truth.

A key is what somebody shows to be known: a CURVE key, of which only the public half is here, or a token, of which only
the SHA-256 is. A registration is a token that is good for one thing, once: binding a handler's public key to its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from schedule_zero.actor import OPERATOR, Actor
from schedule_zero.key import KeyKind, KeyRole, KeyState

_OF_A_FILE: Final = "file:"
BOTS_HANDLER: Final = "discord"
"""The handler that a key of role ``bot`` may serve, beside what it asks."""


class KeyRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key, as it is kept. Instants are microseconds since the epoch.

    Attributes:
        name: whose it is; for a handler the name that schedules address.
        guild_id: the one guild its holder is confined to; None: all.
        public: of a CURVE key, in Z85.
        digest: of a token, in hex; a key that was registered keeps its registration's, and one that was made for a plain
            door has one beside its public half.
        made_in: the guild its maker was confined to; None: somebody who runs the service made it.
        expires: of a registration, until when it can be used.
    """

    id: str
    name: str
    role: KeyRole
    kind: KeyKind
    created: int
    created_by: str
    guild_id: str | None = None
    public: str | None = None
    digest: str | None = None
    made_in: str | None = None
    expires: int | None = None
    last_used: int | None = None
    revoked: int | None = None

    def state(self, now: int) -> KeyState:
        """What it is good for."""
        if self.revoked is not None:
            return "revoked"
        if self.kind != "registration":
            return "active"
        return "pending" if self.expires is None or now < self.expires else "expired"

    @property
    def actor(self) -> Actor:
        """Who its holder is, where nobody else is named."""
        return Actor(kind="operator", id=self.name, guild_id=self.guild_id)

    @property
    def reserves(self) -> str | None:
        """The handler's name that is only for who holds a key while this one is good. What a confined operator makes
        reserves none."""
        if self.revoked is not None or self.made_in is not None or self.role == "operator":
            return None
        return self.name if self.role == "handler" else BOTS_HANDLER

    def may_speak_for(self, actor: Actor) -> bool:
        """Whether its holder is believed to carry that actor's words: a bot is, those of members, where it may be."""
        if self.role != "bot" or actor.kind != "member":
            return False
        return self.guild_id is None or self.guild_id == actor.guild_id


class Keyring:
    """Keys by what is shown of them. A change counts from the moment ``put`` returns.

    Attributes:
        server: the public half of the core's own pair, in Z85; None where nothing is encrypted.
        handlers_encrypted: whether the handlers' door is; else a token is what proves a handler's name there.
        version: another number after every change.
    """

    def __init__(self) -> None:
        self.server: str | None = None
        self.handlers_encrypted = False
        self.version = 0
        self._rows: dict[str, KeyRow] = {}
        self._trusted: dict[str, KeyRow] = {}
        self._tokens: dict[str, KeyRow] = {}
        self._publics: dict[str, KeyRow] = {}
        self._registrations: dict[str, KeyRow] = {}
        self._reserved: set[str] = set()
        self._used: dict[str, int] = {}
        self._callbacks: list[Callable[[], None]] = []

    # who it is

    def identify(self, token: str) -> KeyRow | None:
        """Whose token this is; None: nobody's. A look-up by digest, whose time says nothing of any token."""
        return self._tokens.get(digest_of(token))

    def api_actor(self, token: str) -> Actor | None:
        """Who holds this token of the HTTP door, which is for operators."""
        row = self.identify(token)
        return row.actor if row is not None and row.role == "operator" else None

    def proofs_of(self, actor: Actor) -> tuple[str, ...]:
        """What this operator holds in force: digests of tokens, public halves."""
        held = (*self._tokens.items(), *self._publics.items())
        operators = ((proof, row.actor) for proof, row in held if row.role == "operator")
        mine = (actor.kind, actor.id, actor.guild_id)
        return tuple(proof for proof, who in operators if (who.kind, who.id, who.guild_id) == mine)

    def any_in_force(self, proofs: Iterable[str]) -> bool:
        """Whether one of these is in force still."""
        return any(proof in self._tokens or proof in self._publics for proof in proofs)

    def of_public(self, public: str) -> KeyRow | None:
        """Whose CURVE key this is."""
        return self._publics.get(public)

    def registration(self, token: str, now: int) -> KeyRow | None:
        """The registration this token is for, if it can be used."""
        row = self._registrations.get(digest_of(token))
        return row if row is not None and row.state(now) == "pending" else None

    def registered(self, token: str, public: str | None) -> KeyRow | None:
        """The key whose public half and token these are: what proves it where nothing is encrypted."""
        row = self._publics.get(public or "")
        return row if row is not None and row.digest is not None and row.digest == digest_of(token) else None

    def awaits_registration(self, now: int) -> bool:
        """Whether somebody unknown may come to register."""
        return any(row.state(now) == "pending" for row in self._registrations.values())

    def reserves(self, handler: str) -> bool:
        """Whether a handler's name is only for who holds a key."""
        return handler in self._reserved

    def row(self, id: str) -> KeyRow | None:
        """A key by its id, revoked or not."""
        return self._rows.get(id)

    def rows(self) -> list[KeyRow]:
        """Every key that is kept, oldest first."""
        return [self._rows[id] for id in sorted(self._rows)]

    def is_valid(self, id: str) -> bool:
        """Whether what was admitted by this key still is."""
        row = self._rows.get(id) or self._trusted.get(id)
        return row is not None and row.revoked is None

    # changes

    def trust(self, token: str, *, role: KeyRole = "operator", name: str = OPERATOR.id) -> None:
        """Take a token that lies in a file of this machine for a key of that name."""
        row = KeyRow(
            id=_OF_A_FILE + name, name=name, role=role, kind="token", created=0, created_by="core",
            digest=digest_of(token),
        )  # fmt: skip
        self._trusted[row.id] = row
        self._changed()

    def put(self, row: KeyRow) -> None:
        """A key is new, or different."""
        self._rows[row.id] = row
        self._changed()

    def load(self, rows: Iterable[KeyRow]) -> None:
        """These are the keys there are."""
        fresh = {row.id: row for row in rows}
        if fresh != self._rows:
            self._rows = fresh
            self._changed()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change."""
        self._callbacks.append(callback)

    def _changed(self) -> None:
        self.version += 1
        valid = [row for row in (*self._trusted.values(), *self._rows.values()) if row.revoked is None]
        self._tokens = {row.digest: row for row in valid if row.kind == "token" and row.digest is not None}
        self._publics = {row.public: row for row in valid if row.kind == "curve" and row.public is not None}
        self._registrations = {
            row.digest: row for row in valid if row.kind == "registration" and row.digest is not None
        }
        self._reserved = {row.reserves for row in valid if row.reserves is not None}
        for callback in self._callbacks:
            callback()

    # when they were used

    def note_use(self, row: KeyRow, now: int) -> None:
        """Its holder was here."""
        if row.id in self._rows:
            self._used[row.id] = now

    def last_used(self, row: KeyRow) -> int | None:
        """When its holder was last here, noted or not."""
        return self._used.get(row.id, row.last_used)

    def unnoted(self) -> dict[str, int]:
        """When keys were used, since this was asked last."""
        used, self._used = self._used, {}
        return used


def digest_of(token: str) -> str:
    """What is kept of a token. It is too random to be guessed, so a plain hash does."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
