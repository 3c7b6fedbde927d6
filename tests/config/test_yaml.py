"""YAML as people write it: 1.2 scalars, nothing lost in silence, and nothing that breaks the reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.yaml_reading import read_scalar, read_yaml


def value_of(text: str) -> Any:
    document = read_yaml(text.encode())
    assert not document.mistakes
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"), ("NO", "NO"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("0123", "0123"),
        ("1_000", "1_000"), ("2026-11-21", "2026-11-21"), ("1e3", 1000.0), ("0x1F", 31), ("0o17", 15), ("017", "017"),
        ("-5", -5), ("+5", 5), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("true", True), ("FALSE", False), ("null", None),
        ("~", None), ("<<", "<<"), ("=", "="), ("12345678901234567890", "12345678901234567890"), ("infinity", "infinity"),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = value_of(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["'12'", '"true"', "|\n  12\n", "'null'"])
def test_a_quoted_scalar_is_text(text: str) -> None:
    assert isinstance(value_of(f"key: {text}")["key"], str)


def test_a_doubled_key_is_named_with_both_lines() -> None:
    document = read_yaml(b"a: 1\nhttp:\n  bind: x\n  bind: y\na: 2\n")
    assert [(mistake.line, mistake.key, mistake.message) for mistake in document.mistakes] == [
        (4, "http.bind", "is written twice, on lines 3 and 4; keep one"),
        (5, "a", "is written twice, on lines 1 and 5; keep one"),
    ]


def test_lines_and_written_numbers_are_remembered() -> None:
    document = read_yaml(b"ids:\n  - 12\n  - x\nguilds:\n  123: {a.b: 0x10}\n")
    assert document.lines == {
        "": 1, "ids": 1, "ids[0]": 2, "ids[1]": 3, "guilds": 4, "guilds.123": 5, "guilds.123.a.b": 5
    }  # fmt: skip
    assert document.texts == {"ids[0]": "12", "guilds.123.a.b": "0x10"}
    assert document.value["guilds"] == {"123": {"a.b": 16}}


def test_an_anchor_may_be_used_again() -> None:
    assert value_of("a: &plan {running: 1}\nb: *plan\n") == {"a": {"running": 1}, "b": {"running": 1}}


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"a: [1,\n b", 2, "cannot be read as YAML"),
        (b"a: 1\n\tb: 2", 2, "cannot be read as YAML"),
        (b"a: 1\n---\nb: 2", 2, "cannot be read as YAML"),
        (b"a: \x01", None, "cannot be read as YAML"),
        (b"ok: 1\nbad: \xff", 2, "is not UTF-8 text"),
        (b"a: !!python/object/apply:os.system [x]", 1, "carries the tag !!python/object/apply:os.system"),
        (b"a: !secret x", 1, "carries the tag !secret"),
        (b"{[a]: 1}", 1, "has a key that is not text"),
        (b"a: &x [*x]", 1, "nested deeper"),
        (b"a: " + b"[" * 100, 1, "cannot be read as YAML"),
        (b"[" * 60 + b"]" * 60, 1, "nested deeper"),
        (b"[" * 1_000 + b"]" * 1_000, None, "nested deeper"),
        (b"#" * (1 << 20) + b"\n", None, "larger than 1 MiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_meant_is_one_mistake(raw: bytes, line: int | None, words: str) -> None:
    (mistake,) = read_yaml(raw).mistakes
    assert mistake.line == line
    assert words in mistake.message


def test_aliases_of_aliases_do_not_unfold_for_ever() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (mistake,) = read_yaml("\n".join(lines).encode()).mistakes
    assert "20000 values" in mistake.message


def test_an_empty_file_says_nothing() -> None:
    assert value_of("") is None
    assert value_of("# only a comment\n") is None
    assert value_of("\ufeffa: 1") == {"a": 1}


@given(st.binary(max_size=200) | st.text(alphabet="ab:[]{}-,&*!|>'\"#\n\t 01.%@`", max_size=120).map(str.encode))
@settings(max_examples=300)
def test_no_file_breaks_the_reader(raw: bytes) -> None:
    read_yaml(raw)


@given(st.text(max_size=30))
def test_a_scalar_that_is_text_stays_as_it_was(text: str) -> None:
    value = read_scalar(text)
    assert value == text or not isinstance(value, str)
