"""Dates in figures, where somebody has said in which order they stand."""

from __future__ import annotations

import discord
import pytest

from core.timing.locales import ORDERS, known_locale, order_of
from core.timing.reading import Unreadable
from tests.timing.test_reading import fires, understood


@pytest.mark.parametrize(
    ("text", "day_first", "month_first"),
    [
        ("03/04", "Saturday 3 April 2027 at 09:00", "Thursday March 4 2027 at 09:00"),
        ("03/04/2027 at 5pm", "Saturday 3 April 2027 at 17:00", "Thursday March 4 2027 at 17:00"),
        ("3-4-2027", "Saturday 3 April 2027 at 09:00", "Thursday March 4 2027 at 09:00"),
        ("12/25", "Friday 25 December 2026 at 09:00", "Friday December 25 2026 at 09:00"),
        ("25/12", "Friday 25 December 2026 at 09:00", "Friday December 25 2026 at 09:00"),
        ("03.04.", "Saturday 3 April 2027 at 09:00", "Saturday April 3 2027 at 09:00"),
        ("2027/03/04", "Thursday 4 March 2027 at 09:00", "Thursday March 4 2027 at 09:00"),
        ("every year on 03/04", "every year on 3 April at 09:00", "every year on 4 March at 09:00"),
        ("every day until 03/04", "every day at 09:00, until Saturday 3 April 2027",
         "every day at 09:00, until Thursday March 4 2027"),
    ],
)  # fmt: skip
def test_whoever_says_which_figure_is_the_day_is_not_asked_back(text: str, day_first: str, month_first: str) -> None:
    assert understood(text, order="day").words == day_first
    assert understood(text, order="month").words == month_first


def test_slashes_are_a_part_of_an_hour_in_every_language() -> None:
    for order in ORDERS.values():
        assert fires(understood("in 1 1/2 hours", order=order), 1) == fires(understood("in 90 minutes"), 1)


@pytest.mark.parametrize("text", ["31/02", "31/02/2027"])
def test_a_day_that_does_not_exist_is_no_other_day_in_another_order(text: str) -> None:
    with pytest.raises(Unreadable, match=r"31 February.* does not exist"):
        understood(text, order="day")


def test_the_languages_are_those_that_discord_knows() -> None:
    assert set(ORDERS) == {locale.value for locale in discord.Locale}
    assert known_locale(" en_gb ") == "en-GB"
    assert known_locale("klingon") is None
    assert order_of(None) is None
