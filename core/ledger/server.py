"""PostgreSQL behind a ledger: one connection writes, a few others read beside it.

The store is crash-only here too. When the writer's connection is gone nobody knows whether its last commit was done, so
the ledger fails and the process begins anew, with what the database holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from core.ledger.connection import Connection
from core.ledger.membership import ServerMembership
from core.ledger.postgresql import ServerConnection
from core.ledger.reach import Address, explained, hold, one_at_a_time, reached
from core.ledger.readers import ReaderPool
from core.ledger.upkeep import bring_up_to_date

PATIENCE_S: Final = 5.0
_FULL_FOR_S: Final = 5.0


class ServerDriver:
    """A database of a server.

    ``patience_s`` is how long to wait for a server that is not up yet, and for a core that has just ended. ``wrap`` lets
    a test stand between the ledger and the writer's connection. ``membership``: as one core among others; without it
    this process has the database for itself.
    """

    def __init__(
        self, address: Address, *, synchronous: str = "full", patience_s: float = PATIENCE_S,
        room: ServerRoom | None = None, wrap: Callable[[Connection], Connection] | None = None,
        membership: ServerMembership | None = None,
    ) -> None:  # fmt: skip
        self._address = address
        self._synchronous = synchronous
        self._patience_s = patience_s
        self._wrap = wrap
        self._readers: ReaderPool | None = None
        self.room = room or ServerRoom()
        self.membership = membership

    async def open(self) -> Connection:
        """Connect, check, lock, create. Raises StoreError."""
        raw = await reached(self._address, self._patience_s)
        try:
            with explained(self._address):
                await self._flush_as_set(raw)
                await hold(raw, self._address, self._patience_s, among_others=self.membership is not None)
                async with one_at_a_time(raw):
                    await bring_up_to_date(raw, self._address)
                if self.membership is not None:
                    await self.membership.join(self._address, 0)
        except BaseException:  # a cancellation too: the server would keep the session of a core that never was
            raw.terminate()
            raise
        connection: Connection = ServerConnection(raw, self.membership)
        return self._wrap(connection) if self._wrap is not None else connection

    def reading(self, open_transaction: asyncio.Lock) -> ReaderPool:
        """Readers of their own: each question sees what is committed, and never waits for the writer."""
        self._readers = ReaderPool(self.connect_reader)
        return self._readers

    async def connect_reader(self) -> ServerConnection:
        """A connection that cannot write. Raises StoreError."""
        return ServerConnection(await reached(self._address, 0, default_transaction_read_only="on"))

    async def clear_traces(self) -> None:
        """The server's own vacuum does, in its time."""

    async def close(self) -> None:
        """Close the readers, and leave the other cores."""
        if self._readers is not None:
            await self._readers.close()
        if self.membership is not None:
            await self.membership.leave()

    async def _flush_as_set(self, raw: Any) -> None:
        """``normal`` need not wait for the server's disk; ``full`` leaves what the operator made stricter as it is."""
        if self._synchronous == "normal":
            await raw.execute("SET synchronous_commit = off")
        elif await raw.fetchval("SHOW synchronous_commit") == "off":
            await raw.execute("SET synchronous_commit = on")


class ServerRoom:
    """Nobody sees the server's disk from here: it counts as full for a while after it has refused a write."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_until = 0.0
        self.ok = True

    @property
    def full(self) -> bool:
        """Whether a write was refused a moment ago."""
        return not self.ok

    async def look(self) -> None:
        """Let writes try again after a while."""
        if not self.ok and self._clock() >= self._full_until:
            self.ok = True

    def filled(self) -> None:
        """The server refused a write for want of room."""
        self.ok = False
        self._full_until = self._clock() + _FULL_FOR_S

    def give_up_ballast(self) -> bool:
        """There is none."""
        return False
