"""What is valid and has no effect in this version is said to whoever sets it, and marked in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.config import Config, read_config
from core.fields import known_paths
from core.unheeded import UNHEEDED
from tests.config.test_config import PAGE, WHOLE


def said(tmp_path: Path, text: str, **environ: str) -> list[tuple[int | None, str]]:
    path = tmp_path / "schedule-zero.yaml"
    path.write_text(text, encoding="utf-8")
    return [(note.line, note.key) for note in read_config(path, environ)[1]]


def test_each_key_that_is_set_and_has_no_effect_is_named_with_its_line(tmp_path: Path) -> None:
    assert said(
        tmp_path,
        """\
mode: minimal
http: {oauth: {client_id: "1"}, bind: "127.0.0.1:1"}
zmq: {curve: "on", handlers: "tcp://127.0.0.1:4242"}
discord: {operator_ids: ["1"], operator_guild_id: "2"}
governor:
  plans:
    unverified: {running: 2, sends_per_channel: "5/min"}
    own: {dms_per_hour: null}
  guilds: {"123": {dms_per_hour: 3, running: 1}}
  methods: {"webhook.post": {running: 50, adaptive: aimd}}
reporting: {handler_health: {check_interval: PT1M}, retention: {runs: P1D, metrics: P1D}}
""",
    ) == [(1, "mode")]


def test_a_variable_is_named_as_well(tmp_path: Path) -> None:
    path = tmp_path / "schedule-zero.yaml"
    path.write_text("mode: full\n", encoding="utf-8")
    _, notes = read_config(path, {"SCHEDULE_ZERO__MODE": "reporter"})
    assert [str(note) for note in notes] == ["SCHEDULE_ZERO__MODE: mode has no effect in this version"]


@pytest.mark.parametrize(
    "text", ["", "mode: full\n", "discord: {operator_ids: []}\n", "zmq: {curve: auto}\nhttp: {oauth: {}}\n"]
)
def test_saying_the_default_says_nothing(tmp_path: Path, text: str) -> None:
    assert said(tmp_path, text) == []


def test_the_whole_configuration_stays_valid(tmp_path: Path) -> None:
    assert said(tmp_path, WHOLE) == []


def test_every_such_key_there_is_is_marked_in_the_docs_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_.*\[\]]+)` \|.*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    marked = re.findall(r"^\| `([a-z_.*\[\]]+)` \|.*\*No effect in this version[.:]\*", PAGE.read_text(), re.MULTILINE)
    assert set(marked) == {row for row in rows if any(row == key or row.startswith(f"{key}.") for key in UNHEEDED)}
    assert set(UNHEEDED) <= set(known_paths(Config))
