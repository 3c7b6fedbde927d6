"""Putting a backup in the place of a database file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.cli import run as run_command
from core.ledger.backup import backup
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.maintenance import check
from core.ledger.migrations.run import run_migrations
from core.ledger.port import Ledger, StoreError
from core.ledger.restore import restore
from core.ledger.schema import REVISIONS
from tests.ledger.database_files import beside, names, nothing, written
from tests.ledger.making import save, schedule

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def place(tmp_path: Path) -> SimpleNamespace:
    """A database, with its last commit in the log alone as after a kill, and a backup of another."""
    path, source = tmp_path / "place" / "ledger.sqlite3", tmp_path / "backup.sqlite3"
    await written(path, "sch_old")
    ledger = StoredLedger(FileDriver(path))
    await ledger.open()
    await save(ledger, schedule("sch_last"))
    aside = tmp_path / "aside"
    aside.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copyfile(path.with_name(name), aside / name)
    await ledger.close()
    for file in aside.iterdir():
        shutil.move(file, path.with_name(file.name))
    await written(tmp_path / "other.sqlite3", "sch_new")
    backup(tmp_path / "other.sqlite3", source)
    return SimpleNamespace(path=path, source=source, folder=tmp_path)


async def test_a_backup_takes_the_place_and_what_was_there_is_kept_with_its_last_commit(place: SimpleNamespace) -> None:
    before = place.source.read_bytes()
    done = await restore(place.path, place.source, nothing)
    assert names(place.path) == {"sch_new"}
    assert done.kept is not None
    assert beside(place.path) == sorted([place.path.name, done.kept.name])
    assert names(done.kept) == {"sch_old", "sch_last"}
    assert check(done.kept) == check(place.path) == []
    assert place.source.read_bytes() == before
    await written(place.path, "sch_next")


async def test_where_nothing_was_a_backup_makes_the_database(place: SimpleNamespace) -> None:
    path = place.folder / "empty" / "ledger.sqlite3"
    assert (await restore(path, place.source, nothing)).kept is None
    assert names(path) == {"sch_new"}


async def test_a_database_in_use_is_left_alone(place: SimpleNamespace) -> None:
    ledger = StoredLedger(FileDriver(place.path))
    await ledger.open()
    with pytest.raises(StoreError, match="in use by another ScheduleZero"):
        await restore(place.path, place.source, nothing)
    await save(ledger, schedule("sch_goes_on"))
    await ledger.close()
    assert names(place.path) == {"sch_old", "sch_last", "sch_goes_on"}


async def test_a_database_that_another_program_reads_is_left_alone(place: SimpleNamespace) -> None:
    with closing(sqlite3.connect(place.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM schedules").fetchone()
        await written(place.folder / "unrelated.sqlite3", "sch_1")
        ledger = sqlite3.connect(place.path)
        with closing(ledger), ledger:
            ledger.execute("DELETE FROM notes")
        with pytest.raises(StoreError, match="close it, then try again"):
            await restore(place.path, place.source, nothing)
    assert names(place.path) == {"sch_old", "sch_last"}


def _a_text(source: Path) -> None:
    source.write_text("no database " * 1000)


def _nothing(source: Path) -> None:
    source.unlink()


def _empty(source: Path) -> None:
    source.write_bytes(b"")


def _a_folder(source: Path) -> None:
    source.unlink()
    source.mkdir()


def _anothers(source: Path) -> None:
    source.unlink()
    with closing(sqlite3.connect(source)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")


def _newer(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def _damaged(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'schedules_owner'").fetchone()
    content = bytearray(source.read_bytes())
    content[page * 4096 - 400 : page * 4096] = b"\xff" * 400
    source.write_bytes(content)


def _of_no_version(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("DELETE FROM alembic_version")


def _of_another_version_than_it_says(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (REVISIONS[0],))


def _of_a_nonsense_version(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'banana'")


def _without_rows(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("DELETE FROM standings")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_a_text, "is not a database"), (_nothing, "does not exist or is empty"), (_empty, "does not exist or is empty"),
        (_a_folder, "is a directory"), (_anothers, "another program"), (_newer, "newer version"), (_damaged, "is damaged"),
        (_of_no_version, "cannot be brought"), (_of_another_version_than_it_says, "cannot be brought"),
        (_of_a_nonsense_version, "newer version"),
        (_without_rows, "schedule sch_new has a definition but does not say where it stands"),
    ],
)  # fmt: skip
async def test_what_is_no_sound_backup_is_refused_before_anything_is_touched(
    place: SimpleNamespace, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(place.source)
    before = beside(place.path)
    with pytest.raises(StoreError, match=said) as caught:
        await restore(place.path, place.source, nothing)
    assert str(place.source) in str(caught.value)
    assert ".restoring" not in str(caught.value)
    assert beside(place.path) == before
    assert names(place.path) == {"sch_old", "sch_last"}


async def test_the_database_itself_is_no_backup_of_it(place: SimpleNamespace) -> None:
    link = place.folder / "link.sqlite3"
    link.symlink_to(place.path)
    for name in (place.path, link):
        with pytest.raises(StoreError, match="is the database itself"):
            await restore(place.path, name, nothing)
    assert names(place.path) == {"sch_old", "sch_last"}


async def test_a_backup_of_an_older_version_is_migrated_on_the_way_and_stays_as_it_is(place: SimpleNamespace) -> None:
    older = place.folder / "older.sqlite3"
    with closing(sqlite3.connect(older)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    run_migrations(older, REVISIONS[0])
    assert (await restore(place.path, older, nothing)).migrated
    await written(place.path, "sch_1")
    with closing(sqlite3.connect(older)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISIONS[0],)


async def test_a_damaged_database_is_replaced_and_kept_as_it_was(place: SimpleNamespace) -> None:
    _a_text(place.path)
    was, log = place.path.read_bytes(), place.path.with_name(f"{place.path.name}-wal").read_bytes()
    kept = (await restore(place.path, place.source, nothing)).kept
    assert kept is not None
    assert kept.read_bytes() == was
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == log
    assert names(place.path) == {"sch_new"}
    assert check(place.path) == []


async def test_when_it_cannot_be_renewed_the_old_one_stays(place: SimpleNamespace) -> None:
    async def fails(ledger: Ledger) -> None:
        raise StoreError("no")

    before = beside(place.path)
    with pytest.raises(StoreError, match="no"):
        await restore(place.path, place.source, fails)
    assert beside(place.path) == before
    assert names(place.path) == {"sch_old", "sch_last"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed process is a forked one")
async def test_killed_at_any_moment_there_is_the_old_database_or_the_new_one(place: SimpleNamespace) -> None:
    told = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "ledger" / "restoring.py"), str(place.folder)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    found = told.stdout.split()
    assert found == sorted(found, reverse=True)  # once it is new it stays so
    assert found.count("old") > 10
    assert found.count("new") > 1
    assert set(found) == {"old", "new"}


def test_the_command_says_what_it_did(place: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    config = place.folder / "schedule-zero.yaml"
    config.write_text(f"store: {{url: 'sqlite:///{place.path}'}}\ndata_dir: {place.folder}\n")

    def said(*words: str) -> tuple[int, str, str]:
        code = run_command(["db", "restore", *words, "--config", str(config)])
        return code, *capsys.readouterr()

    code, out, err = said(str(place.source))
    assert (code, err) == (0, "")
    now, kept, missed, again = out.splitlines()
    assert now == f"{place.path} is now what {place.source} holds"
    assert kept.startswith(f"what was there before is in {place.path}.before-restore-")
    assert missed == "what was due since then is missed: times of 0 schedules, and 0 runs that waited or were under way"
    assert again == (
        "0 calendar links ended, and everybody is signed out; "
        "revoke, ban and erase again what was revoked, banned and erased since then"
    )
    code, out, err = said(str(place.source), "--missed", "fire")
    assert (code, err) == (0, "")
    assert "catch" not in out.splitlines()[0]
    assert "caught up with by each schedule's policy" in out
    assert said() == (1, "", f"name the backup that shall take the place of {place.path}\n")
    assert said(str(place.source), "--missed", "maybe")[0] == 2
