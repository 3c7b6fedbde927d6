"""What holds of every rule in every zone: order, agreement of all questions with each other, and bounded searches."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from types import FrameType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timing.clock import clock_of
from core.timing.compile import BadTrigger, compile_rule
from core.timing.rule import Rule
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, from_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger
from tests.timing import by_definition
from tests.timing.test_cron import with_seconds
from tests.timing.test_recurrence import rules as recurrences
from tests.timing.walls import compiled, cron, instant, interval, rrule, unhurried

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Asia/Beirut",
    "Africa/Cairo", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran", "America/St_Johns", "Antarctica/Troll",
    "Asia/Kathmandu", "Asia/Pyongyang", "America/Caracas",
]  # fmt: skip
ANCHOR = instant("2004-02-29 23:30")
MOST_STEPS = 250_000
"""Calls that the longest search takes: for a rule that never comes again, through 56 years of days."""

A_DECADE = 20_000
"""Calls for any question about a rule that lies ten years behind, be it due 10 times or 315 million times since."""

T = TypeVar("T")


def counted(ask: Callable[[], T]) -> tuple[T, int]:
    """An answer, and how many calls of functions it took."""
    calls, watching = 0, sys.getprofile()

    def count(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        answer = ask()
    finally:
        sys.setprofile(watching)
    return answer, calls


marked = st.sampled_from(
    [
        "0 9 15W * ?",
        "30 2 L-3 * ?",
        "0 0 1W,31W * *",
        "0 22-2 * * *",
        "30 23-1 ? * FRI-MON",
        "*/40 * * * *",
        "0 9 LW * 2",
    ]
)
dated = st.sampled_from(
    [
        "DTSTART:20040101T023000 RRULE:FREQ=DAILY EXDATE:20050327,20051030T023000 RDATE:20050327T023000,20060101T120000Z",
        "DTSTART:20050101T003000 RRULE:FREQ=HOURLY;INTERVAL=5 EXDATE:20051030T010000Z,20051030,20060326 RDATE:20051030T013000",
        "DTSTART;TZID=Asia/Tehran:20050320T000000 RRULE:FREQ=WEEKLY;COUNT=90 RDATE:20100101 EXDATE:20050322T000000",
    ]
)
lengths = st.sampled_from(["P1M", "P7M", "P1Y", "PT90M", "P1D", "P3W", "PT1H0.5S"])
starts = st.sampled_from([None, "2004-01-31T02:30:00", "2004-02-29T23:45:00", "2003-12-30T00:00:00"])
triggers = st.one_of(
    with_seconds.map(CronTrigger),
    marked.map(CronTrigger),
    st.builds(RRuleTrigger, recurrences(), start=starts),
    st.builds(
        lambda rule, end, start: RRuleTrigger(f"{rule};{end}", start=start),
        recurrences(),
        st.sampled_from(["COUNT=7", "COUNT=400", "UNTIL=20060401T003000Z", "UNTIL=20070101"]),
        starts,
    ),
    dated.map(RRuleTrigger),
    st.builds(IntervalTrigger, lengths, start=starts),
)
bounds = st.sampled_from([(None, None), (instant("2005-03-27 00:30"), None), (None, instant("2006-10-29 01:30"))])


@pytest.mark.slow
@settings(unhurried, max_examples=600)
@given(
    triggers, st.sampled_from(ZONES), st.sampled_from(["debian", "literal"]), st.sampled_from(["skip", "clamp", "last"]),
    bounds, st.integers(instant("2003-01-01 00:00"), instant("2012-01-05 00:00")), st.integers(0, 400),
)  # fmt: skip
def test_all_questions_about_a_rule_agree(
    trigger: Trigger, zone: str, dst: str, month_end: str, ends: tuple[int | None, int | None], after: int, salt: int
) -> None:
    try:
        rule, steps = counted(
            lambda: compile_rule(
                trigger, timezone=zone, anchor=ANCHOR, dst=dst, month_end=month_end, start=ends[0], until=ends[1]
            )
        )
    except BadTrigger:
        return
    assert steps < MOST_STEPS
    due: list[int] = []
    while len(due) < 12:
        following, steps = counted(lambda: rule.next_after(due[-1] if due else after))
        assert steps < MOST_STEPS
        if following is None:
            break
        due.append(following)
    assert all(earlier < later for earlier, later in pairwise([after, *due]))
    assert rule.upcoming(after, 12) == due
    for number, moment in enumerate(due):
        assert rule.last_until(moment) == moment
        assert rule.count_between(after, moment, 10**6) == number + 1
        assert rule.count_between(after, moment - 1, 10**6) == number
        assert rule.count_between(after, moment, 3) == min(number + 1, 3)
    for earlier, later in pairwise(due):
        between = earlier + (later - earlier) * salt // 401
        assert rule.next_after(between) == later
        assert rule.last_until(between) == earlier
    last, steps = counted(lambda: rule.last_until(after))
    assert steps < MOST_STEPS
    if last is not None:
        assert last <= after
        assert rule.next_after(last - 1) == last
        assert rule.next_after(last) == (due[0] if due else None)


@unhurried
@given(
    st.sampled_from(ZONES), st.dates(date(1985, 1, 1), date(2030, 1, 1)), st.times().map(lambda at: at.replace(microsecond=0, fold=0))
)  # fmt: skip
def test_a_settled_rule_is_due_exactly_once_for_every_day(zone: str, since: date, at: time) -> None:
    where = ZoneInfo(zone)
    days = [since + timedelta(days=number) for number in range(200)]
    expected = [from_datetime(by_definition.first(datetime.combine(day, at), where)) for day in days]
    rule = cron(f"{at.second} {at.minute} {at.hour} * * *", zone)
    distinct = sorted(set(expected))
    assert rule.upcoming(expected[0] - 1, len(distinct)) == distinct
    assert rule.count_between(expected[0] - 1, expected[-1]) == len(distinct)
    # Only a day that is missing altogether shares its due time with the next one.
    assert len(days) - len(distinct) <= sum(_is_missing(day, where) for day in days)


def _is_missing(day: date, zone: ZoneInfo) -> bool:
    return not any(by_definition.instants(datetime.combine(day, time(hour)), zone) for hour in range(24))


BEHIND: list[tuple[Callable[[str], Rule], str]] = [
    (lambda zone: cron("* * * * *", zone), "every minute"),
    (lambda zone: cron("* * * * * *", zone), "every second"),
    (lambda zone: cron("30 2 * * *", zone), "daily"),
    (lambda zone: cron("30 2 * * *", zone, "literal"), "daily, literal"),
    (lambda zone: cron("*/7 1-22 15W,L-3 * MON#1", zone), "marked days"),
    (lambda zone: interval("PT1S", "2004-01-01T00:00:00", zone), "interval of a second"),
    (lambda zone: interval("P1M", "2004-01-31T02:30:00", zone), "interval of months"),
    (lambda zone: interval("P1M", "2004-01-31T02:30:00", zone, "skip"), "interval of months that skips"),
    (lambda zone: rrule("FREQ=MINUTELY", "2004-01-01T00:00:00", zone), "minutely"),
    (lambda zone: rrule("FREQ=MINUTELY;INTERVAL=7", "2004-01-01T00:00:00", zone), "every 7 minutes"),
    (lambda zone: rrule("FREQ=MINUTELY;INTERVAL=7;BYMONTH=1,2,7", "2004-01-01T00:00:00", zone), "in some months"),
    (lambda zone: rrule("FREQ=HOURLY;INTERVAL=5;BYDAY=MO,FR", "2004-01-01T00:00:00", zone), "every 5 hours on days"),
    (lambda zone: rrule("FREQ=HOURLY;COUNT=10000", "2005-01-01T00:00:00", zone), "so many hours"),
    (lambda zone: rrule("FREQ=HOURLY;BYYEARDAY=100,-1", "2005-01-01T00:00:00", zone), "hourly on days of the year"),
    (lambda zone: rrule("FREQ=DAILY;INTERVAL=3", "2004-01-01T02:30:00", zone), "every 3 days"),
    (lambda zone: rrule("FREQ=DAILY;COUNT=9999", "2004-01-01T02:30:00", zone), "so many days"),
    (lambda zone: rrule("FREQ=DAILY;BYMONTHDAY=1,-1", "2004-01-01T02:30:00", zone), "daily on some days"),
    (lambda zone: rrule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "2004-01-01T02:30:00", zone), "every 2 weeks"),
    (lambda zone: rrule("FREQ=MONTHLY;BYDAY=-1FR", "2004-01-01T02:30:00", zone), "monthly"),
    (lambda zone: rrule("FREQ=YEARLY", "2004-01-01T02:30:00", zone), "yearly"),
    (lambda zone: rrule("FREQ=MINUTELY EXDATE:20050101,20090606T120000Z", "2004-01-01T00:00:00", zone), "with EXDATE"),
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Africa/Casablanca"])
@pytest.mark.parametrize("make", [make for make, _ in BEHIND], ids=[name for _, name in BEHIND])
def test_ten_years_behind_are_jumped_over(make: Callable[[str], Rule], zone: str) -> None:
    """Calls, not time: of 315 million seconds not one is walked, and of 120 months each one at most a few times."""
    since, until = instant("2005-06-15 12:00"), instant("2015-06-15 12:00")
    for moment in range(since - 400 * DAY, until + 800 * DAY, 100 * DAY):
        clock_of(ZoneInfo(zone)).span(moment)  # a zone is read once, for all its rules
    rule = make(zone)
    last, steps = counted(lambda: rule.last_until(until))
    assert last is None or last <= until
    assert steps < A_DECADE
    rule = make(zone)
    count, steps = counted(lambda: rule.count_between(since, until, 10**9))
    assert count > 0
    assert steps < A_DECADE
    _, again = counted(lambda: rule.next_after(until))
    assert again < A_DECADE // 10


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("FREQ=MINUTELY;INTERVAL=7", 7 * 60),
        ("FREQ=MINUTELY;INTERVAL=1441", 1441 * 60),
        ("FREQ=HOURLY;INTERVAL=5", 5 * 3600),
        ("FREQ=DAILY;INTERVAL=3", 3 * 86_400),
        ("FREQ=WEEKLY;INTERVAL=2", 14 * 86_400),
    ],
)
def test_what_is_counted_at_once_is_what_would_be_counted_one_by_one(rule: str, seconds: int) -> None:
    start = instant("2004-01-01 00:00")
    made = rrule(rule, "2004-01-01T00:00:00")
    for years in (1, 10, 90):
        until = start + years * 365 * DAY + 5 * HOUR
        assert made.count_between(start, until, 10**12) == (until - start) // (seconds * SECOND)


@pytest.mark.slow
@settings(unhurried, max_examples=150)
@given(recurrences(), starts, st.integers(20, 900))
def test_long_stretches_are_counted_like_short_ones(rule: str, start: str | None, days: int) -> None:
    """The sum of single days, which are looked into, is what the whole gives, which is not."""
    try:
        made = rrule(rule, start)
    except BadTrigger:
        return
    since = instant("2026-01-01 00:00") if start is None else instant("2004-03-01 00:00")
    parts = [since + number * 7 * DAY for number in range(days // 7 + 1)]
    single = sum(made.count_between(earlier, later, 10**9) for earlier, later in pairwise(parts))
    assert made.count_between(parts[0], parts[-1], 10**9) == single


def test_a_rule_that_never_comes_again_is_given_up_soon() -> None:
    for rule in ("FREQ=HOURLY;BYYEARDAY=366;BYMONTHDAY=1", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
                 "FREQ=WEEKLY;BYMONTH=2;BYSETPOS=7;BYDAY=MO,TU", "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
                 "FREQ=DAILY;BYMINUTE=1,2;BYSETPOS=-237", "FREQ=DAILY;INTERVAL=7;BYDAY=MO;BYMONTH=1,2,3",
                 "FREQ=HOURLY;INTERVAL=168;BYDAY=MO", "FREQ=YEARLY;BYDAY=SU,-1TU;BYSETPOS=301"):  # fmt: skip

        def refused(rule: str = rule) -> None:
            with pytest.raises(BadTrigger, match="no date ever"):
                rrule(rule, "2026-01-01T09:00:00")

        assert counted(refused)[1] < MOST_STEPS


def test_the_order_of_a_list_is_that_of_its_instants_even_where_an_hour_is_lived_twice() -> None:
    rule = compiled(CronTrigger("*/30 * * * *"), "Europe/Berlin")
    due = rule.upcoming(instant("2026-10-25 01:45", "Europe/Berlin"), 6)
    assert due == sorted(due)
    assert [later - earlier for earlier, later in pairwise(due)] == [30 * MINUTE] * 5
    assert bisect_right(due, from_datetime(datetime(2026, 10, 25, 1, tzinfo=UTC))) == 3
