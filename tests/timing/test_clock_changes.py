"""What clock changes do to rules: tables worked out by hand, and a comparison with asking every minute."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from core.timing.compile import BadTrigger
from core.timing.rule import Rule
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND
from tests.timing.walls import cron, due_after, instant, interval, local_times, once, rrule

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
SANTIAGO, APIA, CAIRO, BEIRUT = "America/Santiago", "Pacific/Apia", "Africa/Cairo", "Asia/Beirut"

# (zone, expression, asked after, due under debian, due under literal)
TABLE = [
    # Berlin, 2026-03-29: 02:00 → 03:00.
    (
        BERLIN, "30 2 * * *", "2026-03-28 00:00",
        ["03-28 02:30+0100", "03-29 03:00+0200", "03-30 02:30+0200"],
        ["03-28 02:30+0100", "03-30 02:30+0200", "03-31 02:30+0200"],
    ),
    (
        BERLIN, "0,30 2 * * *", "2026-03-28 12:00",
        ["03-29 03:00+0200", "03-30 02:00+0200"],
        ["03-30 02:00+0200", "03-30 02:30+0200"],
    ),
    (
        BERLIN, "0 2,3 * * *", "2026-03-28 12:00",
        ["03-29 03:00+0200", "03-30 02:00+0200"],
        ["03-29 03:00+0200", "03-30 02:00+0200"],
    ),
    (
        BERLIN, "*/30 * * * *", "2026-03-29 01:15",
        ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"],
        ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"],
    ),
    (
        BERLIN, "0 */2 * * *", "2026-03-28 23:30",
        ["03-29 00:00+0100", "03-29 04:00+0200", "03-29 06:00+0200"],
        ["03-29 00:00+0100", "03-29 04:00+0200", "03-29 06:00+0200"],
    ),
    (
        BERLIN, "15 30 2 * * *", "2026-03-28 12:00",
        ["03-29 03:00+0200", "03-30 02:30+0200"],
        ["03-30 02:30+0200", "03-31 02:30+0200"],
    ),
    # Berlin, 2026-10-25: 03:00 → 02:00.
    (
        BERLIN, "30 2 * * *", "2026-10-24 12:00",
        ["10-25 02:30+0200", "10-26 02:30+0100"],
        ["10-25 02:30+0200", "10-25 02:30+0100", "10-26 02:30+0100"],
    ),
    (
        BERLIN, "*/30 * * * *", "2026-10-25 01:45",
        ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100", "10-25 03:00+0100"],
        ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100", "10-25 03:00+0100"],
    ),
    (
        BERLIN, "0 1-3 * * *", "2026-10-25 00:30",
        ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 03:00+0100", "10-26 01:00+0100"],
        ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100"],
    ),
    # New York, 2026-03-08 02:00 → 03:00 and 2026-11-01 02:00 → 01:00.
    (
        NEW_YORK, "0 2 * * *", "2026-03-07 12:00",
        ["03-08 03:00-0400", "03-09 02:00-0400"],
        ["03-09 02:00-0400", "03-10 02:00-0400"],
    ),
    (
        NEW_YORK, "0 1 * * *", "2026-10-31 12:00",
        ["11-01 01:00-0400", "11-02 01:00-0500"],
        ["11-01 01:00-0400", "11-01 01:00-0500", "11-02 01:00-0500"],
    ),
    # Lord Howe moves by half an hour: 2026-10-04 02:00 → 02:30, 2026-04-05 02:00 → 01:30.
    (
        LORD_HOWE, "15 2 * * *", "2026-10-03 12:00",
        ["10-04 02:30+1100", "10-05 02:15+1100"],
        ["10-05 02:15+1100", "10-06 02:15+1100"],
    ),
    (
        LORD_HOWE, "0 */3 * * *", "2026-10-04 00:30",
        ["10-04 03:00+1100", "10-04 06:00+1100"],
        ["10-04 03:00+1100", "10-04 06:00+1100"],
    ),
    (
        LORD_HOWE, "45 1 * * *", "2026-04-04 12:00",
        ["04-05 01:45+1100", "04-06 01:45+1030"],
        ["04-05 01:45+1100", "04-05 01:45+1030", "04-06 01:45+1030"],
    ),
    (
        LORD_HOWE, "*/15 * * * *", "2026-10-04 01:40",
        ["10-04 01:45+1030", "10-04 02:30+1100", "10-04 02:45+1100"],
        ["10-04 01:45+1030", "10-04 02:30+1100", "10-04 02:45+1100"],
    ),
    # Santiago, 2026-09-06: midnight → 01:00, and 2026-04-04: midnight → 23:00 of the same day.
    (
        SANTIAGO, "0 0 * * *", "2026-09-05 12:00",
        ["09-06 01:00-0300", "09-07 00:00-0300"],
        ["09-07 00:00-0300", "09-08 00:00-0300"],
    ),
    (
        SANTIAGO, "30 23 * * *", "2026-04-04 12:00",
        ["04-04 23:30-0300", "04-05 23:30-0400"],
        ["04-04 23:30-0300", "04-04 23:30-0400", "04-05 23:30-0400"],
    ),
    # Apia left out the whole 30 December 2011.
    (
        APIA, "0 9 * * *", "2011-12-29 00:00",
        ["12-29 09:00-1000", "12-31 00:00+1400", "12-31 09:00+1400"],
        ["12-29 09:00-1000", "12-31 09:00+1400", "01-01 09:00+1400"],
    ),
    (
        APIA, "0 9 * * FRI", "2011-12-24 00:00",
        ["12-31 00:00+1400", "01-06 09:00+1400"],
        ["01-06 09:00+1400", "01-13 09:00+1400"],
    ),
    # Cairo, 2026-04-24 and Beirut, 2026-03-29: midnight → 01:00.
    (
        CAIRO, "0 0 * * *", "2026-04-23 12:00",
        ["04-24 01:00+0300", "04-25 00:00+0300"],
        ["04-25 00:00+0300", "04-26 00:00+0300"],
    ),
    (
        CAIRO, "0 0 24 4 *", "2026-04-01 00:00",
        ["04-24 01:00+0300", "04-24 00:00+0200"],
        ["04-24 00:00+0200"],
    ),
    (
        BEIRUT, "0 0 * * SUN", "2026-03-28 12:00",
        ["03-29 01:00+0300", "04-05 00:00+0300"],
        ["04-05 00:00+0300", "04-12 00:00+0300"],
    ),
    # Kathmandu has no clock changes and an offset of three quarters.
    (
        "Asia/Kathmandu", "0 9 * * *", "2026-03-28 12:00",
        ["03-29 09:00+0545", "03-30 09:00+0545"],
        ["03-29 09:00+0545", "03-30 09:00+0545"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("where", "expression", "after", "debian", "literal"), TABLE)
def test_cron_follows_the_clock_change_policy(
    where: str, expression: str, after: str, debian: list[str], literal: list[str]
) -> None:
    assert local_times(cron(expression, where), after, len(debian)) == debian
    assert local_times(cron(expression, where, "literal"), after, len(literal)) == literal


def test_a_yearly_rule_finds_its_way_past_a_gap_that_swallowed_it() -> None:
    rule = cron("30 2 29 3 *", BERLIN, "literal")
    assert local_times(rule, "2026-01-01 00:00", 2) == ["03-29 02:30+0200", "03-29 02:30+0200"]
    assert rule.next_after(instant("2026-01-01 00:00", BERLIN)) == instant("2027-03-29 02:30", BERLIN)


def test_an_interval_of_hours_is_absolute_through_both_changes() -> None:
    rule = interval("PT6H", "2026-03-29T00:00:00", BERLIN)
    assert local_times(rule, "2026-03-28 23:00", 3) == ["03-29 00:00+0100", "03-29 07:00+0200", "03-29 13:00+0200"]
    rule = interval("PT30M", "2026-10-25T02:00:00", BERLIN)
    due = due_after(rule, instant("2026-10-25 01:59", BERLIN), 6)
    assert [later - earlier for earlier, later in pairwise(due)] == [30 * MINUTE] * 5


def test_a_day_of_24_hours_is_not_a_day_on_the_wall() -> None:
    assert local_times(interval("P1D", "2026-03-28T09:00:00", BERLIN), "2026-03-28 09:30", 1) == ["03-29 10:00+0200"]


def test_months_keep_the_time_on_the_wall() -> None:
    rule = interval("P1M", "2026-02-28T02:30:00", BERLIN)
    assert local_times(rule, "2026-02-28 03:00", 2) == ["03-28 02:30+0100", "04-28 02:30+0200"]
    rule = interval("P1M", "2026-01-29T02:30:00", BERLIN)
    assert local_times(rule, "2026-03-01 00:00", 2) == ["03-29 03:00+0200", "04-29 02:30+0200"]


def test_a_recurrence_rule_follows_the_policy_too() -> None:
    rule = rrule("FREQ=DAILY", "2026-03-27T02:30:00", BERLIN)
    assert local_times(rule, "2026-03-28 12:00", 2) == ["03-29 03:00+0200", "03-30 02:30+0200"]
    rule = rrule("FREQ=DAILY", "2026-03-27T02:30:00", BERLIN, "literal")
    assert local_times(rule, "2026-03-28 12:00", 1) == ["03-30 02:30+0200"]
    hourly = rrule("FREQ=HOURLY", "2026-10-25T00:00:00", BERLIN)
    assert local_times(hourly, "2026-10-25 01:30", 3) == ["10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100"]


def test_times_that_a_gap_left_out_do_not_count_when_read_literally() -> None:
    rule = rrule("FREQ=DAILY;COUNT=3", "2026-03-28T02:30:00", BERLIN, "literal")
    found = ["03-28 02:30+0100", "03-30 02:30+0200", "03-31 02:30+0200"]
    assert local_times(rule, "2026-03-27 00:00", 9) == found
    settled = rrule("FREQ=DAILY;COUNT=3", "2026-03-28T02:30:00", BERLIN)
    found = ["03-28 02:30+0100", "03-29 03:00+0200", "03-30 02:30+0200"]
    assert local_times(settled, "2026-03-27 00:00", 9) == found


def test_a_single_time_in_a_gap_is_due_after_it_or_refused_literally() -> None:
    assert local_times(once("2026-03-29T02:30:00", BERLIN), "2026-01-01 00:00", 2) == ["03-29 03:00+0200"]
    with pytest.raises(BadTrigger, match="does not exist") as caught:
        once("2026-03-29T02:30:00", BERLIN, "literal")
    assert caught.value.place == "trigger.at"


def test_a_single_time_in_an_overlap_is_due_the_first_time_only() -> None:
    for dst in ("debian", "literal"):
        assert local_times(once("2026-10-25T02:30:00", BERLIN, dst), "2026-01-01 00:00", 2) == ["10-25 02:30+0200"]


def test_an_offset_says_which_of_two_times_is_meant() -> None:
    rule = once("2026-10-25T02:30:00+01:00", BERLIN)
    assert local_times(rule, "2026-01-01 00:00", 2) == ["10-25 02:30+0100"]


CHANGES = [
    (BERLIN, "2026-03-29"),
    (BERLIN, "2026-10-25"),
    (NEW_YORK, "2026-03-08"),
    (NEW_YORK, "2026-11-01"),
    (LORD_HOWE, "2026-04-05"),
    (LORD_HOWE, "2026-10-04"),
    (SANTIAGO, "2026-04-04"),
    (SANTIAGO, "2026-09-06"),
    (APIA, "2011-12-30"),
    (CAIRO, "2026-04-24"),
    (CAIRO, "2026-10-29"),
    (BEIRUT, "2026-03-29"),
    (BEIRUT, "2026-10-25"),
    ("America/Caracas", "2016-05-01"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Europe/Dublin", "2026-10-25"),
    ("Asia/Kathmandu", "1986-01-01"),
]
FIXED = (
    "0 0 * * *",
    "59 23 * * *",
    "30 2 * * *",
    "0,30 1-3 * * *",
    "5-20 0,2 * * *",
    "0,10,20,45 22-23,0-4 * * *",
    "15 1 * * 0",
    "30 0 */2 * *",
    "0-59 0-23 * * 5,6",
)
STARRED = (
    "* * * * *",
    "*/7 * * * *",
    "*/20 2 * * *",
    "30 */2 * * SUN",
    "0 */3 * * *",
    "15 * */2 * *",
    "*/15 0-3 * * 5,6",
)


class _Asked:
    """Every minute around a day, with what the zone's clocks show, asked one by one."""

    def __init__(self, where: str, day: str) -> None:
        self.low, self.high = instant(day) - 30 * 3600 * SECOND, instant(day) + 54 * 3600 * SECOND
        zone, seconds = ZoneInfo(where), range(self.low // SECOND, self.high // SECOND, 60)
        self.shown = [(s * SECOND, datetime.fromtimestamp(s, zone).replace(tzinfo=UTC, fold=0)) for s in seconds]

    def due(self, expression: str, *, as_shown: bool) -> list[int]:
        """The due times by definition: the minutes whose wall matches or, settled, the first minute at which the clock
        has passed a wall that matches."""
        cronsim = CronSim(expression, self.shown[0][1])
        minutes, hours = cronsim.minutes, cronsim.hours

        def matches(wall: datetime) -> bool:
            return wall.minute in minutes and wall.hour in hours and cronsim.match_day(wall.date())

        if as_shown:
            return [moment for moment, wall in self.shown[1:] if matches(wall)]
        due, highest = [], self.shown[0][1]
        for moment, wall in self.shown[1:]:
            passed = range(1, (wall - highest) // timedelta(minutes=1) + 1)
            if any(matches(highest + timedelta(minutes=number)) for number in passed):
                due.append(moment)
            highest = max(highest, wall)
        return due


@pytest.mark.slow
@pytest.mark.parametrize(("where", "day"), CHANGES)
def test_due_times_are_those_of_asking_every_minute(where: str, day: str) -> None:
    asked = _Asked(where, day)
    for expression, literal in product((*FIXED, *STARRED), (False, True)):
        rule = cron(expression, where, "literal" if literal else "debian")
        expected = asked.due(expression, as_shown=literal or expression in STARRED)
        found = due_after(rule, asked.low, len(expected) + 1)
        assert [due for due in found if due < asked.high] == expected, (expression, literal)
        _looking_back_agrees(rule, expected, asked.low)
        _any_moment_agrees(rule, expected, asked)


def _looking_back_agrees(rule: Rule, due: list[int], low: int) -> None:
    for number, moment in enumerate(due[:200]):
        assert rule.last_until(moment) == moment
        assert rule.count_between(low, moment) == number + 1
        assert rule.count_between(low, moment - 1) == number
        if number:
            assert rule.last_until(moment - 1) == due[number - 1]


def _any_moment_agrees(rule: Rule, due: list[int], asked: _Asked) -> None:
    """Asked in between, also while an hour is lived a second time."""
    for moment, _ in asked.shown[60::37]:
        place = bisect_right(due, moment)
        if 0 < place < len(due):
            assert rule.next_after(moment) == due[place]
            assert rule.last_until(moment) == due[place - 1]


def test_both_times_of_a_yearly_rule_are_found_from_either_side() -> None:
    """The second time lies in the next span, the next wall a year away."""
    rule = cron("30 2 25 10 *", BERLIN, "literal")
    first, second = instant("2026-10-25 02:30", BERLIN), instant("2026-10-25 02:30", BERLIN, fold=1)
    assert second - first == HOUR
    assert due_after(rule, first - DAY, 2) == [first, second]
    assert rule.last_until(second + DAY) == second
    assert rule.last_until(second - 1) == first


def test_a_long_time_back_is_counted_without_a_walk() -> None:
    """Thirty years of minutes and sixty clock changes."""
    rule = cron("* * * * *", BERLIN)
    minutes = (instant("2026-01-01 00:00") - instant("1996-01-01 00:00")) // MINUTE
    assert rule.count_between(instant("1996-01-01 00:00"), instant("2026-01-01 00:00"), 10**9) == minutes
    daily = cron("30 2 * * *", BERLIN)
    days = (instant("2026-01-01 00:00") - instant("1996-01-01 00:00")) // DAY
    assert daily.count_between(instant("1996-01-01 00:00"), instant("2026-01-01 00:00"), 10**9) == days
