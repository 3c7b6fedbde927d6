from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.bounds import Bounded
from core.timing.compile import BadTrigger, compile_rule
from core.timing.preview import preview
from core.timing.rule import LATEST, Rule
from schedule_zero.instant import DAY, HOUR, parse
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.timing.walls import compiled, cron, due_after, instant, interval, local_times, rrule, unhurried

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        (DateTrigger("tomorrow"), "trigger.at"),
        (DateTrigger("2026-03-29"), "trigger.at"),
        (DateTrigger("2026-02-30T09:00:00"), "trigger.at"),
        (DateTrigger("9026-03-29T09:00:00"), "trigger.at"),
        (DateTrigger("0001-01-01T00:00:00+14:00"), "trigger.at"),
        (IntervalTrigger("PT1H", start="soon"), "trigger.start"),
        (RRuleTrigger("FREQ=DAILY", start="soon"), "trigger.start"),
        (CronTrigger("0 9 * * *", timezone="Europe/Atlantis"), "trigger.timezone"),
        (TextTrigger("every day"), "trigger.type"),
    ],
)
def test_a_bad_trigger_names_the_place_of_its_mistake(trigger: Trigger, place: str) -> None:
    with pytest.raises(BadTrigger) as caught:
        compiled(trigger)
    assert caught.value.place == place
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize(
    ("zone", "dst", "month_end", "place"),
    [
        ("UTC", "summer", None, "policy.dst"),
        ("UTC", "debian", "first", "policy.month_end"),
        ("Mars", "debian", None, "timezone"),
    ],
)
def test_unknown_policy_words_and_zones_are_refused(zone: str, dst: str, month_end: str | None, place: str) -> None:
    with pytest.raises(BadTrigger) as caught:
        compile_rule(CronTrigger("0 9 * * *"), timezone=zone, anchor=0, dst=dst, month_end=month_end)
    assert caught.value.place == place


def test_the_triggers_own_zone_wins_over_the_default() -> None:
    rule = compiled(CronTrigger("0 9 * * *", timezone="Asia/Tokyo"), BERLIN)
    assert rule.zone.key == "Asia/Tokyo"
    assert local_times(rule, "2026-01-01 00:00", 1) == ["01-01 09:00+0900"]
    assert compiled(CronTrigger("0 9 * * *"), BERLIN).zone.key == BERLIN


def test_a_date_is_due_once() -> None:
    rule = compiled(DateTrigger("2026-03-01T09:00:00+01:00"), BERLIN)
    due = instant("2026-03-01 08:00")
    assert not rule.recurring
    assert (rule.next_after(due - 1), rule.next_after(due)) == (due, None)
    assert (rule.last_until(due - 1), rule.last_until(due)) == (None, due)
    assert (rule.count_between(due - 1, due), rule.count_between(due, due + DAY)) == (1, 0)
    assert compiled(CronTrigger("0 9 * * *")).recurring


def test_start_and_until_belong_to_the_rule() -> None:
    first, last = instant("2026-02-01 09:00"), instant("2026-02-03 09:00")
    rule = compiled(CronTrigger("0 9 * * *"), start=first, until=last)
    assert due_after(rule, 0, 9) == [first, first + DAY, last]
    assert rule.last_until(last + 9 * DAY) == last
    assert rule.last_until(first - 1) is None
    assert rule.count_between(0, last + 9 * DAY) == 3


def test_counting_stops_at_the_limit() -> None:
    for trigger in (CronTrigger("* * * * *"), IntervalTrigger("PT1S"), RRuleTrigger("FREQ=MINUTELY")):
        assert compiled(trigger).count_between(instant("2026-01-01 00:00"), instant("2027-01-01 00:00"), 7) == 7


SAMPLES: list[Trigger] = [
    CronTrigger("* * * * *"),
    CronTrigger("30 2 * * *"),
    CronTrigger("*/20 */2 * * *"),
    CronTrigger("0 0 29 2 *"),
    CronTrigger("0 9 * * FRI#5"),
    CronTrigger("*/7 30 2 * * *"),
    IntervalTrigger("PT37M"),
    IntervalTrigger("P1M", start="2025-12-31T02:30:00"),
    IntervalTrigger("P1Y", start="2024-02-29T02:30:00"),
    RRuleTrigger("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE", start="2025-11-02T02:15:00"),
    RRuleTrigger("FREQ=HOURLY;INTERVAL=5", start="2025-11-02T00:30:00"),
    RRuleTrigger("FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=1,2;BYMINUTE=30;COUNT=9", start="2025-11-02T02:15:00"),
    RRuleTrigger("FREQ=DAILY;UNTIL=20270101T000000Z", start="2025-11-02T02:30:00"),
    DateTrigger("2026-03-29T02:30:00"),
]
ZONES = (
    "UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Beirut",
    "Asia/Kathmandu", "Africa/Casablanca", "Antarctica/Troll", "Pacific/Auckland", "Europe/Dublin",
)  # fmt: skip
samples = st.sampled_from(SAMPLES)
around_2026 = st.integers(instant("2025-06-01 00:00"), instant("2027-06-01 00:00"))


