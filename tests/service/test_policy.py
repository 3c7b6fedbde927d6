"""Policies: each word stands on its page as it is, and what could never take effect is refused with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest

from core.service.policy import policy_for
from schedule_zero.errors import Invalid
from schedule_zero.schedule import Policy, Retry

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"


def on_the_page() -> dict[str, tuple[str, str]]:
    """Each word with its values and its default, as the page has them."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {word: (values, default.strip("`")) for word, values, default in rows}


def words() -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    for kind, stem in ((Policy, ""), (Retry, "retry.")):
        for field in msgspec.structs.fields(kind):
            yield stem + field.name, field


def literals(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [word for part in get_args(kind) for word in literals(part)]


def refused(changes: dict[str, Any]) -> str:
    with pytest.raises(Invalid) as refusal:
        policy_for(changes, None, "skip")
    return refusal.value.sentence


def test_the_page_has_each_word_of_a_policy_and_no_other() -> None:
    assert set(on_the_page()) == {word for word, _ in words()}


@pytest.mark.parametrize(("word", "field"), list(words()))
def test_the_page_has_each_value_and_the_default_of_a_word(word: str, field: msgspec.structs.FieldInfo) -> None:
    values, default = on_the_page()[word]
    known = literals(field.type)
    assert not known or re.findall(r"`(\w+)`", values)[: len(known)] == known
    if word != "retry":
        plain = msgspec.to_builtins(field.default)
        assert default == (plain if isinstance(plain, str) else msgspec.json.encode(plain).decode())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": ">=2,<1"}, "policy.version: is met by no version"),
        ({"version": ">1,<1.0.0"}, "policy.version: is met by no version"),
        ({"version": "==1,!=1.0"}, "policy.version: is met by no version"),
        ({"retry": {"backoff": "list"}}, "policy.retry.delays: is empty"),
        ({"retry": {"initial": "PT2S", "maximum": "PT1S"}}, "policy.retry.initial: is above retry.maximum (PT1S)"),
        ({"at_most_once": True}, 'policy.at_most_once: is not known here; write "delivery": "at_most_once"'),
        ({"needs": ["a b"]}, "policy.needs[0]: has to be a word of 1 to 64 letters, digits, _ . -, not 'a b'"),
    ],
)
def test_what_could_never_take_effect_is_refused_with_its_place(changes: dict[str, Any], sentence: str) -> None:
    assert refused(changes).startswith(sentence)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": ">=1,!=1,!=1.0.0.0.0.0.0.1,<1.1"},
        {"version": ">1,<1.0.1"},
        {"version": "<=0"},
        {"retry": {"backoff": "list", "delays": ["PT1S"]}},
        {"retry": {"backoff": "fixed", "initial": "PT10M"}},
        {"retry": {"initial": "PT5M"}},
        {"delivery": "at_most_once"},
        {"needs": ["gpu", "eu-1_a.b"]},
    ],
)
def test_what_can_take_effect_is_taken(changes: dict[str, Any]) -> None:
    policy_for(changes, None, "skip")


def test_a_first_pause_longer_than_the_longest_by_default_makes_that_as_long() -> None:
    retry = policy_for({"retry": {"initial": "PT10M"}}, None, "skip").retry
    assert (retry.initial, retry.maximum) == ("PT10M", "PT10M")
    assert policy_for({"retry": {"initial": "PT1M"}}, None, "skip").retry.maximum == "PT5M"
