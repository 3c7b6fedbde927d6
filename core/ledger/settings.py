"""Settings of the store."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

StoreUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:memory|sqlite:///.+)$",
        description="`memory` or `sqlite:///path` (this version keeps its ledger in SQLite only)",
    ),
]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger lies.

    Attributes:
        url: None for a SQLite file in the data directory, ``memory``, ``sqlite:///path`` (three slashes before a
            relative path, four before an absolute one).
        synchronous: ``full`` survives a power cut with everything acknowledged; ``normal`` may lose the last moments
            in a power cut, but nothing in a crash of the process (SQLite documentation, "PRAGMA synchronous").
    """

    url: StoreUrl | None = None
    synchronous: Literal["full", "normal"] = "full"
