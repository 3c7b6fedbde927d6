"""How the attempts of a method went lately: counted right, forgotten in time, and small whatever runs."""

from __future__ import annotations

import random
import statistics

import pytest

from core.engine.health import failing
from core.engine.outcome import Outcome
from core.engine.tally import MOST_METHODS, SLICE_S, WINDOW_S, Slice, Tally
from schedule_zero.run import RunState
from tests.engine.rows import flight

ECHO = ("echo",)


def note(tally: Tally, word: str, took_s: float | None = 0.1, now: float = 1000.0, lost: int = 0) -> None:
    tally.note(flight(), Outcome(state=RunState.FAILED, outcome=word, lost=lost), took_s, now)


def test_it_counts_what_succeeded_failed_and_was_lost() -> None:
    tally = Tally()
    for word in ("succeeded", "succeeded", "failed", "timed_out", "lost"):
        note(tally, word, None if word == "lost" else 0.1)
    lately = tally.lately("echo", ECHO, 1000.0)
    assert (lately.counts, lately.success_rate, sum(lately.times.values())) == ([2, 2, 1], 0.4, 4)


@pytest.mark.parametrize(("word", "lost"), [("cancelled", 0), ("failed", 1), ("lost", 1)])
def test_what_was_called_off_put_off_or_died_with_us_says_nothing_of_its_method(word: str, lost: int) -> None:
    tally = Tally()
    note(tally, word, lost=lost)
    assert tally.lately("echo", ECHO, 1000.0).success_rate is None


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_quantile_is_right_to_a_tenth(part: float) -> None:
    dice, tally = random.Random(7), Tally()
    times = [dice.lognormvariate(-3, 1.5) for _ in range(20_000)]
    for took in times:
        note(tally, "succeeded", took)
    true = statistics.quantiles(times, n=100)[round(part * 100) - 1]
    assert tally.lately("echo", ECHO, 1000.0).quantile(part) == pytest.approx(true, rel=0.11)


@pytest.mark.parametrize("took_s", [0.0, 1e-9, 1e-6, 1.0, 1e6])
def test_the_shortest_and_the_longest_time_have_their_class(took_s: float) -> None:
    tally = Tally()
    note(tally, "succeeded", took_s)
    assert tally.lately("echo", ECHO, 1000.0).quantile(0.5) == pytest.approx(took_s, rel=0.2, abs=2e-6)


def test_what_left_the_window_is_forgotten_but_for_the_totals() -> None:
    tally = Tally()
    note(tally, "failed", now=0.0)
    note(tally, "succeeded", now=WINDOW_S - 1)
    assert tally.lately("echo", ECHO, WINDOW_S - 1).counts == [1, 1, 0]
    assert tally.lately("echo", ECHO, WINDOW_S).counts == [1, 0, 0]
    note(tally, "succeeded", now=3 * WINDOW_S)
    assert tally.lately("echo", ECHO, 3 * WINDOW_S).counts == [1, 0, 0]
    assert tally.total("echo", "echo") == [2, 1, 0]


def test_it_stays_small_however_long_it_runs() -> None:
    tally = Tally()
    for minute in range(1000):
        note(tally, "succeeded", 0.001 * 1.5 ** (minute % 20), now=minute * SLICE_S)
    record = tally._records["echo", "echo"][None]
    assert len(record.slices) <= WINDOW_S / SLICE_S
    assert tally.total("echo", "echo") == [1000, 0, 0]


def test_handlers_of_one_name_that_work_for_one_guild_each_are_counted_apart() -> None:
    tally = Tally()
    note(tally, "succeeded")
    for guild_id in ("1", "2", "2"):
        theirs = flight(confined=True)
        theirs.order.guild_id = guild_id
        tally.note(theirs, Outcome(state=RunState.FAILED, outcome="failed"), 0.1, 1000.0)
    assert tally.lately("echo", ECHO, 1000.0).counts == [1, 3, 0]
    assert tally.lately("echo", ECHO, 1000.0, (None,)).counts == [1, 0, 0]
    assert (
        tally.lately("echo", ECHO, 1000.0, (None, "1")).counts == tally.total("echo", "echo", (None, "1")) == [1, 1, 0]
    )
    assert tally.lately("echo", ECHO, 1000.0, ("2",)).counts == [0, 2, 0]


def test_more_methods_than_any_house_has_are_not_counted() -> None:
    tally = Tally()
    for number in range(MOST_METHODS + 5):
        other = flight()
        other.order.method = f"m{number}"
        tally.note(other, Outcome(state=RunState.SUCCEEDED, outcome="succeeded"), 0.1, 0.0)
    assert len(tally._records) == MOST_METHODS


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([0, 9, 0], None),
        ([5, 5, 0], None),
        ([4, 6, 0], "6 of its last 10 attempts failed"),
        ([0, 8, 4], "12 of its last 12 attempts failed, 4 of them lost"),
        ([0, 0, 0], None),
    ],
)
def test_a_handler_fails_when_most_of_enough_attempts_did(counts: list[int], words: str | None) -> None:
    assert failing(Slice(0, counts)) == words
