"""The files of a restoring: whose they are afterwards, where they lie, and that the backup's stay as they are."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from core.ledger.backup import backup
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.port import StoreError
from core.ledger.restore import restore
from tests.ledger.database_files import beside, names, nothing, written
from tests.ledger.making import save, schedule
from tests.ledger.ordinary import ORDINARY, ordinary_user

pytestmark = pytest.mark.slow
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    return await made(tmp_path / "backup.sqlite3")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "place" / "ledger.sqlite3"
    await written(path, "sch_old")
    return path


async def made(source: Path) -> Path:
    other = source.with_name("other.sqlite3")
    await written(other, "sch_new")
    backup(other, source)
    return source


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def owner(file: Path) -> tuple[int, int]:
    return file.stat().st_uid, file.stat().st_gid


# whose they are


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
async def test_what_is_put_in_place_may_be_read_by_whom_the_old_one_was(path: Path, source: Path, mode: int) -> None:
    source.chmod(0o604)
    path.chmod(mode)
    await restore(path, source, nothing)
    assert path.stat().st_mode & 0o777 == mode


@as_root
async def test_what_root_puts_in_place_belongs_to_whom_the_old_one_did(path: Path, source: Path) -> None:
    os.chown(path, ORDINARY, ORDINARY - 1)
    lock = path.with_name(f"{path.name}.lock")
    lock.unlink()
    kept = (await restore(path, source, nothing)).kept
    assert kept is not None
    assert owner(path) == owner(kept) == owner(lock) == (ORDINARY, ORDINARY - 1)
    assert names(path) == {"sch_new"}


@as_root
async def test_what_root_puts_where_nothing_was_belongs_to_whom_the_folder_does(tmp_path: Path, source: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, ORDINARY, ORDINARY - 1)
    path = home / "data" / "deep" / "ledger.sqlite3"
    await restore(path, source, nothing)
    lock = path.with_name(f"{path.name}.lock")
    for file in (path.parent.parent, path.parent, path, lock):
        assert owner(file) == (ORDINARY, ORDINARY - 1)


@as_root
async def test_root_gives_away_nothing_that_a_link_in_the_folder_leads_to(path: Path, source: Path) -> None:
    roots = source.with_name("roots")
    roots.write_text("")
    lock = path.with_name(f"{path.name}.lock")
    lock.unlink()
    lock.symlink_to(roots)
    os.chown(path, ORDINARY, ORDINARY)
    with pytest.raises(StoreError, match="cannot be written"):
        await restore(path, source, nothing)
    assert owner(roots) == (0, 0)
    assert names(path) == {"sch_old"}


@as_root
async def test_who_cannot_give_it_to_whom_the_old_one_belongs_is_refused_and_nothing_is_changed() -> None:
    with ordinary_user() as folder:
        path, source = folder / "ledger.sqlite3", await made(folder / "backup.sqlite3")
        await written(path, "sch_old")
        os.seteuid(0)
        os.chown(path, 0, 0)
        path.chmod(0o666)
        os.seteuid(ORDINARY)
        before = beside(path)
        with pytest.raises(StoreError, match=r"belongs to user 0 and group 0.*as that user, or as root"):
            await restore(path, source, nothing)
        assert beside(path) == before
        assert names(path) == {"sch_old"}


@as_root
async def test_a_log_that_is_kept_of_a_damaged_database_belongs_to_whom_it_did(path: Path, source: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    ledger = StoredLedger(FileDriver(path))
    await ledger.open()
    await save(ledger, schedule("sch_in_the_log"))
    was = log.read_bytes()
    await ledger.close()
    log.write_bytes(was)
    path.write_text("no database " * 1000)
    for file in (path, log):
        os.chown(file, ORDINARY, ORDINARY - 1)
    kept = (await restore(path, source, nothing)).kept
    assert kept is not None
    kept_log = kept.with_name(f"{kept.name}-wal")
    assert (kept_log.read_bytes(), owner(kept_log)) == (was, (ORDINARY, ORDINARY - 1))


# the backup stays as it is


async def test_a_backup_that_may_only_be_read_is_restored() -> None:
    with ordinary_user() as folder:
        path, safe = folder / "ledger.sqlite3", folder / "safe"
        safe.mkdir()
        source = await made(safe / "backup.sqlite3")
        source.chmod(0o444)
        safe.chmod(0o555)
        await restore(path, source, nothing)
        assert names(path) == {"sch_new"}
        safe.chmod(0o755)


async def test_a_backup_that_may_not_be_read_is_refused_with_a_sentence() -> None:
    with ordinary_user() as folder:
        source = await made(folder / "backup.sqlite3")
        source.chmod(0)
        with pytest.raises(StoreError, match=r"cannot be read .*owner and permissions"):
            await restore(folder / "ledger.sqlite3", source, nothing)


async def test_a_copy_of_a_database_with_its_log_is_restored_whole_and_stays_as_it_is(
    path: Path, tmp_path: Path
) -> None:
    other, aside = tmp_path / "other.sqlite3", tmp_path / "aside"
    await written(other, "sch_1")
    ledger = StoredLedger(FileDriver(other))
    await ledger.open()
    await save(ledger, schedule("sch_in_the_log"))
    aside.mkdir()
    for name in (other.name, f"{other.name}-wal"):
        shutil.copyfile(other.with_name(name), aside / name)
    await ledger.close()
    before = contents(aside)
    await restore(path, aside / other.name, nothing)
    assert names(path) == {"sch_1", "sch_in_the_log"}
    assert contents(aside) == before


async def test_what_was_under_way_in_a_copied_database_is_taken_back_in_the_one_restored(
    path: Path, source: Path, tmp_path: Path
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    await written(source, *(f"sch_{n}" for n in range(200)))
    expected = names(source)
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA cache_size = 1")  # so that what is not committed is written into the file
        database.execute("BEGIN")
        database.execute("DELETE FROM schedules")
        for name in (source.name, f"{source.name}-journal"):
            shutil.copyfile(source.with_name(name), aside / name)
    before = contents(aside)
    await restore(path, aside / source.name, nothing)
    assert names(path) == expected
    assert contents(aside) == before


async def test_what_a_killed_restoring_left_is_no_backup_and_stays(path: Path, source: Path) -> None:
    left = path.with_name(f"{path.name}.restoring")
    shutil.copyfile(source, left)
    before = contents(path.parent)
    with pytest.raises(StoreError, match="killed restoring left"):
        await restore(path, left, nothing)
    assert contents(path.parent).keys() == before.keys()
    assert left.read_bytes() == before[left.name]
    await restore(path, left.rename(source.with_name("renamed.sqlite3")), nothing)
    assert names(path) == {"sch_new"}


async def test_a_backup_that_is_written_meanwhile_is_refused(
    path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfileobj

    def slowly(read: IO[bytes], write: IO[bytes]) -> None:
        copy(read, write)
        with source.open("ab") as other:
            other.write(b"more")

    monkeypatch.setattr(shutil, "copyfileobj", slowly)
    with pytest.raises(StoreError, match="written by another program"):
        await restore(path, source, nothing)
    assert names(path) == {"sch_old"}
    assert beside(path) == [path.name]


# links


async def test_behind_a_link_the_file_that_it_leads_to_is_replaced(path: Path, source: Path, tmp_path: Path) -> None:
    link = tmp_path / "data" / "ledger.sqlite3"
    link.parent.mkdir()
    link.symlink_to(path)
    kept = (await restore(link, source, nothing)).kept
    assert link.readlink() == path
    assert names(path) == {"sch_new"}
    assert kept is not None
    assert kept.parent == path.parent
    assert names(kept) == {"sch_old"}
    path.unlink()  # and where the link leads to nothing, that is made
    path.with_name(f"{path.name}.before-restore-1").symlink_to(tmp_path / "nowhere")
    for _ in range(2):
        await restore(link, source, nothing)
        assert link.readlink() == path
        assert names(path) == {"sch_new"}


async def test_a_link_to_a_disk_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path, source: Path) -> None:
    link = tmp_path / "ledger.sqlite3"
    link.symlink_to(tmp_path / "disk" / "real.sqlite3")
    with pytest.raises(StoreError, match=r"disk cannot be written \(No such file"):
        await restore(link, source, nothing)
    assert link.is_symlink()
    assert not (tmp_path / "disk").exists()


async def test_a_database_is_in_use_by_whatever_name(path: Path, source: Path, tmp_path: Path) -> None:
    link = tmp_path / "ledger.sqlite3"
    link.symlink_to(path)
    for used, other in ((path, link), (link, path)):
        ledger = StoredLedger(FileDriver(used))
        await ledger.open()
        for again in (used, other):
            with pytest.raises(StoreError, match="in use by another ScheduleZero"):
                await restore(again, source, nothing)
            with pytest.raises(StoreError, match="in use by another ScheduleZero"):
                await StoredLedger(FileDriver(again)).open()
        await ledger.close()
