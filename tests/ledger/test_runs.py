from __future__ import annotations

import pytest

from core.ledger.port import (
    ActiveRun,
    ForbiddenTransition,
    Ledger,
    OccurrenceTaken,
    RunFilter,
    StaleMove,
    Transaction,
)
from core.ledger.rows import AttemptRow, Move, RunRow
from schedule_zero.run import TERMINAL, TRANSITIONS, RunState
from tests.ledger.making import NOW, attempt, begin, dispatch, end, event, finish, lease, run, save, schedule


async def move(ledger: Ledger, *moves: Move) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.runs.move(moves)

    await ledger.write(unit)


async def stored(ledger: Ledger, id: str) -> RunRow:
    row = await ledger.reader.runs.get(id)
    assert row is not None
    return row


async def test_a_run_comes_back_as_it_was_written(ledger: Ledger) -> None:
    full = run(
        "run_1", occurrence="c:run_0", guild_id=None, priority=2, start_before=NOW + 9, state=RunState.SKIPPED,
        attempt=2, not_before=NOW + 1, args="{}", result="1", reason="missed", error="é", missed="{}", ended=NOW,
        lost=1, line=0, charged="guild:1 runs_per_day 2026-03-03",
    )  # fmt: skip
    plain = run("run_2")
    await save(ledger, full, plain)
    assert await ledger.reader.runs.get("run_1") == full
    assert await ledger.reader.runs.get_many(["run_2", "run_1", "run_0"]) == {"run_1": full, "run_2": plain}
    assert await ledger.reader.runs.get("run_0") is None
    assert (await stored(ledger, "run_2")).state is RunState.WAITING


async def test_a_schedule_has_one_run_for_an_occurrence(ledger: Ledger) -> None:
    await save(ledger, run("run_1", occurrence=f"t:{NOW}"), run("run_2", "sch_2", occurrence=f"t:{NOW}"))
    with pytest.raises(OccurrenceTaken):
        await save(ledger, run("run_3", occurrence=f"t:{NOW + 1}"), run("run_4", occurrence=f"t:{NOW}"))
    assert set(await ledger.reader.runs.get_many(["run_1", "run_2", "run_3", "run_4"])) == {"run_1", "run_2"}
    found = await ledger.reader.runs.by_occurrence("sch_2", f"t:{NOW}")
    assert found is not None
    assert found.id == "run_2"
    assert await ledger.reader.runs.by_occurrence("sch_3", f"t:{NOW}") is None


async def test_thousands_of_runs_are_written_at_once(ledger: Ledger) -> None:
    rows = [run(f"run_{n:04}", due=n) for n in range(2_500)]
    await save(ledger, *rows)
    assert await ledger.reader.runs.waiting(None, 5_000) == rows


@pytest.mark.parametrize("before", RunState)
@pytest.mark.parametrize("after", RunState)
async def test_only_transitions_of_the_table_are_applied(ledger: Ledger, before: RunState, after: RunState) -> None:
    await save(ledger, run("run_1", state=before, attempt=1, ended=NOW if before in TERMINAL else None))
    change = Move(run_id="run_1", before=before, before_attempt=1, after=after, attempt=1, at=NOW + 5)
    if after in TRANSITIONS[before]:
        await move(ledger, change)
        row = await stored(ledger, "run_1")
        assert (row.state, row.ended) == (after, NOW + 5 if after in TERMINAL else None)
    else:
        with pytest.raises(ForbiddenTransition, match="run_1"):
            await move(ledger, change)
        assert (await stored(ledger, "run_1")).state is before


