"""Reaching a PostgreSQL server: connecting, waiting for one that is not up yet, and saying what is wrong in one sentence.

A password is in the address only, and no sentence repeats the address: what goes wrong is told by host and database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg  # type: ignore[import-untyped]

from core.ledger.port import StoreError
from core.ledger.settings import ON_A_SERVER

log = logging.getLogger(__name__)

OLDEST: Final = 13
_CONNECT_S: Final = 10.0
# How long a statement may take before its connection counts as lost: a server that is gone without a word says nothing.
COMMAND_S: Final = 30.0
_AGAIN_S: Final = 0.1
_CORE_LOCK: Final = int.from_bytes(b"schedule")  # any number will do, as long as no other program takes it

_SETTINGS: Final = {
    "application_name": f"schedule-zero {socket.gethostname()[:40]} {os.getpid()}",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    # A core that is frozen in a transaction must not hold its rows for ever; 5 s are thousands of transactions.
    "idle_in_transaction_session_timeout": "5s",
    # How soon the server notices that a core's machine is gone.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Every statement goes by an index, whatever the planner believes of tables that were empty a minute ago.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


class Address(NamedTuple):
    """Where a database is. ``dsn`` may hold a password; ``place`` is what may be said of it."""

    dsn: str
    place: str
    user: str | None

    def __repr__(self) -> str:
        return f"Address({self.place})"


def address_of(url: str) -> Address:
    """The address that ``store.url`` names.

    Raises:
        StoreError: it cannot be read.
    """
    dsn = "postgresql://" + url.removeprefix(ON_A_SERVER)
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        host = parts.hostname or query.get("host", [""])[-1] or os.environ.get("PGHOST") or "this machine"
        port = parts.port or query.get("port", [""])[-1] or os.environ.get("PGPORT") or 5432
    except ValueError:
        raise StoreError(
            f"store.url cannot be read as {ON_A_SERVER}user:password@host:port/database; "
            "in a password, characters such as / ? # @ : are written as %2F %3F %23 %40 %3A"
        ) from None
    database = unquote(parts.path[1:]) or unquote(parts.username or "") or os.environ.get("USER", "")
    return Address(dsn, f"database {database!r} at {host}:{port}", unquote(parts.username) if parts.username else None)


async def reached(address: Address, patience_s: float, **settings: str) -> Any:
    """A connection that is fit for a ledger; a server that is not up yet is waited for.

    Raises:
        StoreError: there is none; the sentence says why and what to do.
    """
    connection = await _connected(address, patience_s)
    try:
        with explained(address):
            await _expect_fit(connection, address)
            await connection.execute(_setting({**_SETTINGS, **settings}))
    except BaseException:  # a cancellation too: nobody else has the connection yet to end it
        connection.terminate()
        raise
    return connection


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn what the server or the way to it says into one sentence (StoreError)."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise StoreError(_sentence(address, error)) from error


async def _connected(address: Address, patience_s: float) -> Any:
    until = time.monotonic() + patience_s
    waiting = False
    while True:
        try:
            return await asyncpg.connect(address.dsn, timeout=_CONNECT_S, command_timeout=COMMAND_S)
        except _LATER as error:
            if time.monotonic() >= until:
                raise StoreError(_sentence(address, error)) from error
            if not waiting:
                log.warning("waiting for PostgreSQL: %s", _sentence(address, error))
                waiting = True
            await asyncio.sleep(_AGAIN_S)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
            raise StoreError(_sentence(address, error)) from error


_LATER: Final = (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)


def _setting(settings: dict[str, str]) -> str:
    return "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())


def _sentence(address: Address, error: BaseException) -> str:
    place, user = address.place, address.user or os.environ.get("PGUSER") or "nobody in particular"
    said = getattr(error, "message", None) or (error.args[-1] if error.args else type(error).__name__)
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"there is no {place}; create it (`createdb`), or correct store.url"
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return f"{place} does not let {user!r} in ({said}); check user and password in store.url"
    if isinstance(error, asyncpg.CannotConnectNowError):
        return f"{place} cannot be used yet ({said}); try again when the server is up"
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"{place} has no connection left ({said}); close some, or raise max_connections"
    if isinstance(error, TimeoutError):
        return f"{place} does not answer; check host and port in store.url, and what lies between"
    if isinstance(error, OSError) and (isinstance(error, ssl.SSLError) or error.errno is None):
        return f"{place} cannot be reached ({said}); check host, port and sslmode in store.url"
    if isinstance(error, OSError):
        return f"{place} is not there ({said}); start PostgreSQL, or correct store.url"
    if isinstance(error, (asyncpg.InternalClientError, asyncpg.ConnectionDoesNotExistError)):
        return f"what answers for {place} does not speak PostgreSQL; correct host and port in store.url"
    if isinstance(error, asyncpg.PostgresError):
        return f"{place} cannot be used: {said}"
    return f"store.url names {place}, and something in it cannot be used; see its options in docs/configuration.md"


async def _expect_fit(connection: Any, address: Address) -> None:
    version = await connection.fetchval("SELECT version()")
    if not version.startswith("PostgreSQL") or "Cockroach" in version:
        raise StoreError(f"{address.place} is not PostgreSQL but {version.partition(' on ')[0]}")
    if connection.get_server_version().major < OLDEST:
        raise StoreError(f"{address.place} is {version.partition(' on ')[0]}; ScheduleZero needs {OLDEST} or newer")
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{address.place} keeps text as {encoding}, which has no room for every language; "
            "create it anew with `createdb --encoding=UTF8 --template=template0`"
        )
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise StoreError(f"{address.place} is a standby, which cannot be written; name the primary in store.url")


async def hold(connection: Any, address: Address, patience_s: float, *, among_others: bool = False) -> None:
    """Take the right to write this database, for as long as this very connection lasts; alone, or among others.

    The lock belongs to the writer's own session: who lost it has lost the connection to write with, too. A core that was
    just killed may hold it for a moment yet, so it is waited for.

    Raises:
        StoreError: another core has it.
    """
    until = time.monotonic() + patience_s
    lock = "pg_try_advisory_lock_shared" if among_others else "pg_try_advisory_lock"
    while not await connection.fetchval(f"SELECT {lock}($1)", _CORE_LOCK):
        if time.monotonic() >= until:
            holder = await connection.fetchval(_HOLDER, _CORE_LOCK >> 32, _CORE_LOCK & 0xFFFFFFFF)
            named = f" ({holder})" if holder else ""
            raise StoreError(
                f"{address.place} is in use by another ScheduleZero{named}; stop that one, or name another database"
            )
        await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def one_at_a_time(connection: Any) -> AsyncIterator[None]:
    """Keep others that hold the database among others from doing the same meanwhile. Who fails gives up the connection,
    and the lock with it."""
    await connection.execute("SELECT pg_advisory_lock($1)", _CORE_LOCK + 1)
    yield
    await connection.execute("SELECT pg_advisory_unlock($1)", _CORE_LOCK + 1)


_HOLDER: Final = """
    SELECT concat_ws(' from ', nullif(application_name, ''), host(client_addr))
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    LIMIT 1"""
