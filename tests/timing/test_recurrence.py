"""Recurrence rules: what they mean, what is refused, and dateutil as an independent engine. The RFC's own examples stand in
the corpus."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.timing.compile import BadTrigger
from core.timing.recurrence import FREQUENCIES, WEEKDAYS, read_recurrence
from core.timing.rrule import RRulePattern
from core.timing.rrule_days import WantedDays
from core.timing.rule import EARLIEST, LATEST, BadPattern, Rule
from schedule_zero.instant import SECOND, from_datetime, to_datetime
from tests.timing.walls import dates, instant, local_times, rrule, unhurried

NEW_YORK = "America/New_York"

ENDS = [
    ("RRULE:FREQ=DAILY;UNTIL=19970904T130000Z", "1997-09-02T09:00:00", ["1997-09-02", "1997-09-03", "1997-09-04"]),
    ("FREQ=DAILY;UNTIL=19970903", "1997-09-02T09:00:00", ["1997-09-02", "1997-09-03"]),
    ("FREQ=DAILY;UNTIL=19970903T085959", "1997-09-02T09:00:00", ["1997-09-02"]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "start", "expected"), ENDS)
def test_until_is_an_instant_a_local_time_or_a_date_that_is_included(
    rule: str, start: str, expected: list[str]
) -> None:
    assert dates(rrule(rule, start, NEW_YORK), "1990-01-01 00:00", len(expected) + 1) == expected


def test_hours_and_minutes_step_within_the_day() -> None:
    rule = rrule("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "1997-09-02T09:00:00", NEW_YORK)
    assert [t[6:11] for t in local_times(rule, "1997-09-02 00:00", 9)] == ["09:00", "12:00", "15:00"]
    rule = rrule("FREQ=MINUTELY;INTERVAL=90;COUNT=4", "1997-09-02T09:00:00", NEW_YORK)
    assert [t[6:11] for t in local_times(rule, "1997-09-02 00:00", 9)] == ["09:00", "10:30", "12:00", "13:30"]
    rule = rrule("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,40", "1997-09-02T09:00:00", NEW_YORK)
    assert [t[6:11] for t in local_times(rule, "1997-09-02 00:00", 4)] == ["09:00", "09:40", "10:00", "10:40"]


def test_a_rule_without_a_start_counts_from_the_making_of_the_schedule() -> None:
    rule = rrule("FREQ=DAILY;INTERVAL=3", None)
    assert local_times(rule, "2026-01-01 00:00", 2) == ["01-04 00:00+0000", "01-07 00:00+0000"]


def test_a_far_away_question_is_answered_without_walking_there() -> None:
    pattern = RRulePattern(read_recurrence("FREQ=MINUTELY;INTERVAL=7"), instant("1970-01-01 00:00"), clamp=False)
    far = instant("2190-01-01 00:00")
    found = pattern.next_after(far)
    assert found is not None
    assert (found - instant("1970-01-01 00:00")) % (7 * 60_000_000) == 0
    assert pattern.last_until(found - 1) == found - 7 * 60_000_000


@pytest.mark.parametrize(
    ("month_end", "expected"),
    [
        (None, ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("skip", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("clamp", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("last", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
    ],
)
def test_the_31st_follows_the_month_end_policy(month_end: str | None, expected: list[str]) -> None:
    rule = rrule("FREQ=MONTHLY", "2026-01-31T09:00:00", month_end=month_end)
    assert dates(rule, "2026-01-01 00:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "1 to"),
        ("RRULE:", "1 to"),
        ("BYDAY=MO", "FREQ"),
        ("FREQ=OFTEN", "FREQ"),
        ("FREQ=SECONDLY", "SECONDLY is not accepted"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=9999999999999999999999", "INTERVAL"),
        ("FREQ=DAILY;COUNT=10001", "COUNT"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=2026-01-01", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20260231", "no date that exists"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=-1", "BYHOUR"),
        ("FREQ=DAILY;BYDAY=1MO", "MONTHLY and YEARLY"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO"),
        ("FREQ=MONTHLY;BYYEARDAY=3", "BYYEARDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=DAILY;BYEASTER=0", "BYEASTER"),
        ("FREQ=DAILY;WKST=XX", "WKST"),
        ("FREQ=DAILY;COUNT", "NAME=VALUE"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no date ever"),
        ("FREQ=MINUTELY;BYSECOND=0;BYSETPOS=2", "no date ever"),
        ("FREQ=MINUTELY;INTERVAL=2;BYMINUTE=31", "no date ever"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "no date ever"),
        ("FREQ=MONTHLY;BYDAY=6MO", "no date ever"),
        ("FREQ=DAILY;BYMONTH=" + "1," * 1000 + "1", "1 to"),
    ],
)
def test_a_bad_rule_is_refused_with_the_part_that_is_wrong(rule: str, words: str) -> None:
    with pytest.raises(BadTrigger, match=words) as caught:
        rrule(rule, "2026-01-01T09:00:00")
    assert caught.value.place == "trigger.rule"


def _numbers(low: int, high: int, most: int, *, negative: bool = False) -> st.SearchStrategy[str]:
    one = st.integers(low, high)
    signed = st.one_of(one, one.map(lambda n: -n)) if negative else one
    return st.lists(signed, min_size=1, max_size=most, unique=True).map(lambda found: ",".join(map(str, found)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(FREQUENCIES))
    parts = [f"FREQ={freq}"]
    weekday = st.sampled_from(WEEKDAYS)
    numbered = st.tuples(st.sampled_from(["1", "2", "-1", "-2", "5"]), weekday).map("".join)
    optional: list[tuple[str, st.SearchStrategy[str]]] = [
        ("INTERVAL", st.sampled_from(["1", "2", "3", "5", "7", "14", "18"])),
        ("WKST", weekday),
        ("BYMONTH", _numbers(1, 12, 4)),
        ("BYHOUR", _numbers(0, 23, 3)),
        ("BYMINUTE", _numbers(0, 59, 3)),
        ("BYSECOND", _numbers(0, 59, 2)),
    ]
    in_month = freq in ("MONTHLY", "YEARLY")
    optional.append(("BYDAY", st.lists(numbered if in_month else weekday, min_size=1, max_size=3).map(",".join)))
    if freq != "WEEKLY":
        # dateutil lets BYSETPOS choose from the rest of the first week; RFC 5545 means the whole week.
        optional.append(("BYMONTHDAY", _numbers(1, 31, 4, negative=True)))
        optional.append(("BYSETPOS", _numbers(1, 3, 2, negative=True)))
    if freq in ("YEARLY", "HOURLY"):
        optional.append(("BYYEARDAY", _numbers(1, 366, 5, negative=True)))
    for name, values in optional:
        if draw(st.integers(0, 3)) == 0:
            parts.append(f"{name}={draw(values)}")
    return ";".join(parts)


@pytest.mark.slow
@unhurried
@given(rules(), st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001 - dateutil counts on the wall
def test_walls_agree_with_dateutil(rule: str, start: datetime) -> None:
    start = start.replace(microsecond=0)
    wall = from_datetime(start.replace(tzinfo=UTC))
    try:
        pattern = RRulePattern(read_recurrence(rule), wall, clamp=False)
    except BadPattern:
        return
    first = pattern.next_after(wall - 1)
    # dateutil searches to the year 9999 for what never comes; only rules that begin soon can be compared.
    assume(first is not None and first < wall + 4 * 366 * 86_400_000_000)
    theirs = (from_datetime(moment.replace(tzinfo=UTC)) for moment in rrulestr(rule, dtstart=start))
    horizon = wall + 30 * 366 * 86_400_000_000
    ours: list[int] = []
    after = wall - 1
    while len(ours) < 8 and (following := pattern.next_after(after)) is not None and following < horizon:
        ours.append(following)
        after = following
    assert ours == list(islice(theirs, len(ours)))
    for number, moment in enumerate(ours):
        assert pattern.last_until(moment) == moment
        assert pattern.count_between(wall - 1, moment, 10_000) == number + 1
        if number:
            assert pattern.last_until(moment - 1) == ours[number - 1]


@settings(unhurried, max_examples=30)
@given(rules())
def test_no_rule_however_sparse_is_searched_for_long(rule: str) -> None:
    """Steps are counted: the slowest search, for a rule that never comes, ends."""
    try:
        pattern = RRulePattern(read_recurrence(rule), instant("2026-01-01 09:00"), clamp=False)
    except BadPattern:
        return
    found = pattern.next_after(instant("2150-01-01 00:00"))
    assert found is None or to_datetime(found).year >= 2150


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        ("FREQ=HOURLY;INTERVAL=99999;BYHOUR=15", "2060-01-01 00:00", "2128-09-02"),
        ("FREQ=HOURLY;INTERVAL=100000;BYDAY=MO", "2026-01-01 00:00", "2105-11-09"),
        ("FREQ=HOURLY;INTERVAL=99999;BYMONTH=11", "2026-01-01 00:00", "2105-11-09"),
        ("FREQ=MINUTELY;INTERVAL=1441;BYHOUR=3;BYMINUTE=7;BYMONTH=2;BYMONTHDAY=29", "2026-01-01 00:00", "2196-02-29"),
        ("FREQ=MINUTELY;INTERVAL=10081;BYHOUR=3;BYMINUTE=7", "2026-01-01 00:00", "2029-08-02"),
    ],
)
def test_a_step_that_meets_its_days_once_in_a_century_is_found_to_the_end_of_the_calendar(
    rule: str, after: str, expected: str
) -> None:
    pattern = RRulePattern(read_recurrence(rule), instant("2026-01-01 00:00"), clamp=False)
    found = pattern.next_after(instant(after))
    assert found is not None
    assert to_datetime(found).date().isoformat() == expected
    assert pattern.next_after(found - 1) == pattern.last_until(found) == found
    assert pattern.count_between(instant(after), found, 9) == 1


@pytest.mark.parametrize("freq", FREQUENCIES)
@pytest.mark.parametrize("start", ["1900-01-02T00:00:00", "2026-01-01T00:00:00", "2199-12-31T23:59:59"])
def test_the_longest_interval_is_answered_from_one_end_of_the_calendar_to_the_other(freq: str, start: str) -> None:
    made, first = rrule(f"FREQ={freq};INTERVAL=100000", start), instant(start)
    assert made.last_until(EARLIEST) is None
    assert made.next_after(EARLIEST) == made.last_until(first) == first
    assert made.count_between(EARLIEST, first) == 1
    assert made.count_between(EARLIEST, LATEST) >= 1


@pytest.mark.parametrize("week", [1, 2, 52, 53, -1, -2])
def test_weeks_are_numbered_as_iso_8601_numbers_them_on_both_sides_of_the_new_year(week: int) -> None:
    every_day = [date(1999, 1, 1) + timedelta(days=number) for number in range(40 * 366)]
    weeks = {year: date(year, 12, 28).isocalendar().week for year in range(1998, 2050)}
    expected = [day for day in every_day if day.isocalendar().week in (week, weeks[day.isocalendar().year] + 1 + week)]
    made = rrule(f"FREQ=YEARLY;BYWEEKNO={week};BYDAY={','.join(WEEKDAYS)}", "1999-01-01T09:00:00")
    assert dates(made, "1999-01-01 00:00", len(expected)) == [day.isoformat() for day in expected]


_WITHIN = st.sets(st.integers(0, 23), min_size=1, max_size=6)


@settings(unhurried, max_examples=60)
@given(
    st.sampled_from([("DAILY", 1440), ("HOURLY", 60), ("MINUTELY", 1)]),
    st.integers(1, 100_000) | st.sampled_from([7, 24, 168, 169, 1439, 1440, 1441, 10080, 10081]),
    st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1)),  # noqa: DTZ001 - walls
    st.none() | _WITHIN, st.none() | st.sets(st.integers(1, 12), min_size=1, max_size=5),
    st.none() | st.sets(st.integers(0, 6), min_size=1, max_size=3),
    st.datetimes(datetime(1940, 1, 1), datetime(2199, 1, 1)),  # noqa: DTZ001 - walls
)  # fmt: skip
def test_long_steps_fall_where_a_walk_along_them_leads(
    step: tuple[str, int], interval: int, start: datetime, hours: set[int] | None, months: set[int] | None,
    weekdays: set[int] | None, asked: datetime,
) -> None:  # fmt: skip
    freq, minutes = step
    interval = max(interval, 1440 // minutes)
    parts, start = [f"FREQ={freq};INTERVAL={interval}"], start.replace(second=0, microsecond=0, tzinfo=UTC)
    if hours and freq != "DAILY":
        parts.append(f"BYHOUR={','.join(map(str, hours))}")
    if months:
        parts.append(f"BYMONTH={','.join(map(str, months))}")
    if weekdays:
        parts.append(f"BYDAY={','.join(WEEKDAYS[number] for number in weekdays)}")
    walked, length = [], timedelta(minutes=minutes * interval)
    for number in range((datetime(2200, 1, 1, tzinfo=UTC) - start) // length + 1):
        moment = start + number * length
        on_day = moment.month in (months or {moment.month}) and moment.weekday() in (weekdays or {moment.weekday()})
        if on_day and (freq == "DAILY" or moment.hour in (hours or {moment.hour})):
            walked.append(from_datetime(moment))
    pattern = RRulePattern(read_recurrence(";".join(parts)), from_datetime(start), clamp=False)
    wall = from_datetime(asked.replace(microsecond=0, tzinfo=UTC))
    place = bisect_right(walked, wall)
    assert pattern.next_after(wall) == (walked[place] if place < len(walked) and walked[place] < LATEST else None)
    assert pattern.last_until(wall) == (walked[place - 1] if place else None)
    assert pattern.count_between(EARLIEST - 1, wall, 1 << 40) == place


_FULL = f"BYHOUR={','.join(map(str, range(24)))};BYMINUTE={','.join(map(str, range(60)))}"
_SECONDS = f"BYSECOND={','.join(map(str, range(60)))}"


@pytest.mark.parametrize(
    "rule",
    [
        f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{_FULL};{_SECONDS}",
        f"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{_FULL};{_SECONDS}",
        f"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{_FULL};{_SECONDS}",
        f"FREQ=DAILY;{_FULL};{_SECONDS}",
        f"FREQ=HOURLY;{_FULL};{_SECONDS}",
        f"FREQ=MINUTELY;{_SECONDS}",
    ],
)
def test_a_rule_due_every_second_is_searched_without_listing_its_times(rule: str) -> None:
    """A year has 31 million of them; one request must not take the memory of the whole process."""
    tracemalloc.start()
    try:
        made = rrule(rule, "2026-01-01T00:00:00")
        assert dates(made, "2026-11-18 09:00", 2) == ["2026-11-18", "2026-11-18"]
        noon = instant("2026-11-18 12:00")
        assert made.next_after(noon) == noon + SECOND
        assert made.last_until(noon + 1) == noon
        assert made.count_between(noon, instant("2026-11-19 12:00"), 1_000_000) == 86_400
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_positions_are_chosen_from_a_whole_year_of_seconds() -> None:
    rule = f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{_FULL};{_SECONDS};BYSETPOS=1,-1"
    made = rrule(rule, "2026-01-01T00:00:00")
    assert made.next_after(instant("2026-06-01 00:00")) == instant("2026-12-31 23:59:59")
    assert made.next_after(instant("2026-12-31 23:59:59")) == instant("2027-01-01 00:00")


@pytest.mark.parametrize("rule", ["FREQ=MINUTELY;INTERVAL=99999", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29", "FREQ=WEEKLY"])
def test_a_count_that_is_never_reached_costs_nothing_before_it_is_near(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, wanted = [], WantedDays.wanted

    def counting(days: WantedDays, day: int) -> bool:
        steps.append(day)
        return wanted(days, day)

    monkeypatch.setattr(WantedDays, "wanted", counting)
    rrule(f"{rule};COUNT=10000", "2026-01-31T09:00:00").next_after(instant("2026-11-18 00:00"))
    assert len(steps) < 10_000


@pytest.mark.slow
@settings(unhurried, max_examples=60)
@given(rules(), st.integers(1, 12), st.integers(0, 30_000_000_000_000))
def test_a_count_ends_the_rule_after_so_many(rule: str, count: int, later: int) -> None:
    try:
        endless = rrule(rule, "2026-10-24T02:30:00")
    except BadTrigger:
        return
    expected = _first(endless, count)
    assume(expected)
    rules_alike = [rrule(f"{rule};COUNT={count}", "2026-10-24T02:30:00") for _ in range(3)]  # each asked afresh
    assert _first(rules_alike[0], count + 1) == expected
    assert rules_alike[1].last_until(expected[-1] + later) == expected[-1]
    assert rules_alike[2].count_between(0, expected[-1] + later) == len(expected)


def _first(rule: Rule, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count and (due := rule.next_after(found[-1] if found else 0)) is not None:
        found.append(due)
    return found
