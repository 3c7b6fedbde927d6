from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.governor.limits import REMEMBERED, RateLimit, RunningLimit
from core.governor.verdict import Wait


def limit(rate: str, burst: int | None = None) -> RateLimit:
    return RateLimit("guild:1", rate, burst, {})


def test_a_burst_starts_at_once_and_then_one_per_interval() -> None:
    pace = limit("30/min", burst=3)
    for _ in range(3):
        assert pace.check(100.0) is None
        pace.take(100.0)
    assert pace.check(100.0) == Wait("guild:1", "rate", 3, 3, 102.0)
    assert pace.check(101.999) is not None
    assert pace.check(102.0) is None


def test_without_a_burst_the_count_of_the_rate_may_start_at_once() -> None:
    pace = limit("30/min")
    for _ in range(30):
        assert pace.check(0.0) is None
        pace.take(0.0)
    assert pace.check(0.0) == Wait("guild:1", "rate", 30, 30, 2.0)


def test_looking_charges_nothing() -> None:
    pace = limit("1/s")
    assert pace.check(0.0) is None
    assert pace.check(0.0) is None


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 9), st.sampled_from(["1/s", "7/s", "30/min"]))
def test_no_window_ever_holds_more_than_burst_and_rate(pauses: list[float], burst: int, rate: str) -> None:
    pace, now, taken = limit(rate, burst), 0.0, []
    for pause in pauses:
        now += pause
        while pace.check(now) is None:
            pace.take(now)
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            window = taken[last] - taken[first]
            assert last - first + 1 <= burst + window / pace.interval + 1e-6


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=2, max_size=30), st.data())
def test_undoing_a_start_is_as_if_it_had_never_been(pauses: list[float], data: st.DataObject) -> None:
    pace, now, taken = limit("2/s", burst=1000), 10.0, []
    for pause in pauses:
        now += pause
        pace.take(now)
        taken.append(now)
    undone = data.draw(st.sets(st.sampled_from(range(len(taken))), max_size=len(taken)))
    for place in undone:
        pace.undo(taken[place])
    expected = -math.inf
    for place, at in enumerate(taken):
        if place not in undone:
            expected = max(expected, at) + pace.interval
    assert max(pace.tat, now) == pytest.approx(max(expected, now))


def test_a_start_whose_time_nobody_knows_stays_charged() -> None:
    pace = limit("2/s")
    pace.take(10.0)
    pace.undo(None)
    assert pace.tat == 10.5


def test_more_starts_than_are_remembered_are_counted_all_the_same() -> None:
    pace = limit("1/s", burst=10_000)
    for place in range(REMEMBERED + 100):
        pace.take(place / 1000)
    assert pace.tat == pytest.approx(REMEMBERED + 100)
    pace.undo(0.0)  # too long ago: it stays charged
    assert pace.tat == pytest.approx(REMEMBERED + 100)
    pace.undo((REMEMBERED + 99) / 1000)
    assert pace.tat == pytest.approx(REMEMBERED + 99)


def test_running_counts_where_nothing_is_limited_and_never_below_zero() -> None:
    running = RunningLimit("global", None)
    running.take(0.0)
    assert running.used == 1
    assert not running.refuses
    assert running.release(1.0, 0.0) is None
    assert running.release(1.0, 0.0) is None
    assert running.used == 0


def test_only_the_end_that_makes_room_tells_the_scope() -> None:
    running = RunningLimit("guild:1", 2)
    running.take(0.0)
    running.take(0.0)
    assert running.check(0.0) == Wait("guild:1", "running", 2, 2)
    assert running.release(1.0, 0.0) == "guild:1"
    assert running.release(1.0, 0.0) is None
