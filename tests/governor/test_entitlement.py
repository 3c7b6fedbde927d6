from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.governor.entitlement import Calendar, Period, periods, periods_of
from core.governor.settings import Quota
from schedule_zero.instant import HOUR, MINUTE, from_datetime, parse

ALL = Quota(runs_per_hour=5, runs_per_day=10, runs_per_month=20)
BERLIN = ZoneInfo("Europe/Berlin")


def test_each_quota_has_its_period_in_the_zone_of_the_guild() -> None:
    found = periods(ALL, parse("2026-11-21T23:30:00+00:00"), BERLIN)
    assert [(each.limit, each.key, each.allowed) for each in found] == [
        ("runs_per_hour", "2026-11-22T00+0100", 5),
        ("runs_per_day", "2026-11-22", 10),
        ("runs_per_month", "2026-11", 20),
    ]
    assert [each.until for each in found] == [
        parse("2026-11-22T01:00:00+01:00"), parse("2026-11-23T00:00:00+01:00"), parse("2026-12-01T00:00:00+01:00"),
    ]  # fmt: skip


def test_what_is_not_limited_has_no_period() -> None:
    assert periods(Quota(), 0, UTC) == []
    assert [each.limit for each in periods(Quota(runs_per_day=1), 0, UTC)] == ["runs_per_day"]


@pytest.mark.parametrize(
    ("zone", "at", "until"),
    [
        ("Europe/Berlin", "2026-03-29T00:30:00+01:00", "2026-03-30T00:00:00+02:00"),  # a day of 23 hours
        ("Europe/Berlin", "2026-10-25T00:30:00+02:00", "2026-10-26T00:00:00+01:00"),  # a day of 25 hours
        ("America/Santiago", "2026-09-05T20:00:00-04:00", "2026-09-06T01:00:00-03:00"),  # midnight is left out
        ("America/Havana", "2026-10-31T20:00:00-04:00", "2026-11-01T00:00:00-04:00"),  # midnight comes twice
        ("America/St_Johns", "2010-11-06T23:30:00-02:30", "2010-11-07T00:00:00-02:30"),  # so does the hour before it,
        ("America/St_Johns", "2010-11-06T23:30:00-03:30", "2010-11-07T00:00:00-03:30"),  # and this is its second time
        ("Pacific/Apia", "2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00"),  # a day is left out
    ],
)
def test_a_day_ends_where_the_clocks_of_the_zone_begin_the_next(zone: str, at: str, until: str) -> None:
    (day,) = periods(Quota(runs_per_day=1), parse(at), ZoneInfo(zone))
    assert day.until == parse(until)


def test_an_hour_that_the_clocks_show_twice_is_two_periods() -> None:
    first, second = (
        periods(Quota(runs_per_hour=1), parse(at), BERLIN)[0]
        for at in ("2026-10-25T02:10:00+02:00", "2026-10-25T02:10:00+01:00")
    )
    assert first.key != second.key
    assert second.until - first.until == HOUR


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - hypothesis wants plain bounds
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana",
                     "America/St_Johns", "Asia/Kathmandu", "America/Santiago", "Africa/Cairo"]),
)  # fmt: skip
def test_the_key_holds_until_the_period_ends_and_changes_then(moment: datetime, name: str) -> None:
    zone, instant = ZoneInfo(name), from_datetime(moment.replace(tzinfo=UTC))
    for period in periods(ALL, instant, zone):
        assert period.until > instant
        just_before, after = (
            {each.limit: each.key for each in periods(ALL, at, zone)} for at in (period.until - 1, period.until)
        )
        assert after[period.limit] != period.key
        if period.limit != "runs_per_hour":  # an hour may end early, by a change of half an hour
            assert just_before[period.limit] == period.key


ZONES = [ZoneInfo(name) for name in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata", "America/New_York")]
Step = tuple[int, int]


@given(st.lists(st.tuples(st.integers(1, 14 * 60), st.integers(0, len(ZONES) - 1)), min_size=1, max_size=40))
def test_what_the_clocks_showed_holds_no_more_however_they_are_changed_before_it_ends(steps: list[Step]) -> None:
    """As many runs as there is room for, after every step: so many minutes later, then another zone."""
    calendar, counted = Calendar("guild:1", Quota(runs_per_day=3, runs_per_hour=2)), Counter[tuple[str, str]]()
    now = parse("2026-03-27T12:00:00Z")  # two of the zones have changes of their clocks around then
    runs: list[int] = []
    shown: dict[tuple[str, str], tuple[int, Period]] = {}
    for minutes, place in steps:
        now += minutes * MINUTE
        for period in periods(calendar.limits, now, calendar.clocks.zone):
            shown.setdefault((calendar.clocks.zone.key, period.key), (now, period))
        while all(counted[each.limit, each.key] < each.allowed for each in periods_of(calendar, now)):
            counted.update((each.limit, each.key) for each in periods_of(calendar, now))
            runs.append(now)
        calendar = Calendar(calendar.scope, calendar.limits, calendar.clocks.changed(ZONES[place], now))
        assert len(calendar.clocks.before) < len(ZONES)
    for since, period in shown.values():
        assert sum(since <= run < period.until for run in runs) <= period.allowed
