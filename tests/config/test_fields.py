"""Every mistake of a document at once: what msgspec would refuse is named, and only that."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.fields import check, known_paths, nearest
from schedule_zero.requests import PreviewTrigger
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec


class Leaf(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A record."""

    size: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    word: Literal["red", "green"] | None = None
    ratio: float = 0.5


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """A record whose fields have to agree."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low has to be at most high")


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    """A record of records."""

    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = {}
    pair: Pair | None = None
    either: str | Leaf | None = None
    anything: Any = None


def errors(value: Any, kind: Any = Whole) -> dict[str, str]:
    return {error.field: error.message for error in check(value, kind)[1]}


def test_a_list_that_is_too_long_is_said_to_be_so_and_its_items_are_left_alone() -> None:
    few = Annotated[tuple[int, ...], msgspec.Meta(max_length=2)]
    told = Annotated[tuple[int, ...], msgspec.Meta(max_length=2, description="a pair")]
    kind = msgspec.defstruct("Lists", [("few", few, ()), ("told", told | None, None)])
    assert errors({"few": [1, 2], "told": ["x"]}, kind) == {"told[0]": "has to be a whole number, not 'x'"}
    assert errors({"few": [1, "x", 3], "told": [1] * 9}, kind) == {
        "few": "has to be a list of at most 2, not 3", "told": "has to be a pair, not 9",
    }  # fmt: skip


def test_a_list_where_a_mapping_belongs_is_said_in_words() -> None:
    inner = msgspec.defstruct("Inner", [("running", int | None, None)])
    kind = msgspec.defstruct("Outer", [("each", inner | msgspec.UnsetType | None, msgspec.UNSET)])
    assert errors({"each": []}, kind) == {"each": "has to be a mapping or null, not a list"}
    assert errors({"each": 5}, kind) == {"each": "has to be a mapping, not 5"}


def test_the_words_of_an_enumeration_are_said() -> None:
    kind = msgspec.defstruct("Asked", [("state", RunState | None, None)])
    assert errors({"state": "failed"}, kind) == {}
    assert errors({"state": "faild"}, kind)["state"].endswith("not 'faild'; did you mean failed?")


def test_every_mistake_is_found_in_every_depth() -> None:
    document = {
        "leaf": {"size": 0, "word": "gren", "ratio": "x"},
        "leaves": [{}, {"sise": 1}, 3],
        "named": {"a.b": {"size": "many"}},
        "pair": {"low": 2, "high": 1},
        "either": {"size": 10},
        "ledves": 1,
    }
    assert errors(document) == {
        "leaf.size": "has to be at least 1",
        "leaf.word": "has to be one of red, green, not 'gren'; did you mean green?",
        "leaf.ratio": "has to be a number, not 'x'",
        "leaves[1].sise": "is not known here; did you mean size?",
        "leaves[2]": "has to be a mapping, not 3",
        "named.a.b.size": "has to be a whole number, not 'many'",
        "pair": "low has to be at most high",
        "either.size": "has to be at most 9",
        "ledves": "is not known here; did you mean leaves?",
    }


@pytest.mark.parametrize("value", [None, 3, "x", [], [{}], True])
def test_a_document_of_another_kind_is_said_to_be_one(value: Any) -> None:
    assert errors(value)[""].startswith("has to be a mapping, not ")


def test_a_number_counts_as_the_text_that_was_written_where_text_is_wanted() -> None:
    ready, found = check({"either": 12, "leaf": {"size": 3}}, Whole, texts={"either": "012", "leaf.size": "3"})
    assert not found
    assert ready == {"either": "012", "leaf": {"size": 3}}


def test_a_union_is_told_apart_by_its_tag() -> None:
    assert errors({"trigger": {"type": "crn"}}, PreviewTrigger)["trigger.type"].endswith("did you mean cron?")
    assert errors({"trigger": {}}, PreviewTrigger)["trigger.type"].startswith("is missing")
    assert errors({"trigger": {"type": "cron", "expresion": "x"}}, PreviewTrigger) == {
        "trigger.expresion": "is not known here; did you mean expression?",
        "trigger.expression": "is missing",
    }
    assert errors({"trigger": 3}, PreviewTrigger) == {"trigger": "has to be a mapping, not 3"}


def test_paths_list_what_may_be_written() -> None:
    assert {"leaf.size", "leaves[].word", "named.*.ratio", "pair.low", "either.size", "anything"} <= set(
        known_paths(Whole)
    )


def test_the_nearest_name_is_offered_only_when_it_is_near() -> None:
    assert nearest("Leef", ["leaf", "pair"]) == "leaf"
    assert nearest("zzz", ["leaf", "pair"]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats(allow_nan=False, width=16) | st.sampled_from(["red", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["leaf", "size", "word", "low", "high", "type", "trigger", "at", "zz"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
documents = st.dictionaries(st.sampled_from([*Whole.__struct_fields__, "handler", "method", "trigger"]), json_values)


@pytest.mark.slow
@given(documents, st.sampled_from([Whole, ScheduleSpec]))
@settings(max_examples=300)
def test_a_document_has_mistakes_exactly_when_msgspec_refuses_it(document: Any, kind: Any) -> None:
    ready, found = check(document, kind)
    try:
        msgspec.convert(ready, kind)
    except msgspec.ValidationError:
        assert found
    else:
        assert not found
