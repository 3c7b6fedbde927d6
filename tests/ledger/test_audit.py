"""The audit in the store: paged newest first by an index whatever is asked for, and people taken out of it."""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.ledger.audit import ERASED, _page
from core.ledger.ledger import StoredLedger as Ledger
from core.ledger.migrate import upgrade
from core.ledger.migrations.run import run_migrations
from core.ledger.port import AuditFilter, Transaction
from core.ledger.reach import address_of, reached
from core.ledger.rows import AuditedRow, AuditRow
from core.ledger.schema import create_schema
from core.ledger.sqlite import answering
from core.ledger.wording import worded
from tests.ledger.making import NOW, audit_line

EVERYTHING = AuditFilter(any_guild=True)
GUILD = AuditFilter(guild_id="1")
FLOOD = 200_000


async def add(ledger: Ledger, *rows: AuditRow) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.notes.audit(rows)

    await ledger.write(unit)


async def walked(ledger: Ledger, wanted: AuditFilter, limit: int) -> list[AuditedRow]:
    """All lines that fit, page by page."""
    found: list[AuditedRow] = []
    before: tuple[int, int] | None = None
    while page := await ledger.reader.audit.page(wanted, before, limit):
        found += page
        before = (page[-1].at, page[-1].id)
    return found


async def test_lines_come_back_as_they_were_written_newest_first(ledger: Ledger) -> None:
    rows = [audit_line(at=NOW + n // 3, target=str(n), via="cli" if n % 2 else None) for n in range(10)]
    await add(ledger, *rows)
    found = await walked(ledger, EVERYTHING, 4)
    top = await ledger.reader.audit.newest()
    assert [msgspec.structs.asdict(line) for line in found] == [
        {**msgspec.structs.asdict(rows[n]), "id": top - 9 + n} for n in reversed(range(10))
    ]
    assert await ledger.reader.audit.get(top - 6) == found[6]
    assert await ledger.reader.audit.get(top + 1) is None


async def test_one_that_was_written_late_stands_where_its_instant_is(ledger: Ledger) -> None:
    """Two cores whose clocks differ write into one store."""
    await add(ledger, *(audit_line(at=NOW + at, target=str(at)) for at in (5, 1, 3)))
    assert [line.target for line in await walked(ledger, EVERYTHING, 1)] == ["5", "3", "1"]


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        (EVERYTHING, "fedcba"),
        (GUILD, "fdca"),
        (AuditFilter(), "e"),
        (AuditFilter(guild_id="1", actor="member:8"), "c"),
        (AuditFilter(guild_id="1", action="key.new"), "f"),
        (AuditFilter(any_guild=True, target="b"), "b"),
        (AuditFilter(guild_id="1", target="b"), ""),
        (AuditFilter(guild_id="1", since=NOW + 2, until=NOW + 5), "dc"),
        (AuditFilter(guild_id="1", actor="member:7", action="schedule.pause", since=NOW + 1), "d"),
    ],
)
async def test_a_filter_finds_what_it_says(ledger: Ledger, wanted: AuditFilter, targets: str) -> None:
    given: list[dict[str, Any]] = [
        {}, {"guild_id": "2"}, {"actor": "member:8"}, {"action": "schedule.pause"}, {"guild_id": None},
        {"action": "key.new"},
    ]  # fmt: skip
    plain = {"actor": "member:7", "action": "schedule.create"}
    await add(ledger, *(audit_line(at=NOW + n, target="abcdef"[n], **(plain | each)) for n, each in enumerate(given)))
    for limit in (1, 10):
        assert "".join(line.target for line in await walked(ledger, wanted, limit)) == targets


