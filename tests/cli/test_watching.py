"""``handlers`` and ``events``: they ask what they say, the answer can be read, and listening ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import NotFound
from tests.cli.conftest import Command, Core
from tests.web.fake import HANDLER, event

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), ask.ListHandlers()),
        (("show", "reports"), ask.GetHandler(name="reports")),
        (("drain", "reports"), ask.DrainHandler(name="reports")),
        (("drain", "reports", "--instance", "reports@a1"), ask.DrainHandler(name="reports", instance="reports@a1")),
        (("resume", "reports"), ask.ResumeHandler(name="reports")),
    ],
)
def test_a_command_asks_what_it_says(command: Command, core: Core, arguments: tuple[str, ...], expected: Any) -> None:
    said = command("handlers", *arguments)
    assert (said.code, said.err) == (0, "")
    assert core.door.last == expected
    assert json.loads(command("handlers", *arguments, "--json").out)


def test_the_list_shows_health_and_how_it_went(command: Command, core: Core) -> None:
    title, row = command("handlers", "list").out.splitlines()
    assert title.split()[:2] == ["name", "health"]
    assert "reports" in row
    for word in ("healthy", "3 of 256", "build", "90.0%", "40 ms", "1.2 s"):
        assert word in row


def test_a_handler_that_mostly_fails_is_not_said_to_take_no_work(command: Command, core: Core) -> None:
    failing = msgspec.structs.replace(HANDLER.instances[0], healthy=False, trouble="11 of its last 16 attempts failed")
    core.door.answers[ask.GetHandler] = msgspec.structs.replace(HANDLER, healthy=False, instances=(failing,))
    said = command("handlers", "show", "reports").out
    assert "unhealthy" in said
    assert "takes no work" not in said


def test_a_card_shows_processes_and_methods(command: Command, core: Core) -> None:
    sick = msgspec.structs.replace(
        HANDLER.instances[0], draining=True, available=False, healthy=False, trouble="its beats stopped"
    )
    core.door.answers[ask.GetHandler] = msgspec.structs.replace(HANDLER, healthy=False, instances=(sick,))
    said = command("handlers", "show", "reports").out
    assert "health     draining" in said
    assert (
        "reports@a1, schedule-zero-kit 0.1.0, since 2026-11-21T09:00:00+00:00, 3 of 256, last beat 500 ms ago" in said
    )
    assert "version 2.1, has gpu, draining, not able to work, unhealthy: its beats stopped" in said
    assert (
        "build(day, rows?), time-out 30 s, at most once, failed 5 times, so its runs of server 123 wait; one is tried at "
        "2026-11-21T09:00:07+00:00, bears 12 at once for now; 90.0% within 10 min: 9 succeeded, 1 failed, 0 lost"
        in said
    )


def test_what_is_not_there_is_one_sentence(command: Command, core: Core) -> None:
    core.door.answers[ask.GetHandler] = NotFound("There is no handler 'x'; there are echo.")
    said = command("handlers", "show", "x")
    assert (said.code, said.out, said.err) == (1, "", "There is no handler 'x'; there are echo.\n")


# ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_of_events_is_a_line_each_and_says_where_it_goes_on(command: Command, core: Core) -> None:
    core.door.answers[ask.ListEvents] = views.EventPage(items=(event(5), event(6, "run.failed")), next="1-6")
    said = command("events", "--after", "1-4", "--kinds", "run.created, run.failed", "--limit", "2")
    assert core.door.last == ask.ListEvents(after="1-4", kinds=("run.created", "run.failed"), limit=2)
    assert said.out.splitlines() == [
        "1-5  2026-11-21T09:00:00+00:00  run.created  guild 123",
        "1-6  2026-11-21T09:00:00+00:00  run.failed  guild 123",
    ]
    assert said.err == "more with --after 1-6\n"


@pytest.mark.parametrize("more", [(), ("--follow",)])
def test_a_kind_of_event_that_there_is_not_is_refused(command: Command, core: Core, more: tuple[str, ...]) -> None:
    said = command("events", "--kinds", "run.failed,wat", *more)
    assert (said.code, said.out) == (2, "")
    assert "wat is no kind of event; there are " in said.err
    assert "run.failed" in said.err


def test_events_as_json_are_one_a_line(command: Command, core: Core) -> None:
    core.door.answers[ask.ListEvents] = views.EventPage(items=(event(5), event(6)), next="1-6")
    said = command("events", "--json", "--limit", "2")
    assert [json.loads(line)["seq"] for line in said.out.splitlines()] == [5, 6]


def test_where_nothing_is_left_there_is_no_more(command: Command, core: Core) -> None:
    said = command("events")
    assert (said.code, said.out, said.err) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_goes_on_until_it_is_stopped_and_then_ends_well(core: Core, tmp_path: Path, number: int) -> None:
    core.door.journal[:] = [event(1), event(2, "run.failed"), event(3)]
    code = "import sys; from core.cli import main; main()"
    arguments = [sys.executable, "-c", code, "events", "--follow", "--after", "1-0", "--kinds", "run.created", "--json"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert [json.loads(following.stdout.readline())["seq"] for _ in range(2)] == [1, 3]
        following.send_signal(number)
        out, err = following.communicate(timeout=20)
    assert (following.returncode, out, err) == (0, "", "")


@pytest.mark.slow
def test_when_nobody_reads_on_it_ends_without_a_word(core: Core, tmp_path: Path) -> None:
    core.door.journal[:] = [event(number) for number in range(1, 2000)]
    command = f"{sys.executable} -c 'from core.cli import main; main()' events --follow --after 1-0 --json | head -n 1"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["seq"] == 1
