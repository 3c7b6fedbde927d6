"""``H`` in cron expressions: drawn once from a seed."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.cron import cron_pattern, read_fields
from core.timing.hashed import resolve_hashed
from core.timing.rule import BadPattern


def test_the_same_seed_draws_the_same_and_seeds_spread() -> None:
    drawn = [resolve_hashed("H H * * *", f"schedule {number}") for number in range(300)]
    assert drawn == [resolve_hashed("H H * * *", f"schedule {number}") for number in range(300)]
    assert len(set(drawn)) > 250
    assert {read_fields(expression).minutes[0] // 15 for expression in drawn} == {0, 1, 2, 3}


def test_fields_are_drawn_each_by_itself() -> None:
    both = [resolve_hashed("H H(0-23) * * *", f"s{number}").split()[:2] for number in range(200)]
    assert any(int(minute) % 24 != int(hour) for minute, hour in both)


@pytest.mark.parametrize("expression", ["0 9 * * MON-FRI", "@daily", "0 0 * MAR THU", "not cron", "H", ""])
def test_what_holds_no_h_or_is_no_expression_stays_as_it_is(expression: str) -> None:
    assert resolve_hashed(expression, "seed") == expression


@given(st.text(max_size=20), st.integers(0, 59), st.integers(1, 60))
def test_a_drawn_step_begins_in_its_range_and_keeps_its_distance(seed: str, low: int, step: int) -> None:
    if step > 60 - low:
        return
    minutes = read_fields(resolve_hashed(f"H({low}-59)/{step} * * * *", seed)).minutes
    assert low <= minutes[0] < low + step
    assert minutes == tuple(islice(range(minutes[0], 60, step), len(minutes)))
    assert minutes[-1] + step > 59


@given(st.text(max_size=20))
def test_every_field_can_be_drawn_and_comes_every_month_it_names(seed: str) -> None:
    fields = read_fields(resolve_hashed("H h H H H", seed))
    assert [len(field) for field in (fields.minutes, fields.hours, fields.days, fields.months)] == [1, 1, 1, 1]
    assert cron_pattern(resolve_hashed("H H H H H H", seed)).next_after(0) is not None
    (day,) = read_fields(resolve_hashed("0 0 H * *", seed)).days
    assert isinstance(day, int)
    assert day <= 28


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("H/61 * * * *", "from 1 to 60"),
        ("H/0 * * * *", "from 1 to 60"),
        ("H(0-9)/11 * * * *", "from 1 to 10"),
        ("H(10-5) * * * *", "smaller number first"),
        ("H(0-60) * * * *", "from 0 to 59"),
        ("* * H(0-5) * *", "from 1 to 31"),
        ("HH * * * *", "not of the form H"),
        ("H-5 * * * *", "not of the form H"),
        ("* * * * H#2", "day of the week field is not of the form"),
    ],
)
def test_an_h_that_cannot_be_is_refused(expression: str, words: str) -> None:
    with pytest.raises(BadPattern, match=words):
        resolve_hashed(expression, "seed")
