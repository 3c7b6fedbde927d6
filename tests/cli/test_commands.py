"""Exit codes and sentences: 0 done, 1 failed, 2 the input was wrong; errors on standard error, one sentence each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from core.cli import cli
from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "command-line.md"


def leaves(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for child, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from leaves(found, f"{name} {child}")
        else:
            yield f"{name} {child}", found


COMMANDS = dict(leaves(cli, "schedule-zero"))


def test_the_page_lists_every_command_and_no_other() -> None:
    told = set(re.findall(r"^\| `(schedule-zero [a-z-]+(?: [a-z]+)?)", PAGE.read_text(), re.MULTILINE))
    assert told == set(COMMANDS)


def test_the_page_lists_every_option() -> None:
    text = PAGE.read_text()
    for name, command in COMMANDS.items():
        for parameter in command.params:
            options = [option for option in parameter.opts if option.startswith("-")]
            assert not options or any(f"{option}" in text for option in options), f"{name} {options}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(command: Command, name: str) -> None:
    said = command(*name.split()[1:], "--help")
    assert said.code == 0
    assert said.out.lower().startswith(f"usage: {name}")
    assert "--debug" in said.out


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'litestar', 'sqlalchemy', 'apscheduler', 'discord', 'structlog', 'yaml', 'rich', 'asyncio', 'msgspec'}"
    code = f"import sys, core.cli; core.cli.run(['--help']); sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("schedules", "lst"), "lst"),
        (("preview",), "Missing argument 'TEXT'"),
        (("preview", "daily", "-n", "51"), "51"),
        (("schedules", "list", "--limit", "0"), "0"),
        (("schedules", "list", "--metadata", "team"), "KEY=VALUE"),
        (("schedules", "create"), "missing: WHEN, --handler, --method"),
        (("schedules", "create", "daily", "--handler", "a", "--method", "b", "--args", "[1]"), "JSON object"),
        (("schedules", "create", "daily", "--file", "x"), "exclude each other"),
        (("schedules", "run", "sch_1", "--args", "{"), "JSON object"),
        (("db", "backup"), "FILE"),
        (("check-config", "none.yaml"), "none.yaml: cannot be read: no such file or directory"),
        (("up", "--config", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(command: Command, arguments: tuple[str, ...], words: str) -> None:
    said = command(*arguments)
    assert said.code == 2
    assert words in said.err
    assert len(said.err.splitlines()) == 1
    assert not said.out


def test_no_command_shows_the_help_and_is_wrong_input(command: Command) -> None:
    said = command()
    assert said.code == 2
    assert "Usage:" in said.err


def test_check_config_names_every_mistake_and_exits_with_2(command: Command, tmp_path: Path) -> None:
    (tmp_path / "schedule-zero.yaml").write_text("htp: {}\nlog: {level: loud}\n")
    said = command("check-config")
    assert said.code == 2
    assert said.err.splitlines() == [
        "schedule-zero.yaml:1: htp is not known here; did you mean http?",
        "schedule-zero.yaml:2: log.level has to be one of debug, info, warning, error, critical, not 'loud'",
    ]


def test_check_config_says_that_nothing_is_wrong(command: Command, tmp_path: Path) -> None:
    assert command("check-config").out == "no file, all defaults: nothing is wrong\n"
    (tmp_path / "own.yaml").write_text("log: {level: debug}\n")
    assert command("check-config", "own.yaml").out == "own.yaml: nothing is wrong\n"


WRONG_PROCESSES = """\
processes:
  bot: {}
  limits:
    silent: PT0S
  handlers:
    - {module: "reports:Reports"}
    - {module: "other:Other", name: reports}
    - module: "a:A"
      name: core
"""


@pytest.mark.parametrize("words", [["check-config"], ["processes", "ensure"], ["processes", "start"]])
def test_what_could_not_be_kept_alive_is_said_with_its_line_by_check_config_and_by_processes(
    command: Command, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "schedule-zero.yaml").write_text(WRONG_PROCESSES)
    said = command(*words)
    assert said.code == 2
    assert said.err.splitlines() == [
        "schedule-zero.yaml:2: processes.bot needs a Discord token: set DISCORD_TOKEN, or leave processes.bot out",
        "schedule-zero.yaml:4: processes.limits.silent has to be longer than PT0S",
        "schedule-zero.yaml:7: processes.handlers[1].name reports is taken; give each handler a name of its own",
        "schedule-zero.yaml:9: processes.handlers[2].name core is taken; give each handler a name of its own",
    ]


def test_processes_that_name_nothing_are_a_mistake_for_what_would_start_them_alone(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "schedule-zero.yaml").write_text("processes: {}\n")
    assert command("check-config").code == 0
    said = command("processes", "ensure")
    assert said.code == 2
    assert said.err.startswith("schedule-zero.yaml:1: processes names nothing to keep alive; for example: ")


WRONG_OPTIONS = """\
handlers:
  builtin:
    - module: handlers.webhook
      options:
        alow: [x]
        timeout: soon
    - module: handlers.webhook
      options:
        allow:
          - https://hooks.example.org/*
          - https://*
    - {module: handlers.webhook, options: {allow: ["https://${HOOK_HOST}"], timeout: 0}}
    - module: handlers.webhook
      options:
        allow: ["${HOOK_URL}"]
    - {module: handlers.command, options: {commands: {
        tidy: {argv: ["no-such-program"]}}}}
    - module: handlers.webhok
    - module: own_code
      options: {anything: 1}
    - {module: handlers.http_check, options: {allow: ["https://www.example.org/*"], timeout: 90, contains: x}}
    - {module: handlers.http_check, options: {allow: ["www.example.org"]}}