def _rule(trigger: Trigger, zone: str, dst: str, after: int) -> Rule | None:
    try:
        return compile_rule(trigger, timezone=zone, anchor=after - DAY, dst=dst)
    except BadTrigger:
        return None  # The one date of the samples lies in Berlin's gap, which literal refuses.


@pytest.mark.slow
@unhurried
@given(samples, st.sampled_from(ZONES), st.sampled_from(["debian", "literal"]), around_2026)
def test_due_times_increase_and_all_questions_agree_with_a_walk(
    trigger: Trigger, zone: str, dst: str, after: int
) -> None:
    rule = _rule(trigger, zone, dst, after)
    if rule is None:
        return
    walked = due_after(rule, after, 15)
    assert walked == sorted(set(walked))
    assert all(due > after for due in walked)
    for number, due in enumerate(walked):
        assert rule.last_until(due) == due
        assert rule.count_between(after, due) == number + 1
        assert rule.count_between(after, due - 1) == number
        if number:
            assert rule.last_until(due - 1) == walked[number - 1]
            assert rule.next_after(due - 1) == due


@pytest.mark.slow
@unhurried
@given(samples, st.sampled_from(ZONES), st.sampled_from(["debian", "literal"]), around_2026, st.integers(0, 60))
def test_preview_is_what_will_fire(trigger: Trigger, zone: str, dst: str, after: int, n: int) -> None:
    rule = _rule(trigger, zone, dst, after)
    if rule is None:
        return
    coming = due_after(rule, after, n)
    assert [fire.at for fire in preview(rule, after=after, n=n)] == coming
    for due in coming[:-1:7]:  # wherever a rule is cut off, it previews what is left
        cut = Bounded(rule, due, coming[-1] - 1)
        assert cut.upcoming(after, n) == [each for each in coming if due <= each < coming[-1]]


@pytest.mark.parametrize(
    ("rule", "after"),
    [
        (rrule("FREQ=DAILY;COUNT=1", "2026-10-25T02:30:00", BERLIN, "literal"), "2026-10-24T12:00:00+02:00"),
        (cron("30 2 25 10 *", BERLIN, "literal"), "2026-10-24T12:00:00+02:00"),
        (cron("*/20 2 * * *", BERLIN, "literal"), "2026-10-25T02:10:00+02:00"),
        (cron("30 2 * * *", BERLIN), "2026-10-25T02:10:00+01:00"),
        (cron("30 2 * * *", BERLIN), "2026-03-28T12:00:00+01:00"),
        (cron("0 0 29 2 *"), "2190-01-01T00:00:00+00:00"),
        (interval("PT7H"), "2199-12-31T00:00:00+00:00"),
    ],
)
def test_what_is_coming_is_listed_as_a_walk_finds_it(rule: Rule, after: str) -> None:
    for n in (0, 1, 2, 3, 30):
        assert rule.upcoming(parse(after), n) == due_after(rule, parse(after), n)


@unhurried
@given(samples, st.sampled_from(ZONES), st.integers(-(10**18), 10**18))
def test_any_question_however_far_is_answered(trigger: Trigger, zone: str, moment: int) -> None:
    rule = compile_rule(trigger, timezone=zone, anchor=instant("2026-01-01 00:00"))
    following, last = rule.next_after(moment), rule.last_until(moment)
    assert following is None or moment < following < LATEST
    assert last is None or last <= moment
    assert rule.count_between(moment, moment + HOUR) >= 0
    assert rule.upcoming(moment, 2) == due_after(rule, moment, 2)
    preview(rule, after=moment, n=2)


def test_nothing_is_due_beyond_the_last_year() -> None:
    for trigger in SAMPLES:
        assert compiled(trigger).next_after(LATEST) is None
        assert compiled(trigger).next_after(LATEST + 10**18) is None
