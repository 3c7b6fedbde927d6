"""Handlers of the configuration: classes with their options, functions by name, and mistakes named with their place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.commands.builtin import load_builtin
from core.commands.explain import WrongInput
from core.config import BuiltinHandler
from schedule_zero.handler import name_of
from tests.cli.test_up import OWN


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``own`` that can be imported for the time of a test."""
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)


def entry(**fields: Any) -> BuiltinHandler:
    return msgspec.convert(fields, BuiltinHandler)


def test_classes_and_functions_become_handlers(own: None) -> None:
    handlers = load_builtin(
        [entry(module="own", options={"shelf": "top"}), entry(module="own:Keeper", options={"shelf": "low"}),
         entry(module="own", methods=["note"])]
    )  # fmt: skip
    assert [name_of(handler) for handler in handlers] == ["keeper", "keeper", "echo", "local"]


def test_echo_is_always_there_and_never_twice() -> None:
    assert [name_of(handler) for handler in load_builtin([])] == ["echo"]
    assert [name_of(handler) for handler in load_builtin([entry(module="handlers.echo")])] == ["echo"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"module": "nowhere_at_all"}, r"\[0\]\.module: nowhere_at_all cannot be imported"),
        ({"module": "own"}, r"\[0\]\.options: Keeper does not take them"),
        ({"module": "own", "methods": ["missing"]}, r"\[0\]\.methods: own has no function missing"),
        ({"module": "own:note"}, r"\[0\]\.module: own has no Handler class note"),
        ({"module": "json"}, "json defines no Handler class"),
        ({"module": "own", "methods": ["note", "note"]}, r"\[0\]\.methods: .*served already"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_named(own: None, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongInput, match=words):
        load_builtin([entry(**fields)])
