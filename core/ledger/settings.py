"""Settings of the store."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

ON_A_SERVER: Final = "postgresql+asyncpg://"
StoreUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:memory|sqlite:///.+|postgresql\+asyncpg://.+)$",
        description="`memory`, `sqlite:///path` or `postgresql+asyncpg://user:password@host:port/database`",
    ),
]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger lies.

    Attributes:
        url: None for a SQLite file in the data directory, ``memory``, ``sqlite:///path`` (three slashes before a
            relative path, four before an absolute one).
        synchronous: ``full`` survives a power cut with everything acknowledged; ``normal`` may lose the last moments
            in a power cut, but nothing in a crash of the process (SQLite documentation, "PRAGMA synchronous";
            PostgreSQL documentation, "Asynchronous Commit").
    """

    url: StoreUrl | None = None
    synchronous: Literal["full", "normal"] = "full"

    @property
    def on_a_server(self) -> bool:
        """Whether the ledger is a database of a PostgreSQL server."""
        return self.url is not None and self.url.startswith(ON_A_SERVER)

    def __repr__(self) -> str:
        """Without the address of a server, which may hold a password."""
        url = f"{ON_A_SERVER}…" if self.on_a_server else self.url
        return f"StoreSettings(url={url!r}, synchronous={self.synchronous!r})"
