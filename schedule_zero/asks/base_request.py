"""The part that all requests share."""

from __future__ import annotations

import msgspec


class BaseRequest(msgspec.Struct, tag_field="request", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all requests share. ``idempotency_key``: the same key gets the same answer for 24 hours."""

    idempotency_key: str | None = None
