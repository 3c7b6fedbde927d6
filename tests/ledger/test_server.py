"""What holds only for a store on a PostgreSQL server; what every store does is tested beside this."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from core.ledger.connection import (
    Connection,
    Deadlocked,
    Fault,
    Locked,
    Lost,
    Mark,
    NoRoom,
    Step,
    StepFailed,
    Violation,
)
from core.ledger.journal import JournalChanges
from core.ledger.ledger import StoredLedger
from core.ledger.port import StoreClosed, StoreError, StoreFull
from core.ledger.postgresql import ServerConnection, translate
from core.ledger.reach import Address, address_of, reached
from core.ledger.server import ServerDriver, ServerRoom
from core.ledger.statement import Change
from core.ledger.tables import schedules
from tests.ledger.faults import Between
from tests.ledger.making import event, save, schedule
from tests.postgres import OWNER, PASSWORD, Databases

pytestmark = pytest.mark.slow


async def opened(url: str, **given: Any) -> StoredLedger:
    ledger = StoredLedger(ServerDriver(address_of(url), **{"patience_s": 0.0, **given}))
    await ledger.open()
    return ledger


async def refusal(url: str) -> str:
    with pytest.raises(StoreError) as caught:
        await opened(url)
    for part in (PASSWORD, "hush", "asyncpg.exceptions"):
        assert part not in str(caught.value)
    return str(caught.value)


@contextlib.asynccontextmanager
async def session(databases: Databases, name: str) -> AsyncIterator[Any]:
    """The superuser's own connection, to look and to interfere."""
    connection = await asyncpg.connect(databases.server.dsn(name))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def name(database_url: str) -> str:
    return database_url.partition("@/")[2].partition("?")[0]


# ── opening ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_with_host_port_and_password_is_reached(databases: Databases, name: str) -> None:
    ledger = await opened(databases.server.url_with_password(name))
    await save(ledger, schedule("sch_1"))
    await ledger.close()
    ledger = await opened(databases.server.url(name))
    assert await ledger.reader.schedules.get("sch_1") is not None
    await ledger.close()


async def test_a_wrong_password_is_one_sentence(databases: Databases, name: str) -> None:
    said = await refusal(databases.server.url_with_password(name, "hush"))
    assert said.startswith(f"database '{name}' at 127.0.0.1:{databases.server.port} does not let 'ledger' in")
    assert "check user and password" in said


async def test_a_database_that_does_not_exist_is_one_sentence(databases: Databases) -> None:
    assert "there is no database 'nowhere'" in await refusal(databases.server.url_with_password("nowhere"))


async def test_a_server_that_is_not_there_is_one_sentence(databases: Databases) -> None:
    said = await refusal(f"postgresql+asyncpg://{OWNER}:hush@127.0.0.1:1/ledger")
    assert said.startswith("database 'ledger' at 127.0.0.1:1 is not there")
    assert "is not there" in await refusal(f"postgresql+asyncpg://{OWNER}:hush@/ledger?host=/nowhere")
    assert "is not there" in await refusal(f"postgresql+asyncpg://{OWNER}:hush@no.such.host.invalid/ledger")


async def test_something_else_that_answers_is_one_sentence() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        url = f"postgresql+asyncpg://me:hush@127.0.0.1:{port}/ledger"
        assert "check host, port and sslmode" in await refusal(url)
        assert "does not speak PostgreSQL" in await refusal(f"{url}?sslmode=disable")


@pytest.mark.parametrize("address", ["me:hu/sh@host/db", "me:hush@host:hush/db", "me:hush@[::1/db"])
def test_an_address_that_cannot_be_read_is_one_sentence_without_its_password(address: str) -> None:
    with pytest.raises(StoreError, match="cannot be read as") as caught:
        address_of(f"postgresql+asyncpg://{address}")
    assert "hu" not in str(caught.value)
    assert "hush" not in repr(Address("postgresql://me:hush@host/db", "database 'db' at host:5432", "me"))


async def test_a_database_of_another_encoding_is_refused(databases: Databases) -> None:
    with databases.empty("ENCODING 'SQL_ASCII'") as other:
        assert "keeps text as SQL_ASCII" in await refusal(databases.server.url(other))


async def test_a_database_of_another_program_is_left_alone(databases: Databases) -> None:
    with databases.empty() as other:
        async with session(databases, other) as admin:
            await admin.execute("CREATE TABLE public.theirs (id int)")
        assert "holds tables of another program" in await refusal(databases.server.url(other))


async def test_who_may_not_create_tables_is_told_so(databases: Databases) -> None:
    with databases.empty() as other:
        async with session(databases, other) as admin:
            await admin.execute(f"ALTER DATABASE {other} OWNER TO postgres")
        said = await refusal(databases.server.url(other))
        assert "does not let 'ledger' create tables" in said
        assert "owner of the database" in said


