"""Schemas of strangers: what is none, or could hurt, is refused with one sentence that names the place."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.schemas import DEEPEST, MOST_SCHEMAS, MOST_TOGETHER, BadSchema, admitted, read_schemas
from schedule_zero.handler import Method


def text(schema: Any) -> str:
    return msgspec.json.encode(schema).decode()


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("null", "is no JSON object"),
        ("[]", "is no JSON object"),
        ("{", "is no JSON: "),
        ('"\\ud800"', "is no JSON: "),
        ("[" * 60_000, "is no JSON: "),
        ('{"type": "strin"}', "is wrong at /type: that has to be one or several of array, boolean,"),
        ('{"type": []}', "is wrong at /type"),
        ('{"properties": 5}', "is wrong at /properties: that has to be an object of schemas"),
        ('{"properties": {"a": 5}}', "is wrong at /properties/a: that has to be an object, or true or false"),
        ('{"items": [{}]}', "is wrong at /items: that has to be an object, or true or false"),
        ('{"anyOf": []}', "is wrong at /anyOf: that has to be a list of schemas"),
        ('{"required": ["a", 1]}', "is wrong at /required: that has to be a list of texts"),
        ('{"dependentRequired": {"a": "b"}}', "is wrong at /dependentRequired"),
        ('{"minimum": true}', "is wrong at /minimum: that has to be a number"),
        ('{"minLength": -1}', "is wrong at /minLength: that has to be a whole number from 0"),
        ('{"multipleOf": 0}', "is wrong at /multipleOf: that has to be a number above 0"),
        ('{"pattern": "' + "a" * 501 + '"}', "is wrong at /pattern: that has to be a text of at most 500 characters"),
        ('{"$ref": 7}', "is wrong at /$ref: that has to be a text"),
        ('{"$ref": "http://127.0.0.1:9/x"}', "nothing is fetched from elsewhere"),
        ('{"$ref": "other.json#/a"}', "nothing is fetched from elsewhere"),
        ('{"$ref": "#anchor"}', "nothing is fetched from elsewhere"),
        ('{"$ref": "#/$defs/a"}', "refers to '#/$defs/a', and nothing is there"),
        ('{"$ref": "#/type", "type": "object"}', "refers to '#/type', which is no schema"),
        ('{"$ref": "#"}', "refers to '#' in a circle"),
        ('{"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}', "refers to '#/$defs/a' in a circle"),
        (
            '{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"if": {"$ref": "#/$defs/a"}}}}',
            "in a circle",
        ),
        ('{"not":' * 40 + "{}" + "}" * 40, f"is nested deeper than {DEEPEST} levels"),
        (text({"anyOf": [{}] * MOST_SCHEMAS}), f"is too large: a method's may be made of {MOST_SCHEMAS} schemas"),
    ],
)  # fmt: skip
def test_what_is_no_schema_or_could_hurt_is_refused_with_the_place(schema: str, said: str) -> None:
    with pytest.raises(BadSchema) as refusal:
        read_schemas({"build": schema})
    assert str(refusal.value).startswith("the schema of method build is ") or "build refers to" in str(refusal.value)
    assert said in str(refusal.value)


def test_all_schemas_of_a_handler_together_have_a_bound() -> None:
    large = text({"anyOf": [{}] * (MOST_SCHEMAS - 1)})
    number = MOST_TOGETHER // MOST_SCHEMAS
    assert len(read_schemas({f"m{place}": large for place in range(number)})) == number
    with pytest.raises(BadSchema, match=f"the schema of method m{number} is too large"):
        read_schemas({f"m{place}": large for place in range(number + 1)})


def test_only_what_is_checked_is_kept_and_names_are_not_taken_for_keywords() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.org/x", "title": "T",
        "unevaluatedProperties": False, "$dynamicRef": "#x", "examples": [{"$ref": "http://x"}],
        "properties": {"$ref": {"type": "string", "default": "a"}, "pattern": True},
        "enum": [{"$ref": "http://x"}],
    }  # fmt: skip
    assert admitted(schema) == {
        "properties": {"$ref": {"type": "string"}, "pattern": True}, "enum": [{"$ref": "http://x"}],
    }  # fmt: skip


def test_a_schema_may_contain_itself_where_the_arguments_do() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"properties": {"children": {"items": {"$ref": "#/$defs/node"}}}}},
    }
    assert admitted(tree) == tree


def test_what_the_kit_makes_of_a_method_is_admitted() -> None:
    async def build(day: str, rows: int = 100, tags: list[str] | None = None, more: dict[str, float] = {}) -> None:  # noqa: B006 - read only
        """Build."""

    info = Method(build, "build").info
    assert read_schemas({"build": text(info.schema)}) == {"build": info.schema}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "$ref", "$defs", "anyOf", "required", "enum", "pattern", "not", "a"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(_json)
def test_whatever_comes_is_admitted_or_refused_and_raises_nothing_else(schema: Any) -> None:
    try:
        kept = admitted(schema)
    except BadSchema:
        return
    assert isinstance(kept, dict)


def test_the_largest_schemas_that_are_let_in_are_looked_through_in_no_time() -> None:
    """Generous, for a busy machine: what must not happen is a second."""
    chain = {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(MOST_SCHEMAS - 2)}}
    chain["$defs"][f"d{MOST_SCHEMAS - 2}"] = {}
    began = time.process_time()
    read_schemas({f"m{n}": text(chain) for n in range(MOST_TOGETHER // MOST_SCHEMAS)})
    assert time.process_time() - began < 0.5
