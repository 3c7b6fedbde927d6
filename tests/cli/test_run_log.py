"""``schedule-zero runs log``: every line with its time, what was left out where it was, and nothing steers the terminal."""

from __future__ import annotations

import json

import msgspec

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.errors import NotFound
from schedule_zero.run import Progress, RunState
from tests.cli.conftest import Command, Core
from tests.web.fake import LOG, RUN

ENDED = msgspec.structs.replace(LOG, lines=9, ended=True)
PRINTED = """\
2026-11-21T09:00:01+01:00  begun
… 3 lines left out
2026-11-21T09:00:02+01:00  nearly
… 4 lines left out
"""


def test_a_log_is_printed_with_what_was_left_out(command: Command, core: Core) -> None:
    core.door.answers[ask.GetRunLog] = ENDED
    assert command("runs", "log", "run_1", "--after", "3") == (0, PRINTED, "")
    assert core.door.last == ask.GetRunLog(id="run_1", after=3)


def test_followed_it_goes_on_until_the_run_has_ended(command: Command, core: Core) -> None:
    core.door.answers[ask.GetRunLog] = ENDED
    assert command("runs", "log", "run_1", "--follow") == (0, PRINTED, "")


def test_as_json_each_line_is_an_object(command: Command, core: Core) -> None:
    core.door.answers[ask.GetRunLog] = ENDED
    code, out, _ = command("runs", "log", "run_1", "--json")
    assert (code, [json.loads(line)["n"] for line in out.splitlines()]) == (0, [1, 5])


def test_what_a_handler_logs_does_not_steer_the_terminal(command: Command, core: Core) -> None:
    evil = msgspec.structs.replace(LOG.items[0], text="\x1b[2Jgone\r\n\u202eback")
    core.door.answers[ask.GetRunLog] = views.RunLog(items=(evil,), next=1, lines=1, ended=True)
    _, out, _ = command("runs", "log", "run_1")
    assert len(out.splitlines()) == 1
    assert out.rstrip("\n").isprintable()


def test_of_a_run_that_is_not_there_it_says_where_to_look(command: Command, core: Core) -> None:
    core.door.answers[ask.GetRunLog] = NotFound("There is no run 'run_1'; the list of runs shows what there is.")
    code, _, err = command("runs", "log", "run_1")
    assert (code, "schedule-zero runs list" in err) == (1, True)


def test_a_run_under_way_shows_how_far_it_is(command: Command, core: Core) -> None:
    core.door.answers[ask.GetRun] = msgspec.structs.replace(
        RUN, state=RunState.RUNNING, why=None, progress=Progress(fraction=0.5, note="row 5")
    )
    _, out, _ = command("runs", "show", "run_1")
    assert "progress      50% row 5" in out
