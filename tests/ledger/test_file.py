from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.ledger.connection import Fault, Locked, Lost, NoRoom, Step, Violation
from core.ledger.file import FileDriver, ThreadConnection
from core.ledger.journal import read_epoch
from core.ledger.ledger import StoredLedger
from core.ledger.migrate import upgrade
from core.ledger.open import open_ledger
from core.ledger.port import ScheduleFilter, StoreError, Transaction
from core.ledger.readers import ReaderPool
from core.ledger.schema import REVISIONS
from core.ledger.settings import StoreSettings
from core.ledger.space import DiskRoom
from core.ledger.sqlite import translate
from core.ledger.statement import Change
from core.ledger.tables import schedules
from tests.ledger.faults import Between
from tests.ledger.making import save, schedule
from tests.ledger.ordinary import ordinary_user


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


async def opened(path: Path, **given: object) -> StoredLedger:
    ledger = StoredLedger(FileDriver(path, patience_s=0.1, **given))  # type: ignore[arg-type]
    await ledger.open()
    return ledger


async def filled(path: Path) -> None:
    ledger = await opened(path)
    await save(ledger, *(schedule(f"sch_{n:03}") for n in range(300)))
    await ledger.close()


async def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        await opened(path)
    await asyncio.sleep(0)
    return str(caught.value)


async def test_what_was_written_is_there_after_the_next_start(path: Path) -> None:
    await filled(path)
    ledger = await opened(path)
    assert await ledger.reader.schedules.count("1") == 300
    await ledger.close()


@pytest.mark.parametrize(("setting", "level"), [("full", 2), ("normal", 1)])
async def test_every_commit_is_flushed_as_the_setting_says(tmp_path: Path, setting: str, level: int) -> None:
    settings = StoreSettings(synchronous="full" if setting == "full" else "normal")
    ledger = open_ledger(settings, tmp_path)
    await ledger.open()
    connection = ledger._connection
    assert isinstance(connection, ThreadConnection)
    assert next(iter(await connection._connection.execute_fetchall("PRAGMA synchronous")))[0] == level
    assert next(iter(await connection._connection.execute_fetchall("PRAGMA journal_mode")))[0] == "wal"
    await ledger.close()


async def test_readers_see_what_is_committed_while_a_transaction_is_open(path: Path) -> None:
    between = Between()
    ledger = await opened(path, wrap=between.wrap)
    await save(ledger, schedule("sch_1"))
    between.hold = asyncio.Event()
    writing = asyncio.create_task(save(ledger, schedule("sch_2")))
    await asyncio.sleep(0.01)
    assert await ledger.reader.schedules.count("1") == 1
    between.hold.set()
    await writing
    assert await ledger.reader.schedules.count("1") == 2
    await ledger.close()


async def test_readers_cannot_write(path: Path) -> None:
    ledger = await opened(path)
    pool = ReaderPool(FileDriver(path).connect_reader)
    await read_epoch(pool)
    (reader,) = pool._idle
    with pytest.raises(Exception, match="readonly"):
        await reader.run([Step(Change(schedules.delete()))])
    await pool.close()
    await ledger.close()


async def test_more_questions_than_readers_are_all_answered(path: Path) -> None:
    await filled(path)
    ledger = await opened(path)
    counts = await asyncio.gather(*(ledger.reader.schedules.count("1") for _ in range(50)))
    assert counts == [300] * 50
    await ledger.close()


class Noted(sqlite3.Connection):
    """A connection that is counted while it is open."""

    open = 0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        Noted.open += 1

    def close(self) -> None:
        Noted.open -= 1
        super().close()


