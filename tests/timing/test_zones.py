from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.zones import BadZone, search_zones, zone
from tests.timing.walls import unhurried


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" UTC ", "UTC"),
        ("gmt", "GMT"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("new_york", "America/New_York"),
        ("nyc", "America/New_York"),
        ("san francisco", "America/Los_Angeles"),
        ("Mumbai", "Asia/Kolkata"),
        ("buenos aires", "America/Argentina/Buenos_Aires"),
        ("kyiv", "Europe/Kyiv"),
    ],
)
def test_names_in_any_case_and_cities_are_zones(name: str, key: str) -> None:
    assert zone(name).key == key


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlln", "Europe/Berlin"),
        ("Europe/Par", "Europe/Paris"),
        ("new yorc", "America/New_York"),
    ],
)
def test_a_mistyped_zone_is_refused_with_the_nearest(name: str, offered: str) -> None:
    with pytest.raises(BadZone, match=f"{offered}.*\\?") as caught:
        zone(name)
    assert offered in caught.value.suggestions


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "EST5", "UTC+2", "+02:00", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 10_000, "Factory"],
)
def test_what_is_no_zone_is_refused_without_touching_files(name: str) -> None:
    with pytest.raises(BadZone) as caught:
        zone(name)
    assert len(str(caught.value)) < 200


@unhurried
@given(st.text(max_size=40))
def test_any_text_is_a_zone_or_refused(name: str) -> None:
    try:
        assert zone(name).key
    except BadZone:
        pass


def test_nothing_typed_offers_the_popular_ones() -> None:
    assert search_zones("")[:2] == ["UTC", "Europe/London"]
    assert len(search_zones("", limit=5)) == 5


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("ber", "Europe/Berlin"),
        ("new y", "America/New_York"),
        ("europe/r", "Europe/Rome"),
        ("san f", "America/Los_Angeles"),
        ("kath", "Asia/Kathmandu"),
        ("lord", "Australia/Lord_Howe"),
        ("toky", "Asia/Tokyo"),
    ],
)
def test_half_a_name_finds_the_zone(typed: str, first: str) -> None:
    assert search_zones(typed)[0] == first


def test_a_search_is_short_without_doubles_and_only_of_zones() -> None:
    for typed in ("a", "e", "america", "/", "zz", "  ", "x" * 500):
        found = search_zones(typed)
        assert len(found) == len(set(found)) <= 25
        assert [zone(name).key for name in found] == found
