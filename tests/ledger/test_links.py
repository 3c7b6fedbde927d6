"""Who runs after whom: the table follows the schedules that hold the links, in every store."""

from __future__ import annotations

import msgspec

from core.ledger.ledger import StoredLedger as Ledger
from core.ledger.port import Transaction
from core.ledger.rows import Ended, LinkRow, ScheduleRow
from schedule_zero.run import RunState
from tests.ledger.conftest import Opening
from tests.ledger.making import NOW, run, schedule


def after(*parents: str) -> str:
    links = [{"schedule": parent, "when": "all", "delay": "PT0S"} for parent in parents]
    return msgspec.json.encode(links).decode()


async def save(ledger: Ledger, *rows: ScheduleRow) -> None:
    await ledger.write(lambda tx: tx.schedules.insert(rows))


async def replace(ledger: Ledger, row: ScheduleRow, **fields: object) -> bool:
    changed = msgspec.structs.replace(row, **fields)
    return await ledger.write(lambda tx: tx.schedules.replace(changed, expected=row.revision))


async def pairs(ledger: Ledger, child: str) -> list[str]:
    return [link.parent for link in await ledger.reader.links.above([child])]


async def test_links_are_written_changed_and_removed_with_their_schedule(ledger: Ledger) -> None:
    row = schedule("sch_3", after=after("sch_1", "sch_2", "sch_1"))
    await save(ledger, row)
    assert await pairs(ledger, "sch_3") == ["sch_1", "sch_2"]
    assert [link.child for link in await ledger.reader.links.below(["sch_1"])] == ["sch_3"]
    joined = LinkRow(parent="sch_2", child="sch_3", run_id="run_1", state=RunState.SUCCEEDED, fresh=1)
    await ledger.write(lambda tx: tx.links.join([joined]))
    assert await replace(ledger, row, revision=2, after=after("sch_2", "sch_4"))
    assert await pairs(ledger, "sch_3") == ["sch_2", "sch_4"]
    assert joined in await ledger.reader.links.above(["sch_3"])
    assert not await replace(ledger, msgspec.structs.replace(row, revision=7), after=after("sch_9"))
    assert await pairs(ledger, "sch_3") == ["sch_2", "sch_4"]
    await ledger.write(lambda tx: tx.links.ran(["sch_3"]))
    assert [link.fresh for link in await ledger.reader.links.above(["sch_3"])] == [0, 0]


async def test_what_is_deleted_follows_nothing_and_what_is_purged_leaves_nothing(ledger: Ledger) -> None:
    row = schedule("sch_2", after=after("sch_1"), updated=NOW)
    await save(ledger, row)
    assert await replace(ledger, row, revision=2, state="deleted", next_due=None)
    assert await pairs(ledger, "sch_2") == []
    assert await ledger.write(lambda tx: tx.schedules.purge(NOW + 1, 10)) == 1
    await save(ledger, schedule("sch_2"))
    assert await pairs(ledger, "sch_2") == []


async def test_links_are_listed_by_guild(ledger: Ledger) -> None:
    await save(
        ledger,
        schedule("sch_2", guild_id="1", after=after("sch_1")),
        schedule("sch_3", guild_id=None, after=after("sch_1")),
    )
    for guild, any_guild, children in (
        ("1", False, ["sch_2"]),
        (None, False, ["sch_3"]),
        (None, True, ["sch_2", "sch_3"]),
    ):
        found = await ledger.reader.links.of_guild(guild, 10, any_guild=any_guild)
        assert [link.child for link in found] == children


async def test_a_unit_knows_the_runs_it_has_ended_and_no_others(ledger: Ledger) -> None:
    seen: list[list[Ended]] = []

    async def ending(tx: Transaction, id: str) -> None:
        await tx.runs.insert([run(id, state=RunState.SKIPPED, ended=NOW), run(f"{id}_open")])
        seen.append(list(tx.runs.ended))

    for id in ("run_1", "run_2"):
        await ledger.write(lambda tx, id=id: ending(tx, id))  # type: ignore[misc]
    assert seen == [[Ended(id, "sch_1", RunState.SKIPPED)] for id in ("run_1", "run_2")]


async def test_parents_are_known_as_soon_as_their_link_is_written_and_after_a_start(opening: Opening) -> None:
    async def known(tx: Transaction) -> set[str]:
        return await tx.links.parents_among({"sch_1", "sch_2", "sch_3"})

    async def refused(tx: Transaction) -> None:
        await tx.schedules.insert([schedule("sch_9", after=after("sch_3"))])
        raise ValueError

    ledger = opening(None)
    await ledger.open()
    assert await ledger.write(known) == set()
    await save(ledger, schedule("sch_8", after=after("sch_1")))
    assert await ledger.write(known) == {"sch_1"}
    try:
        await ledger.write(refused)
    except ValueError:
        pass
    assert "sch_1" in await ledger.write(known)
    await ledger.close()
    again = opening(None)
    await again.open()
    assert await again.write(known) == {"sch_1"}
    await again.close()
