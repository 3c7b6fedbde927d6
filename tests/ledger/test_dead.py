"""Dead letters in every store: added, found, removed, and gone with their runs."""

from __future__ import annotations

from core.ledger.ledger import StoredLedger
from core.ledger.port import RunFilter, Transaction
from core.ledger.rows import DeadRow
from schedule_zero.run import RunState
from tests.ledger.making import MINUTE, NOW, begin, end, run, save, schedule

EVERYWHERE = RunFilter(any_guild=True)


def letter(run_id: str, guild_id: str | None = "1", handler: str = "echo", schedule_id: str = "sch_1") -> DeadRow:
    return DeadRow(run_id=run_id, guild_id=guild_id, schedule_id=schedule_id, handler=handler, method="say", at=NOW)


async def add(ledger: StoredLedger, *rows: DeadRow) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.dead.add(rows)

    await ledger.write(unit)


async def test_a_page_is_newest_first_and_keeps_to_what_was_asked_for(ledger: StoredLedger) -> None:
    await save(ledger, schedule("sch_1", owner_id="7"), schedule("sch_2", owner_id="8", guild_id=None))
    rows = [
        letter("run_1"),
        letter("run_2", "2"),
        letter("run_3", None, schedule_id="sch_2"),
        letter("run_4", handler="x"),
    ]
    await add(ledger, *rows)

    async def page(asked: RunFilter = EVERYWHERE, before: str | None = None, limit: int = 9) -> list[str]:
        return [row.run_id for row in await ledger.reader.dead.page(asked, before, limit)]

    assert await page() == ["run_4", "run_3", "run_2", "run_1"]
    assert await page(limit=2) == ["run_4", "run_3"]
    assert await page(before="run_3") == ["run_2", "run_1"]
    assert await page(RunFilter(guild_id="1")) == ["run_4", "run_1"]
    assert await page(RunFilter()) == ["run_3"]
    assert await page(RunFilter(any_guild=True, handler="x")) == ["run_4"]
    assert await page(RunFilter(any_guild=True, schedule_id="sch_2")) == ["run_3"]
    assert await page(RunFilter(any_guild=True, owner_id="7", handler="echo")) == ["run_2", "run_1"]
    await add(ledger, letter("run_5", handler="discord"), letter("run_6", schedule_id="sch_2", handler="discord"))
    assert await page(RunFilter(any_guild=True, jobs_or_owner_id="8")) == ["run_6", "run_4", "run_3", "run_2", "run_1"]
    assert await ledger.reader.dead.get_many(["run_2", "run_9"]) == {"run_2": rows[1]}


async def test_what_is_removed_is_gone_and_what_is_not_there_is_no_trouble(ledger: StoredLedger) -> None:
    await add(ledger, letter("run_1"), letter("run_2"))

    async def unit(tx: Transaction) -> list[DeadRow]:
        await tx.dead.remove(["run_1", "run_9"])
        return await tx.dead.page(EVERYWHERE, None, 9)

    assert await ledger.write(unit) == [letter("run_2")]


async def test_they_go_when_their_runs_go(ledger: StoredLedger) -> None:
    await save(ledger, schedule("sch_1"), run("run_1"), run("run_2"))
    await begin(ledger, "run_1", "run_2")

    async def unit(tx: Transaction) -> None:
        await tx.runs.move([end("run_1", RunState.FAILED), end("run_2", RunState.FAILED, at=NOW + 2 * MINUTE)])
        await tx.dead.add([letter("run_1"), letter("run_2")])

    async def purge(tx: Transaction) -> int:
        return await tx.runs.purge(NOW + MINUTE, 10)

    await ledger.write(unit)
    assert await ledger.write(purge) == 1
    assert [row.run_id for row in await ledger.reader.dead.page(EVERYWHERE, None, 9)] == ["run_2"]


async def test_a_run_knows_whether_its_arguments_are_its_own(ledger: StoredLedger) -> None:
    rows = [run("run_1", args="{}", own_args=1), run("run_2")]
    await save(ledger, *rows)
    assert await ledger.reader.runs.get_many(["run_1", "run_2"]) == {row.id: row for row in rows}