async def test_a_person_is_forgotten_within_bounds(ledger: Ledger) -> None:
    person, other = "100000000000000007", "1000_00000000%0007"
    await add(
        ledger,
        audit_line(actor=f"member:{person}", target="sch_1", before=None, after='{"words":"theirs"}'),
        audit_line(actor="member:8", target=person, before='{"timezone":"UTC"}', after=None),
        audit_line(actor="member:8", target="sch_2", before=f'{{"owner_id":"{person}"}}', after="{}"),
        audit_line(actor="member:8", target="sch_3", before=None, after=f'{{"said":"<@{person}>"}}'),
        audit_line(actor="member:8", target="sch_4", before='{"kept":1}', after=None),
        audit_line(actor=f"member:{person}", target="sch_5", before=None, after=None),
    )

    top = await ledger.reader.audit.newest()

    async def unit(tx: Transaction) -> None:
        await tx.audit.forget(other, top - 6, top)
        await tx.audit.forget(person, top - 6, top - 1)

    await ledger.write(unit)
    lines = (await walked(ledger, EVERYTHING, 10))[::-1]
    assert [(line.actor, line.target, line.before, line.after) for line in lines] == [
        (ERASED, "sch_1", None, None),
        ("member:8", ERASED, None, None),
        ("member:8", "sch_2", None, None),
        ("member:8", "sch_3", None, None),
        ("member:8", "sch_4", '{"kept":1}', None),
        (f"member:{person}", "sch_5", None, None),
    ]


async def test_who_operated_the_service_is_forgotten_as_an_operator_too(ledger: Ledger) -> None:
    person = "100000000000000007"
    await add(ledger, audit_line(actor=f"discord:{person}", target="1"), audit_line(actor="discord:8", target="2"))
    top = await ledger.reader.audit.newest()

    async def unit(tx: Transaction) -> None:
        await tx.audit.forget(person, 0, top)

    await ledger.write(unit)
    assert [line.actor for line in await walked(ledger, EVERYTHING, 10)] == ["discord:8", ERASED]


async def test_a_guilds_lines_are_removed_some_at_a_time_and_no_others(ledger: Ledger) -> None:
    await add(ledger, *(audit_line(at=NOW + n, guild_id="12"[n % 2], target=str(n)) for n in range(6)))
    for left in ("12345", "1345", "135"):

        async def unit(tx: Transaction) -> None:
            await tx.audit.remove("1", 1)

        await ledger.write(unit)
        assert sorted(line.target for line in await walked(ledger, EVERYTHING, 10)) == sorted(left)


async def test_lines_are_purged_by_their_instant(ledger: Ledger) -> None:
    await add(ledger, *(audit_line(at=NOW + n) for n in (3, 0, 2, 1)))

    async def unit(tx: Transaction) -> None:
        await tx.notes.purge(now=NOW, audit_before=NOW + 2)

    await ledger.write(unit)
    assert [line.at - NOW for line in await walked(ledger, EVERYTHING, 10)] == [3, 2]


# ── plans ──────────────────────────────────────────────────────────────────────────────────────────────────────

SHAPES = [
    (names, no_guild, older)
    for size in range(4)
    for names in itertools.combinations(("actor", "action", "target", "since", "until"), size)
    for no_guild in (False, True)
    for older in (False, True)
]


def shapes() -> list[tuple[tuple[str, ...], bool, bool]]:
    """Every listing of a guild, and of none."""
    return [(names if no_guild else ("guild_id", *names), no_guild, older) for names, no_guild, older in SHAPES]


def plan_of(database: sqlite3.Connection, names: tuple[str, ...], *, no_guild: bool, older: bool) -> str:
    sql, _, _ = answering(_page(names, no_guild=no_guild, older=older))
    given = [None] * sql.count("?")
    return "\n".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", given))


def test_every_listing_of_a_guild_goes_by_an_index_and_sorts_nothing() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        create_schema(database)
        for names, no_guild, older in shapes():
            plan = plan_of(database, names, no_guild=no_guild, older=older)
            assert re.search(r"SEARCH audit USING INDEX audit_(guild|actor|action|target) ", plan), (names, plan)
            assert "TEMP B-TREE" not in plan, (names, plan)
        for older in (False, True):
            plan = plan_of(database, (), no_guild=False, older=older)
            assert "USING INDEX audit_at" in plan
            assert "TEMP B-TREE" not in plan