@pytest.mark.parametrize(
    ("revision", "said"),
    [("0001", "older version of ScheduleZero; make a backup (`pg_dump`)"), ("9999", "newer version")],
)
async def test_a_schema_of_another_version_is_refused(
    databases: Databases, database_url: str, name: str, revision: str, said: str
) -> None:
    async with session(databases, name) as admin:
        await admin.execute(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert said in await refusal(database_url)


async def test_a_new_database_gets_its_tables_and_they_are_the_same_in_any_language(databases: Databases) -> None:
    """Ids are compared by their bytes, whatever order of letters the database was made for."""
    with databases.empty() as other:
        ledger = await opened(databases.server.url(other))
        await save(ledger, schedule("sch_1"))
        await ledger.close()
        async with session(databases, other) as admin:
            columns = await admin.fetch(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND data_type = 'text'"
            )
    assert len(columns) > 50
    assert {row["collation_name"] for row in columns} == {"C"}


async def test_a_second_core_is_refused_until_the_first_has_ended(database_url: str) -> None:
    first = await opened(database_url)
    said = await refusal(database_url)
    assert "is in use by another ScheduleZero (schedule-zero " in said
    second = asyncio.create_task(opened(database_url, patience_s=20.0))
    await save(first, schedule("sch_1"))
    await first.close()
    ledger = await second
    assert await ledger.reader.schedules.get("sch_1") is not None
    await ledger.close()


async def test_a_server_that_comes_up_later_is_waited_for(
    databases: Databases, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with await asyncio.start_server(_nothing, "127.0.0.1", 0) as probe:
        port = probe.sockets[0].getsockname()[1]
    url = f"postgresql+asyncpg://{OWNER}:{PASSWORD.replace('%', '%25').replace('@', '%40').replace('/', '%2F')}"
    opening = asyncio.create_task(opened(f"{url}@127.0.0.1:{port}/{name}", patience_s=20.0))
    while "waiting for PostgreSQL" not in caplog.text:
        await asyncio.sleep(0.01)
    assert PASSWORD not in caplog.text

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection("127.0.0.1", databases.server.port)
        await asyncio.gather(_pump(reader, theirs[1]), _pump(theirs[0], writer))

    async with await asyncio.start_server(forward, "127.0.0.1", port):
        ledger = await opening
        await ledger.close()


async def _nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("setting", "role", "level"),
    [("full", "off", "on"), ("full", "remote_apply", "remote_apply"), ("normal", "on", "off")],
)
async def test_a_commit_waits_for_the_disk_as_the_setting_says(
    databases: Databases, database_url: str, name: str, setting: str, role: str, level: str
) -> None:
    async with session(databases, name) as admin:
        await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = {role}")
        between = Between()
        ledger = await opened(database_url, synchronous=setting, wrap=between.wrap)
        assert isinstance(between.inner, ServerConnection)
        assert await between.inner._connection.fetchval("SHOW synchronous_commit") == level
        await ledger.close()
        await admin.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_who_keeps_a_file_does_not_load_the_servers_driver() -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom core.ledger.open import open_ledger\n"
        "from core.ledger.settings import StoreSettings\nimport core.app, core.ledger.keeping\n"
        "open_ledger(StoreSettings(), Path('x'))\nprint('asyncpg' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "False"


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_readers_cannot_write(database_url: str) -> None:
    reader = await ServerDriver(address_of(database_url)).connect_reader()
    with pytest.raises(StepFailed, match="read-only"):
        await reader.run([Step(Change(schedules.delete()))])
    await reader.close()


async def test_a_commit_that_the_server_turns_into_a_rollback_is_no_commit(database_url: str) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK, and without an error, once a statement has failed."""
    connection = ServerConnection(await reached(address_of(database_url), 0))
    await connection.run([Step(Mark.BEGIN)])
    with pytest.raises(StepFailed):
        await connection.run([Step(Change(schedules.update().values(words="\0")))])
    with pytest.raises(StepFailed) as caught:
        await connection.run([Step(Mark.COMMIT)])
    assert isinstance(caught.value.error, Lost)
    await connection.close()


@pytest.mark.parametrize("whose", ["writer", "everybody's"])
async def test_a_lost_connection_ends_the_store_and_the_next_life_finds_what_was_acknowledged(
    databases: Databases, database_url: str, name: str, whose: str
) -> None:
    between = Between()
    ledger = await opened(database_url, wrap=between.wrap)
    await save(ledger, schedule("sch_1"))
    assert await ledger.reader.schedules.count("1") == 1
    assert isinstance(between.inner, ServerConnection)
    writer = between.inner._connection.get_server_pid()
    async with session(databases, name) as admin:
        only = f"pid = {writer}" if whose == "writer" else "pid != pg_backend_pid()"
        await admin.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}' AND {only}"
        )
    with pytest.raises(StoreClosed, match="nothing can be saved any more"):
        await save(ledger, schedule("sch_2"))
    assert isinstance(await ledger.failed, StoreError)
    with contextlib.suppress(StoreError):
        await ledger.reader.schedules.count("1")
    assert await ledger.reader.schedules.count("1") == 1, "reading goes on, on a new connection"
    await ledger.close()
    following = await opened(database_url, patience_s=5.0)
    assert set(await following.reader.schedules.get_many(["sch_1", "sch_2"])) == {"sch_1"}
    await following.close()


async def test_a_core_that_is_frozen_in_a_transaction_does_not_hold_its_rows_for_ever(database_url: str) -> None:
    raw = await reached(address_of(database_url), 0)
    assert await raw.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"
    await raw.execute("SET idle_in_transaction_session_timeout = '50ms'")
    connection = ServerConnection(raw)
    await connection.run([Step(Mark.BEGIN)])
    while not raw.is_closed():
        await asyncio.sleep(0.01)
    with pytest.raises(StepFailed) as caught:
        await connection.run([Step(Mark.COMMIT)])
    assert isinstance(caught.value.error, Lost)
    await connection.close()


async def test_numbers_are_in_the_order_of_commits_and_have_no_gap_whoever_writes(database_url: str) -> None:
    """Two who write at once, and give up now and then: who reads the journal meanwhile never has to look back."""
    address = address_of(database_url)

    async def write(connection: Connection, writer: str) -> None:
        for number in range(40):
            steps: list[Step] = []
            told = JournalChanges(_Sending(steps), 1)  # type: ignore[arg-type]
            await told.append([event(run_id=f"{writer}{number}.{n}") for n in range(3)])
            await connection.run([Step(Mark.BEGIN), *steps])
            await connection.run([Step(Mark.ROLLBACK if number % 5 == 4 else Mark.COMMIT)])

    writers = [ServerConnection(await reached(address, 0)) for _ in range(2)]
    reader = await reached(address, 0)
    writing = asyncio.gather(*(write(each, "ab"[n]) for n, each in enumerate(writers)))
    seen: list[int] = []
    while not writing.done():
        seen += [row[0] for row in await reader.fetch("SELECT seq FROM journal WHERE seq > $1 ORDER BY seq", len(seen))]
        assert seen == list(range(1, len(seen) + 1))
    await writing
    assert await reader.fetchval("SELECT count(*) FROM journal") == await reader.fetchval(
        "SELECT seq FROM journal_head"
    )
    assert await reader.fetchval("SELECT seq FROM journal_head") == 2 * 32 * 3
    for connection in (*writers, ServerConnection(reader)):
        await connection.close()


class _Sending:
    """As much of a session as appending needs."""

    def __init__(self, steps: list[Step]) -> None:
        self.later = steps.append
        self.told: Sequence[Any] = []


# ── no room ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_full_server_refuses_writes_for_a_while_and_ends_nothing(database_url: str) -> None:
    between = Between()
    now = [100.0]
    ledger = await opened(database_url, wrap=between.wrap, room=ServerRoom(lambda: now[0]))
    between.fails = lambda step: NoRoom("full") if step.statement is Mark.COMMIT else None
    with pytest.raises(StoreFull):
        await save(ledger, schedule("sch_1"))
    between.fails = lambda step: None
    assert not await ledger.has_room()
    with pytest.raises(StoreFull):
        await save(ledger, schedule("sch_1"))
    now[0] += 5.0
    assert await ledger.has_room()
    await save(ledger, schedule("sch_1"))
    await ledger.close()


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("53100", NoRoom), ("58030", Lost), ("XX001", Lost), ("57P01", Lost), ("08006", Lost), ("25006", Lost),
        ("55P03", Locked), ("40P01", Deadlocked), ("40001", Deadlocked), ("23505", Violation), ("42P01", Fault), ("57014", Fault),
        ("22021", ValueError), ("22003", ValueError),
    ],
)  # fmt: skip
def test_what_postgresql_says_has_its_meaning_for_the_ledger(state: str, meaning: type[Exception]) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "said", "S": "ERROR"})
    assert type(translate(error)) is meaning


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "the database has not answered for 30 s; look what holds a lock on its tables"),
        (ConnectionResetError(), "the connection to the database failed: ConnectionResetError"),
        (ConnectionResetError("reset by peer"), "the connection to the database failed: reset by peer"),
    ],
)
def test_a_connection_that_fails_is_told_in_a_sentence_that_says_why(error: Exception, said: str) -> None:
    lost = translate(error)
    assert isinstance(lost, Lost)
    assert str(lost) == said
