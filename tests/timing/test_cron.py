from __future__ import annotations

from datetime import UTC, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from core.timing.compile import BadTrigger
from core.timing.cron import cron_pattern
from core.timing.rule import BadPattern
from schedule_zero.instant import from_datetime, to_datetime
from tests.timing.walls import cron, dates, due_after, instant, local_times, unhurried

# Next three due times after 2026-11-18 10:00 (a Wednesday), worked out by hand from cron(5) and Debian's cron(8).
TABLE = [
    ("* * * * *", ["11-18 10:01", "11-18 10:02", "11-18 10:03"]),
    ("*/15 * * * *", ["11-18 10:15", "11-18 10:30", "11-18 10:45"]),
    ("*/25 * * * *", ["11-18 10:25", "11-18 10:50", "11-18 11:00"]),
    ("5/20 * * * *", ["11-18 10:05", "11-18 10:25", "11-18 10:45"]),
    ("0 * * * *", ["11-18 11:00", "11-18 12:00", "11-18 13:00"]),
    ("0 */5 * * *", ["11-18 15:00", "11-18 20:00", "11-19 00:00"]),
    ("30 9-17/4 * * *", ["11-18 13:30", "11-18 17:30", "11-19 09:30"]),
    ("0 9 * * *", ["11-19 09:00", "11-20 09:00", "11-21 09:00"]),
    ("0 9 * * 1-5", ["11-19 09:00", "11-20 09:00", "11-23 09:00"]),
    ("0 9 * * MON-FRI", ["11-19 09:00", "11-20 09:00", "11-23 09:00"]),
    ("0 9 * * mon,wed,fri", ["11-20 09:00", "11-23 09:00", "11-25 09:00"]),
    ("0 9 * * 0", ["11-22 09:00", "11-29 09:00", "12-06 09:00"]),
    ("0 9 * * 7", ["11-22 09:00", "11-29 09:00", "12-06 09:00"]),
    ("0 9 * * SUN", ["11-22 09:00", "11-29 09:00", "12-06 09:00"]),
    ("0 9 1 * *", ["12-01 09:00", "01-01 09:00", "02-01 09:00"]),
    ("0 9 31 * *", ["12-31 09:00", "01-31 09:00", "03-31 09:00"]),
    ("0 9 1,15 * *", ["12-01 09:00", "12-15 09:00", "01-01 09:00"]),
    ("0 9 L * *", ["11-30 09:00", "12-31 09:00", "01-31 09:00"]),
    ("0 9 LW * *", ["11-30 09:00", "12-31 09:00", "01-29 09:00"]),
    ("0 9 15,L * *", ["11-30 09:00", "12-15 09:00", "12-31 09:00"]),
    ("0 9 * * MON#1", ["12-07 09:00", "01-04 09:00", "02-01 09:00"]),
    ("0 9 * * 5L", ["11-27 09:00", "12-25 09:00", "01-29 09:00"]),
    ("0 9 * * FRI#5", ["01-29 09:00", "04-30 09:00", "07-30 09:00"]),
    ("0 9 * * MON#1,FRI#2", ["12-07 09:00", "12-11 09:00", "01-04 09:00"]),
    ("0 9 13 * 5", ["11-20 09:00", "11-27 09:00", "12-04 09:00"]),
    ("0 9 */2 * 1", ["11-23 09:00", "12-07 09:00", "12-21 09:00"]),
    ("0 9 13 * *", ["12-13 09:00", "01-13 09:00", "02-13 09:00"]),
    ("0 9 1 JAN,JUL *", ["01-01 09:00", "07-01 09:00", "01-01 09:00"]),
    ("0 9 1 */4 *", ["01-01 09:00", "05-01 09:00", "09-01 09:00"]),
    ("0,30 8,20 * * *", ["11-18 20:00", "11-18 20:30", "11-19 08:00"]),
    ("15 30 9 1 * *", ["12-01 09:30", "01-01 09:30", "02-01 09:30"]),
    ("0 30 9 * * *", ["11-19 09:30", "11-20 09:30", "11-21 09:30"]),
    ("0 9 15W * *", ["12-15 09:00", "01-15 09:00", "02-15 09:00"]),
    ("0 9 15W 5,8 ?", ["05-14 09:00", "08-16 09:00", "05-15 09:00"]),
    ("0 9 1W 5,8 ?", ["05-03 09:00", "08-02 09:00", "05-01 09:00"]),
    ("0 9 31W * ?", ["12-31 09:00", "01-29 09:00", "03-31 09:00"]),
    ("0 9 L-3 * ?", ["11-27 09:00", "12-28 09:00", "01-28 09:00"]),
    ("0 9 L-3W * ?", ["11-27 09:00", "12-28 09:00", "01-28 09:00"]),
    ("0 9 L-1,LW * ?", ["11-29 09:00", "11-30 09:00", "12-30 09:00"]),
    ("0 9 ? * FRI-MON", ["11-20 09:00", "11-21 09:00", "11-22 09:00"]),
    ("0 9 ? * fri-7", ["11-20 09:00", "11-21 09:00", "11-22 09:00"]),
    ("0 9 ? * 7-1", ["11-22 09:00", "11-23 09:00", "11-29 09:00"]),
    ("0 22-2/2 * * *", ["11-18 22:00", "11-19 00:00", "11-19 02:00"]),
    ("0 9 1 nov-feb *", ["12-01 09:00", "01-01 09:00", "02-01 09:00"]),
    ("0 9 * * FriL", ["11-27 09:00", "12-25 09:00", "01-29 09:00"]),
    ("0 0 12 ? * WED", ["11-18 12:00", "11-25 12:00", "12-02 12:00"]),
    ("@hourly", ["11-18 11:00", "11-18 12:00", "11-18 13:00"]),
    ("@daily", ["11-19 00:00", "11-20 00:00", "11-21 00:00"]),
    ("@midnight", ["11-19 00:00", "11-20 00:00", "11-21 00:00"]),
    ("@weekly", ["11-22 00:00", "11-29 00:00", "12-06 00:00"]),
    ("@monthly", ["12-01 00:00", "01-01 00:00", "02-01 00:00"]),
    ("@yearly", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
    ("@Annually", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
]


@pytest.mark.parametrize(("expression", "expected"), TABLE)
def test_expressions_are_due_as_cron_says(expression: str, expected: list[str]) -> None:
    assert [found[:11] for found in local_times(cron(expression), "2026-11-18 10:00", 3)] == expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "5 fields"),
        ("* * * *", "has 4"),
        ("* * * * * * *", "has 7"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * 32 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * FOO *", "month"),
        ("* * * * 8", "day of the week"),
        ("* * * * MON#6", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("1- * * * *", "minute"),
        ("5-1/0 * * * *", "minute"),
        ("? * * * *", "minute"),
        ("* * ?/2 * *", "day of the month"),
        ("0 0 ? * ?", "one of the two day fields"),
        ("H * * * *", "H in the minute field .* drawn once"),
        ("0 h/4 * * *", "H in the hour field"),
        ("0 0 1 1 ? 2027 *", "a start and an end"),
        ("1,,2 * * * *", "minute"),
        ("* * L-31 * *", "day of the month"),
        ("* * L- * *", "day of the month"),
        ("* * W * *", "day of the month"),
        ("* * 32W * *", "day of the month"),
        ("* * 1-5W * *", "day of the month"),
        ("* * * * L-3", "day of the week"),
        ("* * * * 5W", "day of the week"),
        ("* * * * FEBL", "day of the week"),
        ("* * L/L * *", "day of the month"),
        ("a * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("٣ * * * *", "minute"),
        ("@reboot", "@hourly"),
        ("@every 5m", "minutes or hours is an interval"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "named beside .* leave out 'CRON_TZ=Europe/Berlin'"),
        ("TZ=UTC 0 9 * * *", "named beside"),
        ("61 * * * * *", "second"),
    ],
)
def test_a_bad_expression_is_refused_with_the_field_that_is_wrong(expression: str, words: str) -> None:
    with pytest.raises(BadTrigger, match=words) as caught:
        cron(expression)
    assert caught.value.place == "trigger.expression"


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 */2"])
def test_a_day_that_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(BadTrigger, match="no date ever"):
        cron(expression)


def test_the_29th_of_february_waits_for_leap_years() -> None:
    assert dates(cron("0 0 29 2 *"), "2026-01-01 00:00", 3) == ["2028-02-29", "2032-02-29", "2036-02-29"]
    assert dates(cron("0 0 29 2 *"), "2096-03-01 00:00", 2) == ["2104-02-29", "2108-02-29"]


def test_a_29th_of_february_on_a_sunday_is_found_across_decades() -> None:
    found = due_after(cron("0 0 29 2 */7"), instant("2032-03-01 00:00"), 2)
    assert [to_datetime(due).strftime("%Y-%m-%d %a") for due in found] == ["2060-02-29 Sun", "2088-02-29 Sun"]


@pytest.mark.parametrize(
    ("month_end", "expected"),
    [
        ("skip", ["2026-12-31", "2027-01-31", "2027-03-31"]),
        ("clamp", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]),
        ("last", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]),
    ],
)
def test_the_31st_follows_the_month_end_policy(month_end: str, expected: list[str]) -> None:
    assert dates(cron("0 9 31 * *", month_end=month_end), "2026-11-18 00:00", len(expected)) == expected


