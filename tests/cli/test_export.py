"""``export``: every option reaches the core as what it means, and the file is there whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import Forbidden
from tests.cli.conftest import Command, Core

WHOLE = views.ExportPart(text='{"ü": 1}\r\n', next=None, media_type="application/json", name="all.json")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ask.Export(cursor="0")),
        (("--guild", "12", "--format", "csv"), ask.Export(guild_id="12", format="csv", cursor="0")),
        (
            ("--user", "7", "--format", "ics", "--secrets"),
            ask.Export(user_id="7", format="ics", secrets=True, cursor="0"),
        ),
    ],
)
def test_what_is_written_reaches_the_core(
    command: Command, core: Core, arguments: tuple[str, ...], expected: ask.Export
) -> None:
    core.door.answers[ask.Export] = WHOLE
    said = command("export", *arguments)
    assert (said.code, said.out) == (0, WHOLE.text)
    assert [asked for _, asked in core.door.asked] == [expected]


def test_a_file_is_for_its_owner_alone_and_whole(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.Export] = WHOLE
    assert command("export", "-o", "all.json").err == "written to all.json\n"
    assert (tmp_path / "all.json").read_bytes() == WHOLE.text.encode()
    assert stat.S_IMODE((tmp_path / "all.json").stat().st_mode) == 0o600
    core.door.answers[ask.Export] = Forbidden("Not yours.")
    said = command("export", "-o", "all.json")
    assert (said.code, said.err) == (1, "Not yours.\n")
    assert (tmp_path / "all.json").read_bytes() == WHOLE.text.encode()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_what_cannot_be_written_or_meant_is_said(command: Command, core: Core) -> None:
    core.door.answers[ask.Export] = WHOLE
    said = command("export", "-o", "nowhere/all.json")
    assert (said.code, said.err) == (1, "nowhere/all.json.part cannot be written (No such file or directory)\n")
    both = command("export", "--guild", "1", "--user", "2")
    assert both.code == 2
    assert "--guild and --user exclude each other" in both.err
