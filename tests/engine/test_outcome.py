"""What an answer makes of its run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.flights import Flight
from core.engine.outcome import (
    CRASH_CAP,
    HANDED_BACK,
    Outcome,
    backoff,
    conclude,
    reason_in,
    unanswered,
    vanish,
    words_of,
)
from core.engine.plan import terms_of
from core.engine.ports import Answer
from core.ledger.rows import AttemptRow
from schedule_zero.instant import SECOND
from schedule_zero.run import Cause, RunState, head_of
from schedule_zero.schedule import Policy, Retry
from tests.engine.rows import T0, flight


def failed(cause: Cause, error: str = "no", retry_after_s: float | None = None) -> Answer:
    return Answer(
        run_id="run_1", attempt=1, instance="echo@1", kind="failed", cause=cause, error=error,
        retry_after_s=retry_after_s,
    )  # fmt: skip


def test_success_ends_the_run_and_clears_the_count_of_failures() -> None:
    outcome = conclude(flight(), Answer(run_id="run_1", attempt=1, instance="echo@1", kind="succeeded", value="1"), T0)
    assert (outcome.state, outcome.result, outcome.lasting) == (RunState.SUCCEEDED, "1", False)


def test_a_lasting_cause_ends_the_run_at_once_and_counts() -> None:
    outcome = conclude(flight(), failed(Cause.LASTING, "no_rights: may not write there"), T0)
    assert (outcome.state, outcome.reason, outcome.lasting) == (RunState.FAILED, "no_rights", True)


@pytest.mark.parametrize("cause", [Cause.PASSING, Cause.UNKNOWN])
def test_a_passing_cause_is_tried_again_until_the_attempts_are_used_up(cause: Cause) -> None:
    assert conclude(flight(attempt=1), failed(cause), T0).state is RunState.WAITING
    assert conclude(flight(attempt=2), failed(cause), T0).state is RunState.WAITING
    assert conclude(flight(attempt=3), failed(cause), T0).state is RunState.FAILED


def test_attempts_our_own_crash_took_do_not_count() -> None:
    outcome = vanish(flight(attempt=3, lost=2), T0, ours=True)
    assert (outcome.state, outcome.lost, outcome.not_before) == (RunState.WAITING, 3, T0)
    assert conclude(flight(attempt=5, lost=3), failed(Cause.PASSING), T0).state is RunState.WAITING


def test_a_run_that_takes_our_process_along_ends_at_the_cap() -> None:
    assert CRASH_CAP == 20
    assert vanish(flight(attempt=19, lost=18), T0, ours=True, before=18).state is RunState.WAITING
    ended = vanish(flight(attempt=20, lost=19), T0, ours=True, before=19)
    assert (ended.state, ended.reason, ended.lost) == (RunState.FAILED, "lost", 20)


def test_attempts_that_were_answered_interrupt_a_row_of_crashes() -> None:
    def over(*outcomes: str | None) -> int:
        return unanswered([
            AttemptRow(run_id="run_1", attempt=number, handler="echo", instance="echo@1", sent=T0, outcome=outcome)
            for number, outcome in enumerate(outcomes, 1)
        ])  # fmt: skip

    assert over() == over(None) == 0
    assert over("lost", "lost", None) == 2
    assert over("lost", "failed", "lost", None) == 1
    assert over("lost", "failed", None) == 0
    assert vanish(flight(attempt=500, lost=499), T0, ours=True, before=0).state is RunState.WAITING


def test_a_handler_that_asks_for_later_uses_up_no_attempt() -> None:
    outcome = conclude(flight(attempt=3), failed(Cause.PASSING, retry_after_s=7.0), T0)
    assert (outcome.state, outcome.not_before, outcome.lost) == (RunState.WAITING, T0 + 7 * SECOND, 1)


@pytest.mark.parametrize("max_attempts", [1, 20])
def test_it_may_ask_as_often_as_it_needs_and_soon_not_at_once(max_attempts: int) -> None:
    terms = Policy(retry=Retry(max_attempts=max_attempts))
    late = conclude(flight(terms, attempt=1000, lost=999), failed(Cause.PASSING, retry_after_s=0.0), T0)
    assert late.state is RunState.WAITING
    assert late.not_before is not None
    assert late.not_before > T0 + 200 * SECOND  # the longest delay of its own back-off


def test_asking_ends_with_the_time_in_which_the_run_may_start() -> None:
    asked = failed(Cause.PASSING, retry_after_s=7.0)
    assert conclude(flight(start_before=T0 + 8 * SECOND), asked, T0).state is RunState.WAITING
    assert conclude(flight(start_before=T0 + 6 * SECOND), asked, T0).state is RunState.FAILED


def test_at_most_once_is_never_tried_again() -> None:
    careful = flight(at_most_once=True)
    assert vanish(careful, T0, ours=True).state is RunState.FAILED
    assert vanish(careful, T0, ours=True).reason == "lost"
    assert conclude(careful, failed(Cause.PASSING, retry_after_s=1.0), T0).state is RunState.FAILED


def test_what_was_turned_away_before_it_began_is_tried_again_also_at_most_once() -> None:
    turned_away = Answer(
        run_id="run_1", attempt=1, instance="far@elsewhere", kind="failed", cause=Cause.PASSING, error="draining",
        retry_after_s=1.0, begun=False,
    )  # fmt: skip
    outcome = conclude(flight(at_most_once=True, lost=2), turned_away, T0)
    assert (outcome.state, outcome.lost) == (RunState.WAITING, 3)


def test_no_try_begins_after_start_before() -> None:
    assert conclude(flight(start_before=T0), failed(Cause.PASSING), T0).state is RunState.FAILED


def test_a_time_out_is_tried_again_and_then_ends_as_timed_out() -> None:
    gone = Answer(run_id="run_1", attempt=1, instance="echo@1", kind="cancelled")
    assert conclude(flight(stopping="timed_out"), gone, T0).state is RunState.WAITING
    assert conclude(flight(stopping="timed_out", attempt=3), gone, T0).state is RunState.TIMED_OUT


def test_what_its_handler_stopped_by_itself_is_handed_back_and_not_counted() -> None:
    gone = Answer(run_id="run_1", attempt=3, instance="echo@1", kind="cancelled")
    back = conclude(flight(attempt=3), gone, T0)
    assert (back.state, back.outcome, back.error, back.lost) == (RunState.WAITING, "cancelled", HANDED_BACK, 1)
    once = conclude(flight(at_most_once=True), gone, T0)
    assert (once.state, once.reason, once.error) == (RunState.FAILED, "lost", HANDED_BACK)


def test_a_cancelled_run_that_succeeds_after_all_has_succeeded() -> None:
    done = Answer(run_id="run_1", attempt=1, instance="echo@1", kind="succeeded", value="1")
    gone = Answer(run_id="run_1", attempt=1, instance="echo@1", kind="cancelled")
    assert conclude(flight(stopping="cancelled"), done, T0).state is RunState.SUCCEEDED
    assert conclude(flight(stopping="cancelled"), gone, T0).state is RunState.CANCELLED


def test_backoff_doubles_to_its_maximum_within_its_jitter() -> None:
    terms = terms_of(Policy(retry=Retry(initial="PT1S", maximum="PT8S", jitter=0.2)))
    for tried, exact in enumerate([1, 2, 4, 8, 8], 1):
        assert exact * 0.8 <= backoff(terms, "run_1", tried) <= exact * 1.2


def test_backoff_lists_and_fixed_delays_are_followed() -> None:
    listed = terms_of(Policy(retry=Retry(backoff="list", delays=("PT3S", "PT9S"), jitter=0)))
    fixed = terms_of(Policy(retry=Retry(backoff="fixed", initial="PT5S", jitter=0)))
    assert [backoff(listed, "run_1", n) for n in (1, 2, 3)] == [3, 9, 9]
    assert [backoff(fixed, "run_1", n) for n in (1, 2)] == [5, 5]


def test_the_word_at_the_head_of_a_rejection_is_its_reason() -> None:
    assert reason_in("no_rights: the author may not write there") == "no_rights"
    assert reason_in("Something Went Wrong: x") == "rejected"
    assert reason_in(None) == "rejected"


# ── what a policy names ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "head"),
    [
        ("ValueError: no such day", "ValueError"), ("ValueError: ", "ValueError"), ("no_rights: why", "no_rights"),
        ("draining", "draining"), ("java.io.IOException: gone", "java.io.IOException"), ("rate-limit: x", "rate-limit"),
        ("two words: x", None), ("404: gone", None), ("", None), (None, None), (": x", None), ("x" * 101, None),
        ("a\nb: c", None), ("Größenfehler: x", "Größenfehler"),
    ],
)  # fmt: skip
def test_the_head_of_an_error_is_the_word_it_begins_with(error: str | None, head: str | None) -> None:
    assert head_of(error) == head


def test_an_end_goes_by_its_cause_its_reason_and_the_head_of_its_error() -> None:
    assert words_of(Cause.UNKNOWN, "error", "ValueError: x") == {"unknown", "ValueError"}
    assert words_of(Cause.UNKNOWN, "error", "error: x") == {"unknown", "error"}  # as of ``struct.error``
    assert words_of(Cause.PASSING, "lost", "the handler went away") == {"passing", "lost"}
    assert words_of(Cause.LASTING, "rejected", "No: x") == {"lasting", "rejected", "No"}


WORDS = ["lost", "timed_out", "lasting", "passing", "unknown", "ValueError", "no_rights", "draining"]
policies = st.builds(
    Policy,
    retry=st.builds(
        Retry, max_attempts=st.integers(1, 4), jitter=st.sampled_from([0.0, 0.5]),
        retry_on=st.lists(st.sampled_from(WORDS), max_size=3).map(tuple),
        never_on=st.lists(st.sampled_from(WORDS), max_size=2).map(tuple),
    ),
)  # fmt: skip


@st.composite
def ends(draw: st.DrawFn) -> tuple[Flight, Outcome, set[str], bool, bool]:
    """An attempt under some policy, what becomes of it, its words, whether it counts, and whether it was begun."""
    attempt = draw(st.integers(1, 6))
    flown = flight(
        draw(policies), attempt=attempt, lost=draw(st.integers(0, attempt - 1)), at_most_once=draw(st.booleans()),
        start_before=draw(st.sampled_from([None, T0, T0 + 3 * SECOND, T0 + 10**15])),
        stopping=draw(st.sampled_from([None, None, "timed_out"])),
    )  # fmt: skip
    kind = draw(st.sampled_from(["crashed", "lost", "cancelled", "failed", "failed", "failed"]))
    if kind in ("crashed", "lost"):
        words, counts = {"passing", "lost"}, kind == "lost"
        return flown, vanish(flown, T0, ours=kind == "crashed"), words, counts, True
    error = draw(st.sampled_from(["ValueError: x", "no_rights: x", "draining", "what a day"]))
    cause = draw(st.sampled_from([*Cause]))
    again = draw(st.sampled_from([None, 0.0, 2.0])) if cause is not Cause.LASTING else None
    begun = again is None or draw(st.booleans())
    answer = Answer(
        run_id="run_1", attempt=attempt, instance="echo@1", kind=kind, cause=cause, error=error, retry_after_s=again,  # type: ignore[arg-type]
        begun=begun,
    )  # fmt: skip
    outcome = conclude(flown, answer, T0)
    if flown.stopping:
        return flown, outcome, {"passing", "timed_out"}, True, True
    if kind == "cancelled":
        return flown, outcome, {"passing", "lost"}, False, True
    words = {str(cause)} | {head for head in (head_of(error),) if head}
    return flown, outcome, words | ({"rejected"} if cause is Cause.LASTING else set()), again is None, begun


@given(ends())
def test_whatever_ends_is_tried_again_only_where_every_rule_allows_it(
    end: tuple[Flight, Outcome, set[str], bool, bool],
) -> None:
    flown, outcome, words, counts, begun = end
    retry, again = flown.terms.policy.retry, outcome.state is RunState.WAITING
    never = bool(words & set(retry.never_on)) and (begun or counts)
    assert outcome.lost == flown.lost + (not counts)
    assert (outcome.not_before is not None) == again
    if again:
        assert not never
        assert not (flown.at_most_once and begun)
        assert flown.start_before is None or (outcome.not_before or 0) <= flown.start_before
        assert not counts or flown.order.attempt - outcome.lost < retry.max_attempts
        assert not counts or not retry.retry_on or words & set(retry.retry_on)
        assert "lasting" not in words or words & set(retry.retry_on)
        assert outcome.lasting is None
    elif flown.start_before is None and not (flown.at_most_once and begun) and not never:
        named = bool(words & set(retry.retry_on)) if retry.retry_on else "lasting" not in words
        assert counts
        assert not named or flown.order.attempt - outcome.lost >= retry.max_attempts
    if outcome.lasting:
        assert "lasting" in words or never


@given(ends())
def test_nothing_but_a_success_clears_the_count_and_nothing_of_ours_counts(
    end: tuple[Flight, Outcome, set[str], bool, bool],
) -> None:
    _, outcome, words, counts, _ = end
    assert outcome.lasting is not False
    if "lost" in words and not counts:
        assert outcome.lasting is None
