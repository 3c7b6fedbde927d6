"""Views about signing in to the pages."""

from __future__ import annotations

import msgspec


class SignInLink(msgspec.Struct, kw_only=True):
    """A link that signs somebody in, once.

    Attributes:
        path: what follows the core's address; in the first answer alone, a repetition under the same idempotency key has
            none.
        until: when it is good no longer.
    """

    id: str
    until: str
    path: str | None = None
