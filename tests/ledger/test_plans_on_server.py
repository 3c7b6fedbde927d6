"""How PostgreSQL goes about the ledger's statements, planned as they are at a first start: while every table is empty.

A plan is kept until somebody analyses the tables again, and a thousand rows may come before that."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator

import pytest

from core.ledger import audit, dead, journal, links, logs, notes, over, runs, schedules, usage
from core.ledger.port import OccurrenceTaken, Transaction
from core.ledger.reach import address_of, reached
from core.ledger.statement import Change, Query, Statement
from core.ledger.wording import worded
from tests.ledger.making import run
from tests.ledger.test_server import opened

pytestmark = pytest.mark.slow

ONE_ROW, FEW_ROWS = "journal_head", "cursors"


def _shape(size: int, *wanted: int) -> tuple[bool, ...]:
    """Which parts of a filter are set, by their places."""
    return tuple(place in wanted for place in range(size))


def statements() -> Iterator[tuple[str, Statement]]:
    for room in (audit, dead, journal, links, logs, notes, over, runs, schedules, usage):
        for name, value in vars(room).items():
            if isinstance(value, (Query, Change)):
                yield f"{room.__name__}.{name}", value
    yield "a move", runs._move(ending=False, scheduled=False, set_by=())
    yield "a move that ends, of a schedule that stands", runs._move(ending=True, scheduled=True, set_by=("result",))
    yield "a page of a guild's runs", runs._PAGES.query(("guild_id", "before"), False)
    yield "a page of a schedule's runs", runs._PAGES.query(("schedule_id", "before"), False)
    yield "a page of a handler's runs", runs._PAGES.query(("handler", "before"), False)
    jobs = ("guild_id", "jobs_or_owner_id", "before")
    yield "a page of a guild's runs of jobs, and one's own", runs._PAGES.query(jobs, False)
    yield "a page of a guild's dead letters", dead._PAGES.query(("guild_id", "before"), False)
    yield "a page of a schedule's dead letters", dead._PAGES.query(("schedule_id", "before"), False)
    yield "a page of a guild's schedules", schedules._page(_shape(7, 0), 0, False)
    yield "a page of a guild's jobs, and one's own", schedules._page(_shape(7, 0, 5), 0, False)


async def test_what_is_planned_for_empty_tables_is_right_for_full_ones(database_url: str) -> None:
    connection = await reached(address_of(database_url), 0)
    wrong = {}
    for name, statement in statements():
        sql = worded(statement).sql
        parameters = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
        await connection.execute(f"PREPARE asked AS {sql}")
        given = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked{given}"))
        await connection.execute("DEALLOCATE asked")
        scanned = set(re.findall(r"Seq Scan on (\w+)", plan)) - {ONE_ROW, FEW_ROWS}
        # Rows that are given, each compared with every row of a table: a thousand times ten thousand.
        if scanned or "Materialize" in plan or re.search(r"Join Filter: .*given\.\w*id\b", plan):
            wrong[name] = plan
    await connection.close()
    assert wrong == {}


async def test_the_culprit_among_rows_that_went_together_is_found(database_url: str) -> None:
    """New rows of several units wait, and are written by one statement."""
    ledger = await opened(database_url)

    def inserting(id: str, occurrence: str) -> Awaitable[str]:
        async def unit(tx: Transaction) -> str:
            await tx.runs.insert([run(id, occurrence=occurrence)])
            return id

        return ledger.write(unit)

    results = await asyncio.gather(
        *(inserting(f"run_{n}", f"t:{n % 4}") for n in range(6)),
        return_exceptions=True,
    )
    assert results[:4] == [f"run_{n}" for n in range(4)]
    assert all(isinstance(result, OccurrenceTaken) for result in results[4:])
    assert await ledger.reader.runs.counts() == {"waiting": 4}
    await ledger.close()
