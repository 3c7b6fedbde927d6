"""Days off out of iCalendar files: what comes again, with and without single days."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.timing.exceptions import closed_days
from core.timing.icalendar import days_in
from core.timing.rule import BadPattern
from schedule_zero.instant import parse
from schedule_zero.schedule import Calendar

NOW = parse("2026-03-01T00:00:00Z")
DAILY = "DTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;COUNT=4"


def days(*events: str) -> list[str]:
    lines = "".join(f"BEGIN:VEVENT\nSUMMARY:Shut\n{event}\nEND:VEVENT\n" for event in events)
    found = days_in(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{lines}END:VCALENDAR\n", now=NOW)
    assert all(each.endswith(" Shut") for each in found)
    return [each.removesuffix(" Shut") for each in found]


@pytest.mark.parametrize(
    "written",
    [
        "EXDATE;VALUE=DATE:20260302,20260304",
        "EXDATE;VALUE=DATE:20260302\nEXDATE;VALUE=DATE:20260304",
        "EXDATE:20260302T000000Z,20260304T000000Z",
        "EXDATE;TZID=Europe/Berlin:20260302T000000\nEXDATE;VALUE=DATE:20260304,20270101",
    ],
)
def test_days_that_are_left_out_are_working_days(written: str) -> None:
    assert days(f"{DAILY}\n{written}") == ["2026-03-01", "2026-03-03"]


def test_days_that_are_added_are_days_off_in_their_place_and_once() -> None:
    added = "RDATE;VALUE=DATE:20260302,20260420\nRDATE;VALUE=DATE:20260228"
    assert days(f"{DAILY}\n{added}") == [
        "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-04-20",
    ]  # fmt: skip
    assert days(f"DTSTART;VALUE=DATE:20260301\n{added}\nEXDATE;VALUE=DATE:20260420") == [
        "2026-02-28", "2026-03-01", "2026-03-02",
    ]  # fmt: skip


def test_a_day_that_was_moved_is_off_where_it_was_moved_to() -> None:
    moved = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260302\nDTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260312"
    assert days(f"UID:a\n{DAILY}", moved) == ["2026-03-01", "2026-03-03", "2026-03-04", "2026-03-10/2026-03-11"]
    assert days(moved, f"UID:a\n{DAILY}")[1:] == ["2026-03-01", "2026-03-03", "2026-03-04"]
    assert len(days(f"UID:b\n{DAILY}", moved)) == 5  # that of another event


def test_a_day_that_became_hours_or_was_called_off_is_no_day_off() -> None:
    hours = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260302\nDTSTART:20260302T100000Z"
    off = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260304\nDTSTART;VALUE=DATE:20260304\nSTATUS:CANCELLED"
    assert days(f"UID:a\n{DAILY}", hours, off) == ["2026-03-01", "2026-03-03"]
    assert days(DAILY, "DTSTART;VALUE=DATE:20260501\nSTATUS:CANCELLED")[-1] == "2026-03-04"


def test_a_yearly_day_with_exceptions_is_listed_for_the_years_to_come() -> None:
    yearly = "UID:a\nDTSTART;VALUE=DATE:20250501\nRRULE:FREQ=YEARLY"
    assert days(yearly) == ["05-01"]
    kept = [f"{year}-05-01" for year in (2025, 2026, 2028, 2029, 2030)]
    assert days(f"{yearly}\nEXDATE;VALUE=DATE:20270501") == kept
    moved = "UID:a\nRECURRENCE-ID;VALUE=DATE:20270501\nDTSTART;VALUE=DATE:20270503"
    assert days(yearly, moved) == [*kept, "2027-05-03"]


def test_what_lasts_for_so_long_needs_no_end() -> None:
    assert days("DTSTART;VALUE=DATE:20260301\nDURATION:P3D") == ["2026-03-01/2026-03-03"]
    assert days("DTSTART;VALUE=DATE:20260301\nDURATION:P1W\nRDATE;VALUE=DATE:20260401")[1] == "2026-04-01/2026-04-07"


@pytest.mark.parametrize(
    ("written", "off"),
    [
        ("DTSTART:20260301T000000\nDTEND:20260303T000000", "2026-03-01/2026-03-02"),
        ("DTSTART:20260301T000000Z\nDURATION:P1D", "2026-03-01"),
        ("DTSTART;TZID=Europe/Berlin:20260301T000000\nDTEND:20260301T230000Z", "2026-03-01"),
        ("DTSTART;TZID=Europe/Berlin:20260301T000000\nDTEND;TZID=Europe/Berlin:20260302T000000", "2026-03-01"),
    ],
)
def test_what_lasts_from_midnight_to_midnight_lasts_whole_days(written: str, off: str) -> None:
    assert days(written) == [off]


def test_what_begins_or_ends_within_a_day_is_no_day_off() -> None:
    for hours in ("DTEND:20260302T120000", "DTEND:20260301T000000", "DURATION:-P1D", "X-NOTE:no end"):
        assert days(DAILY, f"DTSTART:20260301T000000\n{hours}")[-1] == "2026-03-04"
    assert days(DAILY, "DTSTART:20260310T090000Z\nDURATION:soon")[-1] == "2026-03-04"
    assert days(DAILY, "DTSTART:20260310T090000\nDTEND:20260311T000000")[-1] == "2026-03-04"


def test_days_that_a_second_rule_takes_away_are_working_days() -> None:
    assert days(f"{DAILY}\nEXRULE:FREQ=DAILY;INTERVAL=2") == ["2026-03-02", "2026-03-04"]
    twice = "EXRULE:FREQ=DAILY;COUNT=1\nEXRULE:FREQ=DAILY;INTERVAL=3"
    assert days(f"{DAILY}\n{twice}") == ["2026-03-02", "2026-03-03"]
    yearly = "DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY\nEXRULE:FREQ=YEARLY;INTERVAL=2"
    assert days(yearly) == ["2027-05-01", "2029-05-01"]


def test_a_byte_order_mark_begins_no_event() -> None:
    event = f"BEGIN:VEVENT\nSUMMARY:Shut\n{DAILY}\nEND:VEVENT\n"
    text = f"\ufeffBEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event}END:VCALENDAR\n"
    assert days_in(text, now=NOW)[0] == "2026-03-01 Shut"


@settings(deadline=None)
@given(
    st.text(
        st.characters(categories=("Cc", "Cf", "Lu", "Zs", "Zl", "So", "Po"), include_characters="\\n:;,\x7f\x00"),
        max_size=300,
    )
)
@example("Shut\x7f")
@example("\x00")
@example("\x01" * 300)
def test_whatever_an_event_is_called_its_day_can_be_saved_and_read(name: str) -> None:
    event = f"BEGIN:VEVENT\nSUMMARY:{name}\nDTSTART;VALUE=DATE:20260301\nEND:VEVENT\n"
    try:
        found = days_in(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event}END:VCALENDAR\n", now=NOW)
    except BadPattern:  # it is no such file any more
        return
    saved = msgspec.json.encode(Calendar(dates=tuple(found)))
    read = msgspec.json.decode(saved, type=Calendar)
    assert closed_days(read, ZoneInfo("UTC")).around(parse("2026-03-01T12:00:00Z"))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (f"{DAILY}\nEXDATE:never", "'Shut' of this iCalendar file cannot be read"),
        (f"{DAILY}\nRDATE;VALUE=PERIOD:20260401T000000Z/P1D", "'Shut' of this iCalendar file cannot be read"),
        ("RECURRENCE-ID:never\nDTSTART;VALUE=DATE:20260301", "'Shut' of this iCalendar file cannot be read"),
        (
            "UID:a\nRECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260302\nDTSTART;VALUE=DATE:20260303",
            "changes itself and all that follow",
        ),
        (
            "DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260227",
            "'Shut' of this iCalendar file ends before it begins",
        ),
        ("DTSTART;VALUE=DATE:20260301\nDURATION:-P3D", "'Shut' of this iCalendar file ends before it begins"),
        (f"{DAILY}\nEXDATE;VALUE=DATE:20260301,20260302,20260303,20260304", "no event that lasts whole days"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_sentence(event: str, said: str) -> None:
    with pytest.raises(BadPattern, match=said):
        days(event)
