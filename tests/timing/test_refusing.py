"""What is offered instead of guessed, and what is refused. Now is Wednesday 2026-11-18 10:00 in Berlin."""

from __future__ import annotations

import pytest

from core.timing.compile import BadTrigger, compile_rule
from core.timing.reading import LONGEST, Reading, Unreadable, read
from core.timing.zones import BadZone
from schedule_zero.instant import parse, to_datetime
from tests.timing.walls import due_after

BERLIN = "Europe/Berlin"
NOW = parse("2026-11-18T10:00:00+01:00")


def understood(text: str, now: int = NOW, zone: str = BERLIN, *, hour24: bool = True) -> Reading:
    return read(text, now=now, timezone=zone, hour24=hour24)


def refused(text: str, now: int = NOW, zone: str = BERLIN) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(text, now=now, timezone=zone)
    return caught.value


def fires(reading: Reading, n: int = 3, now: int = NOW) -> list[str]:
    """The next due times in Berlin, as ``YYYY-MM-DD HH:MM``."""
    rule = compile_rule(
        reading.trigger, timezone="UTC", anchor=now, month_end="clamp", start=reading.start, until=reading.until
    )
    return [to_datetime(due, rule.zone).strftime("%Y-%m-%d %H:%M") for due in due_after(rule, now, n)]


AMBIGUOUS = [
    ("9", ["2026-11-18 21:00", "2026-11-19 09:00"]),
    ("at 9", ["2026-11-18 21:00", "2026-11-19 09:00"]),
    ("15", ["2026-11-18 10:15", "2026-11-18 15:00"]),
    ("03/04", ["2027-04-03 09:00", "2027-03-04 09:00"]),
    ("half past nine tomorrow", ["2026-11-19 09:30", "2026-11-19 21:30"]),
    ("9 o'clock on friday", ["2026-11-20 09:00", "2026-11-20 21:00"]),
    ("quarter to five on friday", ["2026-11-20 04:45", "2026-11-20 16:45"]),
    ("next thursday", ["2026-11-19 09:00", "2026-11-26 09:00"]),
    ("tomorrow at midnight", ["2026-11-19 00:00", "2026-11-20 00:00"]),
    ("next week", ["2026-11-23 09:00", "2026-11-25 09:00"]),
    ("next month", ["2026-12-01 09:00", "2026-12-18 09:00"]),
    ("every 3rd friday at 10", ["2026-11-20 10:00", "2026-11-20 10:00"]),
]


@pytest.mark.parametrize(("text", "expected"), AMBIGUOUS)
def test_two_readings_are_both_offered_and_none_is_taken(text: str, expected: list[str]) -> None:
    refusal = refused(text)
    assert [fires(reading, 1)[0] for reading in refusal.readings] == expected


@pytest.mark.parametrize("text", [text for text, _ in AMBIGUOUS])
def test_the_text_of_an_offer_means_the_offer(text: str) -> None:
    for reading in refused(text).readings:
        assert fires(understood(reading.text)) == fires(reading)


def test_next_friday_said_on_a_thursday_is_offered_twice() -> None:
    thursday = parse("2026-11-19T10:00:00+01:00")
    assert len(refused("next friday 18:30", thursday).readings) == 2
    friday = parse("2026-11-20T10:00:00+01:00")
    assert fires(understood("next friday 18:30", friday), now=friday) == ["2026-11-27 18:30"]


PAST = [
    ("today at 7", "that was 3 hours ago; did you mean tomorrow at 07:00?", "2026-11-19 07:00"),
    ("today at 9:59", "that was 1 minute ago; did you mean tomorrow at 09:59?", "2026-11-19 09:59"),
    ("2 hours ago", "that was 2 hours ago; did you mean tomorrow at 08:00?", "2026-11-19 08:00"),
    ("yesterday at 5pm", "that was 17 hours ago; did you mean today at 17:00?", "2026-11-18 17:00"),
    ("last friday", "that was 5 days ago; did you mean Friday 20 November 2026 at 09:00?", "2026-11-20 09:00"),
    ("3 march 2026", "that was 260 days ago; did you mean Wednesday 3 March 2027 at 09:00?", "2027-03-03 09:00"),
    ("2026-11-18T10:00", "that is now; did you mean tomorrow at 10:00?", "2026-11-19 10:00"),
    ("in 0 seconds", "that is now; did you mean tomorrow at 10:00?", "2026-11-19 10:00"),
]


@pytest.mark.parametrize(("text", "sentence", "offered"), PAST)
def test_a_past_time_is_refused_with_the_next_one_like_it(text: str, sentence: str, offered: str) -> None:
    refusal = refused(text)
    assert refusal.message == sentence
    assert [fires(reading) for reading in refusal.readings] == [[offered]]


