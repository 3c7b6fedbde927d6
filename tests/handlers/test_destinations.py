"""The allow-list: what fits a pattern, what cannot be read in two ways, and which machines are somebody's own."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.destinations import is_public, read_pattern, read_url


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("https://hooks.example.org/*", "https://hooks.example.org/a?b=1", True),
        ("https://hooks.example.org/*", "https://HOOKS.example.org:443/", True),
        ("https://hooks.example.org/*", "http://hooks.example.org/a", False),
        ("https://hooks.example.org/*", "https://hooks.example.org:444/a", False),
        ("https://hooks.example.org/*", "https://hooks.example.org.evil.example/a", False),
        ("https://hooks.example.org/*", "https://hooks.example.org./a", False),
        ("https://hooks.example.org/team/*", "https://hooks.example.org/team/a", True),
        ("https://hooks.example.org/team/*", "https://hooks.example.org/teams/a", False),
        ("https://hooks.example.org/team*", "https://hooks.example.org/teams/a", True),
        ("https://hooks.example.org/one", "https://hooks.example.org/one", True),
        ("https://hooks.example.org/one", "https://hooks.example.org/one/two", False),
        ("https://*.example.org/*", "https://a.b.example.org/", True),
        ("https://*.example.org/*", "https://example.org/", False),
        ("https://*.example.org/*", "https://notexample.org/", False),
        ("http://127.0.0.1:8080/*", "http://127.0.0.1:8080/x", True),
        ("https://bücher.example/*", "https://xn--bcher-kva.example/x", True),
    ],
)
def test_a_pattern_fits_what_it_says_and_nothing_else(pattern: str, address: str, fits: bool) -> None:
    assert read_pattern(pattern).fits(read_url(address)) is fits


@pytest.mark.parametrize(
    "address",
    [
        "https://h.example/a/../b", "https://h.example/a/%2e%2e/b", "https://h.example/a/%2E%2e%2fb",
        "https://h.example/a\\..\\b", "https://h.example/a/..;x/b", "https://h.example/./b",
        "https://user@h.example/", "https://user:word@h.example/", "https://h.example/#top",
        "ftp://h.example/", "h.example/a", "https:///a", "", "https://h.example:99999/", "https://[::1/",
        "https://h.example\\@evil.example/", "https://h.example/" + "a" * 2048, "https://h.example/a%2fb",
    ],
)  # fmt: skip
def test_an_address_that_could_be_read_in_two_ways_is_none(address: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|holds|has) "):
        read_url(address)


@pytest.mark.parametrize(
    "pattern",
    ["*", "https://*", "https://a.*.example/*", "https://a.example", "https://a.example/*/b", "https://a*/", "x"],
)
def test_a_pattern_that_is_none_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"write it as https://hooks\.example\.org/\*"):
        read_pattern(pattern)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "2001:0:a00:1::f5ff:fffe",
    ],
)  # fmt: skip
def test_an_address_of_ones_own_network_is_known_in_every_dress(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_an_address_of_everybodys_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_is_refused_in_words(text: str) -> None:
    for whole in (text, "https://h.example/" + text):
        try:
            assert read_url(whole).raw_host
        except ValueError as refused:
            said = str(refused)
        else:
            continue
        assert said.partition(" ")[0] in {"is", "holds", "has"}
