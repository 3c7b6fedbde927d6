from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from core.ledger.backup import backup
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.maintenance import check
from core.ledger.port import StoreError, Whom
from tests.ledger.making import NOW, begin, event, finish, run, save, schedule

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[StoredLedger]:
    opened = StoredLedger(FileDriver(path))
    await opened.open()
    await save(
        opened,
        schedule("sch_1", name="one"),
        schedule("sch_2", state="deleted", next_due=None),
        *(run(f"run_{n}") for n in range(1, 5)),
        *(event() for _ in range(5)),
    )
    await begin(opened, "run_1", "run_2")
    await finish(opened, "run_1")
    yield opened
    await opened.close()


async def test_a_sound_ledger_in_use_has_no_findings(ledger: StoredLedger, path: Path) -> None:
    assert check(path) == []


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DELETE FROM leases", "run run_2 is out but nobody holds a lease on it"),
        ("DELETE FROM attempts WHERE run_id = 'run_2'", "run run_2 is out but has no attempt to show for it"),
        ("UPDATE runs SET state = 'waiting' WHERE id = 'run_2'", "a lease is held on run run_2, which is not out"),
        ("UPDATE runs SET ended = NULL WHERE id = 'run_1'", "run run_1 has ended but does not say when"),
        (f"UPDATE runs SET ended = {NOW} WHERE id = 'run_3'", "run run_3 has ended but does not say when"),
        ("UPDATE runs SET schedule_id = 'sch_9' WHERE id = 'run_4'", "run run_4 belongs to a schedule that does not"),
        ("DELETE FROM runs WHERE id = 'run_1'", "an attempt belongs to run run_1, which does not exist"),
        (
            "DELETE FROM standings WHERE id = 'sch_1'",
            "schedule sch_1 has a definition but does not say where it stands",
        ),
        ("DELETE FROM schedules WHERE id = 'sch_2'", "schedule sch_2 says where it stands but has no definition"),
        ("UPDATE schedules SET live = 1 WHERE id = 'sch_2'", "schedule sch_2 holds its name although it is over"),
        ("UPDATE standings SET state = 'paused' WHERE id = 'sch_1'", "schedule sch_1 is not active but has a due time"),
        ("DELETE FROM journal WHERE seq = 3", "the journal has a gap before event 4"),
        ("INSERT INTO usage VALUES ('guild:1', 'runs', '2026', -1)", "the counter of guild:1 runs 2026 is below zero"),
    ],
)
async def test_every_broken_fact_is_found_and_named(
    ledger: StoredLedger, path: Path, damage: str, finding: str
) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)
    findings = check(path)
    assert any(found.startswith(finding) for found in findings), findings


async def test_events_that_were_removed_from_among_others_are_no_gap_and_one_behind_them_is(
    ledger: StoredLedger, path: Path
) -> None:
    await save(ledger, *(event(guild_id=str(n % 2)) for n in range(4)))
    await ledger.write(lambda tx: tx.journal.purge_guilds(["1"], 0, NOW + 1, 100))
    assert check(path) == []
    await save(ledger, *(event(guild_id="2") for _ in range(4)))
    await ledger.write(lambda tx: tx.erasure.remove("journal", Whom("0"), [6, 8]))
    assert check(path) == []
    await save(ledger, *(event() for _ in range(3)))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM journal WHERE seq = 15")
    assert check(path) == ["the journal has a gap before event 16"]


async def test_damage_that_sqlite_finds_is_listed(ledger: StoredLedger, path: Path) -> None:
    await ledger.close()
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_guild'").fetchone()
    content = bytearray(path.read_bytes())
    content[page * 4096 - 400 : page * 4096] = b"\xff" * 400
    path.write_bytes(content)
    assert check(path)


async def test_a_file_that_is_not_there_or_of_another_schema_cannot_be_checked(
    ledger: StoredLedger, path: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        check(tmp_path / "nothing")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        check(path)


async def test_a_backup_of_a_ledger_in_use_is_whole_and_opens(ledger: StoredLedger, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    backup(path, target)
    await save(ledger, schedule("sch_later"))
    assert check(target) == []
    copy = StoredLedger(FileDriver(target))
    await copy.open()
    assert await copy.reader.schedules.get("sch_1") is not None
    assert await copy.reader.schedules.get("sch_later") is None
    assert await copy.reader.journal.head() == (1, 5)
    await copy.close()


async def test_a_backup_that_cannot_be_written_blames_where_it_should_go(
    ledger: StoredLedger, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in ("no such folder", "file"):
        target = tmp_path / folder / "copy"
        with pytest.raises(StoreError) as caught:
            backup(path, target)
        assert str(caught.value).startswith(f"{target} cannot be written (")
    (tmp_path / "copy.part").write_text("left behind by one that was killed")
    backup(path, tmp_path / "copy")
    assert check(tmp_path / "copy") == []


async def test_a_backup_never_overwrites_and_leaves_nothing_half_done(
    ledger: StoredLedger, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy.sqlite3"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        backup(path, target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="does not exist"):
        backup(tmp_path / "nothing", tmp_path / "other")
    with pytest.raises(StoreError, match="cannot be"):
        backup(path, tmp_path / "no such folder" / "copy")
    text = tmp_path / "text"
    text.write_text("no database " * 100)
    with pytest.raises(StoreError, match="is not a database"):
        backup(text, tmp_path / "other")
    assert not [file.name for file in tmp_path.iterdir() if file.name.endswith(".part") or file.name == "other"]