async def test_a_question_cancelled_while_its_reader_opens_leaves_no_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(path)
    began, go_on, connect = threading.Event(), threading.Event(), sqlite3.connect

    def slowly(*given: Any, **named: Any) -> sqlite3.Connection:
        began.set()
        go_on.wait(10)
        return connect(*given, **named, factory=Noted)

    ledger = await opened(path)
    monkeypatch.setattr(sqlite3, "connect", slowly)
    monkeypatch.setattr(Noted, "open", 0)
    questions = [asyncio.create_task(ledger.reader.schedules.count("1")) for _ in range(3)]
    assert await asyncio.to_thread(began.wait, 10)
    for _ in range(3):  # as a cancelled scope does: again and again, until they have ended
        for question in questions:
            question.cancel()
        await asyncio.sleep(0)
    go_on.set()
    answers = await asyncio.gather(*questions, return_exceptions=True)
    assert any(isinstance(answer, asyncio.CancelledError) for answer in answers)
    await ledger.close()
    assert Noted.open == 0


async def test_a_second_core_on_one_file_is_refused_at_once(path: Path) -> None:
    first = await opened(path)
    sentence = await refusal(path)
    assert str(path) in sentence
    assert f"process {os.getpid()}" in sentence
    await first.close()
    await (await opened(path)).close()


@pytest.mark.slow
def test_a_core_that_died_leaves_no_lock(path: Path) -> None:
    script = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom core.ledger.file import FileDriver\n"
        "from core.ledger.ledger import StoredLedger\n"
        "async def main():\n await StoredLedger(FileDriver(Path(sys.argv[1]))).open()\n os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    asyncio.run(filled(path))


async def test_a_file_another_program_holds_is_refused_with_a_sentence(path: Path) -> None:
    await filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        assert "locked by another program" in await refusal(path)
    await (await opened(path)).close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("this is a text file, and not a small one\n" * 200)
    before = path.read_bytes()
    assert "is not a database" in await refusal(path)
    assert path.read_bytes() == before


async def test_a_damaged_file_is_refused_with_a_sentence(path: Path) -> None:
    await filled(path)
    content = bytearray(path.read_bytes())
    content[100:4096] = os.urandom(3996)  # the schema's own page, behind a sound header
    path.write_bytes(content)
    assert "damaged" in await refusal(path)


async def test_damage_met_while_reading_is_an_error_and_not_an_answer(path: Path) -> None:
    await filled(path)
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'schedules'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    ledger = await opened(path)
    with pytest.raises(StoreError):
        await ledger.reader.schedules.page(ScheduleFilter(any_guild=True), None, 1000)
    await ledger.close()


async def test_a_directory_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert "is a directory" in await refusal(path)


async def test_a_file_in_place_of_the_folder_is_refused(path: Path) -> None:
    path.write_text("")
    assert "cannot be used" in await refusal(path / "ledger.sqlite3")


async def test_a_file_that_may_not_be_written_is_refused() -> None:
    with ordinary_user() as folder:
        path = folder / "ledger.sqlite3"
        await filled(path)
        path.chmod(0o444)
        assert "cannot be written" in await refusal(path)
        path.chmod(0o644)
        await (await opened(path)).close()


async def test_a_folder_that_may_not_be_written_is_refused() -> None:
    with ordinary_user() as folder:
        folder.chmod(0o555)
        assert "owner and permissions" in await refusal(folder / "ledger.sqlite3")
        folder.chmod(0o755)


