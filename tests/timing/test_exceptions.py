"""Rules kept out of closed times, moved off closed days, and changed in single due times, against a list made by hand."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timing.amended import Amended
from core.timing.avoiding import Avoiding
from core.timing.calendars import ClosedDays, Days
from core.timing.clock import clock_of
from core.timing.closures import Blackouts, Closure, Closures
from core.timing.compile import compile_rule
from core.timing.hours import Hours
from core.timing.rolling import MOST_MOVED, Rolling
from core.timing.rule import LATEST, Rule
from schedule_zero.instant import DAY, HOUR, parse, spell
from schedule_zero.schedule import OnClash
from schedule_zero.trigger import CronTrigger, IntervalTrigger, Trigger

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Kolkata",
    "America/St_Johns", "Pacific/Chatham", "America/Santiago", "Asia/Beirut", "Africa/Casablanca", "UTC",
)  # fmt: skip
STARTS = ("2026-03-20T00:00:00Z", "2026-04-01T00:00:00Z", "2026-10-15T00:00:00Z", "2026-12-15T00:00:00Z")
CRONS = (
    "0 9 * * *",
    "30 2 * * *",
    "0 */7 * * *",
    "15 8,20 * * MON-FRI",
    "0 9 1 * *",
    "*/30 * * * *",
    "0 0 * * SAT",
    "0 23 * * *",
)
EVERY = ("PT7H", "P1D", "PT50M")
WINDOWS = (
    ["MO-FR 09:00-17:00"], ["22:00-06:00"], ["SA,SU 10:00-14:00", "MO 00:00-24:00"], ["00:00-24:00"],
    ["MO-TH 08:00-12:00", "MO-TH 13:00-18:00"], ["01:30-03:30"], ["FR 20:00-20:00"],
)  # fmt: skip
LENGTH = 25 * DAY
AROUND = 8 * DAY
CLASHES: tuple[OnClash, ...] = ("skip", "later", "earlier")


class Case:
    """A rule, what closes times, and every due time of the rule around a few weeks."""

    def __init__(self, draw: st.DrawFn) -> None:
        name = draw(st.sampled_from(ZONES))
        self.zone, self.clock = ZoneInfo(name), clock_of(ZoneInfo(name))
        self.start = parse(draw(st.sampled_from(STARTS)))
        self.end = self.start + LENGTH
        trigger: Trigger = draw(
            st.one_of(st.sampled_from(CRONS).map(CronTrigger), st.sampled_from(EVERY).map(IntervalTrigger))
        )
        dst = draw(st.sampled_from(("debian", "literal")))
        self.rule = compile_rule(trigger, timezone=name, anchor=self.start - 3 * DAY, dst=dst)
        days = draw(st.lists(st.integers(0, 24), max_size=5))
        self.days = ClosedDays(Days([spell(self.start + day * DAY)[:10] for day in days]), self.zone)
        self.hours = Hours(draw(st.sampled_from(WINDOWS)), self.zone)
        begin = self.start + draw(st.integers(0, 20)) * DAY
        self.blackouts = Blackouts([(begin, begin + draw(st.integers(1, 50)) * HOUR, "")])

    def inner(self) -> list[int]:
        """The due times of the rule, from long before to long after."""
        found = []
        due = self.rule.next_after(self.start - AROUND)
        while due is not None and due < self.end + AROUND:
            found.append(due)
            due = self.rule.next_after(due)
        return found

    def within(self, dues: set[int]) -> list[int]:
        return sorted(due for due in dues if self.start < due <= self.end)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    return Case(draw)


def keeps(rule: Rule, expected: list[int], case: Case) -> None:
    """Every question about a rule has the answer that the list gives."""
    found = []
    due = rule.next_after(case.start)
    while due is not None and due <= case.end:
        found.append(due)
        due = rule.next_after(due)
    assert found == expected
    assert rule.upcoming(case.start, len(expected)) == expected
    borders = [due - 1 for due in expected[:20]]
    for place in (*range(case.start, case.end, 13 * HOUR + 7), *borders):
        before = [due for due in expected if due <= place]
        if before:
            assert rule.last_until(place) == before[-1]
        assert rule.count_between(place, case.end) == len(expected) - len(before)
    assert len({rule.nominal(due) for due in expected}) == len(expected), "two due times are known by one instant"


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(case=cases(), clash=st.sampled_from(CLASHES), which=st.sampled_from(("hours", "days", "blackouts", "all")))
def test_a_rule_kept_out_of_closed_times_is_due_where_a_list_says(case: Case, clash: OnClash, which: str) -> None:
    parts: dict[str, list[Closure]] = {
        "hours": [case.hours], "days": [case.days], "blackouts": [case.blackouts],
        "all": [case.hours, case.days, case.blackouts],
    }  # fmt: skip
    closures = Closures(parts[which])
    expected = set()
    for due in case.inner():
        stretch = closures.around(due)
        if stretch is None:
            expected.add(due)
        elif clash != "skip":
            expected.add(stretch.end if clash == "later" else stretch.begin - 1)
    keeps(Avoiding(case.rule, closures, clash), case.within(expected), case)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(case=cases(), later=st.booleans())
def test_a_rule_moved_off_closed_days_is_due_at_the_same_time_of_an_open_one(case: Case, later: bool) -> None:
    closures = Closures([case.days])
    expected, seen = set(), dict[int, int]()
    for due in case.inner():
        stretch = closures.around(due)
        if stretch is None:
            expected.add(due)
            continue
        wall = case.clock.highest(due)
        day = seen[wall // DAY] = seen.get(wall // DAY, 0) + 1
        if day <= MOST_MOVED:
            target = case.clock.highest(stretch.end if later else stretch.begin - 1) // DAY
            expected.add(case.clock.first(target * DAY + wall % DAY))
    keeps(Rolling(case.rule, closures, later=later), case.within(expected), case)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(case=cases(), data=st.data())
def test_skipped_and_moved_times_leave_the_rest_of_the_series_as_it_is(case: Case, data: st.DataObject) -> None:
    rule = Rolling(case.rule, Closures([case.days]), later=True)
    dues = [due for due in rule.upcoming(case.start, 60) if due <= case.end]
    gone = data.draw(st.sets(st.sampled_from(dues), max_size=3)) if dues else set()
    left = [due for due in dues if due not in gone]
    moved = data.draw(st.sampled_from(left)) if left else None
    to = case.start + data.draw(st.integers(1, 20 * 24)) * HOUR + 1
    amended = Amended(rule, {rule.nominal(due) for due in gone}, {} if moved is None else {rule.nominal(moved): to})
    expected = set(case.within(set(rule.upcoming(case.start, 4000)))) - gone - {moved}
    keeps(amended, case.within(expected | (set() if moved is None else {to})), case)
    if moved is not None:
        assert amended.nominal(to) == rule.nominal(moved)


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_a_stretch_ends_where_it_is_open_and_begins_where_it_was(case: Case) -> None:
    closures = Closures([case.hours, case.days, case.blackouts])
    place = case.start
    while place < case.end:
        stretch = closures.around(place)
        if stretch is None:
            closing = closures.next_closing(place)
            assert closing > place
            assert closures.around(closing - 1) is None
            assert closing > case.end + 400 * DAY or closures.around(closing) is not None
            place = closing
        else:
            assert stretch.begin <= place < stretch.end
            assert closures.around(stretch.end) is None
            assert closures.around(stretch.begin - 1) is None
            assert closures.around(stretch.end - 1) == stretch
            place = stretch.end


def test_a_day_off_at_the_end_of_time_is_never_asked_for() -> None:
    days = ClosedDays(Days(["2026-03-05", "9999-12-31 The end"]), ZoneInfo("Asia/Tokyo"))
    first = days.next_closing(parse("2026-03-01T00:00:00Z"))
    assert spell(first) == "2026-03-04T15:00:00+00:00"
    assert days.next_closing(first) == LATEST
    assert days.around(LATEST) is None
