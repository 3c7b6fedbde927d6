"""Autocompletion: what is offered while somebody types. Now is Wednesday 2026-11-18 10:00 in Berlin."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.reading import Reading, readings, suggest_repeat
from schedule_zero.instant import parse
from tests.timing.walls import unhurried

NOW = parse("2026-11-18T10:00:00+01:00")


def offered(text: str) -> list[Reading]:
    return readings(text, now=NOW, timezone="Europe/Berlin")


def repeats(text: str) -> list[Reading]:
    return suggest_repeat(text, now=NOW, timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("", ["in 1 hour", "tomorrow", "every weekday"]),
        ("tom", ["tomorrow"]),
        ("tomorrow at", ["tomorrow at 9:00", "tomorrow at 12:00", "tomorrow at 18:00"]),
        ("in", ["in 10 minutes", "in 1 hour", "in 1 day"]),
        ("in 2", ["in 2 minutes", "in 2 hours", "in 2 days"]),
        ("in 2 h", ["in 2 h"]),
        ("next f", ["next friday"]),
        ("every", ["every day", "every weekday", "every week"]),
        ("every o", ["every other day", "every other week", "every other friday"]),
        ("end", ["end of day", "end of week", "end of month"]),
        ("*/5 * * * *", ["*/5 * * * *"]),
        ("blah", []),
    ],
)
def test_half_typed_words_are_completed(typed: str, texts: list[str]) -> None:
    assert [reading.text for reading in offered(typed)] == texts


def test_what_has_two_readings_offers_both_in_clear_words() -> None:
    assert [reading.text for reading in offered("9")][:2] == [
        "Wednesday 18 November 2026 at 21:00",
        "Thursday 19 November 2026 at 09:00",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", ["every day at 09:00", "every weekday at 09:00", "every Thursday at 09:00"]),
        ("15m", ["every 15 minutes"]),
        ("15", ["every 15 minutes", "every 15 hours"]),
        ("mon", ["every Monday at 09:00"]),
        ("daily", ["every day at 09:00"]),
        ("tomorrow", []),
    ],
)
def test_half_typed_repetitions_are_completed(typed: str, said: list[str]) -> None:
    assert [reading.words for reading in repeats(typed)][: len(said)] == said


def test_an_offer_can_be_sent_as_it_stands() -> None:
    for typed in ("", "t", "in 2", "every", "9", "fri", "03/0", "las", "every 2nd"):
        for reading in offered(typed):
            assert any(reading.trigger == again.trigger for again in offered(reading.text))


@unhurried
@given(st.one_of(st.text(max_size=210), st.text("every 123monthdayfri:/.*@", max_size=40)))
def test_typing_never_fails_and_offers_three_at_most(typed: str) -> None:
    assert len(offered(typed)) <= 3
    assert len(repeats(typed)) <= 3
    assert all(reading.recurring for reading in repeats(typed))


def test_typing_in_an_unknown_zone_offers_nothing() -> None:
    assert readings("tomorrow", now=NOW, timezone="Mars") == []
    assert readings("tomorrow", now=NOW, timezone="UTC", default_time="late") == []


def test_reading_loads_no_library_that_takes_long() -> None:
    script = (
        "import sys; from core.timing.reading import read, readings; "
        "readings('3rd of mar', now=0, timezone='UTC'); readings('20-nov-2026 ', now=0, timezone='UTC'); "
        "read('3rd of march 9am', now=0, timezone='UTC'); "
        "print([name for name in ('dateutil', 'difflib', 'apscheduler') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
