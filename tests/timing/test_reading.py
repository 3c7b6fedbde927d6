"""What people type and what it means. Now is Wednesday 2026-11-18 10:00 in Berlin, unless a test says otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timing.compile import compile_rule
from core.timing.locales import DateOrder
from core.timing.reading import Reading, Unreadable, read, read_repeat
from core.timing.say import say
from schedule_zero.instant import parse, spell, to_datetime
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, Trigger
from tests.timing.walls import due_after, unhurried

BERLIN = "Europe/Berlin"
NOW = parse("2026-11-18T10:00:00+01:00")


def understood(
    text: str, now: int = NOW, zone: str = BERLIN, *, hour24: bool = True, order: DateOrder | None = None
) -> Reading:
    return read(text, now=now, timezone=zone, hour24=hour24, order=order)


def fires(reading: Reading, n: int = 3, now: int = NOW) -> list[str]:
    """The next due times in Berlin, as ``YYYY-MM-DD HH:MM``."""
    rule = compile_rule(
        reading.trigger, timezone="UTC", anchor=now, month_end="clamp", start=reading.start, until=reading.until
    )
    return [to_datetime(due, rule.zone).strftime("%Y-%m-%d %H:%M") for due in due_after(rule, now, n)]


ONCE = [
    ("in 10 minutes", "2026-11-18 10:10"),
    ("in 2 hours", "2026-11-18 12:00"),
    ("in 1h30m", "2026-11-18 11:30"),
    ("in 1h30", "2026-11-18 11:30"),
    ("in 1 hour and 30 minutes", "2026-11-18 11:30"),
    ("2h", "2026-11-18 12:00"),
    ("90m", "2026-11-18 11:30"),
    ("2 hours from now", "2026-11-18 12:00"),
    ("in an hour", "2026-11-18 11:00"),
    ("in half an hour", "2026-11-18 10:30"),
    ("in an hour and a half", "2026-11-18 11:30"),
    ("in 1.5 hours", "2026-11-18 11:30"),
    ("in two and a half hours", "2026-11-18 12:30"),
    ("in twenty-five minutes", "2026-11-18 10:25"),
    ("in a couple of days", "2026-11-20 10:00"),
    ("in 2 days", "2026-11-20 10:00"),
    ("in 3 days 2 hours", "2026-11-21 12:00"),
    ("in 3 days at 9", "2026-11-21 09:00"),
    ("in three days' time", "2026-11-21 10:00"),
    ("in a week", "2026-11-25 10:00"),
    ("in a fortnight", "2026-12-02 10:00"),
    ("in 2 months", "2027-01-18 10:00"),
    ("in 1 year", "2027-11-18 10:00"),
    ("a week from friday", "2026-11-27 09:00"),
    ("2 days after tomorrow at 8pm", "2026-11-21 20:00"),
    ("tomorrow", "2026-11-19 09:00"),
    ("Tomorrow at 5pm", "2026-11-19 17:00"),
    ("tomorrow 5 p.m.", "2026-11-19 17:00"),
    ("tomorrow, 17:00", "2026-11-19 17:00"),
    ("tomorrow at 17", "2026-11-19 17:00"),
    ("tomorrow at 9", "2026-11-19 09:00"),
    ("tomorrow at noon", "2026-11-19 12:00"),
    ("tomorrow morning", "2026-11-19 09:00"),
    ("tomorrow evening at 8", "2026-11-19 20:00"),
    ("tomorrow at 8 in the evening", "2026-11-19 20:00"),
    ("tmrw 6:30pm", "2026-11-19 18:30"),
    ("5pm tomorrow", "2026-11-19 17:00"),
    ("at 18:30 tomorrow", "2026-11-19 18:30"),
    ("the day after tomorrow at noon", "2026-11-20 12:00"),
    ("today at 5pm", "2026-11-18 17:00"),
    ("tonight", "2026-11-18 20:00"),
    ("tonight at 8", "2026-11-18 20:00"),
    ("tonight at 11:15", "2026-11-18 23:15"),
    ("tonight at 12", "2026-11-19 00:00"),
    ("this afternoon at 3", "2026-11-18 15:00"),
    ("this evening", "2026-11-18 18:00"),
    ("9am", "2026-11-19 09:00"),
    ("11am", "2026-11-18 11:00"),
    ("18:30", "2026-11-18 18:30"),
    ("at 17", "2026-11-18 17:00"),
    ("9 at night", "2026-11-18 21:00"),
    ("tonight at 9pm", "2026-11-18 21:00"),
    ("tonight at 1am", "2026-11-19 01:00"),
    ("10 past 5pm", "2026-11-18 17:10"),
    ("20 minutes to 5pm tomorrow", "2026-11-19 16:40"),
    ("at 1830", "2026-11-18 18:30"),
    ("tomorrow 1830 hours", "2026-11-19 18:30"),
    ("tomorrow 18h30", "2026-11-19 18:30"),
    ("noon", "2026-11-18 12:00"),
    ("midnight", "2026-11-19 00:00"),
    ("today at midnight", "2026-11-19 00:00"),
    ("friday", "2026-11-20 09:00"),
    ("friday 9am", "2026-11-20 09:00"),
    ("on friday at 9", "2026-11-20 09:00"),
    ("next friday 18:30", "2026-11-20 18:30"),
    ("this friday 18:30", "2026-11-20 18:30"),
    ("5pm on friday", "2026-11-20 17:00"),
    ("wednesday 9am", "2026-11-25 09:00"),
    ("this wednesday 11am", "2026-11-18 11:00"),
    ("next wednesday", "2026-11-25 09:00"),
    ("friday next week at 10", "2026-11-27 10:00"),
    ("friday in a week", "2026-11-27 09:00"),
    ("eod", "2026-11-18 23:59"),
    ("end of day", "2026-11-18 23:59"),
    ("end of week", "2026-11-22 09:00"),
    ("eow", "2026-11-22 09:00"),
    ("end of month", "2026-11-30 09:00"),
    ("by the end of the month at 6pm", "2026-11-30 18:00"),
    ("eom", "2026-11-30 09:00"),
    ("end of next month", "2026-12-31 09:00"),
    ("end of february", "2027-02-28 09:00"),
    ("end of year", "2026-12-31 09:00"),
    ("beginning of next month", "2026-12-01 09:00"),
    ("the 15th", "2026-12-15 09:00"),
    ("on the 31st at 9", "2026-12-31 09:00"),
    ("3rd of march 9am", "2027-03-03 09:00"),
    ("march 3 at 9", "2027-03-03 09:00"),
    ("first of january", "2027-01-01 09:00"),
    ("20 nov", "2026-11-20 09:00"),
    ("nov 20, 2026, 6:30 pm", "2026-11-20 18:30"),
    ("friday, 20 november 2026 at 18:30", "2026-11-20 18:30"),
    ("friday the 20th at noon", "2026-11-20 12:00"),
    ("3 march 2030", "2030-03-03 09:00"),
    ("29 february", "2028-02-29 09:00"),
    ("29.11.", "2026-11-29 09:00"),
    ("29.11. 18:30", "2026-11-29 18:30"),
    ("29.11.2026", "2026-11-29 09:00"),
    ("13/04", "2027-04-13 09:00"),
    ("25/12/2026 at noon", "2026-12-25 12:00"),
    ("12/25", "2026-12-25 09:00"),
    ("2026/12/25", "2026-12-25 09:00"),
    ("2026-12-01", "2026-12-01 09:00"),
    ("2026-12-01 18:30", "2026-12-01 18:30"),
    ("2026-12-01T18:30:00", "2026-12-01 18:30"),
    ("2026-12-01T18:30:00Z", "2026-12-01 19:30"),
    ("2026-12-01T18:30:00+05:30", "2026-12-01 14:00"),
    ("2026-12-01 at 6pm", "2026-12-01 18:00"),
    ("<t:1800000000>", "2027-01-15 09:00"),
    ("<t:1800000000:R>", "2027-01-15 09:00"),
    ("1800000000", "2027-01-15 09:00"),
    ("Fri Nov 20 18:30:00 2026", "2026-11-20 18:30"),
    ("20-Nov-2026", "2026-11-20 09:00"),
]


@pytest.mark.parametrize(("text", "expected"), ONCE)
def test_a_moment_is_read(text: str, expected: str) -> None:
    reading = understood(text)
    assert fires(reading) == [expected]
    assert isinstance(reading.trigger, DateTrigger)
    assert not reading.recurring
    assert reading.text == text.strip()


SERIES = [
    ("every day at 9", "0 9 * * *", "every day at 09:00"),
    ("daily at 8", "0 8 * * *", "every day at 08:00"),
    ("once a day at noon", "0 12 * * *", "every day at 12:00"),
    ("every morning at 8", "0 8 * * *", "every day at 08:00"),
    ("every evening at 8", "0 20 * * *", "every day at 20:00"),
    ("every day at 9 and 17", "0 9,17 * * *", "every day at 09:00 and 17:00"),
    ("at 9 and 17 every day", "0 9,17 * * *", "every day at 09:00 and 17:00"),
    ("every day at 9am, 1pm and 5pm", "0 9,13,17 * * *", "every day at 09:00, 13:00 and 17:00"),
    ("every weekday at 9", "0 9 * * 1-5", "every weekday at 09:00"),
    ("weekdays at 9", "0 9 * * 1-5", "every weekday at 09:00"),
    ("at 9 on weekdays", "0 9 * * 1-5", "every weekday at 09:00"),
    ("every working day at 9", "0 9 * * 1-5", "every weekday at 09:00"),
    ("weekends at 10", "0 10 * * 0,6", "every Saturday and Sunday at 10:00"),
    ("every day except sunday at 9", "0 9 * * 1-6", "every day except Sunday at 09:00"),
    ("every day but not on weekends", "0 9 * * 1-5", "every weekday at 09:00"),
    ("every monday", "0 9 * * 1", "every Monday at 09:00"),
    ("mondays at 9", "0 9 * * 1", "every Monday at 09:00"),
    ("weekly on monday", "0 9 * * 1", "every Monday at 09:00"),
    ("every monday and thursday at 18:30", "30 18 * * 1,4", "every Monday and Thursday at 18:30"),
    ("every mon, wed and fri at 6:30pm", "30 18 * * 1,3,5", "every Monday, Wednesday and Friday at 18:30"),
    ("mon, wed and fri at 6:30pm", "30 18 * * 1,3,5", "every Monday, Wednesday and Friday at 18:30"),
    ("monday to friday at 9", "0 9 * * 1-5", "every weekday at 09:00"),
    ("monthly on the 15th at 9", "0 9 15 * *", "every month on the 15th at 09:00"),
    ("every month on the 1st and 15th", "0 9 1,15 * *", "every month on the 1st and 15th at 09:00"),
    ("15th of every month at 9", "0 9 15 * *", "every month on the 15th at 09:00"),
    ("last day of the month at 6pm", "0 18 L * *", "every month on the last day at 18:00"),
    ("last day of month 18:00", "0 18 L * *", "every month on the last day at 18:00"),
    ("first monday of the month at 10", "0 10 * * 1#1", "every month on the first Monday at 10:00"),
    ("every last friday at 10", "0 10 * * 5L", "every month on the last Friday at 10:00"),
    ("second tuesday of every month", "0 9 * * 2#2", "every month on the second Tuesday at 09:00"),
    ("first and third monday of the month", "0 9 * * 1#1,1#3", "every month on the first and third Monday at 09:00"),
    ("last weekday of the month at 17", "0 17 LW * *", "every month on the last weekday at 17:00"),
    ("yearly on march 3 at 9", "0 9 3 3 *", "every year on 3 March at 09:00"),
    ("every 25 december", "0 9 25 12 *", "every year on 25 December at 09:00"),
    ("every 15 minutes on weekdays", "*/15 * * * 1-5", "every 15 minutes on weekdays"),
    ("every hour on the hour", "0 * * * *", "every hour on the clock"),
    ("every hour between 9 and 17", "0 9-17 * * *", "every hour between 09:00 and 17:00"),
    ("every hour between 9 and 23", "0 9-23 * * *", "every hour between 09:00 and 23:00"),
    ("every day at 8, 12, 16 and 20", "0 8-20/4 * * *", "every 4 hours between 08:00 and 20:00"),
    ("every 2 hours between 8:30 and 18:30", "30 8-18/2 * * *", "every 2 hours between 08:30 and 18:30"),
    ("every 15 minutes between 9:00 and 16:45", "*/15 9-16 * * *", "every 15 minutes between 09:00 and 16:45"),
    ("every day at midnight", "0 0 * * *", "every day at 00:00"),
    ("every day at 2:00 and 2:30", "0,30 2 * * *", "every day at 02:00 and 02:30"),
    ("every 2 hours on the clock", "0 */2 * * *", "every 2 hours on the clock"),
]


@pytest.mark.parametrize(("text", "expression", "said"), SERIES)
def test_a_series_on_the_calendar_becomes_cron(text: str, expression: str, said: str) -> None:
    reading = understood(text)
    assert reading.trigger == CronTrigger(expression, timezone=BERLIN)
    assert reading.words == said
    assert reading.recurring


OTHER_SERIES: list[tuple[str, Trigger, str, list[str]]] = [
    (
        "every 15 minutes", IntervalTrigger("PT15M", timezone=BERLIN), "every 15 minutes",
        ["2026-11-18 10:15", "2026-11-18 10:30"],
    ),
    ("every 1h30m", IntervalTrigger("PT1H30M", timezone=BERLIN), "every 1 hour 30 minutes", ["2026-11-18 11:30"]),
    ("hourly", IntervalTrigger("PT1H", timezone=BERLIN), "every hour", ["2026-11-18 11:00"]),
    (
        "every 15 minutes starting tomorrow at 9",
        IntervalTrigger("PT15M", start="2026-11-19T09:00:00", timezone=BERLIN),
        "every 15 minutes, starting Thursday 19 November 2026 at 09:00",
        ["2026-11-19 09:00", "2026-11-19 09:15"],
    ),
    (
        "every 2nd friday at 18:00",
        RRuleTrigger("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", start="2026-11-20T18:00:00", timezone=BERLIN),
        "every other Friday at 18:00, starting Friday 20 November 2026 at 18:00",
        ["2026-11-20 18:00", "2026-12-04 18:00"],
    ),
    (
        "every other week on tuesday and friday at 8",
        RRuleTrigger("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR", start="2026-11-20T08:00:00", timezone=BERLIN),
        "every 2 weeks on Tuesday and Friday at 08:00, starting Friday 20 November 2026 at 08:00",
        ["2026-11-20 08:00", "2026-12-01 08:00", "2026-12-04 08:00"],
    ),
    (
        "mondays every 2 weeks at 8",
        RRuleTrigger("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", start="2026-11-23T08:00:00", timezone=BERLIN),
        "every other Monday at 08:00, starting Monday 23 November 2026 at 08:00",
        ["2026-11-23 08:00", "2026-12-07 08:00"],
    ),
    (
        "every 3 days at 7",
        RRuleTrigger("FREQ=DAILY;INTERVAL=3", start="2026-11-19T07:00:00", timezone=BERLIN),
        "every 3 days at 07:00, starting Thursday 19 November 2026 at 07:00",
        ["2026-11-19 07:00", "2026-11-22 07:00"],
    ),
    (
        "every 3 months on the first monday at 10",
        RRuleTrigger("FREQ=MONTHLY;INTERVAL=3;BYDAY=1MO", start="2026-12-07T10:00:00", timezone=BERLIN),
        "every 3 months on the first Monday at 10:00, starting Monday 7 December 2026 at 10:00",
        ["2026-12-07 10:00", "2027-03-01 10:00"],
    ),
    (
        "quarterly on the 15th",
        IntervalTrigger("P3M", start="2026-12-15T09:00:00", timezone=BERLIN),
        "every 3 months on the 15th at 09:00, starting Tuesday 15 December 2026 at 09:00",
        ["2026-12-15 09:00", "2027-03-15 09:00"],
    ),
    (
        "every day at 9:00 and 17:30",
        RRuleTrigger("FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30;BYSECOND=0;BYSETPOS=1,4", timezone=BERLIN),
        "every day at 09:00 and 17:30",
        ["2026-11-18 17:30", "2026-11-19 09:00"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "trigger", "said", "expected"), OTHER_SERIES)
def test_a_series_that_counts_gets_a_start(text: str, trigger: Trigger, said: str, expected: list[str]) -> None:
    reading = understood(text)
    assert reading.trigger == trigger
    assert reading.words == said
    assert fires(reading, len(expected)) == expected


def test_every_other_friday_starts_with_the_next_one() -> None:
    for now, first in (
        ("2026-11-20T08:59:00+01:00", "2026-11-20 09:00"),
        ("2026-11-20T09:00:00+01:00", "2026-11-27 09:00"),
    ):
        assert fires(understood("every other friday", parse(now)), 1, parse(now)) == [first]


def test_a_start_that_is_past_still_decides_which_weeks() -> None:
    assert fires(understood("every other friday, starting 13 november 2026"), 2) == [
        "2026-11-27 09:00",
        "2026-12-11 09:00",
    ]
    assert fires(understood("every 3 days at 7, starting 16 november 2026"), 1) == ["2026-11-19 07:00"]
    assert fires(understood("every 7 days at 7, starting 31 january 2026"), 1) == ["2026-11-21 07:00"]
    assert fires(understood("monthly at 7, starting 31 january 2026"), 1) == ["2026-11-30 07:00"]


@pytest.mark.parametrize("days", ["", " on weekdays"])
def test_between_includes_its_end(days: str) -> None:
    reading = understood("every 15 minutes between 9 and 17" + days)
    day = [fire for fire in fires(reading, 70) if fire.startswith("2026-11-19")]
    assert (day[0], day[-2], day[-1], len(day)) == ("2026-11-19 09:00", "2026-11-19 16:45", "2026-11-19 17:00", 33)
    assert reading.words == f"every 15 minutes between 09:00 and 17:00{days}"
    weekend = [fire for fire in fires(reading, 200) if fire.startswith("2026-11-21")]
    assert (weekend == []) is bool(days)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("every month on the 31st", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]),
        ("yearly on 29 february", ["2027-02-28", "2028-02-29", "2029-02-28"]),
        ("monthly on the 30th", ["2026-11-30", "2026-12-30", "2027-01-30", "2027-02-28", "2027-03-30"]),
    ],
)
def test_days_that_short_months_lack_fall_on_their_last_day_in_words(text: str, expected: list[str]) -> None:
    assert [fire[:10] for fire in fires(understood(text), len(expected))] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*/5 * * * *", "every 5 minutes on the clock"),
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * MON#1", "every month on the first Monday at 09:00"),
        ("  0   9 * *  mon-fri ", "every weekday at 09:00"),
        ("15 30 9 * * *", "every day at 09:30:15"),
        ("@daily", "every day at 00:00"),
        ("@hourly", "every hour on the clock"),
        ("5/7 3 1-3 */2 *", "every seventh minute from 5 through 59 past hour 3 on every day of month"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "every Monday and Wednesday at 09:00"),
        ("freq=daily;interval=3;byhour=8", "every 3 days at 08:00, starting Thursday 19 November 2026 at 08:00"),
        ("RRULE:FREQ=DAILY;COUNT=3", "by the rule FREQ=DAILY;COUNT=3"),
    ],
)
def test_cron_and_rrule_are_taken_and_said_in_words(text: str, said: str) -> None:
    reading = understood(text)
    assert reading.words.startswith(said)
    assert reading.recurring


def test_a_recurrence_rule_begins_with_its_next_occurrence() -> None:
    assert fires(understood("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"), 2) == ["2026-11-20 09:00", "2026-12-04 09:00"]
    assert fires(understood("RRULE:FREQ=DAILY;COUNT=2"), 9) == ["2026-11-19 09:00", "2026-11-20 09:00"]
    assert fires(understood("RRULE:FREQ=HOURLY;INTERVAL=6"), 2) == ["2026-11-18 11:00", "2026-11-18 17:00"]


def test_bounds_are_read_and_said_back() -> None:
    reading = understood("daily at 8, starting 1 december, until 3 december")
    assert fires(reading, 9) == ["2026-12-01 08:00", "2026-12-02 08:00", "2026-12-03 08:00"]
    assert reading.words == "every day at 08:00, starting Tuesday 1 December 2026, until Thursday 3 December 2026"
    for text in ("every 3 days, 5 times", "every day at 9, 5 times", "every day for 5 times"):
        reading = understood(text)
        assert reading.count == 5
        assert reading.words.endswith(", 5 times")
        assert understood(reading.words).words == reading.words


@pytest.mark.parametrize(
    ("text", "time", "day"),
    [
        ("tomorrow", True, False),
        ("tomorrow at 9", False, False),
        ("every day", True, False),
        ("every day at 9", False, False),
        ("weekly", True, True),
        ("monthly at 9", False, True),
        ("yearly", True, True),
        ("every 15 minutes", False, False),
        ("every 15 minutes between 9 and 17", False, False),
        ("in 2 days", False, False),
        ("RRULE:FREQ=DAILY", True, False),
        ("2026-12-01", True, False),
    ],
)
def test_what_nobody_said_is_marked(text: str, time: bool, day: bool) -> None:
    reading = understood(text)
    assert (reading.defaulted_time, reading.defaulted_day) == (time, day)


def test_the_default_time_is_the_guilds() -> None:
    reading = read("tomorrow", now=NOW, timezone=BERLIN, default_time="07:45")
    assert fires(reading) == ["2026-11-19 07:45"]
    assert read("every friday", now=NOW, timezone=BERLIN, default_time="7:45").words == "every Friday at 07:45"


def test_human_times_are_kept_as_wall_times_and_lengths_as_instants() -> None:
    assert understood("tomorrow at 5pm").trigger == DateTrigger("2026-11-19T17:00:00", timezone=BERLIN)
    assert understood("in 2 hours").trigger == DateTrigger("2026-11-18T12:00:00+01:00", timezone=BERLIN)


def test_a_length_is_real_time_and_days_are_calendar_days_across_a_clock_change() -> None:
    now = parse("2026-03-28T12:00:00+01:00")
    assert fires(understood("in 24 hours", now), now=now) == ["2026-03-29 13:00"]
    assert fires(understood("in 1 day", now), now=now) == ["2026-03-29 12:00"]


def test_a_fraction_of_a_second_is_never_too_early() -> None:
    now = NOW + 400_000
    reading = read("in 10 seconds", now=now, timezone=BERLIN)
    assert reading.trigger == DateTrigger("2026-11-18T10:00:11+01:00", timezone=BERLIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("15m", "every 15 minutes"),
        ("2h", "every 2 hours"),
        ("1d", "every day at 09:00"),
        ("2 weeks", "every other Thursday at 09:00, starting Thursday 19 November 2026 at 09:00"),
        ("week", "every Thursday at 09:00"),
        ("day", "every day at 09:00"),
        ("monday", "every Monday at 09:00"),
        ("weekdays", "every weekday at 09:00"),
        ("every day at 9", "every day at 09:00"),
        ("last day of month 18:00", "every month on the last day at 18:00"),
        ("*/10 * * * *", "every 10 minutes on the clock"),
    ],
)
def test_in_the_field_for_repetitions_a_length_repeats(text: str, said: str) -> None:
    assert read_repeat(text, now=NOW, timezone=BERLIN).words == said


@pytest.mark.parametrize("text", ["tomorrow", "in 2 hours", "18:30", "9", "2026-12-01"])
def test_a_single_moment_is_no_repetition(text: str) -> None:
    with pytest.raises(Unreadable, match=r"not understood|how often"):
        read_repeat(text, now=NOW, timezone=BERLIN)


_ALL = [str(text) for text, *_ in (*ONCE, *SERIES, *OTHER_SERIES)]


@pytest.mark.parametrize("order", [None, "day", "month"])
@pytest.mark.parametrize("hour24", [True, False])
def test_words_are_a_fixed_point(hour24: bool, order: DateOrder | None) -> None:
    """What is said back can be typed again and means the same."""
    for text in (*_ALL, "every 15 minutes between 9 and 17", "every month on the 31st", "weekly"):
        reading = understood(text, hour24=hour24, order=order)
        again = understood(reading.words, hour24=hour24, order=order)
        assert again.words == reading.words, text
        assert fires(again, 5) == fires(reading, 5), text
        words = [say(each.trigger, timezone=BERLIN, hour24=hour24, order=order) for each in (reading, again)]
        assert words[0] == words[1], text


def test_hours_are_shown_as_the_guild_prefers() -> None:
    assert understood("every day at 18:30", hour24=False).words == "every day at 6:30pm"
    assert understood("every day at 0:00 and 12:00", hour24=False).words == "every day at 12am and 12pm"
    assert understood("tomorrow at 17", hour24=False).words == "Thursday 19 November 2026 at 5pm"


_FRAGMENTS = """
every each other next last first the of on at in and , until starting between from to except 9 17 18:30 9am 12 2
15 31 31st 2nd 3rd monday fri weekday weekend day days week month year minutes hour hours tomorrow today tonight
noon midnight march 29 february 2027 end eom daily weekly monthly half past quarter ago now times @ - */5 * 0 L
RRULE:FREQ=DAILY ;COUNT=3 29.11. 03/04 2026-12-01 <t:1800000000> a an morning night
"""
_fragments = st.sampled_from(_FRAGMENTS.split())
_phrases = st.lists(_fragments, min_size=1, max_size=8).map(" ".join)


def _only_answers_or_refuses(text: str, now: int, zone: str) -> None:
    for how in (read, read_repeat):
        try:
            reading = how(text, now=now, timezone=zone)
        except Unreadable:
            continue
        rule = compile_rule(reading.trigger, timezone=zone, anchor=now, start=reading.start, until=reading.until)
        due = rule.next_after(now)
        assert due is not None
        assert due > now
        assert reading.words


_zones = st.sampled_from([BERLIN, "UTC", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago"])
_nows = st.integers(parse("2000-01-01T00:00:00Z"), parse("2060-01-01T00:00:00Z"))


@pytest.mark.slow
@settings(unhurried, max_examples=400)
@given(_phrases, _nows, _zones)
def test_words_in_any_order_are_read_or_refused(text: str, now: int, zone: str) -> None:
    _only_answers_or_refuses(text, now, zone)


@unhurried
@given(st.text(max_size=220), _nows, _zones)
def test_any_text_is_read_or_refused(text: str, now: int, zone: str) -> None:
    _only_answers_or_refuses(text, now, zone)


@unhurried
@given(st.integers(NOW + 1, NOW + 10**15), _zones)
def test_an_instant_spelled_out_is_read_as_itself(moment: int, zone: str) -> None:
    moment -= moment % 1_000_000
    if moment > NOW:
        reading = read(spell(moment), now=NOW, timezone=zone)
        assert compile_rule(reading.trigger, timezone=zone, anchor=NOW).next_after(NOW) == moment
