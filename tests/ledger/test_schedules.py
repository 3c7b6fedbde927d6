from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.ledger.port import Ledger, NameTaken, ScheduleFilter, StaleAdvance, Transaction
from core.ledger.rows import Advance, HeededRow, ScheduleRow
from tests.ledger.making import MINUTE, NOW, run, save, schedule

DUE = NOW + MINUTE


def step(id: str = "sch_1", **given: object) -> Advance:
    values: dict[str, object] = {
        "id": id, "revision": 1, "due": DUE, "next_due": DUE + MINUTE, "last_due": DUE, "fired": 1, "state": "active",
    }  # fmt: skip
    return msgspec.convert(values | given, Advance)


async def advance(ledger: Ledger, *steps: Advance) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.advance(steps)

    await ledger.write(unit)


async def stale(ledger: Ledger, *steps: Advance) -> set[str]:
    async def unit(tx: Transaction) -> set[str]:
        return await tx.schedules.stale(steps)

    return await ledger.write(unit)


async def replace(ledger: Ledger, row: ScheduleRow, expected: int) -> bool:
    async def unit(tx: Transaction) -> bool:
        return await tx.schedules.replace(row, expected=expected)

    return await ledger.write(unit)


async def test_a_schedule_comes_back_as_it_was_written(ledger: Ledger) -> None:
    full = schedule(
        "sch_1", name="Ünïcödé \U0001f600 'quoted' \"twice\"", start=NOW - 5, until=2**62, count=3, calendar="{}",
        active_hours="[]", exceptions="{}", paused_until=NOW + 7, note="why", last_due=NOW, fired=9, failures=2, state="paused",
        next_due=None, args='{"nested":{"list":[1,2.5,null,true,"\\u0000"]}}',
    )  # fmt: skip
    plain = schedule("sch_2", guild_id=None)
    await save(ledger, full, plain)
    assert await ledger.reader.schedules.get("sch_1") == full
    assert await ledger.reader.schedules.get_many(["sch_2", "sch_1", "sch_0"]) == {"sch_1": full, "sch_2": plain}


async def test_what_does_not_exist_is_none_or_left_out(ledger: Ledger) -> None:
    assert await ledger.reader.schedules.get("sch_1") is None
    assert await ledger.reader.schedules.get_many([]) == {}
    assert await ledger.reader.schedules.by_name("1", "standup") is None
    assert await ledger.reader.schedules.next_due_after(0) is None
    assert await ledger.reader.schedules.page(ScheduleFilter(any_guild=True), None, 10) == []


