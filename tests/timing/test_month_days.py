"""Days of the month in words: none of them is lost on the way to a trigger, nor a time of day."""

from __future__ import annotations

import pytest

from core.timing.preview import preview
from core.timing.reading import Unreadable, read
from core.timing.say import say
from tests.timing.walls import compiled, instant

ZONE = "Europe/Berlin"
NOW = instant("2026-11-18 10:00", ZONE)


@pytest.mark.parametrize(
    ("text", "words", "due"),
    [
        ("every 2 months on the 1st and 15th", "every 2 months on the 1st and 15th at 09:00",
         ["2026-12-01T09:00", "2026-12-15T09:00", "2027-02-01T09:00"]),
        ("every quarter on the last day at 6pm", "every 3 months on the last day at 18:00",
         ["2026-11-30T18:00", "2027-02-28T18:00", "2027-05-31T18:00"]),
        ("every 3 months on the 15th at 9 and 17", "every 3 months on the 15th at 09:00 and 17:00",
         ["2026-12-15T09:00", "2026-12-15T17:00", "2027-03-15T09:00"]),
        ("every 2 months on the 31st", "every 2 months on the 31st, or the last day, at 09:00",
         ["2026-12-31T09:00", "2027-02-28T09:00", "2027-04-30T09:00"]),
        ("every 2 months on the 1st and last day", "every 2 months on the last day and 1st at 09:00",
         ["2026-11-30T09:00", "2027-01-01T09:00", "2027-01-31T09:00"]),
        ("every 5 years on the last day of february", "by the rule FREQ=YEARLY;INTERVAL=5;BYMONTH=2;BYMONTHDAY=-1",
         ["2027-02-28T09:00", "2032-02-29T09:00", "2037-02-28T09:00"]),
    ],
)  # fmt: skip
def test_every_day_and_time_that_was_said_is_due(text: str, words: str, due: list[str]) -> None:
    reading = read(text, now=NOW, timezone=ZONE)
    assert reading.words.startswith(words)
    rule = compiled(reading.trigger, ZONE, month_end=reading.month_end)
    assert [fire.local[:16] for fire in preview(rule, after=NOW, n=3)] == due
    if not words.startswith("by the rule"):
        assert read(reading.words, now=NOW, timezone=ZONE).trigger == reading.trigger


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("every 2 months on the 30th and 31st", "schedule of their own"),
        ("every month on the 31st at 9 and 17", "one time of day"),
        ("every 2 months on the 31st at 9 and 17", "one time of day"),
        ("2nd last friday of the month", "RRULE:FREQ=MONTHLY;BYDAY=-2FR"),
        ("first third monday of the month", "in two ways"),
    ],
)
def test_what_no_rule_can_hold_is_refused_and_not_cut_short(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(text, now=NOW, timezone=ZONE)


def test_ordinals_in_the_words_for_a_cron_expression_are_english() -> None:
    trigger = read("0 9 22,31 * 1", now=NOW, timezone=ZONE).trigger
    assert "the 22nd and the 31st day" in say(trigger, timezone=ZONE, hour24=True)