async def test_a_move_sets_what_it_names_and_keeps_arguments(ledger: Ledger) -> None:
    await save(ledger, run("run_1", reason="quota", not_before=NOW + 3), run("run_2", args='{"own":1}'))
    await move(ledger, dispatch("run_1", args='{"text":"hello"}'), dispatch("run_2"))
    first, second = await stored(ledger, "run_1"), await stored(ledger, "run_2")
    assert (first.args, first.attempt, first.reason, first.not_before) == ('{"text":"hello"}', 1, None, None)
    assert second.args == '{"own":1}'
    back = end("run_1", RunState.WAITING, not_before=NOW + 60, error="503", lost=1)
    await move(ledger, back, end("run_2", result='{"ok":true}', reason="fine"))
    first, second = await stored(ledger, "run_1"), await stored(ledger, "run_2")
    assert (first.state, first.not_before, first.error, first.lost) == (RunState.WAITING, NOW + 60, "503", 1)
    assert first.args == '{"text":"hello"}'
    assert (second.state, second.result, second.reason, second.ended) == (
        RunState.SUCCEEDED, '{"ok":true}', "fine", NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    "stale", [dispatch("run_1", before_attempt=1), dispatch("run_2"), dispatch("run_9")], ids=["attempt", "state", "id"]
)
async def test_a_move_from_a_state_that_does_not_stand_changes_nothing_at_all(ledger: Ledger, stale: Move) -> None:
    await save(ledger, run("run_1"), run("run_2", state=RunState.DISPATCHED), run("run_3"))
    with pytest.raises(StaleMove):
        await move(ledger, dispatch("run_3"), stale)
    assert (await stored(ledger, "run_3")).state is RunState.WAITING


@pytest.mark.parametrize(
    ("revision", "failures", "stands"),
    [(4, 2, True), (3, 2, False), (4, 1, False)],
    ids=["both", "revision", "failures"],
)
async def test_a_move_may_hang_on_how_its_schedule_stands(
    ledger: Ledger, revision: int, failures: int, stands: bool
) -> None:
    await save(ledger, schedule("sch_1", revision=4, failures=2), run("run_1"), run("run_2"))
    moving = move(ledger, dispatch("run_1"), dispatch("run_2", revision=revision, failures=failures))
    if stands:
        await moving
    else:
        with pytest.raises(StaleMove):
            await moving
    states = {(await stored(ledger, id)).state for id in ("run_1", "run_2")}
    assert states == {RunState.DISPATCHED if stands else RunState.WAITING}


async def test_what_an_attempt_needs_comes_with_the_run(ledger: Ledger) -> None:
    await save(
        ledger,
        schedule("sch_1", revision=4, failures=2, owner_id="9", metadata='{"a":"b"}', policy='{"p":1}'),
        run("run_1"),
        run("run_2", args='{"own":1}'),
        run("run_3", "sch_gone"),
    )

    async def unit(tx: Transaction) -> None:
        ready = await tx.runs.ready(["run_1", "run_2", "run_3", "run_4"])
        assert set(ready) == {"run_1", "run_2"}
        first = ready["run_1"]
        assert first.run == run("run_1")
        assert (first.args, first.owner_id, first.metadata) == ('{"text":"hello"}', "9", '{"a":"b"}')
        assert (first.policy, first.revision, first.schedule_state, first.failures) == ('{"p":1}', 4, "active", 2)
        assert ready["run_2"].args == '{"own":1}'

    await ledger.write(unit)


async def test_attempts_and_leases_live_from_begin_to_finish(ledger: Ledger) -> None:
    await save(ledger, run("run_1", due=2), run("run_2", due=1), run("run_3"))
    await begin(ledger, "run_1", "run_2")
    out = await ledger.reader.runs.open()
    assert [row.id for row, _, _ in out] == ["run_2", "run_1"]
    assert out[1][1:] == (attempt("run_1"), lease("run_1"))

    async def going(tx: Transaction) -> None:
        await tx.runs.started([("run_1", 1, NOW + 1)])
        await tx.runs.extend([lease("run_1", remaining=99, instance="there#2"), lease("run_9")])

    await ledger.write(going)
    (_, first, held) = (await ledger.reader.runs.open())[1]
    assert (first.started, held.remaining, held.instance) == (NOW + 1, 99, "there#2")
    await finish(ledger, "run_1", at=NOW + 2)
    assert [row.id for row, _, _ in await ledger.reader.runs.open()] == ["run_2"]
    ended = attempt("run_1", started=NOW + 1, ended=NOW + 2, outcome="succeeded")
    assert await ledger.reader.runs.attempts(["run_1", "run_2", "run_3"]) == {
        "run_1": [ended], "run_2": [attempt("run_2")],
    }  # fmt: skip