async def test_a_name_is_taken_once_per_guild_and_no_guild_is_a_place_of_its_own(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", name="standup"), schedule("sch_2", name="standup", guild_id=None))
    await save(ledger, schedule("sch_3", name="standup", guild_id="2"), schedule("sch_4"), schedule("sch_5"))
    for guild_id in ("1", None):
        with pytest.raises(NameTaken):
            await save(ledger, schedule("sch_9", name="standup", guild_id=guild_id))
    assert await ledger.reader.schedules.get("sch_9") is None
    found = await ledger.reader.schedules.by_name(None, "standup")
    assert found is not None
    assert found.id == "sch_2"


async def test_a_unit_may_go_on_after_a_name_was_taken(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", name="standup"))

    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert([schedule("sch_2")])
        with pytest.raises(NameTaken):
            await tx.schedules.insert([schedule("sch_3", name="standup")])
        await tx.schedules.insert([schedule("sch_4")])

    await ledger.write(unit)
    assert set(await ledger.reader.schedules.get_many(["sch_2", "sch_3", "sch_4"])) == {"sch_2", "sch_4"}


@pytest.mark.parametrize("over", ["done", "deleted"])
async def test_a_schedule_that_is_over_frees_its_name_and_is_not_counted(ledger: Ledger, over: str) -> None:
    await save(ledger, schedule("sch_1", name="standup"))
    assert await replace(ledger, schedule("sch_1", name="standup", state=over, next_due=None, revision=2), 1)
    assert await ledger.reader.schedules.by_name("1", "standup") is None
    assert await ledger.reader.schedules.count("1") == 0
    await save(ledger, schedule("sch_2", name="standup"))
    with pytest.raises(NameTaken):  # brought back by an undo, it finds its name taken
        await replace(ledger, schedule("sch_1", name="standup", revision=3), 2)
    kept = await ledger.reader.schedules.get("sch_1")
    assert kept is not None
    assert (kept.state, kept.revision) == (over, 2)


async def test_a_schedule_that_ends_by_a_tick_frees_its_name(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", name="once"))
    await advance(ledger, step(next_due=None, state="done"))
    await save(ledger, schedule("sch_2", name="once"))
    assert await ledger.reader.schedules.count("1") == 1


async def test_only_the_expected_revision_is_replaced(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1"))
    changed = schedule("sch_1", revision=2, words="hourly", owner_id="8", next_due=NOW + 9, fired=4, failures=1)
    assert not await replace(ledger, changed, 7)
    assert await ledger.reader.schedules.get("sch_1") == schedule("sch_1")
    assert await replace(ledger, changed, 1)
    assert await ledger.reader.schedules.get("sch_1") == changed
    assert not await replace(ledger, schedule("sch_0"), 1)


async def test_renaming_to_a_taken_name_changes_nothing(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", name="a"), schedule("sch_2", name="b"))
    with pytest.raises(NameTaken):
        await replace(ledger, schedule("sch_2", name="a", revision=2, words="other"), 1)
    assert await ledger.reader.schedules.get("sch_2") == schedule("sch_2", name="b")


async def test_a_step_takes_a_schedule_to_its_next_due_time(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1"), schedule("sch_2"))
    await advance(ledger, step())
    assert await ledger.reader.schedules.get("sch_1") == schedule("sch_1", next_due=DUE + MINUTE, last_due=DUE, fired=1)
    assert await ledger.reader.schedules.get("sch_2") == schedule("sch_2")
    await advance(ledger)


@pytest.mark.parametrize(
    "stands",
    [{"revision": 2}, {"state": "paused"}, {"next_due": DUE + 1}, {"state": "deleted", "next_due": None}],
    ids=["edited", "paused", "due at another time", "deleted"],
)
@pytest.mark.parametrize("last", [False, True], ids=["going on", "ending"])
async def test_a_step_from_where_a_schedule_no_longer_stands_is_refused_with_all_beside_it(
    ledger: Ledger, stands: dict[str, Any], last: bool
) -> None:
    moved = schedule("sch_2", **stands)
    await save(ledger, schedule("sch_1"), moved, schedule("sch_3"))
    ending: dict[str, Any] = {"next_due": None, "state": "done"} if last else {}
    steps = [step("sch_3"), step("sch_2", **ending), step("sch_1", **ending)]
    with pytest.raises(StaleAdvance):
        await advance(ledger, *steps)
    assert await ledger.reader.schedules.get("sch_1") == schedule("sch_1")
    assert await ledger.reader.schedules.get("sch_2") == moved
    assert await stale(ledger, *steps) == {"sch_2"}


async def test_the_same_step_is_not_taken_twice(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1"))
    await advance(ledger, step())
    with pytest.raises(StaleAdvance):
        await advance(ledger, step())
    assert await stale(ledger, step(), step("sch_0")) == {"sch_1", "sch_0"}
    assert await stale(ledger) == set()


async def test_due_schedules_come_soonest_first_and_only_active_ones(ledger: Ledger) -> None:
    await save(
        ledger,
        schedule("sch_1", next_due=30),
        schedule("sch_2", next_due=10),
        schedule("sch_3", next_due=20),
        schedule("sch_4", next_due=5, state="blocked"),
        schedule("sch_5", next_due=None),
        schedule("sch_6", next_due=31),
    )
    assert [row.id for row in await ledger.reader.schedules.due_until(30, 10)] == ["sch_2", "sch_3", "sch_1"]
    assert [row.id for row in await ledger.reader.schedules.due_until(30, 2)] == ["sch_2", "sch_3"]
    assert await ledger.reader.schedules.next_due_after(10) == 20
    assert await ledger.reader.schedules.next_due_after(31) is None
    assert await ledger.reader.schedules.total() == 5


async def test_the_handlers_of_what_is_neither_done_nor_deleted_are_known(ledger: Ledger) -> None:
    states = ("active", "paused", "blocked", "needs_owner", "pending", "done", "deleted")
    rows = [
        schedule(f"sch_{state}", state=state, next_due=None, handler=state, name=state) for state in states
    ] + [schedule("sch_2", handler="active", name="other")]  # fmt: skip
    await save(ledger, *rows)
    assert await ledger.reader.schedules.handlers() == set(states) - {"done", "deleted"}


async def test_a_pause_that_is_over_is_found(ledger: Ledger) -> None:
    await save(
        ledger,
        schedule("sch_1", state="paused", next_due=None, paused_until=20),
        schedule("sch_2", state="paused", next_due=None, paused_until=10),
        schedule("sch_3", state="paused", next_due=None),
        schedule("sch_4", paused_until=5),
    )
    assert [row.id for row in await ledger.reader.schedules.resumable(20, 10)] == ["sch_2", "sch_1"]
    assert [row.id for row in await ledger.reader.schedules.resumable(19, 10)] == ["sch_2"]


async def test_live_schedules_are_counted_by_guild(ledger: Ledger) -> None:
    await save(
        ledger,
        *(schedule(f"sch_{n}", state=state) for n, state in enumerate(("active", "paused", "blocked", "pending"))),
        schedule("sch_7", state="done"),
        schedule("sch_8", guild_id="2"),
        schedule("sch_9", guild_id=None),
    )
    counts = [await ledger.reader.schedules.count(guild) for guild in ("1", "2", None, "3")]
    assert counts == [4, 1, 1, 0]


async def test_live_schedules_with_an_entry_are_counted_by_guild_and_by_person(ledger: Ledger) -> None:
    said = {"metadata": '{"kind":"reminder","made":"1"}'}
    await save(
        ledger,
        *(schedule(f"sch_{n}", state=state, **said) for n, state in enumerate(("active", "paused", "done"))),
        schedule("sch_4", metadata='{"made":"reminder","kind":"other"}'),
        schedule("sch_5", owner_id="8", **said),
        schedule("sch_6", guild_id=None, **said),
        schedule("sch_7", guild_id="2", **said),
    )
    schedules, entry = ledger.reader.schedules, ("kind", "reminder")
    assert [await schedules.count_with(entry, guild) for guild in ("1", "2", "3")] == [3, 1, 0]
    owned = [await schedules.count_owned_with(entry, guild, owner) for guild in ("1", None) for owner in ("7", "8")]
    assert owned == [2, 1, 1, 0]


async def test_a_listing_filters_and_pages(ledger: Ledger) -> None:
    rows = [
        schedule("sch_1", name="Standup 100%", metadata='{"team":"ops","kind":"x\\"y"}'),
        schedule("sch_2", owner_id="8", handler="webhook", args='{"url":"https://example.org/STAND_up"}'),
        schedule("sch_3", guild_id=None, metadata='{"team":"dev"}'),
        schedule("sch_4", state="deleted", next_due=None),
        schedule("sch_5", guild_id="2", state="paused", next_due=None),
    ]
    await save(ledger, *rows)

    async def found(limit: int = 10, after: str | None = None, **asked: object) -> list[str]:
        wanted = msgspec.convert(asked, ScheduleFilter)
        return [row.id for row in await ledger.reader.schedules.page(wanted, after, limit)]

    assert await found(any_guild=True) == ["sch_1", "sch_2", "sch_3", "sch_5"]
    assert await found(any_guild=True, limit=2, after="sch_1") == ["sch_2", "sch_3"]
    assert await found(guild_id="1") == ["sch_1", "sch_2"]
    assert await found() == ["sch_3"]
    assert await found(any_guild=True, state="deleted") == ["sch_4"]
    assert await found(any_guild=True, state="paused") == ["sch_5"]
    assert await found(guild_id="1", handler="webhook", owner_id="8") == ["sch_2"]
    assert await found(guild_id="1", text="stand") == ["sch_1", "sch_2"]
    assert await found(guild_id="1", text="100%") == ["sch_1"]
    assert await found(guild_id="1", text="d_u") == ["sch_2"]
    assert await found(any_guild=True, text="every minute") == ["sch_1", "sch_2", "sch_3", "sch_5"]
    assert await found(any_guild=True, metadata=(("team", "ops"), ("kind", 'x"y'))) == ["sch_1"]
    assert await found(any_guild=True, metadata=(("team", "ops"), ("kind", "z"))) == []


async def test_failures_in_a_row_are_set(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", failures=3), schedule("sch_2"))

    async def unit(tx: Transaction) -> list[int]:
        await tx.schedules.count_failures({"sch_1": 0, "sch_2": 5, "sch_9": 1})
        rows = await tx.schedules.get_many(["sch_1", "sch_2"])
        return [rows["sch_1"].failures, rows["sch_2"].failures]

    assert await ledger.write(unit) == [0, 5]


async def test_deleted_schedules_are_purged_when_nothing_refers_to_them(ledger: Ledger) -> None:
    await save(
        ledger,
        schedule("sch_1", state="deleted", next_due=None, updated=10),
        schedule("sch_2", state="deleted", next_due=None, updated=10),
        schedule("sch_3", state="deleted", next_due=None, updated=20),
        schedule("sch_4", state="done", next_due=None, updated=10),
        schedule("sch_5", updated=10),
        run("run_1", "sch_2"),
    )

    async def unit(tx: Transaction) -> int:
        return await tx.schedules.purge(20, 10)

    assert await ledger.write(unit) == 1
    left = await ledger.reader.schedules.get_many([f"sch_{n}" for n in range(1, 6)])
    assert set(left) == {"sch_2", "sch_3", "sch_4", "sch_5"}


async def test_a_unit_sees_its_own_writes_and_readers_do_not_until_the_commit(ledger: Ledger) -> None:
    async def unit(tx: Transaction) -> tuple[int, int]:
        await tx.schedules.insert([schedule("sch_1")])
        return await tx.schedules.count("1"), len(await tx.schedules.due_until(DUE, 10))

    assert await ledger.write(unit) == (1, 1)
    assert await ledger.reader.schedules.count("1") == 1


async def test_who_heeds_what_is_told_of_the_live_ones_of_a_guild(ledger: Ledger) -> None:
    await save(
        ledger, schedule("sch_1", calendar="{a}"), schedule("sch_2", calendar="{a}"), schedule("sch_3", active_hours="{h}"),
        schedule("sch_4"), schedule("sch_5", calendar="{a}", state="done", next_due=None),
        schedule("sch_6", calendar="{a}", guild_id="2"), schedule("sch_7", calendar="{a}", active_hours="{h}"),
    )  # fmt: skip
    reader = ledger.reader.schedules
    heeded = sorted(await reader.heeded("1"), key=lambda each: (str(each.calendar), str(each.active_hours)))
    assert heeded == [HeededRow(None, "{h}", 1), HeededRow("{a}", None, 2), HeededRow("{a}", "{h}", 1)]
    assert sorted(await reader.heeding("1", ["{a}"])) == ["sch_1", "sch_2", "sch_7"]
    assert sorted(await reader.heeding("1", ["{h}", "{x}"])) == ["sch_3", "sch_7"]
    assert await reader.heeding("1", []) == []
    assert sorted(await reader.live("1")) == ["sch_1", "sch_2", "sch_3", "sch_4", "sch_7"]
    assert await reader.heeded("3") == []


async def test_renewing_writes_what_is_heeded_and_when_it_is_due_and_nothing_else(ledger: Ledger) -> None:
    await save(ledger, schedule("sch_1", fired=4, last_due=NOW), schedule("sch_2"), schedule("sch_3"))

    async def unit(tx: Transaction) -> None:
        await tx.schedules.renew([])
        rows = await tx.schedules.get_many(["sch_1", "sch_2"])
        heeds = {"calendar": "{c}", "active_hours": "{h}", "exceptions": "{e}", "updated": NOW + 1, "revision": 2}
        await tx.schedules.renew(
            [
                msgspec.structs.replace(rows["sch_1"], **heeds, next_due=DUE + 5, fired=0, words="other"),
                msgspec.structs.replace(rows["sch_2"], **heeds, next_due=None, state="blocked", note="no time"),
            ]
        )

    await ledger.write(unit)
    heeds = {"calendar": "{c}", "active_hours": "{h}", "exceptions": "{e}", "updated": NOW + 1, "revision": 2}
    assert await ledger.reader.schedules.get_many(["sch_1", "sch_2", "sch_3"]) == {
        "sch_1": schedule("sch_1", fired=4, last_due=NOW, **heeds, next_due=DUE + 5),
        "sch_2": schedule("sch_2", **heeds, next_due=None, state="blocked", note="no time"),
        "sch_3": schedule("sch_3"),
    }
