from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.timing.preview import MOST, preview
from core.timing.rule import EARLIEST, LATEST
from core.timing.zones import zone
from schedule_zero.instant import parse, spell, to_datetime
from schedule_zero.trigger import CronTrigger, RRuleTrigger, Trigger
from tests.timing.walls import compiled, cron, instant, interval, once, unhurried

BERLIN = "Europe/Berlin"


def test_a_gap_is_said_with_the_time_that_does_not_exist() -> None:
    fires = preview(cron("30 2 * * *", BERLIN), after=instant("2026-03-28 12:00", BERLIN), n=2)
    assert fires[0].local == "2026-03-29T03:00:00+02:00"
    assert fires[0].at == parse(fires[0].local)
    assert fires[0].notes == (
        "02:30 does not exist on 2026-03-29; fires at 03:00",
        "the clocks go forward 1 h since the time before (now UTC+02:00)",
    )
    assert fires[1].notes == ()


def test_a_time_left_out_literally_is_said_at_the_next_one() -> None:
    fires = preview(cron("30 2 * * *", BERLIN, "literal"), after=instant("2026-03-28 12:00", BERLIN), n=1)
    assert fires[0].local == "2026-03-30T02:30:00+02:00"
    assert fires[0].notes[0] == "02:30 does not exist on 2026-03-29 and is left out"


def test_a_time_left_out_is_not_said_to_fire_at_another_that_is_due_anyway() -> None:
    fires = preview(cron("0 2,3 * * *", BERLIN, "literal"), after=instant("2026-03-28 12:00", BERLIN), n=1)
    assert fires[0].local == "2026-03-29T03:00:00+02:00"
    assert fires[0].notes[0] == "02:00 does not exist on 2026-03-29 and is left out"


def test_an_overlap_is_said() -> None:
    after = instant("2026-10-24 12:00", BERLIN)
    assert preview(cron("30 2 * * *", BERLIN), after=after, n=1)[0].notes == (
        "02:30 comes twice on 2026-10-25; it fires the first",
    )
    both = preview(cron("30 2 * * *", BERLIN, "literal"), after=after, n=2)
    assert both[0].notes == ("02:30 comes twice on 2026-10-25; it fires both times; this is the first",)
    assert both[1].notes[0] == "02:30 comes twice on 2026-10-25; it fires both times; this is the second"
    assert both[1].local == "2026-10-25T02:30:00+01:00"


def test_a_change_of_offset_is_said_for_intervals_too() -> None:
    fires = preview(interval("PT12H", "2026-10-24T21:00:00", BERLIN), after=instant("2026-10-24 20:00", BERLIN), n=2)
    assert [fire.local for fire in fires] == ["2026-10-24T21:00:00+02:00", "2026-10-25T08:00:00+01:00"]
    assert fires[1].notes == ("the clocks go back 1 h since the time before (now UTC+01:00)",)


def test_half_an_hour_is_said_as_minutes() -> None:
    fires = preview(cron("15 2 * * *", "Australia/Lord_Howe"), after=instant("2026-10-03 12:00"), n=1)
    assert fires[0].notes == (
        "02:15 does not exist on 2026-10-04; fires at 02:30",
        "the clocks go forward 30 min since the time before (now UTC+11:00)",
    )


def test_the_offset_is_compared_with_the_time_before_the_question() -> None:
    fires = preview(cron("0 9 * * *", BERLIN), after=instant("2026-03-29 08:00", BERLIN), n=1)
    assert fires[0].notes == ("the clocks go forward 1 h since the time before (now UTC+02:00)",)


def test_the_first_time_of_a_new_rule_is_compared_with_none() -> None:
    after = instant("2026-03-29 08:00", BERLIN)
    assert preview(cron("0 9 * * *", BERLIN), after=after, n=1, new=True)[0].notes == ()
    monthly = preview(cron("0 9 18 * *", BERLIN), after=instant("2026-03-18 10:00", BERLIN), n=8, new=True)
    assert [fire.local[:10] for fire in monthly if fire.notes] == ["2026-11-18"]


