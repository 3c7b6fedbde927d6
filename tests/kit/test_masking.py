"""Secrets among arguments: found by schema and by name, hidden wherever they are, and kept when they come back masked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.errors import Invalid
from schedule_zero.masking import MASK, looks_secret, masked, restored, secrets_in, without

SCHEMA: dict[str, Any] = {
    "$ref": "#/$defs/args",
    "$defs": {
        "args": {
            "properties": {
                "note": {"type": "string", "writeOnly": True},
                "pin": {"anyOf": [{"type": "integer", "format": "password"}, {"type": "null"}]},
                "hosts": {"type": "array", "items": {"$ref": "#/$defs/host"}},
                "max_tokens": {"type": "integer"},
                "by_name": {"additionalProperties": {"type": "string", "writeOnly": True}},
            }
        },
        "host": {"properties": {"name": {"type": "string"}, "login": {"type": "string", "format": "password"}}},
    },
}
ARGS: dict[str, Any] = {
    "note": "psst", "pin": 1234, "hosts": [{"name": "a", "login": "aaaa"}, {"name": "b", "login": "bbbb"}],
    "max_tokens": 10, "by_name": {"x": "xxxx"}, "apiKey": "kkkk",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "apiKey", "API_KEY", "secret", "clientSecret", "token", "access-token", "Authorization",
     "SSHKey", "private_key"],
)  # fmt: skip
def test_a_name_that_looks_like_a_secret_is_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["key", "tokenize", "compass", "author", "monkey", "passenger", "secretary", "", "数"])
def test_a_name_that_only_resembles_one_is_not(name: str) -> None:
    assert not looks_secret(name)


def test_secrets_are_hidden_wherever_the_schema_or_a_name_says_so() -> None:
    assert masked(ARGS, SCHEMA) == {
        "note": MASK, "pin": MASK, "hosts": [{"name": "a", "login": MASK}, {"name": "b", "login": MASK}],
        "max_tokens": 10, "by_name": {"x": MASK}, "apiKey": MASK,
    }  # fmt: skip
    assert secrets_in(ARGS, SCHEMA) == {"psst", "1234", "aaaa", "bbbb", "xxxx", "kkkk"}


def test_where_nobody_knows_the_schema_every_text_is_hidden() -> None:
    assert masked({"a": "b", "n": 1, "list": ["x"]}, None) == {"a": MASK, "n": 1, "list": [MASK]}


def test_what_was_masked_comes_back_as_it_was_and_what_is_new_as_it_is_written() -> None:
    shown = masked(ARGS, SCHEMA)
    assert restored(shown, ARGS, SCHEMA) == ARGS
    assert restored({**shown, "note": "new"}, ARGS, SCHEMA) == {**ARGS, "note": "new"}


def test_a_mask_where_nothing_was_hidden_is_refused_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"args\.hosts\[0\]\.name: is only the sign for something hidden"):
        restored({"hosts": [{"name": MASK}]}, ARGS, SCHEMA)


def test_words_do_not_repeat_a_secret_not_even_a_part_of_a_longer_one() -> None:
    assert without("login with abcd-efgh failed", {"abcd", "abcd-efgh"}) == f"login with {MASK} failed"
    assert secrets_in({"token": "abc"}, SCHEMA) == frozenset()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "token", "$ref"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(["a", "token", "hosts", "note"]), _JSON, max_size=4), _JSON)
def test_whatever_is_masked_comes_back_unchanged(args: dict[str, Any], schema: Any) -> None:
    known = schema if isinstance(schema, dict) else SCHEMA
    if MASK not in str(args):
        assert restored(masked(args, known), args, known) == args
