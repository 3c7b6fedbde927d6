"""``schedules`` and ``runs``: every option reaches the core as what it means, and the answer can be read."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.service import finding, watching
from schedule_zero import chain, views
from schedule_zero import requests as ask
from schedule_zero.errors import Conflict, FieldError, Invalid, NotFound, ReadingOffer
from schedule_zero.run import RunState
from schedule_zero.schedule import RunSummary, ScheduleSpec, UndoToken
from schedule_zero.trigger import TextTrigger
from tests.cli.conftest import TOKEN, Command, Core
from tests.web.fake import RUN, SCHEDULE

WHAT = ("--handler", "echo", "--method", "say")
SPEC = ScheduleSpec(handler="echo", method="say", trigger=TextTrigger(text="daily"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("schedules", "list"), ask.ListSchedules(any_guild=True)),
        (
            ("schedules", "list", "--guild", "12", "--state", "active", "--handler", "h", "--owner", "o", "-q", "t",
             "--metadata", "a=1", "--metadata", "b==", "--limit", "5", "--cursor", "c"),
            ask.ListSchedules(guild_id="12", state="active", handler="h", owner_id="o", q="t", limit=5, cursor="c",
                              metadata={"a": "1", "b": "="}),
        ),
        (("schedules", "list", "--guild", "null"), ask.ListSchedules()),
        (("schedules", "show", "sch_1"), ask.GetSchedule(id="sch_1")),
        (("schedules", "create", "daily", *WHAT), ask.CreateSchedule(spec=SPEC)),
        (
            ("schedules", "create", "daily", *WHAT, "--args", '{"text": "ü"}', "--name", "n", "--guild", "12", "--owner", "o",
             "--tz", "Europe/Rome", "--start", "tomorrow", "--until", "2027", "--count", "3", "--policy", '{"dst": "literal"}',
             "--metadata", "team=ops"),
            ask.CreateSchedule(spec=ScheduleSpec(
                handler="echo", method="say", trigger=TextTrigger(text="daily", timezone="Europe/Rome"), guild_id="12",
                name="n", owner_id="o", args={"text": "ü"}, timezone="Europe/Rome", start="tomorrow", until="2027", count=3,
                policy={"dst": "literal"}, metadata={"team": "ops"})),
        ),
        (("schedules", "skip", "s"), ask.SkipOccurrence(id="s")),
        (("schedules", "move", "s", "tomorrow", "--occurrence", "t"), ask.MoveOccurrence(id="s", to="tomorrow", occurrence="t")),
        (("schedules", "pause", "s", "--until", "friday", "--note", "n"), ask.PauseSchedule(id="s", until="friday", note="n")),
        (("schedules", "resume", "s"), ask.ResumeSchedule(id="s")),
        (("schedules", "run", "s", "--args", '{"a": 1}'), ask.RunSchedule(id="s", args={"a": 1})),
        (("schedules", "delete", "s", "--revision", "4"), ask.DeleteSchedule(id="s", revision=4)),
        (("schedules", "undo", "und_1"), ask.Undo(token="und_1")),
        (("runs", "list", "--schedule", "s", "--state", "failed", "--since", "2026-01-01T00:00:00Z"),
         ask.ListRuns(any_guild=True, schedule_id="s", state=RunState.FAILED, since="2026-01-01T00:00:00Z")),
        (("chains", "add", "s", "--after", "t"), ask.AddLink(item="s", after="t")),
        (("chains", "add", "s", "--after", "t", "--when", "any", "--delay", "PT10M"),
         ask.AddLink(item="s", after="t", when="any", delay="PT10M")),
        (("chains", "remove", "s", "--after", "t"), ask.RemoveLink(item="s", after="t")),
        (("chains", "remove", "s", "--after", "t", "--when", "all"), ask.RemoveLink(item="s", after="t", when="all")),
        (("chains", "show", "s"), ask.GetChain(schedule="s")),
        (("chains", "check"), ask.CheckChains(any_guild=True)),
        (("chains", "check", "--guild", "null"), ask.CheckChains()),
        (("runs", "list", "--guild", "12"), ask.ListRuns(guild_id="12")),
        (("runs", "show", "r"), ask.GetRun(id="r")),
        (("runs", "cancel", "r"), ask.CancelRun(id="r")),
        (("runs", "retry", "r"), ask.RetryRun(id="r")),
        (("dead", "list", "--handler", "h"), ask.ListDead(any_guild=True, handler="h")),
        (("dead", "replay", "r", "s"), ask.ReplayDead(ids=("r", "s"))),
        (("dead", "drop", "--guild", "7", "--schedule", "s"), ask.DropDead(guild_id="7", schedule_id="s")),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_command_asks_what_it_says(command: Command, core: Core, arguments: tuple[str, ...], expected: Any) -> None:
    said = command(*arguments)
    assert (said.code, said.err) == (0, "")
    assert core.door.last == expected
    as_json = command(*arguments, "--json")
    assert as_json.code == 0
    assert json.loads(as_json.out)


def test_a_chain_is_drawn(command: Command, core: Core) -> None:
    assert command("chains", "show", "s").out == "standup\n└─ on success, 10 min later: sch_2 [paused]\n"
    assert command("chains", "add", "s", "--after", "t").out.startswith("standup runs ")


def test_what_is_wrong_with_chains_is_said_and_ends_with_1(command: Command, core: Core) -> None:
    assert command("chains", "check").out == "1 links: nothing is wrong\n"
    trouble = chain.ChainTrouble(kind="never", schedules=("sch_2",), words="nothing starts sch_2")
    core.door.answers[ask.CheckChains] = chain.ChainReport(links=1, items=(trouble,))
    said = command("chains", "check")
    assert (said.code, said.out) == (1, "never: nothing starts sch_2\n")
    assert said.err == "1 of 1 links need a look\n"


def test_a_list_is_a_table_with_the_way_to_the_next_page(command: Command, core: Core) -> None:
    said = command("schedules", "list")
    head, row, more = said.out.splitlines()
    assert head.split() == ["id", "name", "guild", "state", "next", "what", "when"]
    assert row.split()[:4] == [SCHEDULE.id, "standup", "123", "active"]
    assert more == "more with --cursor more"
    core.door.answers[ask.ListRuns] = views.RunPage(items=())
    assert command("runs", "list").out == "no runs\n"


def test_a_card_shows_what_matters(command: Command, core: Core) -> None:
    text = command("schedules", "show", "s").out
    for words in (SCHEDULE.id, "standup", "discord.send_message", SCHEDULE.words, SCHEDULE.next_fire_times[0]):
        assert words in text
    text = command("runs", "show", "r").out
    assert RUN.why is not None
    for words in (RUN.id, RUN.why.words, "discord@1", RUN.trace_id):
        assert words in text


def test_a_list_of_runs_says_on_one_line_why_each_failed_or_waits(command: Command, core: Core) -> None:
    long = f"ValueError: {'very ' * 100}\nlong"
    runs = [
        msgspec.structs.replace(RUN, state=RunState.FAILED, why=None, reason="error", error=long),
        msgspec.structs.replace(RUN, state=RunState.FAILED, why=None, reason="timed_out", error="took longer than 3 s"),
        msgspec.structs.replace(RUN, state=RunState.RUNNING, why=None, cancelling=True),
        msgspec.structs.replace(RUN, error="OSError: away"),
        msgspec.structs.replace(RUN, why=None),
    ]
    core.door.answers[ask.ListRuns] = views.RunPage(items=tuple(runs))
    failed, late, stopping, waiting, plain = command("runs", "list").out.splitlines()[1:]
    assert "ValueError: very very" in failed
    assert failed.rstrip().endswith("ve…")
    assert "timed_out: took longer than 3 s" in late
    assert "running, being cancelled" in stopping
    assert RUN.why is not None
    assert f"OSError: away · {RUN.why.words}" in waiting
    assert plain.rstrip().endswith("-")
    core.door.answers[ask.GetRun] = runs[1]
    assert "reason        timed_out: took longer than 3 s" in command("runs", "show", "r").out


def test_a_schedule_says_why_its_last_run_failed(command: Command, core: Core) -> None:
    last = RunSummary(
        id="run_1", state="failed", due="2026-11-21T09:00:00Z", reason="error", error="OSError: away\nagain"
    )
    core.door.answers[ask.GetSchedule] = msgspec.structs.replace(SCHEDULE, last_run=last)
    said = command("schedules", "show", "s").out
    assert "run_1 failed, due 2026-11-21T09:00:00Z: OSError: away again\n" in said


def test_a_name_cannot_steer_the_terminal(command: Command, core: Core) -> None:
    evil = msgspec.structs.replace(SCHEDULE, name="\x1b[31mred[bold]x[/bold]\nnext")
    core.door.answers[ask.GetSchedule] = evil
    core.door.answers[ask.ListSchedules] = views.SchedulePage(items=(evil,))
    for arguments in (("show", "s"), ("list",)):
        out = command("schedules", *arguments).out
        assert "\x1b" not in out
        assert "[bold]x[/bold]\N{REPLACEMENT CHARACTER}next" in out


def test_a_file_holds_one_schedule_or_many(command: Command, core: Core, tmp_path: Path) -> None:
    one = {"handler": "echo", "method": "say", "trigger": {"type": "text", "text": "daily"}}
    (tmp_path / "one.json").write_text(json.dumps(one))
    assert command("schedules", "create", "--file", "one.json").code == 0
    assert core.door.last == ask.CreateSchedule(spec=SPEC)
    (tmp_path / "many.json").write_text(json.dumps([one, one]))
    refused = views.Problem(type="t", title="t", status=409, detail="The name is taken.")
    items = (views.BatchItem(status=201, schedule=SCHEDULE), views.BatchItem(status=409, problem=refused))
    core.door.answers[ask.CreateSchedules] = views.BatchView(items=items)
    said = command("schedules", "create", "--file", "many.json")
    assert core.door.last == ask.CreateSchedules(items=(one, one))
    assert (said.code, said.out) == (1, f"{SCHEDULE.id}\n")
    assert said.err == "item 1: The name is taken.\n1 of 2 schedules were refused\n"


@pytest.mark.parametrize(
    ("content", "words"), [("{", "is not JSON"), ('{"handlr": 1}', "did you mean handler?"), ("3", "mapping")]
)
def test_a_wrong_file_is_wrong_input(command: Command, core: Core, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "wrong.json").write_text(content)
    said = command("schedules", "create", "--file", "wrong.json")
    assert said.code == 2
    assert words in said.err
    assert not core.door.asked


def test_what_the_core_refuses_is_said_with_the_right_code(command: Command, core: Core) -> None:
    core.door.answers[ask.GetSchedule] = NotFound(
        "There is no schedule 's'; the list of schedules shows what there is."
    )
    said = command("schedules", "show", "s")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "There is no schedule 's'; the list of schedules shows what there is (schedule-zero schedules list)\n"
    )
    core.door.answers[ask.ResumeSchedule] = Conflict("It is done.")
    assert command("schedules", "resume", "s").code == 1
    offer = ReadingOffer(text="5 pm", trigger=None, words="today at 17:00", next="2026-11-21T17:00:00Z")
    core.door.answers[ask.CreateSchedule] = Invalid("Unclear.", (FieldError("trigger", "unclear"),), (offer,))
    said = command("schedules", "create", "5", *WHAT)
    assert said.code == 2
    assert said.err == "Unclear.\n  5 pm: today at 17:00, next 2026-11-21T17:00:00Z\n"


def test_what_is_not_there_names_the_list_of_its_kind_whatever_asked_for_it(command: Command, core: Core) -> None:
    sentence = "There is no {kind} 's'; the list of {kind}s shows what there is"
    for asked, kind, arguments in (
        (ask.ListRuns, "schedule", ("runs", "list", "--schedule", "s")),
        (ask.GetRun, "run", ("runs", "show", "s")),
        (ask.ReplayDead, "schedule", ("dead", "replay", "--schedule", "s")),
        (ask.RemoveLink, "schedule", ("chains", "remove", "s", "--after", "t")),
        (ask.RevokeKey, "key", ("keys", "revoke", "s")),
    ):
        core.door.answers[asked] = NotFound(f"{sentence.format(kind=kind)}.")
        said = command(*arguments)
        assert (said.code, said.err) == (1, f"{sentence.format(kind=kind)} (schedule-zero {kind}s list)\n")
    core.door.answers[ask.RemoveLink] = NotFound("b does not run after 'a'.")
    assert command("chains", "remove", "b", "--after", "a").err == "b does not run after 'a'.\n"


@pytest.mark.parametrize(("name", "what"), [("replay", "run again"), ("drop", "dropped")])
def test_dead_letters_of_which_none_was_touched_end_with_1(command: Command, core: Core, name: str, what: str) -> None:
    asked = ask.ReplayDead if name == "replay" else ask.DropDead
    gone, refused = views.DeadFate(id="r", fate="gone"), views.DeadFate(id="s", fate="refused", why="not now")
    core.door.answers[asked] = views.DeadChange(items=(gone, refused))
    said = command("dead", name, "r", "s")
    assert (said.code, said.err, "not now" in said.out) == (1, f"none of 2 was {what}\n", True)
    done = views.DeadFate(id="t", fate="replayed" if name == "replay" else "dropped")
    for items in ((gone, done), ()):
        core.door.answers[asked] = views.DeadChange(items=items)
        assert command("dead", name, "r", "t").code == 0


def test_a_change_says_until_when_it_can_be_undone_and_how(command: Command, core: Core) -> None:
    undo = UndoToken(token="und_1", until="2026-11-21T09:15:00+01:00")
    changed = msgspec.structs.replace(SCHEDULE, undo=undo)
    for name, kind in (("skip", ask.SkipOccurrence), ("pause", ask.PauseSchedule), ("delete", ask.DeleteSchedule)):
        core.door.answers[kind] = changed
        said = command("schedules", name, "s")
        assert said.out.endswith("  schedule-zero schedules undo und_1, until 2026-11-21T09:15:00+01:00\n")
    assert "undo" not in command("schedules", "show", "s").out


def test_what_is_refused_because_it_is_deleted_names_the_command_that_brings_it_back(
    command: Command, core: Core
) -> None:
    deleted = Conflict("This schedule is deleted; undoing that brings it back, for 15 minutes.")
    core.door.answers |= {ask.MoveOccurrence: deleted, ask.RunSchedule: deleted}
    assert command("schedules", "move", "s", "friday").err == f"{deleted.sentence}\n"  # it was, a moment ago
    core.door.answers[ask.GetSchedule] = msgspec.structs.replace(SCHEDULE, state="deleted")
    for arguments in (("move", "s", "friday"), ("run", "s")):
        said = command("schedules", *arguments)
        assert (said.code, said.out) == (1, "")
        assert said.err == (
            "This schedule is deleted; undoing that brings it back, for 15 minutes (schedule-zero schedules undo TOKEN)\n"
        )


def test_what_is_deleted_for_good_names_no_command_that_would_bring_it_back(command: Command, core: Core) -> None:
    core.door.answers[ask.RunSchedule] = Conflict("This schedule is deleted, and it is too late to bring it back.")
    core.door.answers[ask.GetSchedule] = msgspec.structs.replace(SCHEDULE, state="deleted")
    assert command("schedules", "run", "s").err == "This schedule is deleted, and it is too late to bring it back.\n"


def test_without_a_token_the_ways_to_one_are_named(command: Command) -> None:
    said = command("runs", "list")
    assert said.code == 1
    assert all(way in said.err for way in ("api-token", "--config", "SCHEDULE_ZERO_TOKEN"))


def test_every_field_that_is_wrong_is_said_on_a_line_of_its_own(command: Command, core: Core, tmp_path: Path) -> None:
    errors = (FieldError("args.rows", "has to be a whole number, not 'x'"), FieldError("args.to", "is missing"))
    core.door.answers[ask.CreateSchedule] = Invalid(f"args.rows: {errors[0].message} (and 1 more)", errors)
    said = command("schedules", "create", "daily", *WHAT)
    assert (said.code, said.err) == (2, "args.rows: has to be a whole number, not 'x'\nargs.to: is missing\n")
    (tmp_path / "many.json").write_text("[{}]")
    refused = views.Problem(type="t", title="t", status=422, detail="args.rows: … (and 1 more)", errors=errors)
    core.door.answers[ask.CreateSchedules] = views.BatchView(items=(views.BatchItem(status=422, problem=refused),))
    said = command("schedules", "create", "--file", "many.json")
    assert said.err.splitlines()[:2] == [
        "item 0: args.rows: has to be a whole number, not 'x'",
        "item 0: args.to: is missing",
    ]


def test_a_page_is_as_long_as_the_core_makes_one(command: Command, core: Core) -> None:
    for words, longest in (
        (("schedules", "list"), finding.LONGEST_PAGE),
        (("runs", "list"), finding.LONGEST_PAGE),
        (("events",), watching.LONGEST_PAGE),
    ):
        assert command(*words, "--limit", str(longest)).code == 0
        assert command(*words, "--limit", str(longest + 1)).code == 2


def test_the_token_of_the_environment_wins(command: Command, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULE_ZERO_TOKEN", "another")
    said = command("runs", "list")
    assert said.code == 1
    assert said.err == (
        f"the core at {core.address} does not know the token in $SCHEDULE_ZERO_TOKEN; the right one is in the file "
        "api-token of the core's data folder\n"
    )
    monkeypatch.setenv("SCHEDULE_ZERO_TOKEN", TOKEN)
    assert command("runs", "list").code == 0


@pytest.mark.parametrize("token", ["two words", "a line\nbreak", "€"])
def test_a_token_no_header_can_carry_is_wrong_input(
    command: Command, core: Core, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("SCHEDULE_ZERO_TOKEN", token)
    said = command("schedules", "list")
    assert said.code == 2
    assert "SCHEDULE_ZERO_TOKEN" in said.err
    assert token not in said.err


def test_without_a_token_it_says_where_one_comes_from(command: Command, core: Core, tmp_path: Path) -> None:
    (tmp_path / "data" / "api-token").unlink()
    said = command("runs", "list")
    assert said.code == 1
    assert "data/api-token" in said.err
    assert "SCHEDULE_ZERO_TOKEN" in said.err


def test_a_core_that_is_not_there_is_one_sentence(
    command: Command, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("SCHEDULE_ZERO__CORE__ADDRESS", address)
        said = command("runs", "list")
    assert (said.code, said.err) == (1, f"no core answers at {address} (connection refused); is it running?\n")


@pytest.mark.parametrize("setting", [("CORE__ADDRESS", "tcp://127.0.0.1:4243"), ("HTTP__BIND", "127.0.0.1:0")])
def test_an_address_that_a_command_cannot_use_is_wrong_input(
    command: Command, core: Core, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.delenv("SCHEDULE_ZERO__CORE__ADDRESS")
    monkeypatch.setenv(f"SCHEDULE_ZERO__{setting[0]}", setting[1])
    said = command("runs", "list")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