def _flooded(path: Path) -> None:
    """A guild in which one member changed one thing over and over, on top of a few lines by others."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        create_schema(database)
        database.execute("BEGIN")
        wanted = [(NOW + n, "1", "member:8", "key.new", f"key_{n}") for n in range(20)]
        rows = ((NOW + 100 + n, "1", "member:7", "schedule.pause", "sch_1") for n in range(FLOOD))
        insert = "INSERT INTO audit (at, guild_id, actor, action, target) VALUES (?, ?, ?, ?, ?)"
        database.executemany(insert, [*wanted, *rows])
        database.execute("COMMIT")


@pytest.mark.slow
def test_a_flood_of_changes_makes_no_page_slow(tmp_path: Path) -> None:
    """By steps of SQLite's machine, which do not hang on how busy the computer is."""
    path = tmp_path / "ledger"
    _flooded(path)
    with closing(sqlite3.connect(path)) as database:
        middle = (NOW + 100 + FLOOD // 2, FLOOD // 2)
        for names, given in (
            (("guild_id",), ["1"]),
            (("guild_id", "actor"), ["1", "member:8"]),
            (("guild_id", "action"), ["1", "key.new"]),
            (("guild_id", "target"), ["1", "key_3"]),
            (("guild_id", "since"), ["1", NOW + 50 + FLOOD]),
            (("guild_id", "until"), ["1", NOW + 50]),
        ):
            for place in ((), middle):
                sql, arrange, _ = answering(_page(names, no_guild=False, older=bool(place)))
                steps = 0

                def step() -> None:
                    nonlocal steps
                    steps += 1

                database.set_progress_handler(step, 100)
                database.execute(sql, arrange([*given, *place, 50])).fetchall()
                database.set_progress_handler(None, 100)
                assert steps < 100, f"{names} took {steps} hundred steps"


@pytest.mark.slow
async def test_on_a_server_every_listing_of_a_guild_goes_by_an_index_and_sorts_one_targets_lines_at_most(
    database_url: str,
) -> None:
    connection = await reached(address_of(database_url), 0)
    wrong = {}
    for names, no_guild, older in shapes():
        sql = worded(_page(names, no_guild=no_guild, older=older)).sql
        count = max(int(number) for number in re.findall(r"\$(\d+)", sql))
        await connection.execute(f"PREPARE asked AS {sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE asked({', '.join(['NULL'] * count)})")
        await connection.execute("DEALLOCATE asked")
        plan = "\n".join(row[0] for row in rows)
        in_order = "Sort" not in plan and re.search(r"Index Scan Backward using audit_\w+", plan)
        if not (in_order or re.search(r"Bitmap Index Scan on audit_target\b", plan)):
            wrong[names, no_guild, older] = plan
    await connection.close()
    assert wrong == {}, "\n".join(wrong.values())


# ── migration ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_of_an_older_file_are_kept_and_listed_by_the_new_indexes(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.touch()
    run_migrations(path, "0008")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO audit (at, guild_id, actor, action, target, before, after) "
            "VALUES (1, '1', 'member:7', 'schedule.create', 'sch_1', NULL, '{}')"
        )
    upgrade(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT at, actor, after, via FROM audit").fetchall() == [(1, "member:7", "{}", None)]
        indexes = {name for (name,) in database.execute("SELECT name FROM pragma_index_list('audit')")}
        assert indexes == {"audit_at", "audit_guild", "audit_actor", "audit_action", "audit_target"}


async def test_what_a_transaction_adds_it_reads(ledger: Ledger) -> None:
    async def unit(tx: Transaction) -> list[str]:
        await tx.notes.audit([audit_line(target="a")])
        return [line.target for line in await tx.audit.page(EVERYTHING, None, 5)]

    assert await ledger.write(unit) == ["a"]
