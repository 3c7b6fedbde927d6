"""The fields of a form: from a method's schema, and what is typed into them back to arguments."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogs.job.fields import LONGEST_TYPED, REST, Field, Kind, Layout, begins_with, fields_of, layout_of
from cogs.job.typed import Wrong, read, read_args, read_form
from schedule_zero.masking import MASK
from tests.cogs.workers import Reports, schema_of

BUILD = schema_of(Reports().build)
SIX = schema_of(Reports().six)
UPLOAD = schema_of(Reports().upload)


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _field(kind: Kind, **facts: Any) -> Field:
    return Field(name="x", kind=kind, **facts)


# ── from a schema to fields ──────────────────────────────────────────────────────────────────────────────────────


def test_every_plain_type_has_its_kind_and_the_required_come_first() -> None:
    kinds = {field.name: (field.kind, field.required) for field in fields_of(BUILD)}
    assert kinds == {
        "day": ("date", True), "about": ("choice", False), "rows": ("integer", False), "level": ("choice", False),
        "mail": ("boolean", False),
    }  # fmt: skip
    assert [(field.name, field.kind) for field in fields_of(UPLOAD)] == [
        ("target", "json"), ("token", "text"), ("tags", "json"), ("note", "text"),
    ]  # fmt: skip


def test_a_reference_an_alternative_with_null_and_bounds_are_followed() -> None:
    level = next(field for field in fields_of(BUILD) if field.name == "level")
    assert (set(level.choices), level.default) == ({"low", "high"}, "low")
    rows = next(field for field in fields_of(BUILD) if field.name == "rows")
    assert rows.hint == "a whole number, at least 1, at most 10000"
    assert next(field for field in fields_of(SIX) if field.name == "e").kind == "text"


@pytest.mark.parametrize(
    ("count", "asked", "rest"), [(0, 0, 0), (1, 1, 0), (5, 5, 0), (6, 4, 2), (30, 4, 26)]
)  # fmt: skip
def test_up_to_five_arguments_have_a_field_each_and_of_more_the_others_are_json(
    count: int, asked: int, rest: int
) -> None:
    layout = layout_of(_schema(**{f"a{number}": {"type": "string"} for number in range(count)}), {})
    assert (len(layout.asked), len(layout.rest), layout.has_rest) == (asked, rest, rest > 0)


def test_structures_and_lists_are_json_beside_the_plain_ones_with_an_example_filled_in() -> None:
    layout = layout_of(UPLOAD, {})
    assert [field.name for field in layout.asked] == ["token", "note"]
    example = json.loads(begins_with(UPLOAD, layout, {})[REST])
    assert example == {"target": {"host": "…", "port": 22, "password": ""}, "tags": []}


def test_arguments_no_schema_names_are_asked_for_as_json() -> None:
    assert layout_of({}, {}).has_rest
    assert not layout_of(_schema(), {}).has_rest
    unknown = layout_of(_schema(a={"type": "string"}), {"old": 1})
    assert json.loads(begins_with({}, unknown, {"old": 1})[REST]) == {"old": 1}


def test_defaults_are_filled_in_and_what_is_set_already_before_them() -> None:
    layout = layout_of(BUILD, {})
    assert begins_with(BUILD, layout, {}) == {
        "day": "",
        "about": "sales",
        "rows": "100",
        "level": "low",
        "mail": "false",
    }
    assert begins_with(BUILD, layout, {"rows": 7})["rows"] == "7"


def test_what_is_too_long_for_a_form_is_kept_as_it_is() -> None:
    schema, before = _schema(a={"type": "string"}, b={"type": "string"}), {"a": "x" * (LONGEST_TYPED + 1), "b": "y"}
    layout = layout_of(schema, before)
    assert [field.name for field in layout.asked] == ["b"]
    assert read_form(schema, layout, {"b": "z"}, before) == ({"a": before["a"], "b": "z"}, [])
    nested = _schema(a={"type": "array"}, b={"type": "string"})
    large = {"a": ["x" * LONGEST_TYPED], "b": "y"}
    assert read_form(nested, layout_of(nested, large), {"b": "z"}, large) == ({"a": large["a"], "b": "z"}, [])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "properties", "enum", "anyOf", "$ref", "items", "required", "default", "format", "minimum", "maxLength", "const", "a"]), inner, max_size=4)))  # fmt: skip
def test_no_schema_however_odd_breaks_the_form(schema: Any) -> None:
    root = schema if isinstance(schema, dict) else {"properties": {"a": schema}}
    layout = layout_of(root, {"a": "b"})
    assert len(layout.asked) + layout.has_rest <= 5
    args, _ = read_form(root, layout, begins_with(root, layout, {"a": "b"}), {"a": "b"})
    assert isinstance(args, dict)


def test_a_reference_in_a_circle_ends() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    assert fields_of(circle) == ()


# ── from typed text to values ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (_field("text"), " as it is ", " as it is "), (_field("text"), "日本 🎌", "日本 🎌"),
        (_field("integer"), " -12 ", -12), (_field("number"), "2.5", 2.5), (_field("number"), "3", 3),
        (_field("boolean"), "Yes", True), (_field("boolean"), "off", False),
        (_field("choice", choices=("low", "high")), "HIGH", "high"), (_field("choice", choices=(1, 2)), "2", 2),
        (_field("date"), "2026-12-24", "2026-12-24"), (_field("time"), "18:00", "18:00:00"),
        (_field("instant"), "2026-12-24 18:00", "2026-12-24T18:00:00"),
        (_field("instant"), "2026-12-24T18:00+01:00", "2026-12-24T18:00:00+01:00"),
        (_field("instant"), "<t:1798135200:F>", "2026-12-24T18:00:00Z"), (_field("span"), "PT1H30M", "PT1H30M"),
        (_field("json"), '["a", 1]', ["a", 1]),
    ],
)  # fmt: skip
def test_a_text_is_the_value_it_means(field: Field, text: str, value: Any) -> None:
    found = read(field, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        (_field("integer"), "three", "has to be a whole number such as 3, and is 'three'"),
        (_field("integer"), "٣", None), (_field("integer"), "1" * 5000, "has to be a whole number such as 3, and is '1111"),
        (_field("integer", least=1, most=9), "10", "is 10, and has to be at most 9"),
        (_field("number"), "nan", "has to be a number such as 1.5, and is 'nan'"),
        (_field("number"), "1e999", "is too large a number"),
        (_field("number", above=0), "0", "is 0, and has to be more than 0"),
        (_field("boolean"), "perhaps", "has to be yes or no, and is 'perhaps'"),
        (_field("choice", choices=("sales", "visits")), "sale", "has no choice 'sale'; did you mean sales?"),
        (_field("choice", choices=("sales", "visits")), "?", "has no choice '?'; it takes sales, visits"),
        (_field("date"), "24.12.2026", "has to be written like 2026-12-24, and is '24.12.2026'"),
        (_field("date"), "2026-02-30", "has to be written like 2026-12-24"),
        (_field("instant"), "soon", "has to be written like 2026-12-24T18:00:00Z"),
        (_field("instant"), "<t:999999999999>", "is a moment that no calendar has"),
        (_field("json"), "{", "has to be JSON such as"),
        (_field("text", longest=3), "four", "has 4 characters, and takes at most 3"),
        (_field("integer", secret=True), "hunter2", "has to be a whole number such as 3, and is something else"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_value_gets_one_sentence(field: Field, text: str, words: str | None) -> None:
    if words is None:
        assert read(field, text) == 3
        return
    with pytest.raises(Wrong) as refused:
        read(field, text)
    assert str(refused.value).startswith(words)


def _filled(layout: Layout, **typed: str) -> dict[str, str]:
    return begins_with(BUILD, layout, {}) | typed


def test_every_wrong_field_is_named() -> None:
    layout = layout_of(BUILD, {})
    _, mistakes = read_form(BUILD, layout, _filled(layout, rows="many"), {})
    assert [(each.name, each.sentence) for each in mistakes] == [
        ("day", "is missing; write such as 2026-12-24"),
        ("rows", "has to be a whole number such as 3, and is 'many'"),
    ]


def test_what_is_left_empty_is_left_out() -> None:
    layout = layout_of(BUILD, {})
    args, mistakes = read_form(BUILD, layout, _filled(layout, day="2026-12-24", rows="", mail=""), {})
    assert (args, mistakes) == ({"day": "2026-12-24", "about": "sales", "level": "low"}, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON: "), ("[1]", 'has to be a JSON object such as {"day": "2026-12-24"}'),
        ('{"a": 1, "a": 2}', "is no JSON that can be read: it names a twice"), ('{"a": NaN}', "is no JSON that can be read"),
        ("[" * 100_000, "is no JSON that can be read"),
    ],
)  # fmt: skip
def test_json_that_is_wrong_is_refused_with_what_is_wrong(text: str, words: str) -> None:
    _, mistakes = read_form(UPLOAD, layout_of(UPLOAD, {}), {"token": "t", REST: text}, {})
    assert mistakes[0].name == REST
    assert mistakes[0].sentence.startswith(words)


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_never_stands_in_a_form_and_stays_as_it_is_when_untouched() -> None:
    before = {"target": {"host": "h", "port": 1, "password": "hunter2"}, "token": "t0ken", "tags": [], "note": "psst"}
    layout = layout_of(UPLOAD, before)
    begins = begins_with(UPLOAD, layout, before)
    assert not any(secret in text for text in begins.values() for secret in ("hunter2", "t0ken", "psst"))
    assert begins["token"] == MASK
    assert read_form(UPLOAD, layout, begins, before) == (before, [])
    changed = json.loads(begins[REST]) | {"tags": ["new"]}
    args, mistakes = read_form(UPLOAD, layout, begins | {"token": "other", REST: json.dumps(changed)}, before)
    assert (args, mistakes) == (before | {"token": "other", "tags": ["new"]}, [])


def test_the_mask_alone_is_no_secret() -> None:
    typed = {"token": "t", REST: json.dumps({"target": {"host": "h", "password": MASK}})}
    _, mistakes = read_form(UPLOAD, layout_of(UPLOAD, {}), typed, {})
    assert "args.target.password: is only the sign for something hidden" in mistakes[0].sentence


# ── in an option ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_arguments_can_be_typed_as_words_or_as_json() -> None:
    assert read_args(BUILD, 'day=2026-12-24 about="sales" rows=3 mail=yes') == {
        "day": "2026-12-24", "about": "sales", "rows": 3, "mail": True,
    }  # fmt: skip
    assert read_args(BUILD, ' {"day": "2026-12-24"}') == {"day": "2026-12-24"}
    assert read_args({}, 'n=3 name="two words"') == {"n": 3, "name": "two words"}
    assert read_args(UPLOAD, """tags='["a"]'""") == {"tags": ["a"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tomorrow", "has 'tomorrow', which is no argument; write key=value, or a JSON object"),
        ("rows=many", "is wrong: rows has to be a whole number such as 3, and is 'many'"),
        ("rows=1 rows=2", "names rows twice"), ('note="open', "has a quotation mark that is not closed"),
    ],
)  # fmt: skip
def test_words_that_are_no_arguments_are_refused(text: str, words: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_args(BUILD, text)
    assert str(refused.value).startswith(words)


def test_the_schema_of_a_method_is_what_the_tests_think() -> None:
    assert fields_of(schema_of(lambda: None)) == ()
    assert dt.date.fromisoformat(str(fields_of(BUILD)[0].example)) == dt.date(2026, 12, 24)
