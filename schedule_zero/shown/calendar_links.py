"""Views about links that calendar programs subscribe to."""

from __future__ import annotations

import msgspec


class CalendarLink(msgspec.Struct, kw_only=True):
    """The link of a guild, or of a person.

    Attributes:
        since: since when there is one; None: there is none.
        url: the link itself; in the first answer of making it alone, a repetition under the same idempotency key has none.
    """

    guild_id: str | None
    user_id: str | None
    since: str | None = None
    url: str | None = None
