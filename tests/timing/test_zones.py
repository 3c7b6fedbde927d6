from __future__ import annotations

from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing.zone_names import ABBREVIATIONS, CITIES, COUNTRIES, POPULAR, STATES, TIMES
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
        ("São Paulo", "America/Sao_Paulo"),
        ("sao paulo", "America/Sao_Paulo"),
        ("Zürich", "Europe/Zurich"),
        ("St. John's", "America/St_Johns"),
        ("Port-au-Prince", "America/Port-au-Prince"),
        ("Washington, DC", "America/New_York"),
    ],
)
def test_names_in_any_case_and_cities_are_zones(name: str, key: str) -> None:
    assert zone(name).key == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Japan", "Asia/Tokyo"),
        ("Germany", "Europe/Berlin"),
        ("france", "Europe/Paris"),
        ("Côte d'Ivoire", "Africa/Abidjan"),
        ("UK", "Europe/London"),
        ("south korea", "Asia/Seoul"),
        ("California", "America/Los_Angeles"),
        ("Queensland", "Australia/Brisbane"),
    ],
)
def test_countries_and_states_with_one_zone_are_zones(name: str, key: str) -> None:
    assert zone(name).key == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Central European Time", "Europe/Berlin"),
        ("central european summer time", "Europe/Berlin"),
        ("Eastern Time", "America/New_York"),
        ("Eastern Standard Time", "America/New_York"),
        ("Pacific Time (US)", "America/Los_Angeles"),
        ("Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("India Standard Time", "Asia/Kolkata"),
        ("Coordinated Universal Time", "UTC"),
    ],
)
def test_what_people_call_the_time_is_a_zone(name: str, key: str) -> None:
    assert zone(name).key == key


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("CST", ("America/Chicago", "Asia/Shanghai")),
        ("ist", ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem")),
        ("PST", ("America/Los_Angeles", "Asia/Manila")),
        ("edt", ("America/New_York",)),
        ("United States", ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")),
        ("Texas", ("America/Chicago", "America/Denver")),
        ("Spain", ("Europe/Madrid", "Atlantic/Canary")),
        ("Georgia", ("America/New_York", "Asia/Tbilisi")),
    ],
)
def test_abbreviations_and_places_with_several_zones_are_refused_with_each_of_them(
    name: str, offered: tuple[str, ...]
) -> None:
    with pytest.raises(BadZone, match=f"not one time zone; did you mean {' or '.join(offered)}") as caught:
        zone(name)
    assert caught.value.suggestions == offered
    assert tuple(search_zones(name)[: len(offered)]) == offered


@pytest.mark.parametrize("name", ["UTC+2", "gmt+2", "+02:00", "UTC -5"])
def test_an_offset_is_refused_without_the_name_that_counts_the_other_way(name: str) -> None:
    with pytest.raises(BadZone, match="is an offset, which forgets that clocks change") as caught:
        zone(name)
    assert caught.value.suggestions == ()
    assert search_zones(name) == []
    assert zone("Etc/GMT+2").key == "Etc/GMT+2"


@pytest.mark.slow
def test_every_zone_that_is_named_anywhere_exists() -> None:
    named = [
        POPULAR,
        CITIES.values(),
        *(keys for table in (COUNTRIES, STATES, TIMES, ABBREVIATIONS) for keys in table.values()),
    ]
    for keys in named:
        assert set(keys) <= available_timezones()


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
        ("central euro", "Europe/Berlin"),
        ("pacific t", "America/Los_Angeles"),
        ("jap", "Asia/Tokyo"),
        ("são", "America/Sao_Paulo"),
        ("calif", "America/Los_Angeles"),
        ("est", "America/New_York"),
    ],
)
def test_half_a_name_finds_the_zone(typed: str, first: str) -> None:
    assert search_zones(typed)[0] == first


def test_a_search_is_short_without_doubles_and_only_of_zones() -> None:
    for typed in ("a", "e", "america", "/", "zz", "  ", "x" * 500):
        found = search_zones(typed)
        assert len(found) == len(set(found)) <= 25
        assert [zone(name).key for name in found] == found