async def test_the_next_attempt_stands_beside_the_one_before(ledger: Ledger) -> None:
    await save(ledger, run("run_1"))
    await begin(ledger, "run_1")

    async def again(tx: Transaction) -> None:
        await tx.runs.move([end("run_1", RunState.WAITING, error="lost")])
        await tx.runs.finish([attempt("run_1", ended=NOW, outcome="lost", cause="passing", error="gone")])
        await tx.runs.move([dispatch("run_1", 2)])
        await tx.runs.begin([attempt("run_1", 2)], [lease("run_1", 2)])

    await ledger.write(again)
    first, second = (await ledger.reader.runs.attempts(["run_1"]))["run_1"]
    assert (first.outcome, first.cause, first.error, second.attempt, second.outcome) == (
        "lost", "passing", "gone", 2, None,
    )  # fmt: skip
    ((row, current, held),) = await ledger.reader.runs.open()
    assert (row.attempt, current.attempt, held.attempt) == (2, 2, 2)


async def test_an_attempt_without_its_lease_is_still_found_at_start(ledger: Ledger) -> None:
    await save(ledger, run("run_1"))

    async def unit(tx: Transaction) -> None:
        await tx.runs.move([dispatch("run_1")])
        await tx.runs.begin([attempt("run_1")], [])

    await ledger.write(unit)
    assert await ledger.reader.runs.open() == [
        (await stored(ledger, "run_1"), attempt("run_1"), lease("run_1", remaining=0))
    ]


async def test_a_late_answer_is_kept_once_and_changes_nothing_else(ledger: Ledger) -> None:
    await save(ledger, run("run_1"))
    await begin(ledger, "run_1")

    async def late(*answers: AttemptRow) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.runs.note_late(answers)

        await ledger.write(unit)

    before = await ledger.reader.runs.open()
    await late(attempt("run_1", ended=NOW, outcome="failed", instance="somebody@else"))
    await late(attempt("run_1", ended=NOW + 1, outcome="succeeded"), attempt("run_1", 7, outcome="failed"))
    await late(attempt("run_1", ended=NOW + 2, outcome="failed", cause="lasting"))
    ((kept,),) = (await ledger.reader.runs.attempts(["run_1"])).values()
    assert (kept.ended, kept.outcome, kept.cause) == (NOW + 1, "succeeded", None)
    after = await ledger.reader.runs.open()
    assert [row for row, _, _ in after] == [row for row, _, _ in before]
    assert [held for _, _, held in after] == [held for _, _, held in before]


async def test_active_runs_come_by_schedule_oldest_due_first(ledger: Ledger) -> None:
    await save(
        ledger,
        run("run_1", due=30),
        run("run_2", due=10, charged="guild:1 runs_per_day 2026-03-03"),
        run("run_3", due=20, state=RunState.RUNNING, attempt=2),
        run("run_4", due=5, state=RunState.SUCCEEDED, ended=NOW),
        run("run_5", "sch_2"),
        run("run_6", "sch_3"),
    )
    assert await ledger.reader.runs.active(["sch_1", "sch_2", "sch_9"]) == {
        "sch_1": [
            ActiveRun("run_2", "sch_1", RunState.WAITING, 0, 10, "guild:1 runs_per_day 2026-03-03", "m:run_2"),
            ActiveRun("run_3", "sch_1", RunState.RUNNING, 2, 20, None, "m:run_3"),
            ActiveRun("run_1", "sch_1", RunState.WAITING, 0, 30, None, "m:run_1"),
        ],
        "sch_2": [ActiveRun("run_5", "sch_2", RunState.WAITING, 0, NOW, None, "m:run_5")],
    }
    assert await ledger.reader.runs.counts() == {RunState.WAITING: 4, RunState.RUNNING: 1}


async def test_standing_is_state_and_attempt(ledger: Ledger) -> None:
    await save(ledger, run("run_1"), run("run_2", state=RunState.DISPATCHED, attempt=3))
    assert await ledger.reader.runs.standing(["run_1", "run_2", "run_3"]) == {
        "run_1": (RunState.WAITING, 0), "run_2": (RunState.DISPATCHED, 3),
    }  # fmt: skip


async def test_waiting_runs_are_paged_by_due_and_id(ledger: Ledger) -> None:
    dues = [("run_1", 20), ("run_2", 10), ("run_3", 20), ("run_4", 10), ("run_5", 30)]
    await save(ledger, *(run(id, due=due) for id, due in dues), run("run_6", due=5, state=RunState.RUNNING))
    seen: list[str] = []
    after: tuple[int, str] | None = None
    while page := await ledger.reader.runs.waiting(after, 2):
        seen += [row.id for row in page]
        after = (page[-1].due, page[-1].id)
    assert seen == ["run_2", "run_4", "run_1", "run_3", "run_5"]


