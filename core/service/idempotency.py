"""Idempotency keys: a request that is sent twice under one key is carried out once, and answered alike."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from core.ledger.rows import AnswerRow
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Invalid
from schedule_zero.requests import Request

LONGEST_KEY: Final = 255
_canonical: Final = msgspec.msgpack.Encoder(order="deterministic").encode


def key_of(actor: Actor, request: Request) -> str | None:
    """Keys are everybody's own, and a member's count where they are used. Raises Invalid."""
    key = request.idempotency_key
    if key is None:
        return None
    if not 0 < len(key) <= LONGEST_KEY:
        message = f"must have 1 to {LONGEST_KEY} characters"
        raise Invalid.at("idempotency_key", message)
    return f"{actor.kind}:{actor.id}:{actor.guild_id or ''}:{key}"


def digest_of(request: Request) -> str:
    """What tells a request from another one under the same key."""
    return hashlib.sha256(_canonical(request)).hexdigest()


def answer_of(row: AnswerRow | None, digest: str, now: int) -> str | None:
    """What was answered under a key, if that is known still. Raises Conflict where it was another request's."""
    if row is None or row.until < now:
        return None
    if row.digest != digest:
        raise Conflict("This Idempotency-Key was used for another request; use a new key for a new request.")
    return row.answer
