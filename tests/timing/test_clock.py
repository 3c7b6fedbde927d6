from __future__ import annotations

import struct
from calendar import isleap
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.clock import Clock, clock_of
from core.timing.rule import EARLIEST, LATEST
from core.timing.zones import zone
from schedule_zero.instant import DAY, HOUR, MINUTE, SECOND, from_datetime, to_datetime
from tests.timing.walls import instant, unhurried

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Asia/Gaza",
    "America/Caracas",
    "Europe/Dublin",
    "Antarctica/Troll",
    "Pacific/Kwajalein",
)
instants = st.integers(EARLIEST, LATEST - 1)
zones = st.sampled_from(ZONES).map(zone)


@unhurried
@given(zones, instants)
def test_a_wall_is_what_the_zone_shows(where: ZoneInfo, moment: int) -> None:
    shown = to_datetime(moment, where).replace(tzinfo=UTC)
    assert clock_of(where).wall(moment) == from_datetime(shown)


@unhurried
@given(zones, instants)
def test_an_instant_is_among_those_that_show_its_wall(where: ZoneInfo, moment: int) -> None:
    clock = clock_of(where)
    shown = clock.instants(clock.wall(moment))
    assert moment in shown
    assert list(shown) == sorted(shown)
    assert clock.first(clock.wall(moment)) == shown[0]


@unhurried
@given(zones, instants, st.integers(1, 3 * DAY))
def test_first_instants_never_run_backwards(where: ZoneInfo, wall: int, ahead: int) -> None:
    clock = clock_of(where)
    assert clock.first(wall) <= clock.first(wall + ahead)


@unhurried
@given(zones, instants)
def test_the_highest_wall_never_falls_and_is_reached(where: ZoneInfo, moment: int) -> None:
    clock = clock_of(where)
    highest = clock.highest(moment)
    assert highest >= clock.wall(moment)
    assert highest <= clock.highest(moment + MINUTE)
    assert clock.first(highest) <= moment


@pytest.mark.parametrize(
    ("where", "gap", "lands"),
    [
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 03:00"),
        ("America/New_York", "2026-03-08 02:00", "2026-03-08 03:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-04 02:30"),
        ("America/Santiago", "2026-09-06 00:00", "2026-09-06 01:00"),
        ("Africa/Cairo", "2026-04-24 00:30", "2026-04-24 01:00"),
        ("Asia/Beirut", "2026-03-29 00:00", "2026-03-29 01:00"),
        ("Pacific/Apia", "2011-12-30 09:00", "2011-12-31 00:00"),
    ],
)
def test_a_wall_in_a_gap_settles_on_the_first_instant_after_it(where: str, gap: str, lands: str) -> None:
    clock = clock_of(zone(where))
    wall = instant(gap)
    assert clock.instants(wall) == ()
    assert clock.first(wall) == instant(lands, where)


def test_a_repeated_wall_has_two_instants_and_settles_on_the_first() -> None:
    clock = clock_of(zone("Europe/Berlin"))
    first, second = clock.instants(instant("2026-10-25 02:30"))
    assert second - first == HOUR
    assert clock.first(instant("2026-10-25 02:30")) == first
    assert clock.highest(second) > clock.wall(second)


def _zone_that_falls_back_at(moment: int) -> ZoneInfo:
    """A made-up zone, UTC+1 in summer, that turns its clocks back by an hour at an instant, every year."""
    wall = to_datetime(moment + HOUR)
    back = f"J{wall.timetuple().tm_yday - (wall.month > 2 and isleap(wall.year))}/{wall:%H:%M:%S}"
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    body = struct.pack(">lbb", 0, 0, 0) + b"WIN\0"
    return ZoneInfo.from_file(BytesIO(header + body + header + body + f"\nWIN0SUM-1,J32/0,{back}\n".encode()))


def test_an_hour_repeated_across_the_border_of_two_stretches_is_known_as_repeated() -> None:
    """A stretch is 2**45 microseconds; the clocks go back twenty minutes before one ends."""
    border = 50 << 45
    back = (border - 20 * MINUTE) // SECOND * SECOND
    clock = Clock(_zone_that_falls_back_at(back))
    assert clock.wall(back) == clock.wall(back - HOUR)
    assert clock.highest(border + 5 * MINUTE) == back + HOUR - 1
    assert clock.instants(clock.wall(border)) == (border - HOUR, border)
    assert clock.first(clock.wall(border)) == border - HOUR


@pytest.mark.parametrize("where", ZONES)
def test_every_change_of_thirty_years_is_found_to_the_second(where: str) -> None:
    """Compared with a walk in steps of six hours through the zone itself."""
    clock, tz = clock_of(zone(where)), ZoneInfo(where)
    moment, end = instant("2000-01-01 00:00"), instant("2030-01-01 00:00")
    walked = []
    offset = datetime.fromtimestamp(moment // SECOND, tz).utcoffset()
    while moment < end:
        following = moment + 6 * HOUR
        later = datetime.fromtimestamp(following // SECOND, tz).utcoffset()
        if later != offset:
            walked.append((following, offset, later))
        moment, offset = following, later
    found = []
    start = instant("2000-01-01 00:00")
    while (change := clock.change_after(start, end)) is not None:
        before, after = change
        start = after.start
        found.append((start, timedelta(microseconds=before.offset), timedelta(microseconds=after.offset)))
        assert clock.wall(start - 1) == start - 1 + before.offset
        assert clock.wall(start) == start + after.offset
    assert len(found) == len(walked)
    for (at, before_, after_), (seen, old, new) in zip(found, walked, strict=True):
        assert (before_, after_) == (old, new)
        assert seen - 6 * HOUR < at <= seen