async def test_waiting_runs_are_read_without_some_guilds_and_of_one_alone(ledger: Ledger) -> None:
    places = [("run_1", 20, "1"), ("run_2", 10, "2"), ("run_3", 20, None), ("run_4", 30, "1"), ("run_5", 40, "3")]
    await save(ledger, *(run(id, due=due, guild_id=guild) for id, due, guild in places))
    await save(ledger, run("run_6", due=5, state=RunState.RUNNING))
    reads = ledger.reader.runs

    def ids(page: list[RunRow]) -> list[str]:
        return [row.id for row in page]

    assert ids(await reads.waiting(None, 9, but=["2", "3"])) == ["run_1", "run_3", "run_4"]
    assert ids(await reads.waiting(None, 9, but=[None, "1"])) == ["run_2", "run_5"]
    assert ids(await reads.waiting((20, "run_1"), 1, but=[None])) == ["run_4"]
    assert ids(await reads.waiting_of("1", (0, ""), 9)) == ["run_1", "run_4"]
    assert ids(await reads.waiting_of("1", (20, "run_1"), 1)) == ["run_1"]
    assert ids(await reads.waiting_of("1", (20, "run_2"), 9)) == ["run_4"]
    assert ids(await reads.waiting_of(None, (0, ""), 9)) == ["run_3"]


async def test_the_waiting_runs_of_one_guild_are_counted_up_to_a_number(ledger: Ledger) -> None:
    async def saved(tx: Transaction) -> None:
        await tx.schedules.insert([schedule("sch_1", guild_id="1"), schedule("sch_2", guild_id="2")])

    await ledger.write(saved)
    await save(ledger, *(run(f"run_{number}", schedule_id="sch_1", guild_id="1") for number in range(3)))
    await save(ledger, run("run_5", schedule_id="sch_2", guild_id="2"))
    for number, state in enumerate((RunState.RUNNING, RunState.SUCCEEDED)):
        over = run(f"run_{number + 6}", schedule_id="sch_1", guild_id="1", state=state)
        over.ended = 1 if state is RunState.SUCCEEDED else None
        await save(ledger, over)
    reads = ledger.reader.runs
    assert [await reads.count_waiting("1", most) for most in (9, 3, 2)] == [3, 3, 2]
    assert await reads.count_waiting("3", 9) == 0


async def test_the_newest_run_of_each_schedule_is_found(ledger: Ledger) -> None:
    await save(
        ledger, run("run_1"), run("run_3", state=RunState.SKIPPED, ended=NOW), run("run_2"), run("run_0", "sch_2")
    )
    newest = await ledger.reader.runs.newest(["sch_1", "sch_2", "sch_3"])
    assert {key: row.id for key, row in newest.items()} == {"sch_1": "run_3", "sch_2": "run_0"}


async def test_a_listing_of_runs_filters_and_pages_newest_first(ledger: Ledger) -> None:
    await save(
        ledger,
        run("run_1", due=10),
        run("run_2", due=20, state=RunState.FAILED, ended=NOW),
        run("run_3", "sch_2", due=30),
        run("run_4", "sch_3", due=40, guild_id=None),
        run("run_5", "sch_4", due=50, guild_id="2"),
    )

    async def found(asked: RunFilter, before: str | None = None, limit: int = 10) -> list[str]:
        return [row.id for row in await ledger.reader.runs.page(asked, before, limit)]

    assert await found(RunFilter(any_guild=True)) == ["run_5", "run_4", "run_3", "run_2", "run_1"]
    assert await found(RunFilter(any_guild=True), before="run_4", limit=2) == ["run_3", "run_2"]
    assert await found(RunFilter(guild_id="1")) == ["run_3", "run_2", "run_1"]
    assert await found(RunFilter()) == ["run_4"]
    assert await found(RunFilter(guild_id="1", any_guild=True, schedule_id="sch_4")) == ["run_5"]
    assert await found(RunFilter(guild_id="1", schedule_id="sch_1", state="failed")) == ["run_2"]
    assert await found(RunFilter(guild_id="1", since=20)) == ["run_3", "run_2"]
    await save(ledger, schedule("sch_1"), schedule("sch_2", owner_id="8"), schedule("sch_4", guild_id="2"))
    assert await found(RunFilter(guild_id="1", owner_id="7")) == ["run_2", "run_1"]
    assert await found(RunFilter(any_guild=True, owner_id="7"), limit=2) == ["run_5", "run_2"]
    assert await found(RunFilter(guild_id="1", owner_id="nobody")) == []