REFUSED = [
    ("", "say when"),
    ("   ", "say when"),
    ("x" * (LONGEST + 1), "at most 200"),
    ("..", "no word about time"),
    ("now", "still to come"),
    ("blah", "not a time I can read"),
    ("tomorrow at 5pm and bring cake", "not a time I can read"),
    ("blah tomorrow", "not a time I can read"),
    ("tomorrow tomorrow", "not a time I can read"),
    ("at 5pm at 6pm", "not a time I can read"),
    ("5pm EST", "the time zone (EST) is named beside the words"),
    ("morgen um 9 Uhr", "not a time I can read"),
    ("in 2 parsecs", "not a time I can read"),
    ("in -5 minutes", "not a time I can read"),
    ("christmas", "holidays are not read by their names; write 25 december"),
    ("tomorrow at 9 and 17", "not a time I can read"),
    ("31 february", "31 February does not exist; the last day of February is the 28th (29th in leap years)"),
    ("february 30th 2027", "30 February 2027 does not exist; the last day of February 2027 is the 28th"),
    ("29 feb 2027", "29 February 2027 does not exist"),
    ("31.11.", "31 November does not exist"),
    ("2026-02-30", "does not exist"),
    ("2026-13-01 09:00", "does not exist"),
    ("45/45", "does not exist"),
    ("25:00", "25:00 is no time of day"),
    ("tomorrow at 24:00", "24:00 is no time of day"),
    ("tomorrow at 9:75", "9:75 is no time of day"),
    ("at 13pm", "13pm is no time"),
    ("17:00 in the morning", "17:00 is not in the morning"),
    ("thursday 20 november 2026", "2026-11-20 is a Friday, not a Thursday"),
    ("the 32nd", "no month has a day 32"),
    ("march", "not a time I can read"),
    ("march 9am", "not a time I can read"),
    ("2027 february", "not a time I can read"),
    ("friday 2027", "not a time I can read"),
    ("9 to 5", "a span has two ends"),
    ("daily 9 to 5", "write 17 or 5pm"),
    ("tonight at 9am", "09:00 is not in the night"),
    ("tomorrow morning at 5pm", "17:00 is not in the morning"),
    ("in 200 years", "a hundred years"),
    ("in 999999999999 days", "a hundred years"),
    ("in half a month", "cannot be counted exactly"),
    ("<t:99999999999999>", "has no place"),
    ("<t:9999999999999>", "1900 to 2199"),
    ("9999-12-31", "1900 to 2199"),
    ("every", "not understood"),
    ("every blah", "not understood"),
    ("every day at 9 and bring cake", "'and bring cake' is not understood"),
    ("every monday at 9 and thursday at 18", "days at different times go into schedules of their own"),
    ("every day at 25:00", "25:00 is no time of day"),
    ("every day at 9 at 10", "time of day twice"),
    ("every monday on tuesday", "the day twice"),
    ("daily every week", "in two ways how often"),
    ("every 0 minutes", "some time in between"),
    ("every -5 minutes", "not understood"),
    ("every 2 hours and 3 days", "one kind of unit"),
    ("every 5 minutes between 9 and 5", "write 17 or 5pm"),
    ("every 7 minutes between 9 and 17", "do not fit one rule"),
    ("every 7 minutes on mondays", "do not divide a day"),
    ("every 30 seconds on mondays", "whole minutes"),
    ("every day between 9 and 17", "goes with every so many minutes"),
    ("every 15 minutes at 9", "no time of day"),
    ("every 15 minutes on the 15th", "in two ways how often"),
    ("every month on monday", "which of the weekdays"),
    ("every month on the 1st and 31st", "a schedule of their own"),
    ("every month on the 32nd", "no month has that day"),
    ("every month on the sixth friday", "no more than five"),
    ("every day except", "after 'except'"),
    ("every week except monday", "'except' goes with"),
    ("every day except monday to sunday", "'except' goes with"),
    ("of the month", "which day of the month"),
    ("every day until yesterday", "never due"),
    ("every day at half past nine", "add am or pm"),
    ("every 31 february", "31 February does not exist"),
    ("0 0 31 2 *", "no date ever"),
    ("61 * * * *", "minute field '61'"),
    ("* * * *", "5 fields"),
    ("@sometimes", "none of @hourly"),
    ("RRULE:FREQ=SECONDLY", "SECONDLY is not accepted"),
    ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no date ever"),
    ("RRULE:FREQ=DAILY;UNTIL=20200101", "never due"),
    ("tomorrow €5", "has no place"),
    ("tomorrow\x00", "has no place"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_cannot_be_followed_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    refusal = refused(text)
    assert sentence in refusal.message
    assert "\n" not in refusal.message
    assert len(refusal.message) < 400


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(BadZone):
        read("tomorrow", now=NOW, timezone="Europe/Atlantis")


def test_what_is_unclear_in_more_ways_than_two_is_asked_about_without_offers() -> None:
    unclear = "biweekly on monday and thursday until june at 8 and 10pm"
    assert "until June can be" in refused(unclear).message
    assert refused(unclear).readings == ()
    assert len(refused("biweekly on monday and thursday at 8 and 10pm").readings) == 3


def test_a_single_time_in_a_gap_says_where_it_goes_or_is_refused_under_literal() -> None:
    trigger = understood("2027-03-28 02:30").trigger
    rule = compile_rule(trigger, timezone=BERLIN, anchor=NOW)
    due = rule.next_after(NOW)
    assert due == parse("2027-03-28T03:00:00+02:00")
    assert rule.notes(due, None) == ("02:30 does not exist on 2027-03-28; fires at 03:00",)
    said = "does not exist in Europe/Berlin: the clocks jump over it; write 2027-03-28T03:00:00, which they show next"
    with pytest.raises(BadTrigger, match=said):
        compile_rule(trigger, timezone=BERLIN, anchor=NOW, dst="literal")


def test_two_readings_come_with_their_instants() -> None:
    friday, thursday = parse("2026-11-20T08:00:00+01:00"), parse("2026-11-19T10:00:00+01:00")
    for text, now in (
        ("at 9", NOW), ("03/04", NOW), ("next friday", thursday), ("friday", friday), ("midnight tomorrow", NOW),
        ("12", NOW), ("biweekly", NOW),
    ):  # fmt: skip
        readings = refused(text, now).readings
        assert len({tuple(fires(reading, 2, now)) for reading in readings}) == 2, text
