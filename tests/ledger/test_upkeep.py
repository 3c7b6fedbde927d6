"""Looking after a database on a server: migrating it, checking it, and what the commands say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from core.cli import run as run_command
from core.engine.afresh import begin_afresh
from core.ledger.keeping import keeping_of
from core.ledger.ledger import StoredLedger
from core.ledger.migrations.run import migrate_server
from core.ledger.port import StoreError
from core.ledger.reach import address_of
from core.ledger.schema import REVISIONS, VERSION_TABLE
from core.ledger.server import ServerDriver
from core.ledger.settings import StoreSettings
from core.ledger.upkeep import check, upgrade
from tests.ledger.making import NOW, begin, event, finish, run, save, schedule
from tests.postgres import OWNER, PASSWORD, Databases

pytestmark = pytest.mark.slow

# Everything the schema says, in PostgreSQL's own words.
DESCRIBED = """
    SELECT format('%s.%s %s %s %s %s', table_name, column_name, data_type, collation_name, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype != 'n'
    ORDER BY 1"""


class Database:
    """A database that tests change and look at."""

    def __init__(self, databases: Databases, name: str) -> None:
        self.dsn = databases.server.dsn(name, OWNER)
        self.url = databases.server.url(name)
        self.address = address_of(self.url)

    def ask(self, sql: str) -> list[Any]:
        async def asked() -> list[Any]:
            connection = await asyncpg.connect(self.dsn)
            try:
                return [row[0] for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return asyncio.run(asked())


@pytest.fixture
def empty(databases: Databases) -> Iterator[Database]:
    with databases.empty() as name:
        yield Database(databases, name)


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """With a little of everything in it."""

    async def fill(database: Database) -> None:
        ledger = StoredLedger(ServerDriver(database.address))
        await ledger.open()
        deleted = schedule("sch_2", state="deleted", next_due=None)
        runs = (run(f"run_{n}") for n in range(1, 5))
        await save(ledger, schedule("sch_1", name="one"), deleted, *runs, *(event() for _ in range(5)))
        await begin(ledger, "run_1", "run_2")
        await finish(ledger, "run_1")
        await ledger.close()

    with databases.one() as name:
        made = Database(databases, name)
        asyncio.run(fill(made))
        yield made


def test_creating_and_migrating_end_in_the_same_schema(empty: Database, databases: Databases) -> None:
    empty.ask(VERSION_TABLE)
    asyncio.run(migrate_server(empty.dsn))
    with databases.one() as name:
        new = Database(databases, name)
        assert empty.ask(DESCRIBED) == new.ask(DESCRIBED)
    assert empty.ask("SELECT value FROM facts WHERE name = 'epoch'") == ["1"]
    assert empty.ask("SELECT seq FROM journal_head") == [0]
    assert empty.ask("SELECT version_num FROM alembic_version") == [REVISIONS[-1]]


def test_an_older_database_is_upgraded_once(empty: Database) -> None:
    asyncio.run(migrate_server(empty.dsn, REVISIONS[0]))
    assert upgrade(empty.address)
    assert not upgrade(empty.address)


def test_a_migration_that_fails_changes_nothing(empty: Database) -> None:
    asyncio.run(migrate_server(empty.dsn, REVISIONS[0]))
    empty.ask("DROP INDEX schedules_live")
    before = empty.ask(DESCRIBED)
    with pytest.raises(StoreError, match=r"could not be upgraded: .*nothing was changed"):
        upgrade(empty.address)
    assert empty.ask(DESCRIBED) == before


def test_a_database_in_use_is_not_upgraded(database: Database) -> None:
    async def while_it_is_used() -> None:
        ledger = StoredLedger(ServerDriver(database.address))
        await ledger.open()
        try:
            with pytest.raises(StoreError, match="in use by another ScheduleZero"):
                await asyncio.to_thread(upgrade, database.address)
        finally:
            await ledger.close()

    asyncio.run(while_it_is_used())


def test_a_database_in_use_does_not_begin_afresh(database: Database) -> None:
    async def while_it_is_used() -> None:
        ledger = StoredLedger(ServerDriver(database.address))
        await ledger.open()
        try:
            store = keeping_of(StoreSettings(url=database.url), Path())
            with pytest.raises(StoreError, match="in use by another ScheduleZero"):
                await store.restore(None, lambda ledger: begin_afresh(ledger, NOW, "skip"))
        finally:
            await ledger.close()

    asyncio.run(while_it_is_used())


def test_a_sound_database_in_use_has_no_findings(database: Database) -> None:
    async def while_it_is_used() -> list[str]:
        ledger = StoredLedger(ServerDriver(database.address))
        await ledger.open()
        try:
            return await asyncio.to_thread(check, database.address)
        finally:
            await ledger.close()

    assert asyncio.run(while_it_is_used()) == []


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DELETE FROM leases", "run run_2 is out but nobody holds a lease on it"),
        ("DELETE FROM attempts WHERE run_id = 'run_2'", "run run_2 is out but has no attempt to show for it"),
        ("UPDATE runs SET state = 'waiting' WHERE id = 'run_2'", "a lease is held on run run_2, which is not out"),
        (f"UPDATE runs SET ended = {NOW} WHERE id = 'run_3'", "run run_3 has ended but does not say when"),
        ("UPDATE runs SET schedule_id = 'sch_9' WHERE id = 'run_4'", "run run_4 belongs to a schedule that does not"),
        ("DELETE FROM runs WHERE id = 'run_1'", "an attempt belongs to run run_1, which does not exist"),
        ("DELETE FROM standings WHERE id = 'sch_1'", "schedule sch_1 has a definition but does not say where it"),
        ("DELETE FROM schedules WHERE id = 'sch_2'", "schedule sch_2 says where it stands but has no definition"),
        ("UPDATE schedules SET live = 1 WHERE id = 'sch_2'", "schedule sch_2 holds its name although it is over"),
        ("UPDATE standings SET state = 'paused' WHERE id = 'sch_1'", "schedule sch_1 is not active but has a due time"),
        ("DELETE FROM journal WHERE seq = 3", "the journal has a gap before event 4"),
        ("UPDATE journal_head SET seq = 4", "event 5 has a number that was not given yet"),
        ("INSERT INTO usage VALUES ('guild:1', 'runs', '2026', -1)", "the counter of guild:1 runs 2026 is below zero"),
    ],
)
def test_every_broken_fact_is_found_and_named(database: Database, damage: str, finding: str) -> None:
    database.ask(damage)
    findings = check(database.address)
    assert any(found.startswith(finding) for found in findings), findings


def test_events_that_were_removed_from_among_others_are_no_gap(database: Database) -> None:
    async def thin() -> None:
        ledger = StoredLedger(ServerDriver(database.address))
        await ledger.open()
        await save(ledger, *(event(guild_id=str(n % 2)) for n in range(4)))
        await ledger.write(lambda tx: tx.journal.purge_guilds(["1"], 0, NOW + 1, 100))
        await ledger.close()

    asyncio.run(thin())
    assert check(database.address) == []


def test_what_is_not_there_or_of_another_version_cannot_be_checked(empty: Database, database: Database) -> None:
    with pytest.raises(StoreError, match="is empty"):
        check(empty.address)
    database.ask("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        check(database.address)


def test_the_commands_look_after_a_server_too_and_say_no_password(
    database: Database, databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = database.url.partition("@/")[2].partition("?")[0]
    config = tmp_path / "schedule-zero.yaml"
    config.write_text(f"store: {{url: '{databases.server.url_with_password(name)}'}}\ndata_dir: {tmp_path}\n")

    def said(*command: str) -> tuple[int, str]:
        code = run_command(["db", *command, "--config", str(config)])
        told = capsys.readouterr()
        assert PASSWORD not in told.out + told.err
        assert "p%40ss" not in told.out + told.err
        return code, told.out + told.err

    place = f"database '{name}' at 127.0.0.1:{databases.server.port}"
    assert said("check") == (0, f"{place} is sound\n")
    assert said("upgrade") == (0, f"{place} has this version's schema; there was nothing to change\n")
    code, text = said("backup", str(tmp_path / "copy"))
    assert code == 1
    assert "pg_dump --format=custom" in text
    assert not (tmp_path / "copy").exists()
    code, text = said("restore", str(tmp_path / "copy"))
    assert code == 1
    assert "pg_restore" in text
    assert database.ask("SELECT value FROM facts WHERE name = 'epoch'") == ["1"]
    code, text = said("restore")
    assert (code, text.splitlines()[0]) == (0, f"{place} begins afresh")
    assert int(database.ask("SELECT value FROM facts WHERE name = 'epoch'")[0]) > 1
    database.ask("INSERT INTO usage VALUES ('guild:1', 'runs', '2026', -1)")
    code, text = said("check")
    assert code == 1
    assert "is below zero" in text
