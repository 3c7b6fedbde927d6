"""Durations as people read them."""

from __future__ import annotations

import pytest

from schedule_zero.instant import say_duration


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("PT0S", "0 s"), ("PT0.000042S", "0.042 ms"), ("PT0.025S", "25 ms"), ("PT1S", "1 s"), ("PT3.712S", "3.71 s"),
        ("PT1M30S", "90 s"), ("PT10M", "10 min"), ("PT1H59M", "119 min"), ("PT5H30M", "5.5 h"), ("P30D", "30 d"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_its_own_unit(spelled: str, said: str) -> None:
    assert say_duration(spelled) == said
