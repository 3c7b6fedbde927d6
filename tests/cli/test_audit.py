"""``audit``: every option reaches the core as what it means; what is written can be read by people and programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import Conflict, Forbidden
from tests.cli.conftest import Command, Core
from tests.web.fake import LINE, SCHEDULE

NARROWED = (
    "--guild", "12", "--actor", "7", "--action", "key.new", "--target", "ü b", "--since", "2026-01-01T00:00:00Z", "--until",
    "2027-01-01T00:00:00Z",
)  # fmt: skip
FILTERS: dict[str, Any] = {
    "guild_id": "12", "actor": "7", "action": "key.new", "target": "ü b", "since": "2026-01-01T00:00:00Z",
    "until": "2027-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), ask.ListAudit(any_guild=True)),
        (("list", *NARROWED, "--limit", "5", "--cursor", "c"), ask.ListAudit(**FILTERS, limit=5, cursor="c")),
        (("list", "--guild", "null"), ask.ListAudit()),
        (("show", "12"), ask.GetAudit(id="12")),
        (("revert", "12"), ask.RevertAudit(id="12")),
    ],
)
def test_a_command_asks_what_it_says(
    command: Command, core: Core, arguments: tuple[str, ...], expected: Any
) -> None:  # fmt: skip
    said = command("audit", *arguments)
    assert said.code == 0, said.err
    assert core.door.last == expected
    assert core.door.asked[-1][0].via == "cli"
    assert json.loads(command("audit", *arguments, "--json").out)


def test_a_list_is_a_table_with_the_way_to_the_next_page(command: Command, core: Core) -> None:
    named = msgspec.structs.replace(LINE, title="\x1b[31mred", before=None, id="13")
    core.door.answers[ask.ListAudit] = views.AuditPage(items=(LINE, named), next="5-12")
    out = command("audit", "list").out
    for words in ("member:456", "discord", "schedule.update", f"{SCHEDULE.id} (standup)", "args.n", "--cursor 5-12"):
        assert words in out
    assert "\x1b" not in out


def test_a_change_is_shown_with_what_it_made_different_and_the_way_back(command: Command, core: Core) -> None:
    out = command("audit", "show", "12").out
    assert "args.n    1 → 2" in out
    assert "schedule-zero audit revert 12" in out
    core.door.answers[ask.GetAudit] = msgspec.structs.replace(LINE, hidden=True, before=None, after=None, back=None)
    out = command("audit", "show", "12").out
    assert "not for this token" in out
    assert "revert" not in out


def test_what_was_taken_back_is_said(command: Command, core: Core) -> None:
    assert "standup is as it was: active" in command("audit", "revert", "12").out
    settings = views.GuildSettings(guild_id="1")
    core.door.answers[ask.RevertAudit] = views.AuditRevert(settings=settings)
    assert command("audit", "revert", "12").out == "the settings are as they were\n"
    core.door.answers[ask.RevertAudit] = Conflict("It has been changed again.")
    assert command("audit", "revert", "12") == (1, "", "It has been changed again.\n")


@pytest.fixture
def pages(core: Core) -> list[views.AuditLine]:
    """Two pages of lines at the core."""
    lines = [msgspec.structs.replace(LINE, id=str(n), title=f"ü {n}") for n in range(250)]

    def page(asked: ask.ListAudit) -> views.AuditPage:
        start = int(asked.cursor or 0)
        end = start + asked.limit
        return views.AuditPage(items=tuple(lines[start:end]), next=str(end) if end < len(lines) else None)

    core.door.answers[ask.ListAudit] = page
    return lines


def test_everything_is_exported_page_by_page(command: Command, core: Core, pages: list[views.AuditLine]) -> None:
    said = command("audit", "export", *NARROWED)
    assert said.code == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["id"], row["title"]) for row in rows] == [(line.id, line.title) for line in pages]
    assert json.loads(rows[0]["after"]) == LINE.after
    assert [request for _, request in core.door.asked] == [
        ask.ListAudit(**FILTERS, limit=200), ask.ListAudit(**FILTERS, limit=200, cursor="200"),
    ]  # fmt: skip
    listed = json.loads(command("audit", "export", "--format", "json").out)
    assert msgspec.convert(listed, list[views.AuditLine]) == pages


def test_a_file_is_there_once_all_of_it_is(
    command: Command, core: Core, tmp_path: Path, pages: list[views.AuditLine]
) -> None:
    assert command("audit", "export", "-o", "out.csv").out == "250 lines in out.csv\n"
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 251
    core.door.answers[ask.ListAudit] = Forbidden("Not for you.")
    assert command("audit", "export", "-o", "other.csv").code == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["out.csv"]
    said = command("audit", "export", "-o", "no/such/folder.csv")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "cannot be written" in said.err


def test_nothing_to_export_is_still_a_file_of_its_form(command: Command, core: Core) -> None:
    core.door.answers[ask.ListAudit] = views.AuditPage(items=())
    assert command("audit", "export").out.startswith("id,at,guild_id,")
    assert json.loads(command("audit", "export", "--format", "json").out) == []