def _field(values: st.SearchStrategy[int], stars: bool = True) -> st.SearchStrategy[str]:
    one = values.map(str)
    span = st.tuples(values, values).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(span, st.integers(1, 20)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    listed = st.lists(st.one_of(one, span), min_size=1, max_size=3).map(",".join)
    star = st.one_of(st.just("*"), st.integers(1, 20).map(lambda n: f"*/{n}"))
    return st.one_of(one, span, step, listed, *((star,) if stars else ()))


_days = st.one_of(_field(st.integers(1, 31)), st.sampled_from(["L", "LW", "1,L", "15,LW"]))
_weekdays = st.one_of(_field(st.integers(0, 7)), st.sampled_from(["MON#1", "5L", "TUE#2,THU#4", "0L,3", "SUN#5"]))
expressions = st.tuples(
    _field(st.integers(0, 59)), _field(st.integers(0, 23)), _days, _field(st.integers(1, 12)), _weekdays
).map(" ".join)
with_seconds = st.one_of(expressions, st.tuples(_field(st.integers(0, 59)), expressions).map(" ".join))
walls = st.integers(instant("1990-01-01 00:00"), instant("2060-01-01 00:00"))


@unhurried
@given(with_seconds, walls)
def test_walls_agree_with_cronsim(expression: str, wall: int) -> None:
    """An independent engine: cronsim's own search, on UTC, where no clock changes."""
    try:
        pattern = cron_pattern(expression)
    except BadPattern:
        return
    start = to_datetime(wall).astimezone(UTC)
    expected = [from_datetime(moment) for moment in islice(CronSim(expression, start), 5)]
    found: list[int] = []
    after = wall
    while len(found) < 5 and (following := pattern.next_after(after)) is not None:
        found.append(following)
        after = following
    assert found == expected


@unhurried
@given(with_seconds, walls, st.integers(1, 40))
def test_looking_back_and_counting_agree_with_looking_forward(expression: str, wall: int, steps: int) -> None:
    try:
        pattern = cron_pattern(expression)
    except BadPattern:
        return
    found = [wall]
    while len(found) <= steps and (following := pattern.next_after(found[-1])) is not None:
        found.append(following)
    assume(len(found) > 1)
    assert pattern.last_until(found[-1]) == found[-1]
    assert pattern.count_between(wall, found[-1], 1_000_000) == len(found) - 1
    assert pattern.count_between(wall, found[-1] - 1, 1_000_000) == len(found) - 2
    if len(found) > 2:
        assert pattern.last_until(found[-1] - 1) == found[-2]


def test_counting_ten_years_of_seconds_takes_no_walk() -> None:
    pattern = cron_pattern("* * * * * *")
    start = instant("2020-01-01 00:00")
    ten_years = int(timedelta(days=3653).total_seconds())
    assert pattern.count_between(start, instant("2030-01-01 00:00"), 10**12) == ten_years
