from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.compile import BadTrigger, compile_rule
from core.timing.interval import MonthsPattern
from core.timing.rule import LATEST
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND
from schedule_zero.trigger import IntervalTrigger
from tests.timing.walls import dates, due_after, instant, interval, local_times, unhurried

ANCHOR = instant("2026-01-01 00:00")


def test_without_a_start_the_first_is_one_interval_after_the_making() -> None:
    rule = interval("PT15M")
    assert due_after(rule, 0, 2) == [ANCHOR + 15 * MINUTE, ANCHOR + 30 * MINUTE]


def test_with_a_start_the_first_is_the_start() -> None:
    rule = interval("PT15M", "2026-02-01T10:07:00")
    first = instant("2026-02-01 10:07")
    assert due_after(rule, 0, 2) == [first, first + 15 * MINUTE]
    assert (rule.count_between(0, first), rule.count_between(first, first + 15 * MINUTE)) == (1, 1)
    assert (rule.last_until(first), rule.last_until(first - 1)) == (first, None)


@pytest.mark.parametrize("start", ["2199-12-31T20:00:00", "2199-12-31T16:30:00"])
def test_an_interval_too_is_never_due_in_2200(start: str) -> None:
    rule = interval("PT1H", start, "America/New_York")
    assert due_after(rule, LATEST - 8 * HOUR, 9) == rule.upcoming(LATEST - 8 * HOUR, 9)
    assert rule.next_after(LATEST - 1) is None
    last = rule.last_until(LATEST + DAY)
    assert last is None or instant(start.replace("T", " "), "America/New_York") <= last < LATEST
    assert rule.count_between(0, LATEST + DAY) == len(due_after(rule, 0, 99))


def test_the_start_of_the_schedule_is_the_anchor_where_the_trigger_has_none() -> None:
    start = instant("2026-02-01 10:07")
    trigger = IntervalTrigger("PT1H")
    rule = compile_rule(trigger, timezone="UTC", anchor=ANCHOR, start=start)
    assert due_after(rule, 0, 2) == [start, start + HOUR]


def test_a_start_with_an_offset_is_an_instant_and_one_without_is_local() -> None:
    assert interval("PT1H", "2026-02-01T10:00:00+05:00").next_after(0) == instant("2026-02-01 05:00")
    assert interval("PT1H", "2026-02-01T10:00:00", "Europe/Berlin").next_after(0) == instant("2026-02-01 09:00")


@unhurried
@given(st.integers(1, 400 * DAY // SECOND), st.integers(ANCHOR - 10**14, ANCHOR + 10**14), st.integers(0, 10**14))
def test_next_last_and_count_agree(seconds: int, after: int, span: int) -> None:
    rule = interval(f"PT{seconds}S")
    following = rule.next_after(after)
    assert following is not None
    assert following > after
    assert (following - ANCHOR) % (seconds * SECOND) == 0
    assert following == ANCHOR + seconds * SECOND or following - seconds * SECOND <= after
    last = rule.last_until(after + span)
    assert last is None or (last <= after + span and rule.next_after(last) == last + seconds * SECOND)
    every = seconds * SECOND
    steps = (after + span - ANCHOR) // every - max(0, (after - ANCHOR) // every)
    assert rule.count_between(after, after + span, 10**15) == max(0, steps)


@pytest.mark.parametrize(
    ("every", "start", "month_end", "expected"),
    [
        ("P1M", "2026-01-31T09:00:00", None, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("P1M", "2026-01-31T09:00:00", "clamp", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("P1M", "2026-01-31T09:00:00", "skip", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("P1M", "2026-04-30T09:00:00", "clamp", ["2026-04-30", "2026-05-30", "2026-06-30"]),
        ("P1M", "2026-04-30T09:00:00", "last", ["2026-04-30", "2026-05-31", "2026-06-30"]),
        ("P1M", "2026-04-29T09:00:00", "last", ["2026-04-29", "2026-05-29", "2026-06-29"]),
        ("P1Y", "2024-02-29T09:00:00", None, ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("P1Y", "2024-02-29T09:00:00", "skip", ["2024-02-29", "2028-02-29", "2032-02-29"]),
        ("P3M", "2026-01-15T09:00:00", None, ["2026-01-15", "2026-04-15", "2026-07-15"]),
        ("P1Y6M", "2026-01-15T09:00:00", None, ["2026-01-15", "2027-07-15", "2029-01-15"]),
    ],
)
def test_months_and_years_step_on_the_calendar(
    every: str, start: str, month_end: str | None, expected: list[str]
) -> None:
    assert dates(interval(every, start, month_end=month_end), "2020-01-01 00:00", len(expected)) == expected


def test_months_without_a_start_count_from_the_making_and_leave_it_out() -> None:
    assert dates(interval("P1M"), "2020-01-01 00:00", 2) == ["2026-02-01", "2026-03-01"]


def test_a_century_of_29ths_of_february_is_found_across_the_year_2100() -> None:
    assert dates(interval("P1Y", "2024-02-29T09:00:00", month_end="skip"), "2096-03-01 00:00", 1) == ["2104-02-29"]


@unhurried
@given(
    st.integers(1, 60),
    st.integers(instant("1950-01-01 00:00"), instant("2090-01-01 00:00")),
    st.sampled_from(["clamp", "skip", "last"]),
    st.integers(instant("1940-01-01 00:00"), instant("2120-01-01 00:00")),
)
def test_looking_back_over_months_agrees_with_looking_forward(
    months: int, anchor: int, month_end: str, wall: int
) -> None:
    pattern = MonthsPattern(anchor, months, month_end, with_anchor=True)
    following = pattern.next_after(wall)
    assert following is not None
    assert following > wall
    last = pattern.last_until(following - 1)
    assert last is None or (last <= wall and pattern.next_after(last) == following)
    assert pattern.count_between(wall, following, 10) == 1


@pytest.mark.parametrize(
    ("every", "words"),
    [
        ("15m", "not a duration"),
        ("", "not a duration"),
        ("P", "not a duration"),
        ("PT0S", "shorter than one second"),
        ("PT0.5S", "shorter than one second"),
        ("P0M", "more than nothing"),
        ("P101Y", "a hundred years"),
        ("P99999999D", "a hundred years"),
        ("P1M2D", "mixes"),
        ("P1Y1W", "mixes"),
        ("-PT1H", "not a duration"),
    ],
)
def test_a_bad_length_is_refused(every: str, words: str) -> None:
    with pytest.raises(BadTrigger, match=words) as caught:
        interval(every)
    assert caught.value.place == "trigger.every"


def test_weeks_and_days_are_so_many_hours() -> None:
    assert local_times(interval("P1W", "2026-01-01T09:00:00"), "2026-01-01 10:00", 1) == ["01-08 09:00+0000"]
