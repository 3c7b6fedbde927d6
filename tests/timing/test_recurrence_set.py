"""Recurrence sets: DTSTART, RRULE, RDATE and EXDATE together, and dateutil as an independent engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from core.timing.compile import BadTrigger
from core.timing.preview import preview
from core.timing.reading import Unreadable, read
from core.timing.recurrence_set import MOST_DATES
from core.timing.rule import LATEST, Rule
from core.timing.say import say
from schedule_zero.instant import DAY, from_datetime
from schedule_zero.trigger import RRuleTrigger
from tests.timing.walls import compiled, due_after, instant, local_times, unhurried

BERLIN = "Europe/Berlin"


def recurrence(
    text: str, start: str | None = None, zone: str = BERLIN, dst: str = "debian", named: str | None = None
) -> Rule:
    return compiled(RRuleTrigger(text, start=start, timezone=named), zone, dst=dst)


SETS = [
    # RDATE adds, EXDATE takes away; COUNT counts what the rule itself gives.
    (
        "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260102T090000\nRDATE:20260110T100000",
        ["01-01 09:00+0100", "01-03 09:00+0100", "01-04 09:00+0100", "01-10 10:00+0100"],
    ),
    # Several lists, in one line as people paste them, folded, in any case, with carriage returns.
    (
        "dtstart:20260101T090000 rrule:freq=daily;count=5 exdate:20260102T090000, 20260103T090000 exdate:20260104",
        ["01-01 09:00+0100", "01-05 09:00+0100"],
    ),
    (
        "DTSTART;TZID=Europe/Ber\r\n lin:20260101T090000\r\nRRULE:FREQ=DAILY;COU\r\n NT=2\r\n",
        ["01-01 09:00+0100", "01-02 09:00+0100"],
    ),
    # A date excludes the whole day and is added at the time of day of the start.
    (
        "DTSTART:20260101T093000 RRULE:FREQ=DAILY;COUNT=3 EXDATE;VALUE=DATE:20260102 RDATE;VALUE=DATE:20260110",
        ["01-01 09:30+0100", "01-03 09:30+0100", "01-10 09:30+0100"],
    ),
    # UTC and other zones name instants.
    (
        "DTSTART:20260101T090000 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260102T080000Z RDATE;TZID=Asia/Tokyo:20260110T090000",
        ["01-01 09:00+0100", "01-03 09:00+0100", "01-10 01:00+0100"],
    ),
    # The same time twice is due once; what is excluded is so however it came in.
    (
        "DTSTART:20260101T090000 RRULE:FREQ=DAILY;COUNT=2 RDATE:20260102T090000,20260102T080000Z,20260105T090000",
        ["01-01 09:00+0100", "01-02 09:00+0100", "01-05 09:00+0100"],
    ),
    (
        "DTSTART:20260101T090000 RRULE:FREQ=DAILY;COUNT=2 RDATE:20260105T080000Z EXDATE:20260105T090000",
        ["01-01 09:00+0100", "01-02 09:00+0100"],
    ),
    (
        "DTSTART:20260101T090000 RRULE:FREQ=DAILY;COUNT=2 RDATE:20260105T090000 EXDATE:20260105T080000Z",
        ["01-01 09:00+0100", "01-02 09:00+0100"],
    ),
    # A start that is a date begins with its day.
    ("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=WEEKLY;COUNT=2", ["01-01 00:00+0100", "01-08 00:00+0100"]),
    # Dates alone; the start is the first of them.
    ("DTSTART:20260103T090000 RDATE:20260101T090000,20260105T090000",
     ["01-01 09:00+0100", "01-03 09:00+0100", "01-05 09:00+0100"]),
    ("RDATE:20260101T090000,20260105T090000 EXDATE:20260101", ["01-05 09:00+0100"]),
    # In a gap the wall is what counts: 02:00 is taken away, and 03:00 stays.
    (
        "DTSTART:20260328T020000 RRULE:FREQ=DAILY;BYHOUR=2,3;COUNT=6 EXDATE:20260329T020000,20260330",
        ["03-28 02:00+0100", "03-28 03:00+0100", "03-29 03:00+0200"],
    ),
    (
        "DTSTART:20260328T023000 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260329T023000",
        ["03-28 02:30+0100", "03-30 02:30+0200"],
    ),
    # An hour lived twice: the wall takes both away from a rule that follows the clock, the instant one.
    (
        "DTSTART:20261025T010000 RRULE:FREQ=HOURLY;COUNT=3 EXDATE:20261025T020000",
        ["10-25 01:00+0200", "10-25 03:00+0100"],
    ),
    (
        "DTSTART:20261025T010000 RRULE:FREQ=HOURLY;COUNT=3 EXDATE:20261025T010000Z",
        ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 03:00+0100"],
    ),
    # And RDATE may name the second of the two.
    ("DTSTART:20261024T023000 RRULE:FREQ=DAILY;COUNT=2 RDATE:20261025T013000Z",
     ["10-24 02:30+0200", "10-25 02:30+0200", "10-25 02:30+0100"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SETS)
def test_a_set_is_due_at_the_dates_of_its_rule_and_of_rdate_without_those_of_exdate(
    text: str, expected: list[str]
) -> None:
    rule = recurrence(text)
    assert rule.recurring
    assert local_times(rule, "2025-12-01 00:00", len(expected) + 1) == expected
    _agrees(rule, due_after(rule, 0, 99))


def test_a_start_in_a_named_zone_is_read_there_whatever_the_zone_of_the_schedule() -> None:
    rule = recurrence("DTSTART;TZID=America/New_York:20260307T090000\nRRULE:FREQ=DAILY;COUNT=2")
    assert rule.zone.key == "America/New_York"
    assert local_times(rule, "2026-03-01 00:00", 9) == ["03-07 09:00-0500", "03-08 09:00-0400"]
    assert recurrence("DTSTART:20260307T090000Z RRULE:FREQ=DAILY").zone.key == "UTC"
    named = recurrence('DTSTART;TZID="america/new_york":20260307T090000 RRULE:FREQ=DAILY', named="America/New_York")
    assert named.next_after(0) == rule.next_after(0)


def test_a_start_given_both_ways_must_be_one() -> None:
    text = "DTSTART:20260101T090000 RRULE:FREQ=DAILY"
    assert recurrence(text, "2026-01-01T09:00:00").next_after(0) == instant("2026-01-01 09:00", BERLIN)
    assert recurrence(text, "2026-01-01T08:00:00Z").next_after(0) == instant("2026-01-01 09:00", BERLIN)
    with pytest.raises(BadTrigger, match="DTSTART and the start '2026-01-02T09:00:00' differ") as caught:
        recurrence(text, "2026-01-02T09:00:00")
    assert caught.value.place == "trigger.start"
    with pytest.raises(BadTrigger, match="in America/New_York and the timezone is Europe/Berlin") as caught:
        recurrence("DTSTART;TZID=America/New_York:20260101T090000 RRULE:FREQ=DAILY", named=BERLIN)
    assert caught.value.place == "trigger.timezone"


def test_a_date_in_a_gap_is_due_after_it_or_left_out_literally() -> None:
    text = "DTSTART:20260101T120000 RRULE:FREQ=DAILY;COUNT=1 RDATE:20260329T023000"
    assert local_times(recurrence(text), "2026-01-02 00:00", 2) == ["03-29 03:00+0200"]
    assert local_times(recurrence(text, dst="literal"), "2026-01-02 00:00", 2) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DTSTART:20260101T090000", "no RRULE"),
        ("EXDATE:20260101T090000", "no RRULE"),
        ("FREQ=DAILY RRULE:FREQ=DAILY", "RRULE stands more than once"),
        ("DTSTART:20260101 DTSTART:20260102 RRULE:FREQ=DAILY", "DTSTART stands more than once"),
        ("RRULE:FREQ=DAILY EXRULE:FREQ=WEEKLY", "EXRULE is not read"),
        ("BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT", "BEGIN is not read"),
        ("RRULE:FREQ=DAILY RDATE;VALUE=PERIOD:20260101T090000Z/PT1H", "VALUE=PERIOD"),
        ("RRULE:FREQ=DAILY EXDATE;RANGE=THISANDFUTURE:20260101T090000Z", "RANGE=THISANDFUTURE"),
        ("RRULE:FREQ=DAILY EXDATE:", "'' in EXDATE is not of the form"),
        ("RRULE:FREQ=DAILY EXDATE:2026-01-01", "'2026-01-01' in EXDATE is not of the form"),
        ("RRULE:FREQ=DAILY EXDATE:20260231", "20260231 in EXDATE is no date that exists"),
        ("RRULE:FREQ=DAILY EXDATE:20260101T250000", "is no date that exists"),
        ("RRULE:FREQ=DAILY RDATE:22600101T090000", "outside the years 1900 to 2199"),
        ("RRULE:FREQ=DAILY EXDATE;VALUE=DATE:20260101T090000", "is not of the form 20261231$"),
        ("RRULE:FREQ=DAILY EXDATE;TZID=Europe/Berlin:20260101T090000Z", "in UTC already"),
        ("DTSTART;TZID=W. Europe Standard Time:20260101T090000 RRULE:FREQ=DAILY", "is no time zone"),
        ("DTSTART:20260101T090000 RRULE:FREQ=DAILY;COUNT=1 EXDATE:20260101", "takes away every date"),
        ("RDATE:20260101T090000 EXDATE:20260101T090000", "takes away every date"),
        ("RRULE:FREQ=DAILY RDATE:" + ",".join(["20260101"] * (MOST_DATES + 1)), "at most 500 dates"),
        ("RRULE:FREQ=DAILY " + "EXDATE:20260101 " * 700, "at most 10000 characters"),
        ("FREQ=DAILY SUMMER:20260101", "'DAILYSUMMER:20260101'|FREQ"),
    ],
)
def test_a_set_that_cannot_be_read_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(BadTrigger, match=words) as caught:
        recurrence(text)
    assert caught.value.place == "trigger.rule"
    assert "\n" not in caught.value.message


def test_odd_text_is_refused_quickly() -> None:
    """Property names and quotation marks without end: no search for a name goes back and forth over all of it."""
    for text in (" DUE;" * 1999, "DTSTART;A" * 1100, 'DTSTART;"' * 1100, "DTSTART;" + ":" * 9000, '"' * 9999):
        with pytest.raises(BadTrigger):
            recurrence(text)


def test_a_set_is_said_in_one_line_with_the_number_of_its_dates() -> None:
    said = say(RRuleTrigger("DTSTART:20260101T090000\nRRULE:FREQ=WEEKLY"), timezone=BERLIN, hour24=True)
    assert said == "every Thursday at 09:00"
    text = "DTSTART:20260101T090000\nRRULE:freq=weekly\nEXDATE:20260108,20260115\nRDATE:20260109"
    said = say(RRuleTrigger(text), timezone=BERLIN, hour24=True)
    assert said == "by the rule FREQ=WEEKLY, with 1 date more, without 2 dates"
    assert say(RRuleTrigger("RDATE:20260109,20260110"), timezone=BERLIN, hour24=True) == "on 2 dates"


def test_the_preview_tells_what_the_clocks_do_to_a_set() -> None:
    rule = recurrence("DTSTART:20260328T023000 RRULE:FREQ=DAILY;COUNT=3 RDATE:20260331T070000")
    notes = [line.notes for line in preview(rule, after=instant("2026-03-28 12:00"), n=3)]
    assert any("does not exist" in note for note in notes[0])
    assert not notes[2]


def _agrees(rule: Rule, due: list[int]) -> None:
    assert rule.upcoming(0, len(due) + 5) == due
    assert rule.last_until(LATEST) == due[-1]
    for number, moment in enumerate(due):
        assert rule.last_until(moment) == moment
        assert rule.count_between(0, moment) == number + 1
        assert rule.count_between(moment, LATEST) == len(due) - number - 1
        assert rule.last_until(moment - 1) == (due[number - 1] if number else None)
    assert rule.count_between(0, LATEST, 2) == min(2, len(due))


_base = datetime(2026, 3, 20, 9, tzinfo=UTC)
_near = st.integers(0, 40 * 24).map(lambda hours: _base + timedelta(hours=hours))
_rules = st.sampled_from(
    [
        "FREQ=DAILY;COUNT=12",
        "FREQ=DAILY;INTERVAL=2;BYHOUR=9,15;COUNT=20",
        "FREQ=HOURLY;INTERVAL=7;COUNT=60",
        "FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL=20260415T090000Z",
        "FREQ=MONTHLY;BYMONTHDAY=1,15,-1;COUNT=9",
    ]
)


@pytest.mark.slow
@unhurried
@given(_rules, st.lists(_near, max_size=8), st.lists(_near, max_size=12), st.booleans())
def test_sets_agree_with_dateutil(rule: str, added: list[datetime], excluded: list[datetime], pasted: bool) -> None:
    lines = [f"DTSTART:{_base:%Y%m%dT%H%M%SZ}", f"RRULE:{rule}"]
    lines += [f"{name}:{','.join(f'{date:%Y%m%dT%H%M%SZ}' for date in dates)}"
              for name, dates in (("RDATE", added), ("EXDATE", excluded)) if dates]  # fmt: skip
    expected = [from_datetime(moment) for moment in islice(rrulestr("\n".join(lines), forceset=True), 99)]
    text = (" " if pasted else "\n").join(lines)
    if not expected:
        with pytest.raises(BadTrigger, match="takes away every date"):
            recurrence(text)
        return
    made = recurrence(text)
    assert due_after(made, 0, 99) == expected
    _agrees(made, expected)


def test_five_hundred_excluded_days_of_a_rule_due_every_minute_are_passed_in_as_many_steps() -> None:
    first = instant("2026-01-01 00:00", BERLIN)
    days = ",".join(
        (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)).strftime("%Y%m%d") for number in range(MOST_DATES)
    )
    rule = recurrence(f"DTSTART:20260101T000000 RRULE:FREQ=MINUTELY EXDATE:{days}")
    after = rule.next_after(0)
    assert after is not None
    assert after == instant("2027-05-16 00:00", BERLIN)
    assert rule.last_until(after - 1) is None
    assert rule.count_between(first - DAY, after) == 1


def test_typed_dates_come_at_the_default_time_and_a_typed_start_brings_its_zone() -> None:
    now = instant("2026-11-18 10:00", BERLIN)
    dates = read("RDATE:20261206,20261224T160000", now=now, timezone=BERLIN)
    assert local_times(compiled(dates.trigger, BERLIN), "2026-11-18 10:00", 3) == [
        "12-06 09:00+0100",
        "12-24 16:00+0100",
    ]
    text = "DTSTART;TZID=America/New_York:20261120T090000 RRULE:FREQ=DAILY;COUNT=1"
    abroad = compiled(read(text, now=now, timezone=BERLIN).trigger, BERLIN)
    assert local_times(abroad, "2026-11-18 10:00", 2) == ["11-20 09:00-0500"]
    with pytest.raises(Unreadable, match="H in the minute field stands for a value drawn once"):
        read("H 9 * * *", now=now, timezone=BERLIN)