"""


@pytest.mark.parametrize("name", ["check-config", "up"])
def test_options_of_our_own_handlers_are_checked_with_their_line_and_those_of_others_are_not_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "schedule-zero.yaml").write_text(WRONG_OPTIONS)
    (tmp_path / "own_code.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    said = command(name)
    assert said.code == 2
    pattern = "'https://*' is no address that begins with https:// or http://"
    bare = pattern.replace("https://*", "www.example.org")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert said.err.replace("schedule-zero.yaml:", "").replace("handlers.builtin", "").splitlines() == [
        "4: [0].options.allow is missing",
        "5: [0].options.alow is not known here; did you mean allow?",
        "6: [0].options.timeout has to be a number, not 'soon'",
        f"11: [1].options.allow[1] cannot be used: {pattern}; write it as https://hooks.example.org/*",
        "12: [2].options.timeout has to be more than 0.0",
        f"17: [4].options.commands.tidy.argv cannot be used: there is no program no-such-program that can be run in {path}",
        "18: [5].module cannot be used: handlers.webhok cannot be imported (No module named 'handlers.webhok')",
        "21: [7].options.timeout has to be at most 60.0",
        "21: [7].options.contains is not known here; known are headers, private, allow, timeout, response_bytes",
        f"22: [8].options.allow[0] cannot be used: {bare}; write it as https://hooks.example.org/*",
    ]


def test_what_has_no_effect_yet_is_a_warning_of_check_config_and_of_up(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schedule-zero.yaml").write_text("mode: minimal\n")
    monkeypatch.setattr("core.commands.up.serve", lambda *_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in ("check-config", "up"):
        said = command(name)
        assert said.code == 0
        assert said.err.splitlines() == ["warning: schedule-zero.yaml:1: mode has no effect in this version"]


def test_the_database_is_made_checked_and_copied(command: Command, tmp_path: Path) -> None:
    assert command("db", "check").code == 1
    assert command("db", "upgrade").code == 0
    assert "is sound" in command("db", "check").out
    assert command("db", "backup", "copy.db").code == 0
    assert (tmp_path / "copy.db").stat().st_size > 0
    again = command("db", "backup", "copy.db")
    assert (again.code, again.err) == (1, "copy.db exists already; name a file that does not\n")
    empty = command("db", "backup", "")
    assert (empty.code, empty.err.count("\n")) == (2, 1)
    assert "'FILE': is empty; name a file" in empty.err


def test_a_damaged_database_is_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "schedule-zero.sqlite3").write_bytes(b"no database at all" * 500)
    said = command("db", "check")
    assert said.code == 1
    assert len(said.err.splitlines()) == 1


def test_debug_adds_the_traceback(command: Command) -> None:
    said = command("check-config", "none.yaml", "--debug")
    assert said.code == 2
    assert "Traceback" in said.err
    assert "Traceback" not in command("check-config", "none.yaml").err


def test_an_unforeseen_error_is_still_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("core.config.read_config", broken)
    said = command("check-config")
    assert said.code == 1
    assert said.err == "an unforeseen ZeroDivisionError: by nothing (--debug shows where it happened)\n"


def test_the_version_is_told(command: Command) -> None:
    said = command("--version")
    assert said.code == 0
    assert said.out.startswith("schedule-zero, ")


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "schedule_zero", "check-config"], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "no file, all defaults: nothing is wrong\n")


@pytest.mark.parametrize(
    ("others", "words"), [((), "only the handler kit"), (("core",), "hides the one of schedule-zero")]
)
def test_without_the_application_it_says_what_is_missing(tmp_path: Path, others: tuple[str, ...], words: str) -> None:
    (tmp_path / "schedule_zero").symlink_to(ROOT / "schedule_zero")
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "schedule_zero", "up"], cwd=tmp_path, capture_output=True, text=True, env={}, check=False
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
