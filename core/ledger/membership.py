"""Membership: one core among several on one database, by a lease in a row of its own.

The row is renewed every second and runs out by the database's clock. Every transaction of a core looks at its row and
keeps hold of it until it ends; another core removes a row that ran out, and can only between two transactions of its
owner. So whoever finds another core's row removed knows that nothing of that core will be committed any more, and a
core that finds its own removed can only end: it was silent for too long, and others work in its place.

Nothing here uses the writer's connection, which may be busy for longer than a lease.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from core.ledger.among import Member
from core.ledger.buckets import BUCKETS, CHANNEL, LOOK, RULES
from core.ledger.port import StoreClosed, StoreError
from core.ledger.reach import Address, explained, reached
from schedule_zero.ids import IdMaker

log = logging.getLogger(__name__)

LEASE_S: Final = 5.0
TURN_S: Final = 1.0
# What is sent on the strength of the lease leaves this long before it can be over.
MARGIN_S: Final = 0.5
LOST: Final = "this core was silent for too long, and others have taken over its work or are about to; start it again"

# ruff: noqa: S608 - every statement here is put together from what stands in this file
_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_JOIN: Final = f"INSERT INTO cores (id, version, place, since, expires) VALUES ($1, $2, $3, {_NOW}, {_NOW} + $4)"
_STRANGER: Final = f"SELECT place, version FROM cores WHERE version <> $1 AND expires > {_NOW} LIMIT 1"
_BUCKETS: Final = "INSERT INTO buckets (bucket) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING"
_NAME: Final = "INSERT INTO facts (name, value) VALUES ('cluster', $1) ON CONFLICT DO NOTHING"
_CLUSTER: Final = "SELECT value FROM facts WHERE name = 'cluster'"
_RENEW: Final = f"UPDATE cores SET expires = {_NOW} + $2 WHERE id = $1"
_MEMBERS: Final = (
    f"SELECT id, place, version, expires < {_NOW}, (SELECT count(*) FROM buckets WHERE holder = cores.id) "
    "FROM cores ORDER BY id"
)
# A row that its core's open transaction holds on to is left for the next turn: nobody waits for a frozen core, and the
# server ends transactions in which nothing happens.
_BURY: Final = (
    f"WITH gone AS (DELETE FROM cores WHERE id IN (SELECT id FROM cores WHERE expires < {_NOW} AND id <> $1 "
    "FOR UPDATE SKIP LOCKED) RETURNING id), "
    "freed AS (UPDATE buckets SET holder = NULL FROM gone WHERE holder = gone.id) SELECT id FROM gone"
)
_LEAVE: Final = (
    "WITH gone AS (DELETE FROM cores WHERE id = $1 RETURNING id) "
    "UPDATE buckets SET holder = NULL FROM gone WHERE holder = gone.id"
)


def _boottime() -> float:
    """Seconds that go on while the machine sleeps, where the system can tell: a lease does, too."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class ServerMembership:
    """See ``core.ledger.port.Membership``.

    ``lease_s``: how long a core may be silent; ``clock``: seconds that go on while the machine sleeps.
    """

    def __init__(
        self, version: str, *, place: str | None = None, lease_s: float = LEASE_S, turn_s: float = TURN_S,
        clock: Callable[[], float] = _boottime,
    ) -> None:  # fmt: skip
        self.id = IdMaker().make("core", time.time_ns() // 1000)
        self.cluster = ""
        self.members: tuple[Member, ...] = ()
        self._version = version
        self._place = place or f"process {os.getpid()} on {socket.gethostname()[:40]}"
        self._lease_s = lease_s
        self._turn_s = turn_s
        self._clock = clock
        self._sure_until = -1.0
        self._connection: Any = None
        self._turning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failed: Callable[[BaseException], None] = log.critical
        self._listeners: list[Callable[[], None]] = []
        self._rules_listeners: list[Callable[[], None]] = []
        self._committed: Callable[[], None] = lambda: None

    @property
    def fence(self) -> str:
        """What begins each transaction of this core: one answered row, and it is one of the cores still."""
        return f"BEGIN; SELECT 1 FROM cores WHERE id = '{self.id}' FOR KEY SHARE"

    @property
    def has_others(self) -> bool:
        """Whether there are other cores, as far as is known."""
        return len(self.members) > 1

    async def join(self, address: Address, patience_s: float) -> None:
        """Become one of the cores; the database has this build's schema.

        Raises:
            StoreError: a core of another version is here, or the database cannot be used.
        """
        connection = await reached(address, patience_s)
        try:
            with explained(address):
                async with connection.transaction():
                    await connection.execute("LOCK TABLE cores IN SHARE ROW EXCLUSIVE MODE")
                    stranger = await connection.fetchrow(_STRANGER, self._version)
                    if stranger is not None:
                        raise StoreError(
                            f"{address.place} is in use by ScheduleZero {stranger[1]} ({stranger[0]}), and this is "
                            f"{self._version}; cores on one database are of one version, so stop that one first"
                        )
                    await connection.execute(_BUCKETS, BUCKETS)
                    await connection.execute(_NAME, IdMaker().make("clu", time.time_ns() // 1000))
                    self.cluster = await connection.fetchval(_CLUSTER)
                    self._renewed(self._clock())
                    await connection.execute(_JOIN, self.id, self._version, self._place, self._lease_us)
                self._connection = connection
                await connection.add_listener(CHANNEL, self._told)
                await self._turn()
                await connection.execute(f"NOTIFY {CHANNEL}, '{LOOK}'")
        except BaseException:  # a cancellation too: nobody else has the connection yet to end it
            connection.terminate()
            raise

    def begin(self, *, failed: Callable[[BaseException], None], committed: Callable[[], None]) -> None:
        """Renew from here on. ``failed``: this core can write nothing more; ``committed``: another core has committed
        events, or may have."""
        self._failed, self._committed = failed, committed
        self._task = asyncio.create_task(self._keep(), name="membership")

    async def leave(self) -> None:
        """Be none of the cores any more; what was held is free at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            async with self._turning:
                await connection.execute(_LEAVE, self.id)
                await connection.execute(f"NOTIFY {CHANNEL}, '{LOOK}'")
                await connection.close(timeout=self._turn_s)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # then its lease runs out
            connection.terminate()

    def is_sure(self) -> bool:
        """Whether nobody can have taken over, by the time that has passed since the lease was renewed."""
        return self._clock() < self._sure_until

    async def confirm(self) -> None:
        """Renew now. Raises StoreClosed when others have taken over."""
        try:
            await self._turn()
        except (StoreError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            self._failed(error)
            raise StoreClosed(str(error)) from error

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call when cores came or went, or another one says that there is something to look at."""
        self._listeners.append(listener)

    def on_rules(self, listener: Callable[[], None]) -> None:
        """Call when a core, this one too, has changed what all keep in memory."""
        self._rules_listeners.append(listener)

    @property
    def _lease_us(self) -> int:
        return int(self._lease_s * 1e6)

    async def _keep(self) -> None:
        turns = 0
        while True:
            await asyncio.sleep(self._turn_s / 2)
            turns += 1
            try:
                if turns % 2 == 0:
                    await self._turn()
            except (StoreError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._failed(error)
                return
            if self.has_others:
                self._committed()

    async def _turn(self) -> None:
        """Renew, and remove who was silent for too long."""
        async with self._turning:
            if self._connection is None:
                raise StoreClosed("this core has left the others")
            began = self._clock()
            if await self._connection.execute(_RENEW, self.id, self._lease_us) != "UPDATE 1":
                raise StoreError(LOST)
            self._renewed(began)
            rows = await self._connection.fetch(_MEMBERS)
            gone: set[str] = set()
            if any(expired for id, _, _, expired, _ in rows if id != self.id):
                gone = {id for (id,) in await self._connection.fetch(_BURY, self.id)}
                for id, place, *_ in rows:
                    if id in gone:
                        log.warning("core %s (%s) was silent for too long; others take over its work", id, place)
        self._know(tuple(Member(id, place, held) for id, place, _, _, held in rows if id not in gone))

    def _renewed(self, began: float) -> None:
        self._sure_until = began + self._lease_s - min(MARGIN_S, self._lease_s / 4)

    def _know(self, members: tuple[Member, ...]) -> None:
        known = {member.id for member in self.members}
        self.members = members
        if known != {member.id for member in members}:
            self._tell()

    def _told(self, _connection: Any, _pid: int, _channel: str, word: str) -> None:
        if word == "journal":
            self._committed()
        elif word == RULES:
            self._call(self._rules_listeners)
        else:
            self._tell()

    def _tell(self) -> None:
        self._call(self._listeners)

    def _call(self, listeners: Iterable[Callable[[], None]]) -> None:
        for listener in listeners:
            try:
                listener()
            except Exception:  # must not end what keeps the lease: it is logged, and the others are told
                log.exception("a listener to the cores failed")
