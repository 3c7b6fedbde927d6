"""Requests about keys."""

from __future__ import annotations

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Word
from schedule_zero.key import KeyName, KeyRole, PublicKey


class NewKey(BaseRequest, tag="key.new", frozen=True):
    """Answers Key. With ``public`` a CURVE key; with ``register`` a registration, which is good for ``valid_for`` (None: an
    hour; no other key ends by itself); else a token. The token stands in the first answer alone: a repetition under the same idempotency key has none.

    ``in_place``: the keys there are of that name, role and guild end at once. Who manages a guild may have registrations
    of handlers for it made, and no other keys."""

    name: KeyName
    role: KeyRole
    guild_id: Id | None = None
    public: PublicKey | None = None
    register: bool = False
    valid_for: Word | None = None
    in_place: bool = False


class ListKeys(BaseRequest, tag="key.list", frozen=True):
    """Answers KeyPage. ``over``: also those that were revoked or ran out."""

    guild_id: Id | None = None
    any_guild: bool = False
    over: bool = False


class RevokeKey(BaseRequest, tag="key.revoke", frozen=True):
    """Answers Key. Its holder is cut off at once."""

    id: Id


class RotateKey(BaseRequest, tag="key.rotate", frozen=True):
    """Answers Key: another one for the same holder, beside this one until this one is revoked. ``public``: of a CURVE
    key, the new one."""

    id: Id
    public: PublicKey | None = None
