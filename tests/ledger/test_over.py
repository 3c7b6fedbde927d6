"""Schedules that are done go when nothing of them is left, and not before."""

from __future__ import annotations

from typing import Any

import msgspec

from core.ledger.port import Ledger, Transaction
from core.ledger.rows import ScheduleRow
from schedule_zero.run import RunState
from tests.ledger.making import NOW, run, save, schedule

BEFORE = NOW + 100


def done(id: str, **given: Any) -> ScheduleRow:
    return schedule(id, **{"state": "done", "next_due": None, "last_due": NOW, **given})


def behind(*parents: str) -> str:
    return msgspec.json.encode([{"schedule": parent, "when": "any", "delay": "PT0S"} for parent in parents]).decode()


async def made(ledger: Ledger, *rows: ScheduleRow) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert(rows)

    await ledger.write(unit)


async def over(ledger: Ledger, since: int = 0, limit: int = 100, guild_id: str | None = None) -> list[str]:
    return sorted(id for _, id in await ledger.reader.schedules.over(since, BEFORE, limit, guild_id))


async def purged(ledger: Ledger, *ids: str) -> int:
    async def unit(tx: Transaction) -> int:
        return await tx.schedules.purge_over(ids, BEFORE)

    return await ledger.write(unit)


async def test_only_what_is_done_and_old_and_has_no_run_is_over(ledger: Ledger) -> None:
    await made(
        ledger,
        done("over"),
        done("never_due", last_due=None),
        done("changed", updated=BEFORE),
        done("was_due", last_due=BEFORE),
        done("ran"),
        schedule("goes_on"),
        schedule("waits", state="paused", next_due=None),
        schedule("deleted", state="deleted", next_due=None),
    )
    await save(ledger, run("run_1", "ran", state=RunState.SUCCEEDED, ended=NOW))
    assert await over(ledger) == ["never_due", "over"]
    assert await purged(ledger, "over", "never_due", "changed", "was_due", "ran", "goes_on", "waits", "deleted") == 2
    left = await ledger.reader.schedules.get_many(["over", "never_due", "ran", "goes_on"])
    assert sorted(left) == ["goes_on", "ran"]
    assert await over(ledger) == []


async def test_what_others_run_after_stays_until_they_are_gone(ledger: Ledger) -> None:
    await made(ledger, done("parent"))
    await made(ledger, done("child", after=behind("parent")))
    assert await over(ledger) == ["child"]
    assert await purged(ledger, "parent", "child") == 1
    assert await over(ledger) == ["parent"]
    assert await purged(ledger, "parent") == 1


async def test_they_are_found_page_by_page_and_of_one_guild_alone(ledger: Ledger) -> None:
    await made(ledger, *(done(f"s{n}", guild_id=str(n % 2), updated=NOW + n) for n in range(6)))
    assert [id for _, id in await ledger.reader.schedules.over(0, BEFORE, 2)] == ["s0", "s1"]
    assert await over(ledger, since=NOW + 2, limit=2) == ["s2", "s3"]
    assert await over(ledger, guild_id="1") == ["s1", "s3", "s5"]