async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "another program" in await refusal(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


async def test_a_newer_schema_is_refused_with_words_and_left_alone(path: Path) -> None:
    await filled(path)
    _stamp(path, "9999")
    sentence = await refusal(path)
    assert "newer version" in sentence
    with pytest.raises(StoreError, match="newer version"):
        upgrade(path)


async def test_an_older_schema_is_refused_naming_the_command_and_migrated_when_allowed(path: Path) -> None:
    _oldest(path)
    assert "schedule-zero db upgrade" in await refusal(path)
    ledger = await opened(path, auto_upgrade=True)
    await save(ledger, schedule("sch_1"))
    await ledger.close()
    (backup,) = path.parent.glob("*.before-*")
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("SELECT count(*) FROM alembic_version").fetchone() == (0,)


async def test_a_store_that_cannot_be_opened_leaves_nothing_locked(path: Path) -> None:
    path.mkdir()
    await refusal(path)
    path.rmdir()
    await (await opened(path)).close()


@pytest.mark.slow
def test_starting_with_a_current_or_new_file_does_not_load_alembic(path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom core.ledger.open import open_ledger\n"
        "from core.ledger.settings import StoreSettings\n"
        "async def main():\n"
        "  for _ in range(2):\n"
        "    ledger = open_ledger(StoreSettings(), Path(sys.argv[1]), auto_upgrade=True)\n"
        "    await ledger.open()\n    await ledger.close()\n"
        "asyncio.run(main())\nprint([name for name in sys.modules if name.startswith('alembic')])\n"
    )
    told = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


async def test_aiosqlite_still_runs_functions_on_its_thread(path: Path) -> None:
    """The writer visits that thread once for many statements, through a method aiosqlite does not publish."""
    between = Between()
    ledger = await opened(path, wrap=between.wrap)
    assert isinstance(between.inner, ThreadConnection)
    threads = await between.inner._visit(
        lambda first, second: (first, second, __import__("threading").get_ident()), 1, 2
    )
    assert threads[:2] == (1, 2)
    assert threads[2] != __import__("threading").get_ident()
    await ledger.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://localhost/sz", "has to begin with"),
        ("mysql://localhost", "neither"),
        ("sqlite://", "neither"),
    ],
)
def test_a_store_this_build_does_not_speak_is_refused(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        open_ledger(StoreSettings(url=url), tmp_path)


async def test_a_url_names_the_file(tmp_path: Path) -> None:
    ledger = open_ledger(StoreSettings(url=f"sqlite:///{tmp_path}/sub folder/ü.db"), tmp_path / "unused")
    await ledger.open()
    await ledger.close()
    assert (tmp_path / "sub folder" / "ü.db").is_file()
    assert not (tmp_path / "unused").exists()


async def test_a_full_disk_at_a_real_limit_lets_outcomes_use_the_ballast(path: Path) -> None:
    """SQLite's own page limit stands for the disk; giving up the ballast raises it."""
    between = Limited(path.parent / "schedule-zero.ballast")
    ledger = await opened(path, wrap=between.wrap, room=DiskRoom(path.parent))
    essential = asyncio.create_task(ledger.write_essential(_inserting(1, 300)))
    ordinary = asyncio.create_task(ledger.write(_inserting(1001, 300)))
    with pytest.raises(StoreError, match="full"):
        await ordinary
    await essential
    assert not between.ballast.exists()
    assert not await ledger.has_room()
    assert await ledger.reader.schedules.count("1") == 300
    await ledger.close()


class Limited(Between):
    """The database may have no more than 60 pages as long as the ballast lies there."""

    def __init__(self, ballast: Path) -> None:
        super().__init__()
        self.ballast = ballast

    async def run(self, steps: Sequence[Step]) -> list[Any]:
        assert isinstance(self.inner, ThreadConnection)
        pages = 60 if self.ballast.exists() else 100_000
        await self.inner._connection.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        return await super().run(steps)


def _inserting(start: int, count: int) -> Callable[[Transaction], Awaitable[None]]:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert([schedule(f"sch_{n:05}") for n in range(start, start + count)])

    return unit


def _stamp(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def _oldest(path: Path) -> None:
    """A database from before the first revision."""
    assert REVISIONS
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")


def test_faults_of_the_store_are_store_errors() -> None:
    assert issubclass(Fault, StoreError)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (sqlite3.SQLITE_IOERR, Lost), (sqlite3.SQLITE_IOERR_FSYNC, Lost), (sqlite3.SQLITE_CORRUPT, Lost),
        (sqlite3.SQLITE_READONLY, Lost), (sqlite3.SQLITE_FULL, NoRoom), (sqlite3.SQLITE_BUSY, Locked),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Violation), (sqlite3.SQLITE_ERROR, Fault),
    ],
)  # fmt: skip
def test_what_sqlite_says_has_its_meaning_for_the_ledger(code: int, meaning: type[Fault]) -> None:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = code
    assert type(translate(error)) is meaning
