"""What a due schedule turns into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.admit import Decision, advance_of, decide, events_of, look
from core.engine.plan import Plan
from core.ledger.port import ActiveRun
from schedule_zero.instant import HOUR, MINUTE, SECOND
from schedule_zero.run import RunState, SkipReason
from schedule_zero.schedule import Policy
from schedule_zero.trigger import CronTrigger, DateTrigger
from tests.engine.rows import T0, active_run, plan


def ids() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"run_{number}"


def fire(made: Plan, now: int, *active: ActiveRun) -> Decision:
    names = ids()
    firing = look(made, T0, now)
    return decide(firing, advance_of(firing), now, active, lambda: next(names))


def test_a_schedule_on_time_makes_one_run_and_steps_to_its_next_time() -> None:
    decision = fire(plan(), T0 + 1000)
    assert [(run.state, run.due, run.occurrence) for run in decision.runs] == [(RunState.WAITING, T0, f"t:{T0}")]
    assert (decision.advance.due, decision.advance.next_due, decision.advance.fired) == (T0, T0 + 5 * MINUTE, 1)


def test_a_one_shot_is_done_after_its_run() -> None:
    decision = fire(plan(DateTrigger(at="2026-01-01T00:00:00Z"), Policy(catchup_window=None)), T0 + HOUR * 500)
    assert [run.state for run in decision.runs] == [RunState.WAITING]
    assert (decision.advance.state, decision.advance.next_due) == ("done", None)


def test_an_outage_leaves_one_run_and_one_missed_row() -> None:
    decision = fire(plan(), T0 + 3 * HOUR + SECOND)
    missed, run = decision.runs
    assert (missed.state, missed.reason, missed.occurrence) == (RunState.SKIPPED, SkipReason.MISSED, f"t:{T0}")
    assert '"count":36' in (missed.missed or "")
    assert (run.state, run.due) == (RunState.WAITING, T0 + 3 * HOUR)
    assert decision.advance.next_due == T0 + 3 * HOUR + 5 * MINUTE


def test_what_lies_beyond_the_window_is_missed_and_not_run() -> None:
    daily = plan(CronTrigger(expression="0 0 * * *", timezone="UTC"))
    decision = fire(daily, T0 + 6 * HOUR)
    assert [(run.state, run.reason) for run in decision.runs] == [(RunState.SKIPPED, SkipReason.MISSED)]
    assert fire(daily, T0 + HOUR).runs[0].state is RunState.WAITING


def test_catchup_all_keeps_the_newest_up_to_its_limit() -> None:
    decision = fire(plan(policy=Policy(catchup="all", catchup_limit=3)), T0 + 30 * MINUTE)
    states = [(run.state, run.due) for run in decision.runs]
    assert states == [
        (RunState.SKIPPED, T0),
        (RunState.WAITING, T0 + 20 * MINUTE),
        (RunState.WAITING, T0 + 25 * MINUTE),
        (RunState.WAITING, T0 + 30 * MINUTE),
    ]
    assert all(run.line == 1 for run in decision.runs if run.state is RunState.WAITING)


def test_a_newer_run_supersedes_an_older_one_that_was_not_tried() -> None:
    tried = active_run("run_tried", attempt=1)
    decision = fire(plan(), T0, active_run(), tried)
    assert [(move.run_id, move.reason) for move in decision.moves] == [("run_old", SkipReason.SUPERSEDED)]


def test_overlap_skip_skips_while_one_is_under_way() -> None:
    busy = active_run(state=RunState.RUNNING, attempt=1)
    skipping = plan(policy=Policy(overlap="skip"))
    assert [run.reason for run in fire(skipping, T0, busy).runs] == [SkipReason.OVERLAP]
    assert [run.reason for run in fire(skipping, T0).runs] == [None]


def test_overlap_cancel_previous_asks_the_old_one_to_stop() -> None:
    busy = active_run(state=RunState.RUNNING, attempt=1)
    decision = fire(plan(policy=Policy(overlap="cancel_previous")), T0, busy)
    assert decision.cancel == ["run_old"]
    assert [run.state for run in decision.runs] == [RunState.WAITING]


def test_a_count_ends_the_series_and_an_outage_uses_it_up() -> None:
    assert fire(plan(count=2, fired=1), T0).advance.state == "done"
    outage = fire(plan(count=5), T0 + 10 * HOUR)
    assert (outage.advance.state, outage.advance.fired) == ("done", 5)
    assert [(run.state, run.reason) for run in outage.runs] == [(RunState.SKIPPED, SkipReason.MISSED)]


def test_jitter_moves_the_run_and_not_its_identity() -> None:
    made = plan(policy=Policy(jitter="PT30S"))
    first, again = fire(made, T0).runs[0], fire(made, T0).runs[0]
    assert first.due == again.due
    assert T0 <= first.due <= T0 + 30 * SECOND
    assert first.occurrence == f"t:{T0}"


def test_every_decision_tells_what_it_did() -> None:
    made = plan()
    decision = fire(made, T0 + HOUR, active_run())
    told = [(event.kind, event.run_id) for event in events_of(decision, made.row, T0)]
    assert told == [("run.skipped", "run_1"), ("run.created", "run_2"), ("run.skipped", "run_old")]


@given(
    behind=st.integers(min_value=0, max_value=2_000),
    extra=st.integers(min_value=0, max_value=5 * MINUTE - 1),
    catchup=st.sampled_from(["once", "skip", "all"]),
    window=st.sampled_from([None, "PT10M", "PT1H"]),
    count=st.one_of(st.none(), st.integers(min_value=1, max_value=50)),
)
def test_every_due_time_has_exactly_one_place(
    behind: int, extra: int, catchup: str, window: str | None, count: int | None
) -> None:
    policy = Policy(catchup=catchup, catchup_window=window)  # type: ignore[arg-type]
    now = T0 + behind * 5 * MINUTE + extra
    decision = fire(plan(policy=policy, count=count), now)
    due = [T0 + n * 5 * MINUTE for n in range(min(behind + 1, count or behind + 1))]
    singles = [int(run.occurrence[2:]) for run in decision.runs if run.missed is None]
    swallowed = [run for run in decision.runs if run.missed is not None]
    covered = list(singles)
    if swallowed:
        last = min(singles, default=due[-1] + 1)
        covered += [instant for instant in due if instant < last]
        assert f'"count":{len(due) - len(singles)}' in (swallowed[0].missed or "")
    assert sorted(covered) == due
    assert decision.advance.fired == len(due)
    assert len(swallowed) <= 1


@pytest.mark.parametrize("years", [1, 50])
def test_jumping_over_a_long_outage_does_not_walk(years: int) -> None:
    every_second = plan(CronTrigger(expression="* * * * *", timezone="Europe/Berlin"))
    decision = fire(every_second, T0 + years * 365 * 24 * HOUR)
    assert len(decision.runs) == 2
