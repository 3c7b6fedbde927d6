"""Triggers said back in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timing.compile import BadTrigger, compile_rule
from core.timing.reading import Unreadable, read
from core.timing.say import say
from schedule_zero.instant import parse
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.timing.test_cron import expressions
from tests.timing.test_recurrence import rules
from tests.timing.walls import due_after, unhurried

BERLIN = "Europe/Berlin"
NOW = parse("2026-11-18T10:00:00+01:00")


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (DateTrigger("2026-11-20T18:30:00"), "Friday 20 November 2026 at 18:30"),
        (DateTrigger("2026-11-20T17:30:00Z"), "Friday 20 November 2026 at 18:30"),
        (DateTrigger("2026-11-20T18:30:15", timezone="Asia/Tokyo"), "Friday 20 November 2026 at 18:30:15"),
        (DateTrigger("2026-11-20T17:30:00Z", timezone="Asia/Tokyo"), "Saturday 21 November 2026 at 02:30"),
        (IntervalTrigger("PT1S"), "every second"),
        (IntervalTrigger("PT90S"), "every 1 minute 30 seconds"),
        (IntervalTrigger("P1D"), "every 24 hours"),
        (IntervalTrigger("P1M"), "every month"),
        (IntervalTrigger("P2Y"), "every 2 years"),
        (IntervalTrigger("PT1.5S"), "every 1.5 seconds"),
        (IntervalTrigger("P1M", start="2026-11-15T09:00:00"), "every month on the 15th at 09:00"),
        (IntervalTrigger("P1Y", start="2026-11-15T09:00:00"), "every year on 15 November at 09:00"),
        (CronTrigger("0 9 * * *"), "every day at 09:00"),
        (CronTrigger("* * * * *"), "every minute on the clock"),
        (CronTrigger("*/20 * * * MON-FRI"), "every 20 minutes on weekdays"),
        (CronTrigger("0 */6 * * *"), "every 6 hours on the clock"),
        (CronTrigger("0 9 13 * 5"), "at 09:00 on the 13th day of month or on Friday (cron 0 9 13 * 5)"),
        (
            CronTrigger("0 9 1,15 * 1,5"),
            "at 09:00 on the first and the 15th day of month or on Monday and Friday (cron 0 9 1,15 * 1,5)",
        ),
        (CronTrigger("@yearly"), "every year on 1 January at 00:00"),
        (RRuleTrigger("FREQ=WEEKLY;BYDAY=MO,FR", start="2026-11-20T18:30:00"), "every Monday and Friday at 18:30"),
        (
            RRuleTrigger("FREQ=DAILY;BYHOUR=8,9;BYSETPOS=1,-1", start="2026-11-17T09:30:00"),
            "every day at 08:30 and 09:30",
        ),
        (RRuleTrigger("RRULE:freq=hourly;interval=5"), "by the rule FREQ=HOURLY;INTERVAL=5"),
        (TextTrigger("every day at 9"), "every day at 9"),
    ],
)
def test_triggers_are_said_as_people_would(trigger: Trigger, said: str) -> None:
    assert say(trigger, timezone=BERLIN, hour24=True) == said


def _due(trigger: Trigger) -> list[int]:
    rule = compile_rule(trigger, timezone=BERLIN, anchor=NOW)
    return due_after(rule, NOW, 5)


def _words_mean_the_trigger(trigger: Trigger) -> None:
    """Words that are readable at all mean the same; words that are not cannot mislead."""
    try:
        due = _due(trigger)
    except BadTrigger:
        return
    try:
        reading = read(say(trigger, timezone=BERLIN, hour24=True), now=NOW, timezone=BERLIN)
    except Unreadable:
        return
    assert _due(reading.trigger) == due


_simple = st.tuples(
    st.sampled_from(["0", "30", "0,30", "*/15", "*", "5"]),
    st.sampled_from(["9", "9-17", "0", "*", "*/2", "8,20", "9-17/4"]),
    st.sampled_from(["*", "*", "15", "L", "LW", "1,15", "28"]),
    st.sampled_from(["*", "*", "*", "3", "2,4"]),
    st.sampled_from(["*", "*", "1-5", "0,6", "MON", "1,4", "TUE#2", "5L", "1-6"]),
).map(" ".join)


@pytest.mark.slow
@settings(unhurried, max_examples=300)
@given(st.one_of(_simple, expressions).map(CronTrigger))
def test_words_of_cron_never_mean_something_else(trigger: CronTrigger) -> None:
    _words_mean_the_trigger(trigger)


@pytest.mark.slow
@unhurried
@given(rules(), st.sampled_from(["2026-11-17T09:30:00", "2026-01-31T09:00:00", "2025-02-28T23:59:00"]))
def test_words_of_recurrence_rules_never_mean_something_else(rule: str, start: str) -> None:
    _words_mean_the_trigger(RRuleTrigger(rule, start=start))


@unhurried
@given(st.integers(1, 10_000_000))
def test_words_of_intervals_never_mean_something_else(seconds: int) -> None:
    _words_mean_the_trigger(IntervalTrigger(f"PT{seconds}S"))
