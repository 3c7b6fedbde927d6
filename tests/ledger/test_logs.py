"""What runs tell is in every store alike, and goes with the runs."""

from __future__ import annotations

from core.ledger.port import Ledger, Transaction
from core.ledger.rows import Cut, LineRow, ToldRow
from schedule_zero.run import RunState
from tests.ledger.making import NOW, run, save, schedule


def line(place: int, run_id: str = "run_1", **given: int) -> LineRow:
    return LineRow(
        run_id=run_id,
        place=place,
        n=given.get("n", place),
        attempt=1,
        at=NOW,
        preceding=10 * (place - 1),
        text=f"ü{place}",
    )


async def write(ledger: Ledger, told: list[ToldRow], lines: list[LineRow], *cuts: Cut) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.logs.append(told, lines, cuts)

    await ledger.write(unit)


async def test_lines_are_read_in_order_behind_a_number_and_of_one_run(ledger: Ledger) -> None:
    told = [
        ToldRow(run_id="run_1", attempt=1, lines=9, places=3),
        ToldRow(run_id="run_2", attempt=1, lines=1, places=1),
    ]
    await write(ledger, told, [line(2, n=5), line(1), line(3, n=9), line(1, "run_2")])
    logs = ledger.reader.logs
    assert [each.n for each in await logs.lines("run_1", 0, 10)] == [1, 5, 9]
    assert await logs.lines("run_1", 1, 1) == [line(2, n=5)]
    assert await logs.lines("run_3", 0, 10) == []
    assert await logs.told(["run_1", "run_2", "run_3"]) == {row.run_id: row for row in told}


async def test_what_was_told_before_is_written_over_and_a_line_twice_is_one(ledger: Ledger) -> None:
    await write(ledger, [ToldRow(run_id="run_1", attempt=1, fraction=5, note="a", places=1)], [line(1)])
    newest = ToldRow(run_id="run_1", attempt=2, note="b", lines=1, places=1, size=3, head=1)
    await write(ledger, [newest], [line(1)])
    assert await ledger.reader.logs.told(["run_1"]) == {"run_1": newest}
    assert await ledger.reader.logs.lines("run_1", 0, 10) == [line(1)]


async def test_what_is_cut_is_the_middle_of_that_run_alone(ledger: Ledger) -> None:
    lines = [line(place, run_id) for run_id in ("run_1", "run_2") for place in range(1, 10)]
    await write(ledger, [], lines, Cut("run_1", 2, 5, 60))
    assert [each.n for each in await ledger.reader.logs.lines("run_1", 0, 20)] == [1, 2, 7, 8, 9]
    assert len(await ledger.reader.logs.lines("run_2", 0, 20)) == 9


async def test_what_a_run_told_goes_with_it(ledger: Ledger) -> None:
    ended = run("run_1", state=RunState.SUCCEEDED, ended=NOW)
    await save(ledger, schedule("sch_1"), ended, run("run_2", created=NOW + 2))
    told = [ToldRow(run_id=each, attempt=1, lines=1, places=1) for each in ("run_1", "run_2")]
    await write(ledger, told, [line(1), line(1, "run_2")])

    async def purge(tx: Transaction) -> int:
        return await tx.runs.purge(NOW + 1, 10)

    assert await ledger.write(purge) == 1
    assert set(await ledger.reader.logs.told(["run_1", "run_2"])) == {"run_2"}
    assert await ledger.reader.logs.lines("run_1", 0, 10) == []
    assert await ledger.reader.logs.lines("run_2", 0, 10) == [line(1, "run_2")]