def test_a_time_of_a_new_rule_that_a_gap_swallows_is_said_all_the_same() -> None:
    rule = cron("30 2 * * *", BERLIN, "literal")
    first = preview(rule, after=instant("2026-03-28 12:00", BERLIN), n=1, new=True)[0]
    assert first.notes == ("02:30 does not exist on 2026-03-29 and is left out",)
    assert preview(rule, after=instant("2026-03-29 12:00", BERLIN), n=1, new=True)[0].notes == ()


def test_a_single_time_in_a_gap_is_said() -> None:
    fires = preview(once("2026-03-29T02:30:00", BERLIN), after=0, n=5)
    assert [fire.notes for fire in fires] == [("02:30 does not exist on 2026-03-29; fires at 03:00",)]


def test_an_ended_rule_previews_nothing_and_a_long_one_stops() -> None:
    assert preview(once("2026-03-29T12:00:00"), after=instant("2026-04-01 00:00"), n=5) == []
    assert len(preview(cron("* * * * *"), after=0, n=10**9)) == MOST
    assert preview(cron("* * * * *"), after=0, n=0) == []


def test_a_time_moved_to_another_day_is_noted_with_that_day() -> None:
    rule = cron("0 9 * * *", "Pacific/Apia")
    first = preview(rule, after=instant("2011-12-29 12:00", "Pacific/Apia"), n=1)[0]
    assert first.notes[0] == "09:00 does not exist on 2011-12-30; fires at 00:00 on 2011-12-31"


SHORT = "2026-02 is too short for the day it names; its last day stands for it"


@pytest.mark.parametrize(
    ("trigger", "dues"),
    [
        (CronTrigger("0 9 31 * *"), ["01-31", "02-28!", "03-31", "04-30!"]),
        (CronTrigger("0 9 15,31 * *"), ["01-31", "02-15", "02-28!", "03-15"]),
        (CronTrigger("0 9 29-31 * *"), ["01-29", "01-30", "01-31", "02-28!"]),
        (CronTrigger("0 9 30 2 *"), ["02-28!", "02-28!"]),
        (CronTrigger("0 9 31 * SAT"), ["01-31", "02-07", "02-14", "02-21", "02-28"]),  # a Saturday, wanted as such
        (CronTrigger("0 9 31,L * *"), ["01-31", "02-28", "03-31"]),
        (RRuleTrigger("FREQ=MONTHLY", start="2026-01-31T09:00:00"), ["01-31", "02-28!", "03-31", "04-30!"]),
        (RRuleTrigger("FREQ=MONTHLY;BYMONTHDAY=31,-1", start="2026-01-31T09:00:00"), ["01-31", "02-28", "03-31"]),
    ],
    ids=str,
)
def test_the_last_day_of_a_month_that_lacks_the_one_named_says_so(trigger: Trigger, dues: list[str]) -> None:
    fires = preview(compiled(trigger, month_end="clamp"), after=instant("2026-01-28 12:00"), n=len(dues), new=True)
    assert [fire.local[5:10] + "!" * len(fire.notes) for fire in fires] == dues
    assert {note for fire in fires for note in fire.notes if fire.local < "2026-03"} <= {SHORT}


@unhurried
@given(
    st.sampled_from(["30 2 * * *", "0 * * * *", "15 1 * * 0", "59 23 28 * *"]),
    st.sampled_from([BERLIN, "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "America/New_York"]),
    st.integers(EARLIEST, LATEST - 1),
)
@example("30 2 * * *", BERLIN, parse("2026-03-28T02:30:00+01:00"))
@example("30 2 * * *", BERLIN, parse("2026-10-24T02:30:00+02:00"))
def test_no_note_is_missed_and_times_are_spelled_as_everywhere(expression: str, name: str, after: int) -> None:
    rule = cron(expression, name)
    previous = rule.last_until(after)
    for fire in preview(rule, after=after, n=5):
        assert fire.local == spell(fire.at, rule.zone)
        assert [note for note in fire.notes if "the clocks go" not in note] == list(rule.notes(fire.at, previous))
        previous = fire.at


@unhurried
@given(st.integers(EARLIEST, LATEST - 1), st.sampled_from([BERLIN, "UTC", "Africa/Monrovia"]).map(zone))
def test_instants_are_spelled_as_the_zone_shows_them(moment: int, where: ZoneInfo) -> None:
    assert spell(moment, where) == to_datetime(moment, where).isoformat()
