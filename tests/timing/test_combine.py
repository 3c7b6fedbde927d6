"""``when`` and ``repeat`` together. Now is Wednesday 2026-11-18 10:00 in Berlin."""

from __future__ import annotations

import pytest

from core.timing.combine import combine
from core.timing.compile import compile_rule
from core.timing.reading import Reading, Unreadable, read, read_repeat
from schedule_zero.instant import parse, to_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger
from tests.timing.walls import due_after

NOW = parse("2026-11-18T10:00:00+01:00")


def both(when: str, repeat: str | None, *, hour24: bool = True) -> Reading:
    zone = "Europe/Berlin"
    first = read(when, now=NOW, timezone=zone, hour24=hour24)
    return combine(first, None if repeat is None else read_repeat(repeat, now=NOW, timezone=zone, hour24=hour24))


def fires(reading: Reading, n: int) -> list[str]:
    rule = compile_rule(reading.trigger, timezone="UTC", anchor=NOW, start=reading.start, until=reading.until)
    return [to_datetime(due, rule.zone).strftime("%Y-%m-%d %H:%M") for due in due_after(rule, NOW, n)]


CASES = [
    ("tomorrow 17:30", "every day", ["2026-11-19 17:30", "2026-11-20 17:30"]),
    ("tomorrow 17:30", "15m", ["2026-11-19 17:30", "2026-11-19 17:45"]),
    ("tomorrow 17:30", "weekdays", ["2026-11-19 17:30", "2026-11-20 17:30", "2026-11-23 17:30"]),
    ("tomorrow", "every weekday at 8", ["2026-11-19 08:00", "2026-11-20 08:00"]),
    ("tomorrow", "daily", ["2026-11-19 09:00", "2026-11-20 09:00"]),
    ("tomorrow 9:00", "every day at 9", ["2026-11-19 09:00", "2026-11-20 09:00"]),
    ("friday 18:00", "weekly", ["2026-11-20 18:00", "2026-11-27 18:00"]),
    ("friday 18:00", "every other friday", ["2026-11-20 18:00", "2026-12-04 18:00"]),
    ("tomorrow 8:00", "2w", ["2026-11-19 08:00", "2026-12-03 08:00"]),
    ("tomorrow 8:00", "3 days", ["2026-11-19 08:00", "2026-11-22 08:00"]),
    ("tomorrow 9:00", "monday", ["2026-11-23 09:00", "2026-11-30 09:00"]),
    ("31 december 18:00", "monthly", ["2026-12-31 18:00", "2027-01-31 18:00", "2027-02-28 18:00"]),
    ("29 february 8:00", "yearly", ["2028-02-29 08:00", "2029-02-28 08:00"]),
    ("3 march 9:00", "monthly on the 15th", ["2027-03-15 09:00", "2027-04-15 09:00"]),
    ("in 2 hours", "every day", ["2026-11-18 12:00", "2026-11-19 12:00"]),
    ("in 10 seconds", "1h", ["2026-11-18 10:00", "2026-11-18 11:00"]),
    ("in 10 seconds", "every day", ["2026-11-18 10:00", "2026-11-19 10:00"]),
    ("tomorrow", "every 15 minutes between 9 and 17", ["2026-11-19 09:00", "2026-11-19 09:15"]),
    ("tomorrow 10:07", "*/15 * * * *", ["2026-11-19 10:15", "2026-11-19 10:30"]),
    ("tomorrow 9:00", "RRULE:FREQ=MONTHLY;BYDAY=-1FR", ["2026-11-27 09:00", "2026-12-25 09:00"]),
    ("tomorrow 9:00", "RRULE:FREQ=HOURLY;INTERVAL=5", ["2026-11-19 09:00", "2026-11-19 14:00"]),
    ("tomorrow 9:00", "every day until 20 november", ["2026-11-19 09:00", "2026-11-20 09:00"]),
]


@pytest.mark.parametrize(("when", "repeat", "expected"), CASES)
def test_both_together_are_start_and_rule(when: str, repeat: str, expected: list[str]) -> None:
    reading = both(when, repeat)
    assert fires(reading, len(expected)) == expected
    assert reading.recurring
    assert reading.start is not None


@pytest.mark.parametrize(("when", "repeat"), [(when, repeat) for when, repeat, _ in CASES if "RRULE" not in repeat])
def test_what_both_mean_is_said_in_words_that_can_be_typed(when: str, repeat: str) -> None:
    reading = both(when, repeat)
    again = read(reading.text, now=NOW, timezone="Europe/Berlin")
    assert again.words == reading.words
    assert fires(again, 4) == fires(reading, 4)


def test_without_a_repetition_nothing_changes() -> None:
    assert both("tomorrow 17:30", None) == read("tomorrow 17:30", now=NOW, timezone="Europe/Berlin")


def test_two_different_times_of_day_are_refused_with_both_readings() -> None:
    with pytest.raises(Unreadable, match=r"17:30.*09:00") as caught:
        both("tomorrow 17:30", "every day at 9")
    assert [fires(reading, 2) for reading in caught.value.readings] == [
        ["2026-11-19 17:30", "2026-11-20 17:30"],
        ["2026-11-19 09:00", "2026-11-20 09:00"],
    ]


@pytest.mark.parametrize(
    ("when", "repeat", "words"),
    [
        ("every day", "weekly", "'when' already says every day at 09:00"),
        ("tomorrow", "every day starting friday", "a start of its own"),
        ("friday 18:00", "DTSTART:20261119T090000 RRULE:FREQ=DAILY", "a start of its own"),
        ("friday 18:00", "DTSTART:20261119T090000 RRULE:FREQ=DAILY", "names a start of its own"),
    ],
)
def test_what_does_not_go_together_is_refused(when: str, repeat: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        both(when, repeat)


def test_a_part_of_the_day_in_the_repetition_is_not_lost_to_a_day_without_a_time() -> None:
    assert both("tomorrow", "every evening").words.startswith("every day at 18:00")
    assert both("tomorrow 17:30", "every evening").words.startswith("every day at 17:30")
    assert both("tonight", "every day").words.startswith("every day at 20:00")


def test_a_single_moment_as_repetition_is_refused() -> None:
    moment = read("tomorrow 9:00", now=NOW, timezone="Europe/Berlin")
    with pytest.raises(Unreadable, match="single moment") as caught:
        combine(moment, moment)
    assert len(caught.value.readings) == 2


def test_the_start_is_the_interval_anchor() -> None:
    trigger = both("tomorrow 17:30", "15m").trigger
    assert trigger == IntervalTrigger("PT15M", start="2026-11-19T17:30:00", timezone="Europe/Berlin")
    daily = both("tomorrow 17:30", "every day").trigger
    assert daily == CronTrigger("30 17 * * *", timezone="Europe/Berlin")


def test_counts_ends_and_the_way_hours_are_shown_are_kept() -> None:
    reading = both("tomorrow 17:30", "every day, 3 times", hour24=False)
    assert reading.count == 3
    assert reading.words == "every day at 5:30pm, starting Thursday 19 November 2026 at 5:30pm, 3 times"
