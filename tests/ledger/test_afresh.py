"""Beginning afresh in a restored backup, on every store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.engine.afresh import CALENDAR_LINK, RESTORED, Missed, begin_afresh
from core.engine.books import names_of
from core.ledger.ledger import StoredLedger
from core.ledger.port import RunFilter, Transaction
from core.ledger.rows import SessionRow, UsageKey
from schedule_zero.event import Event
from schedule_zero.instant import SECOND, spell
from schedule_zero.run import RunState
from tests.ledger.conftest import Opening
from tests.ledger.making import MINUTE, NOW, begin, run, save, schedule

HOUR = 60 * MINUTE
LATER = NOW + HOUR + MINUTE // 2
DATE = '{"type":"date","at":"2027-01-15T08:01:00Z"}'


@pytest.fixture
async def backup(opening: Opening) -> AsyncIterator[StoredLedger]:
    """As a backup was: of NOW, when a run waited, one waited for another day, and one was under way."""
    ledger = opening(None)
    await ledger.open()
    await save(
        ledger,
        schedule("sch_series"),
        schedule("sch_once", trigger=DATE),
        schedule("sch_ahead", next_due=LATER + MINUTE),
        schedule("sch_paused", state="paused", next_due=None),
        run("run_waits", "sch_series"),
        run("run_put_off", "sch_series", not_before=LATER + HOUR),
        run("run_ahead", "sch_series", due=LATER + 1),
        run("run_out", "sch_series"),
        run("run_again", "sch_series", attempt=1),
    )
    await begin(ledger, "run_out")
    yield ledger
    await ledger.close()


async def told(ledger: StoredLedger) -> list[Event]:
    return await ledger.reader.journal.after(0, 1000)


async def states(ledger: StoredLedger) -> dict[str, tuple[RunState, str | None]]:
    names = ["run_waits", "run_put_off", "run_ahead", "run_out", "run_again"]
    rows = await ledger.reader.runs.get_many(names)
    return {name.removeprefix("run_"): (rows[name].state, rows[name].reason) for name in names}


async def test_what_was_due_since_the_backup_is_one_missed_row_for_each_schedule(backup: StoredLedger) -> None:
    passed = await begin_afresh(backup, LATER, "skip")
    assert passed.schedules == 2
    found = [row for row in await backup.reader.runs.page(RunFilter(any_guild=True), None, 100) if row.missed]
    missed = {row.schedule_id: row for row in found}
    assert len(found) == len(missed) == 2
    assert {(row.state, row.reason, row.ended) for row in found} == {(RunState.SKIPPED, "missed", LATER)}
    assert missed["sch_series"].missed == f'{{"from":"{spell(NOW + MINUTE)}","to":"{spell(NOW + HOUR)}","count":60}}'
    assert missed["sch_once"].due == NOW + MINUTE
    rows = await backup.reader.schedules.get_many(["sch_series", "sch_once", "sch_ahead"])
    assert (rows["sch_series"].next_due, rows["sch_series"].fired) == (NOW + HOUR + MINUTE, 60)
    assert (rows["sch_once"].state, rows["sch_once"].next_due) == ("done", None)
    assert rows["sch_ahead"].next_due == LATER + MINUTE
    kinds = [(event.kind, event.schedule_id) for event in await told(backup)]
    assert kinds.count(("run.skipped", "sch_once")) == 1
    assert kinds.count(("schedule.completed", "sch_once")) == 1


async def test_what_waited_or_was_under_way_is_not_done_again(backup: StoredLedger) -> None:
    passed = await begin_afresh(backup, LATER, "skip")
    assert passed.runs == 3
    assert await states(backup) == {
        "waits": (RunState.SKIPPED, "missed"),
        "put_off": (RunState.WAITING, None),
        "ahead": (RunState.WAITING, None),
        "out": (RunState.CANCELLED, RESTORED),
        "again": (RunState.CANCELLED, RESTORED),
    }
    assert await backup.reader.runs.open() == []
    ((attempt,),) = (await backup.reader.runs.attempts(["run_out"])).values()
    assert (attempt.ended, attempt.outcome, attempt.error) == (LATER, "cancelled", RESTORED)


async def test_quotas_get_back_what_is_skipped_untried_and_nothing_else(
    backup: StoredLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.afresh._PAGE", 2)
    counters = [UsageKey("guild:1", "day", "2027-01-15"), UsageKey("handler:echo.say", "hour", "2027-01-15T08")]
    names = names_of(counters)
    charged = [run(f"run_charged_{n}", "sch_series", charged=names) for n in range(5)]
    await save(
        backup,
        *charged,
        run("run_tried", "sch_series", attempt=1, charged=names),
        run("run_counted_later", "sch_series", due=LATER + 1, charged=names),
    )

    async def count(tx: Transaction) -> None:
        await tx.usage.charge(dict.fromkeys(counters, 7))

    await backup.write(count)
    for _ in range(2):  # a second time gives nothing more back
        await begin_afresh(backup, LATER, "skip")
        assert await backup.reader.usage.used(counters) == dict.fromkeys(counters, 2)


async def test_a_second_time_there_is_nothing_more_to_pass_over(backup: StoredLedger) -> None:
    await begin_afresh(backup, LATER, "skip")
    before = len(await told(backup))
    again = await begin_afresh(backup, LATER, "skip")
    assert (again.schedules, again.runs) == (0, 0)
    assert len(await told(backup)) == before


async def test_what_shall_fire_is_left_to_the_next_core(backup: StoredLedger) -> None:
    before = await states(backup), len(await told(backup))
    passed = await begin_afresh(backup, LATER, "fire")
    assert (passed.schedules, passed.runs) == (0, 0)
    assert (await states(backup), len(await told(backup))) == before
    rows = await backup.reader.schedules.get_many(["sch_series", "sch_once"])
    assert {row.next_due for row in rows.values()} == {NOW + MINUTE}


async def test_a_schedule_that_cannot_be_computed_keeps_no_other_from_being_restored(backup: StoredLedger) -> None:
    broken = [
        schedule(f"sch_broken_{n}", trigger='{"type":"cron","expression":"never"}', next_due=NOW) for n in range(3)
    ]
    await save(backup, *broken)
    assert (await begin_afresh(backup, LATER, "skip")).schedules == 2
    assert (await backup.reader.schedules.get_many(["sch_broken_1"]))["sch_broken_1"].next_due == NOW


@pytest.mark.parametrize("missed", ["skip", "fire"])
async def test_every_calendar_link_is_ended_for_it_may_have_been_ended_since(
    backup: StoredLedger, missed: Missed
) -> None:
    async def remember(tx: Transaction) -> None:
        await tx.notes.put(CALENDAR_LINK, {"user:7": "{}", "guild:1": "{}"})
        await tx.notes.put("zone", {"user:7": "{}"})

    await backup.write(remember)
    assert (await begin_afresh(backup, LATER, missed)).links == 2
    assert await backup.reader.notes.all(CALENDAR_LINK) == {}
    assert await backup.reader.notes.all("zone") == {"user:7": "{}"}
    assert (await begin_afresh(backup, LATER, missed)).links == 0


@pytest.mark.parametrize("missed", ["skip", "fire"])
async def test_the_next_core_finds_another_epoch_and_nobody_signed_in(opening: Opening, missed: str) -> None:
    ledger = opening(None)
    await ledger.open()

    async def sign_in(tx: Transaction) -> None:
        await tx.sessions.add(
            SessionRow(digest="d", id="ses_1", holder="7", begun=NOW, used=NOW, until=LATER + HOUR, document="{}")
        )
        await tx.journal.acknowledge("somebody", 1, 0)

    await ledger.write(sign_in)
    for time in (LATER, LATER - HOUR):  # the clock may have been set back between two restorings
        before, head = await ledger.reader.journal.head()
        await begin_afresh(ledger, time, missed)  # type: ignore[arg-type]
        await ledger.close()
        ledger = opening(None)
        await ledger.open()
        epoch, seq = await ledger.reader.journal.head()
        assert epoch > before
        assert epoch >= time // SECOND
        assert seq == head
    assert await ledger.reader.sessions.get("d") is None
    assert await ledger.reader.journal.cursor("somebody") == (1, 0)
    await ledger.close()
