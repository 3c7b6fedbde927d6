from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from alembic.script import ScriptDirectory

from core.ledger import tables
from core.ledger.migrate import schema_state, upgrade
from core.ledger.migrations.run import alembic_config, run_migrations
from core.ledger.port import StoreError
from core.ledger.rows import (
    AnswerRow,
    AttemptRow,
    AuditRow,
    DeadRow,
    EventRow,
    LeaseRow,
    RunRow,
    ScheduleRow,
    SessionRow,
    UndoRow,
)
from core.ledger.schema import REVISIONS, create_schema


def created(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        create_schema(database)


def before_the_first(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")


def described(path: Path) -> list[tuple[str, str, str]]:
    """Everything the schema says, with the spelling of white space left out."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name")
        return [(kind, name, re.sub(r"\s+|CONSTRAINT \w+", "", sql)) for kind, name, sql in rows]


def test_creating_and_migrating_end_in_the_same_schema(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    created(new)
    before_the_first(old)
    upgrade(old)
    ours = [row for row in described(new) if row[1] != "alembic_version"]
    assert ours == [row for row in described(old) if row[1] != "alembic_version"]
    for path in (new, old):
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT * FROM facts").fetchall() == [("epoch", "1")]
            assert database.execute("SELECT * FROM alembic_version").fetchall() == [(REVISIONS[-1],)]


def test_a_file_of_the_first_schema_keeps_its_schedules(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.touch()
    run_migrations(path, "0001")
    rows = [("sch_1", "1", "tea"), ("sch_2", "1", None), ("sch_3", None, "tea"), ("sch_4", None, None)]
    _add(path, rows)
    upgrade(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, guild_id, name FROM schedules ORDER BY id").fetchall() == rows
    _add(path, [("sch_5", "1", None), ("sch_6", "2", "tea")])
    for guild in ("1", None):
        with pytest.raises(sqlite3.IntegrityError, match="schedules_name"):
            _add(path, [("sch_7", guild, "tea")])


def test_of_earlier_schedules_only_those_that_said_so_have_a_time_out_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.touch()
    run_migrations(path, "0004")
    _add(path, [("sch_1", "1", None), ("sch_2", "1", None)])
    policies = {"sch_1": '{"jitter":"PT30S","timeout":"PT30S","priority":"low"}', "sch_2": '{"timeout":"PT9S"}'}
    with closing(sqlite3.connect(path)) as database, database:
        for id, policy in policies.items():
            database.execute("UPDATE schedules SET policy = ? WHERE id = ?", (policy, id))
        names = [row[1] for row in database.execute("PRAGMA table_info(runs)") if row[3]]
        for id, occurrence, args in (("run_1", "m:run_1", "{}"), ("run_2", "m:run_2", None), ("run_3", "t:1", "{}")):
            given = dict.fromkeys(names, 0) | {"id": id, "schedule_id": "sch_1", "occurrence": occurrence, "args": args}
            marks = ", ".join("?" * len(given))
            database.execute(f"INSERT INTO runs ({', '.join(given)}) VALUES ({marks})", list(given.values()))
    upgrade(path)
    with closing(sqlite3.connect(path)) as database:
        assert dict(database.execute("SELECT id, policy FROM schedules")) == {
            "sch_1": '{"jitter":"PT30S","timeout":null,"priority":"low"}', "sch_2": '{"timeout":"PT9S"}',
        }  # fmt: skip
        assert dict(database.execute("SELECT id, own_args FROM runs")) == {"run_1": 1, "run_2": None, "run_3": None}


def _add(path: Path, rows: list[tuple[str, str | None, str | None]]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        wanted = database.execute("SELECT name FROM pragma_table_info('schedules') WHERE \"notnull\" AND name <> 'id'")
        names = [name for (name,) in wanted if name != "live"]
        columns, values = ", ".join(f'"{name}"' for name in names), ", ".join("''" for _ in names)
        database.executemany(
            f"INSERT INTO schedules (id, guild_id, name, live, {columns}) VALUES (?, ?, ?, 1, {values})",
            rows,
        )


def test_this_build_knows_every_revision_and_the_newest_is_last() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert [revision.revision for revision in script.walk_revisions()][::-1] == list(REVISIONS)
    assert script.get_heads() == [REVISIONS[-1]]


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        (ScheduleRow, {*tables.schedules.columns.keys(), *tables.standings.columns.keys()} - {"live"}),
        (RunRow, set(tables.runs.columns.keys())),
        (DeadRow, set(tables.dead.columns.keys())),
        (AttemptRow, set(tables.attempts.columns.keys())),
        (LeaseRow, set(tables.leases.columns.keys())),
        (EventRow, set(tables.journal.columns.keys()) - {"seq"}),
        (AuditRow, set(tables.audit.columns.keys()) - {"id"}),
        (UndoRow, set(tables.undos.columns.keys())),
        (AnswerRow, set(tables.answers.columns.keys())),
        (SessionRow, set(tables.sessions.columns.keys())),
    ],
)
def test_every_field_of_a_row_has_its_column(record: type[msgspec.Struct], columns: set[str]) -> None:
    assert set(record.__struct_fields__) == columns


def test_the_state_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    assert schema_state(path) == "new"
    path.touch()
    assert schema_state(path) == "new"
    before_the_first(path)
    assert schema_state(path) == "older"
    upgrade(path)
    assert schema_state(path) == "current"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    assert schema_state(path) == "newer"


def test_upgrading_backs_up_first_and_only_when_there_is_something_to_change(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    before_the_first(path)
    backup = upgrade(path)
    assert backup is not None
    assert schema_state(backup) == "older"
    assert upgrade(path) is None
    assert sorted(tmp_path.iterdir()) == sorted([path, backup, tmp_path / "ledger.lock"])


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    before_the_first(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE usage (in_the_way INTEGER)")
    before = described(path)
    with pytest.raises(StoreError, match="nothing was changed, and a backup is in"):
        upgrade(path)
    assert described(path) == before


def test_upgrading_a_file_in_use_is_refused(tmp_path: Path) -> None:
    from core.ledger.lock import FileLock

    lock = FileLock(tmp_path / "ledger")
    lock.take()
    with pytest.raises(StoreError, match="in use"):
        upgrade(tmp_path / "ledger")
    lock.release()