async def test_old_runs_are_purged_with_their_attempts_and_open_ones_stay(ledger: Ledger) -> None:
    await save(ledger, *(run(f"run_{n}", created=n) for n in range(1, 6)))
    await begin(ledger, "run_1", "run_2", "run_4", "run_5")
    await finish(ledger, "run_1", "run_2", at=50)
    await finish(ledger, "run_4", at=100)

    async def purge(limit: int) -> int:
        async def unit(tx: Transaction) -> int:
            return await tx.runs.purge(100, limit)

        return await ledger.write(unit)

    assert [await purge(1), await purge(10), await purge(10)] == [1, 1, 0]
    left = [f"run_{n}" for n in range(1, 6)]
    assert set(await ledger.reader.runs.get_many(left)) == {"run_3", "run_4", "run_5"}
    assert set(await ledger.reader.runs.attempts(left)) == {"run_4", "run_5"}


async def test_old_runs_of_one_guild_are_purged_and_all_others_stay(ledger: Ledger) -> None:
    await save(ledger, *(run(f"run_{n}", created=n, guild_id="12"[n % 2]) for n in range(1, 8)))
    names = [f"run_{n}" for n in range(1, 8)]
    await begin(ledger, *names[:6])
    await finish(ledger, *names[:4], at=50)
    await finish(ledger, *names[4:6], at=100)

    async def purge(guild_id: str, limit: int) -> int:
        async def unit(tx: Transaction) -> int:
            return await tx.runs.purge_guild(guild_id, 100, limit)

        return await ledger.write(unit)

    assert [await purge("1", 1), await purge("1", 10), await purge("1", 10), await purge("3", 10)] == [1, 1, 0, 0]
    assert set(await ledger.reader.runs.get_many(names)) == {"run_1", "run_3", "run_5", "run_6", "run_7"}
    assert set(await ledger.reader.runs.attempts(names)) == {"run_1", "run_3", "run_5", "run_6"}


async def test_a_second_attempt_of_the_same_number_is_refused_whole(ledger: Ledger) -> None:
    await save(ledger, run("run_1"))
    await begin(ledger, "run_1")

    async def unit(tx: Transaction) -> None:
        await tx.runs.begin([attempt("run_1")], [lease("run_1")])
        await tx.journal.append([event()])

    with pytest.raises(Exception, match="refused a row"):
        await ledger.write(unit)
    assert await ledger.reader.journal.head() == (1, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 100, 1023, 1024, 1025, 2100])
async def test_any_number_of_runs_is_inserted_whole_or_not_at_all(ledger: Ledger, count: int) -> None:
    await save(ledger, run("run_taken", "sch_taken", occurrence="t:1"))

    with pytest.raises(OccurrenceTaken):
        await save(ledger, *(run(f"run_{n:04}") for n in range(count)), run("run_late", "sch_taken", occurrence="t:1"))
    await save(ledger, run("run_after"))
    assert [row.id for row in await ledger.reader.runs.waiting(None, 5000)] == ["run_after", "run_taken"]
    await save(ledger, *(run(f"run_{n:04}") for n in range(count)))
    assert await ledger.reader.runs.counts() == {RunState.WAITING: count + 2}


async def test_a_text_that_looks_like_an_escaped_nul_is_kept_and_one_with_nul_is_refused_whole(ledger: Ledger) -> None:
    await save(ledger, run("run_1"), run("run_2"))

    async def fails(tx: Transaction, id: str, error: str) -> None:
        await tx.runs.move(
            [Move(run_id=id, before=RunState.WAITING, before_attempt=0, after=RunState.CANCELLED, attempt=0, at=NOW,
                  error=error)]
        )  # fmt: skip

    await ledger.write(lambda tx: fails(tx, "run_1", "\\u0000"))
    assert (await stored(ledger, "run_1")).error == "\\u0000"
    with pytest.raises(ValueError, match="NUL"):
        await ledger.write(lambda tx: fails(tx, "run_2", "before\0after"))
    assert (await stored(ledger, "run_2")).state is RunState.WAITING
