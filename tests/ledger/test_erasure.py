"""What is kept of somebody is found and removed, span by span, and what is others' stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, select

from core.ledger import erasure, tables
from core.ledger.ledger import StoredLedger
from core.ledger.port import Transaction, Whom
from core.ledger.ports.erasure import Place
from core.ledger.rows import AnswerRow, HistoryRow, UsageKey
from core.ledger.statement import Query
from schedule_zero.run import RunState
from tests.ledger.making import NOW, attempt, event, run, schedule, undo

ANNA, GUILD = "100000000000000001", "200000000000000002"
PLACES: tuple[Place, ...] = ("journal", "answers", "undos")


def answer(key: str, text: str = "{}") -> AnswerRow:
    return AnswerRow(key=key, digest="", answer=text, until=NOW)


async def rows(ledger: StoredLedger, table: Table, *names: str) -> list[Any]:
    """All of a table, as far as these columns say it."""
    kinds = tuple(str | int | None for _ in names)
    query: Query[Any] = Query(select(*(table.c[name] for name in names)), tuple[kinds])  # type: ignore[valid-type]
    return sorted(await ledger.reader.notes._reading.fetch(query), key=str)


async def fill(ledger: StoredLedger) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert(
            [schedule("sch_a", guild_id=GUILD, owner_id=ANNA), schedule("sch_b", state="deleted")]
        )
        await tx.runs.insert(
            [
                run("run_a", "sch_a", guild_id=GUILD),
                run("run_b", "sch_b", state=RunState.FAILED, ended=NOW, error=f"no <@{ANNA}>"),
            ]
        )
        await tx.runs.begin([attempt("run_b", error=f"{ANNA} is away")], [])
        for number in range(7):
            await tx.journal.append([
                event(guild_id=GUILD, schedule_id="sch_a", data=f'{{"n":{number}}}'),
                event(guild_id="1", schedule_id="sch_b", data=f'{{"actor":"{ANNA}"}}'),
                event(guild_id="1", schedule_id="sch_c", data="{}"),
            ])  # fmt: skip
        await tx.notes.remember_undo([
            undo("und_a", schedule_id="sch_a", guild_id=GUILD), undo("und_b", actor=ANNA, guild_id="1"),
            undo("und_c", actor="x", guild_id="1", before=f'"{ANNA}"'), undo("und_d", actor="x", guild_id="1"),
        ])  # fmt: skip
        for each in (
            answer(f"member:x:{GUILD}:k"), answer(f"member:{ANNA}:1:k"), answer("member:x:1:k"),
            answer("operator:o::k", f'{{"guild_id":"{GUILD}"}}'), answer("operator:o::l", f'{{"owner_id":"{ANNA}"}}'),
            answer("member:100000_00000000001:1:k"),
        ):  # fmt: skip
            await tx.notes.remember_answer(each)
        await tx.usage.charge(
            {
                UsageKey(f"guild:{GUILD}", "runs_per_day", "2027-01-15"): 3,
                UsageKey("guild:1", "runs_per_day", "2027-01-15"): 1,
            }
        )
        await tx.notes.put("guild", {GUILD: "{}", "1": "{}"})
        await tx.notes.put("rate", {f"guild:{GUILD}": "{}", "guild:1": "{}"})
        await tx.notes.put("handler", {f"far/{GUILD}": "{}", "far/": "{}"})
        await tx.notes.put("user", {ANNA: '"UTC"', "ben": '"UTC"'})
        figures: dict[str, Any] = {
            "at": NOW,
            "span": 1,
            "handler": "h",
            "method": "m",
            "core": "c",
            "succeeded": 1,
            "failed": 0,
            "lost": 0,
            "times": "{}",
        }
        await tx.history.put([HistoryRow(guild=guild, **figures) for guild in (GUILD, "", "1")])

    await ledger.write(unit)


async def erase(ledger: StoredLedger, whom: Whom) -> int:
    """Look every table through and remove what is found; how many spans there were."""
    spans = 0
    for place in PLACES:
        after: str | None = ""
        while after is not None:
            found, end = await ledger.reader.erasure.look_through(place, whom, after)

            async def unit(tx: Transaction, place: Place = place, found: list[Any] = found) -> None:
                await tx.erasure.remove(place, whom, found)

            await ledger.write(unit)
            after, spans = end, spans + 1
    return spans


async def test_what_is_a_guilds_is_found_in_every_table_and_removed(
    ledger: StoredLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "SPAN", 4)
    erasure._span.cache_clear()
    await fill(ledger)
    assert await erase(ledger, Whom(GUILD)) == 6 + 2 + 2
    erasure._span.cache_clear()
    assert [each for each in await rows(ledger, tables.journal, "guild_id") if each != ("1",)] == []
    assert len(await ledger.reader.journal.after(0, 100)) == 14
    assert [token for (token,) in await rows(ledger, tables.undos, "token")] == ["und_b", "und_c", "und_d"]
    assert [key for (key,) in await rows(ledger, tables.answers, "key")] == [
        "member:100000000000000001:1:k", "member:100000_00000000001:1:k", "member:x:1:k", "operator:o::l",
    ]  # fmt: skip


async def test_of_a_person_what_is_theirs_goes_and_elsewhere_their_name(ledger: StoredLedger) -> None:
    await fill(ledger)
    await erase(ledger, Whom(ANNA, person=True, schedules=("sch_b",)))
    events = await ledger.reader.journal.after(0, 100)
    assert {event.schedule_id for event in events} == {"sch_a", "sch_c"}
    assert [token for (token,) in await rows(ledger, tables.undos, "token")] == ["und_a", "und_d"]
    assert len(await rows(ledger, tables.answers, "key")) == 4

    async def unit(tx: Transaction) -> None:
        await tx.erasure.scrub_runs(Whom(ANNA, person=True), ["run_a", "run_b"])

    await ledger.write(unit)
    assert (await rows(ledger, tables.runs, "error")) == [("no <@erased>",), (None,)]
    assert await rows(ledger, tables.attempts, "error") == [("erased is away",)]


async def test_an_event_that_stays_says_nothing_of_who_is_gone(ledger: StoredLedger) -> None:
    await fill(ledger)
    await erase(ledger, Whom(ANNA, person=True))
    told = [event.data for event in await ledger.reader.journal.after(0, 100) if event.schedule_id == "sch_b"]
    assert told == [{"actor": "erased"}] * 7


async def test_small_things_go_by_their_keys(ledger: StoredLedger) -> None:
    await fill(ledger)

    async def unit(tx: Transaction) -> None:
        await tx.erasure.remove_small(Whom(GUILD), ("user",))
        await tx.erasure.remove_small(Whom(ANNA, person=True), ("guild",))
        await tx.erasure.remove_kind("rate")

    await ledger.write(lambda tx: tx.notes.put("key", {"key_1": f'{{"created_by":"member:{ANNA}"}}'}))
    await ledger.write(unit)
    assert await ledger.reader.notes.get("key", "key_1") == '{"created_by":"member:erased"}'
    await ledger.write(lambda tx: tx.notes.put("key", {"key_1": None}))
    assert await rows(ledger, tables.notes, "kind", "key") == [("guild", "1"), ("handler", "far/"), ("user", "ben")]
    kept = await rows(ledger, tables.usage, "scope")
    assert sorted(kept) == [("guild:1",), (f"guild:{GUILD}",)], "what was used of a quota is given back by no erasure"
    assert await rows(ledger, tables.handler_history, "guild") == [("",), ("1",)]


async def test_runs_and_schedules_are_found_by_guild_owner_and_schedule(ledger: StoredLedger) -> None:
    await fill(ledger)
    reads = ledger.reader.erasure
    assert await reads.runs_of_guild(GUILD, 9, ended=False) == ["run_a"]
    assert await reads.runs_of_guild(GUILD, 9, ended=True) == []
    assert await reads.runs_of(["sch_a", "sch_b"], 9, ended=True) == ["run_b"]
    assert await reads.runs_of(["sch_a", "sch_b"], 9, ended=False) == ["run_a"]
    assert await reads.runs_behind("sch_b", "", 9) == ["run_b"]
    assert await reads.runs_behind("sch_b", "run_b", 9) == []
    assert await reads.schedules_of_guild("1", 9, standing=False) == ["sch_b"]
    assert await reads.schedules_of_guild("1", 9, standing=True) == []
    assert await reads.owned(ANNA, 9) == ["sch_a"]
    await ledger.clear_traces()
