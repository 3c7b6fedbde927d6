"""Settings of the store."""

from __future__ import annotations

from typing import Literal

import msgspec


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger lies.

    Attributes:
        url: None for a SQLite file in the data directory, ``memory``, ``sqlite:///path`` (three slashes before a
            relative path, four before an absolute one).
        synchronous: ``full`` survives a power cut with everything acknowledged; ``normal`` may lose the last moments
            in a power cut, but nothing in a crash of the process (SQLite documentation, "PRAGMA synchronous").
    """

    url: str | None = None
    synchronous: Literal["full", "normal"] = "full"
