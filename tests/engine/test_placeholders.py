"""What is taken from a parent: its syntax, types and bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.placeholders import (
    LARGEST,
    MOST,
    NOBODY,
    BadPlaceholder,
    Parent,
    Parents,
    Unfilled,
    blanked,
    filled,
    placeholders_in,
    without_parent,
)

RESULT = {"rows": 3, "ok": True, "none": None, "files": [{"name": "a.zip"}], "text": "ü", "a-b_c": 1.5}
PARENT = Parent("run_1", "succeeded", 0, msgspec.json.encode(RESULT).decode(), None)
PARENTS = Parents(PARENT, {"nightly backup.v2": PARENT, "sch_1": PARENT})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{parent.result.rows}", 3),
        ("{parent.result.ok}", True),
        ("{parent.result.none}", None),
        ("{parent.result.files}", [{"name": "a.zip"}]),
        ("{parent.result.files.0.name}", "a.zip"),
        ("{parent.result.a-b_c}", 1.5),
        ("{parent.result}", RESULT),
        ("{parent.run_id}", "run_1"),
        ("{parent.state}", "succeeded"),
        ("{parent.due}", "1970-01-01T00:00:00+00:00"),
        ("{parent.error}", None),
        ("{parent.error|none}", "none"),
        ("{parent.result.gone|7}", 7),
        ("{parent.result.gone|[1]}", [1]),
        ("{parent.result.gone|a b}", "a b"),
        ("{parent.result.gone|}", ""),
        ("{parent:nightly backup.v2.result.rows}", 3),
        ("{parent:sch_1.state}", "succeeded"),
        ("{parent:other.state|never}", "never"),
        ("rows: {parent.result.rows}, {parent.result.text}", "rows: 3, ü"),
        ("{parent.result.files} {parent.result.none}|{parent.error}", '[{"name":"a.zip"}] |'),
        ("{parent.result.gone|7} ", "7 "),
        ("{{parent.state}", "{parent.state}"),
        ("{{{parent.state}", "{{parent.state}"),
        ("{parents} {x} {} }{ {{y}} {parent_x}", "{parents} {x} {} }{ {{y}} {parent_x}"),
    ],
)
def test_a_placeholder_alone_keeps_its_type_and_in_a_text_is_written_out(text: str, value: Any) -> None:
    assert filled({"deep": [{"x": text}], "n": 1}, PARENTS) == {"deep": [{"x": value}], "n": 1}


@pytest.mark.parametrize(
    "text",
    ["{parent}", "{parent.}", "{parent.rows}", "{parent.result", "{parent.result..x}", "{parent.state.x}", "{parent:.state}",
     "{parent .state}", "{parent.result.x!r}", "{parent.result[0]}", "{parent.result.x|{parent.state}}", "{parent:a\nb.state}"],
)  # fmt: skip
def test_what_begins_as_one_and_is_none_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(BadPlaceholder) as refused:
        placeholders_in({"list": ["fine", {"here": text}]})
    assert refused.value.place == "args.list[1].here"
    assert not isinstance(refused.value, Unfilled)


@pytest.mark.parametrize(
    ("text", "parents", "why"),
    [
        ("{parent.result.gone}", PARENTS, "the result of run_1 has no 'gone'"),
        ("x {parent.result.files.1}", PARENTS, "the result of run_1 has no 'files.1'"),
        ("{parent:other.state}", PARENTS, "it follows no run of 'other'"),
        ("{parent.state}", NOBODY, "this run follows none"),
        ("{parent.result}", Parents(Parent("run_2", "failed", 0, None, "no")), "run_2 failed without a result"),
    ],
)
def test_what_stands_for_nothing_says_why(text: str, parents: Parents, why: str) -> None:
    with pytest.raises(Unfilled, match=f"stands for nothing: {why}"):
        filled({"a": text}, parents)


def test_arguments_that_are_filled_in_have_a_largest_size() -> None:
    large = Parents(Parent("run_1", "succeeded", 0, msgspec.json.encode("x" * 50_000).decode(), None))
    assert len(filled({"a": "{parent.result}"}, large)["a"]) == 50_000
    for args in ({"a": "{parent.result} {parent.result}"}, {"a": "{parent.result}", "b": "{parent.result}"}):
        with pytest.raises(Unfilled, match=f"more than {LARGEST} bytes"):
            filled(args, large)
    with pytest.raises(BadPlaceholder, match="at most 100"):
        placeholders_in({"a": "{parent.state}" * (MOST + 1)})


def test_without_a_parent_only_fallbacks_are_left() -> None:
    assert without_parent('{"a":"b"}') is None
    assert without_parent('{"a":"{parent.result.n|3}"}') == '{"a":3}'
    assert blanked({"a": ["{parent.state} x", "y"], "b": "{parent.due}"}) == {"a": [None, "y"], "b": None}


@given(JSON, st.lists(st.sampled_from(["rows", "text", "0", "files", "name", "none"]), max_size=4))
def test_whatever_a_result_is_its_parts_come_as_they_are_or_not_at_all(result: Any, path: list[str]) -> None:
    parents = Parents(Parent("run_1", "succeeded", 0, msgspec.json.encode(result).decode(), None))
    wanted, found = result, True
    for part in path:
        if isinstance(wanted, dict) and part in wanted:
            wanted = wanted[part]
        elif isinstance(wanted, list) and part.isdecimal() and int(part) < len(wanted):
            wanted = wanted[int(part)]
        else:
            found = False
            break
    text = "{" + ".".join(["parent.result", *path]) + "}"
    if found:
        assert filled({"a": text}, parents) == {"a": wanted}
    else:
        with pytest.raises(Unfilled):
            filled({"a": text}, parents)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_arguments_without_placeholders_stay_as_they_are(args: dict[str, Any]) -> None:
    assert filled(args, PARENTS) == args
    assert placeholders_in(args) == []


@given(st.text(alphabet="{}parent.:|result state\\!0x", max_size=60))
def test_no_text_makes_it_do_anything_but_fill_in_or_refuse(text: str) -> None:
    try:
        found = placeholders_in({"a": text})
    except BadPlaceholder:
        with pytest.raises(BadPlaceholder):
            filled({"a": text}, PARENTS)
        return
    try:
        value = filled({"a": text}, PARENTS)["a"]
    except Unfilled:
        assert found
    else:
        assert found or value == text.replace("{{parent", "{parent") or "{{parent" in text


def test_a_fallback_is_json_only_as_deep_as_a_result_may_be_else_it_is_text() -> None:
    for deep in ("[" * 10_000, "[" * 500 + "]" * 500):
        assert filled({"a": f"{{parent.result|{deep}}}"}, NOBODY) == {"a": deep}


def test_a_long_row_of_braces_is_looked_at_once() -> None:
    """From each of them on again it would take hours."""
    braces = "{" * 1_000_000
    assert [each.place for each in placeholders_in({"a": braces, "b": f"{braces} {{parent.state}}"})] == ["args.b"]


def test_a_result_is_read_once_however_many_placeholders_take_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    decode = msgspec.json.decode

    def counting(text: str) -> Any:
        read.append(text)
        return decode(text)

    monkeypatch.setattr(msgspec.json, "decode", counting)
    parents = Parents(Parent("run_1", "succeeded", 0, '{"rows":3}', None))
    assert filled({"a": ["{parent.result.rows}"] * 50, "b": "{parent.result} {parent.result.rows}"}, parents)
    assert read == ['{"rows":3}']
