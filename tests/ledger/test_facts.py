from __future__ import annotations

import pytest

from core.ledger.port import Ledger, NameTaken, Transaction
from core.ledger.rows import AnswerRow, UsageKey
from tests.ledger.making import NOW, audit_line, save, schedule, undo

DAY = UsageKey("guild:1", "runs_per_day", "2026-11-21")
HOUR = UsageKey("guild:1", "runs_per_hour", "2026-11-21T05")


async def charge(ledger: Ledger, amounts: dict[UsageKey, int]) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.usage.charge(amounts)

    await ledger.write(unit)


async def test_usage_adds_up_and_what_was_never_charged_is_zero(ledger: Ledger) -> None:
    await charge(ledger, {DAY: 3, HOUR: 1})
    await charge(ledger, {DAY: 2})
    other = UsageKey("guild:2", "runs_per_day", "2026-11-21")
    assert await ledger.reader.usage.used([DAY, HOUR, other]) == {DAY: 5, HOUR: 1, other: 0}
    assert await ledger.reader.usage.used([]) == {}


async def test_a_question_that_travels_with_the_next_sees_what_its_unit_wrote_before(ledger: Ledger) -> None:
    await charge(ledger, {DAY: 3})

    async def unit(tx: Transaction) -> list[dict[UsageKey, int]]:
        await tx.usage.charge({DAY: 2})
        before = tx.usage.ask([DAY, HOUR])
        await tx.usage.charge({DAY: 10})
        await tx.runs.active([])
        after = tx.usage.ask([DAY])
        return [await before, await before, await after]

    seen = await ledger.write(unit)
    assert seen == [{DAY: 5, HOUR: 0}, {DAY: 5, HOUR: 0}, {DAY: 15}]


async def test_an_answer_is_there_although_the_question_behind_it_was_refused(ledger: Ledger) -> None:
    await charge(ledger, {DAY: 3})
    await save(ledger, schedule("sch_1", name="taken"))

    async def unit(tx: Transaction) -> dict[UsageKey, int]:
        asked = tx.usage.ask([DAY])
        with pytest.raises(NameTaken):
            await tx.schedules.insert([schedule("sch_2", name="taken")])
        return await asked

    assert await ledger.write(unit) == {DAY: 3}


async def test_what_is_given_back_never_makes_a_counter_negative(ledger: Ledger) -> None:
    await charge(ledger, {DAY: 3})
    await charge(ledger, {DAY: -2, HOUR: -1})
    assert await ledger.reader.usage.used([DAY, HOUR]) == {DAY: 1, HOUR: 0}
    await charge(ledger, {DAY: -5, HOUR: 2})
    assert await ledger.reader.usage.used([DAY, HOUR]) == {DAY: 0, HOUR: 2}


async def test_counters_of_earlier_periods_are_dropped(ledger: Ledger) -> None:
    old = UsageKey("guild:1", "runs_per_day", "2026-11-20")
    await charge(ledger, {DAY: 1, old: 1})

    async def unit(tx: Transaction) -> None:
        await tx.usage.purge("2026-11-21")

    await ledger.write(unit)
    assert await ledger.reader.usage.used([DAY, old]) == {DAY: 1, old: 0}


async def test_documents_are_written_replaced_and_removed(ledger: Ledger) -> None:
    async def put(**documents: str | None) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.notes.put("settings", documents)

        await ledger.write(unit)

    await put(a="1", b="2")
    await put(a="3", b=None, c=None)
    assert await ledger.reader.notes.all("settings") == {"a": "3"}
    assert await ledger.reader.notes.get("settings", "a") == "3"
    assert await ledger.reader.notes.get("settings", "b") is None
    assert await ledger.reader.notes.get("zones", "a") is None


async def test_an_undo_token_is_remembered_until_it_is_used_or_runs_out(ledger: Ledger) -> None:
    rows = [undo("a", before='{"id":"sch_1"}'), undo("b", until=NOW), undo("c")]

    async def remember(tx: Transaction) -> None:
        await tx.notes.remember_undo(rows)

    async def forget(tx: Transaction) -> None:
        await tx.notes.forget_undo("c")
        await tx.notes.purge(now=NOW, audit_before=0)

    await ledger.write(remember)
    assert await ledger.reader.notes.undo("b") == rows[1]
    await ledger.write(forget)
    assert [await ledger.reader.notes.undo(token) for token in "abc"] == [rows[0], None, None]


async def test_an_answer_is_remembered_until_it_runs_out(ledger: Ledger) -> None:
    kept = AnswerRow(key="k", digest="d", answer='{"id":"sch_1"}', until=NOW + 1)

    async def remember(tx: Transaction) -> None:
        await tx.notes.remember_answer(AnswerRow(key="k", digest="old", answer="{}", until=NOW))
        await tx.notes.remember_answer(kept)

    async def purge(now: int) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.notes.purge(now=now, audit_before=0)

        await ledger.write(unit)

    await ledger.write(remember)
    await purge(NOW)
    assert await ledger.reader.notes.answer("k") == kept
    await purge(NOW + 1)
    assert await ledger.reader.notes.answer("k") is None


async def test_audit_lines_are_kept_for_their_time(ledger: Ledger) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.notes.audit([audit_line(at=NOW + n) for n in range(3)])
        await tx.notes.purge(now=NOW, audit_before=NOW + 2)

    await ledger.write(unit)
