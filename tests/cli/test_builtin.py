"""Handlers of the configuration: classes with their options, functions by name, and mistakes named with their place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.commands.builtin import load_builtin, with_secrets
from core.commands.explain import WrongInput
from core.config import BuiltinHandler, Config
from core.engine.inprocess import Functions
from core.secret import read_secret
from schedule_zero.handler import name_of
from tests.cli.test_up import OWN


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``own`` that can be imported for the time of a test."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("\nraise ValueError('no luck')\n")
    (tmp_path / "worse.py").write_text("def (")
    (tmp_path / "leaving.py").write_text("raise SystemExit(5)")
    (tmp_path / "many.py").write_text(MANY)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("own", "many"):
        monkeypatch.delitem(sys.modules, name, raising=False)


MANY = """\
from schedule_zero import Handler, method
class Many(Handler):
    @method
    def each(self): yield 1
class Leaver(Handler):
    def __init__(self): raise SystemExit(5)
"""


def entry(**fields: Any) -> BuiltinHandler:
    return msgspec.convert(fields, BuiltinHandler)


def test_classes_and_functions_become_handlers(own: None) -> None:
    handlers = load_builtin(
        [entry(module="own:Keeper", options={"shelf": "low"}), entry(module="own", methods=["note"])]
    )
    assert [name_of(handler) for handler in handlers] == ["keeper", "echo", "local"]


def test_a_name_is_one_handlers_alone(own: None) -> None:
    with pytest.raises(WrongInput, match=r"\[1\]\.module: a handler named keeper is there already"):
        load_builtin(
            [entry(module="own", options={"shelf": "top"}), entry(module="own:Keeper", options={"shelf": "low"})]
        )


def test_sync_and_async_functions_keep_what_they_declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from schedule_zero import method
def plain(n: int) -> int: return n
@method(timeout=5, at_most_once=True)
async def once() -> None: ...
"""
    (tmp_path / "declared.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "declared", raising=False)
    (_, local) = load_builtin([entry(module="declared", methods=["plain", "once"])])
    assert isinstance(local, Functions)
    facts = {name: (m.is_async, m.info.timeout, m.info.at_most_once) for name, m in local.methods.items()}
    assert facts == {"plain": (False, None, False), "once": (True, 5, True)}


def test_options_take_secrets_from_the_environment() -> None:
    config = msgspec.convert(
        {"handlers": {"builtin": [
            {"module": "own", "options": {"keys": ["Bearer ${HOOK_KEY}", 3], "deep": {"x": "$${HOOK_KEY} ${SHORT}"}}}
        ]}},
        Config, dec_hook=read_secret,
    )  # fmt: skip
    filled, secrets = with_secrets(config, {"HOOK_KEY": "s3cret", "SHORT": "abc"})
    assert filled.handlers.builtin[0].options == {"keys": ["Bearer s3cret", 3], "deep": {"x": "${HOOK_KEY} abc"}}
    assert secrets == ["s3cret"]
    with pytest.raises(WrongInput) as caught:
        with_secrets(config, {"HOOK_KEY": ""})
    assert str(caught.value) == "handlers.builtin[0].options.keys[0]: the environment variable HOOK_KEY is not set"


def test_echo_is_always_there_and_never_twice() -> None:
    assert [name_of(handler) for handler in load_builtin([])] == ["echo"]
    assert [name_of(handler) for handler in load_builtin([entry(module="handlers.echo")])] == ["echo"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"module": "nowhere_at_all"}, r"\[0\]\.module: nowhere_at_all cannot be imported"),
        ({"module": "own"}, r"\[0\]\.options: Keeper does not take them"),
        (
            {"module": "own", "methods": ["missing"]},
            r"\[0\]\.methods: own has no function missing; it has note",
        ),
        (
            {"module": "own", "methods": ["note"], "options": {"a": 1}},
            r"\[0\]\.options: only Handler classes take options",
        ),
        (
            {"module": "broken"},
            r"\[0\]\.module: broken cannot be imported \(ValueError: no luck \(.*broken\.py, line 2\)\)",
        ),
        ({"module": "worse"}, r"\[0\]\.module: worse cannot be imported \(SyntaxError: .*worse\.py, line 1\)"),
        (
            {"module": "leaving"},
            r"\[0\]\.module: leaving cannot be imported \(SystemExit: 5 \(.*leaving\.py, line 1\)\)",
        ),
        ({"module": "many:Many"}, r"\[0\]\.module: Many: each: a method with yield has no result"),
        ({"module": "many:Leaver"}, r"\[0\]\.options: Leaver cannot be made \(SystemExit: 5 "),
        ({"module": "handlers.webhook"}, r"\[0\]\.options: .*allow"),
        (
            {"module": "handlers.command", "options": {"commands": {"x": {"argv": ["nowhere"]}}}},
            r"\[0\]\.options\.commands\.x\.argv: there is no program",
        ),
        ({"module": "own:note"}, r"\[0\]\.module: own has no Handler class note"),
        ({"module": "json"}, "json defines no Handler class"),
        ({"module": "own", "methods": ["note", "note"]}, r"\[0\]\.methods: .*served already"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_named(own: None, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongInput, match=words):
        load_builtin([entry(**fields)])
