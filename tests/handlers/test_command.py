"""The command handler with real programs: no shell, no way out of its limits, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from handlers.command import KEEPER, Command
from schedule_zero.errors import Invalid
from schedule_zero.handler import methods_of
from schedule_zero.run import Cause
from schedule_zero.testing import Outcome, Played, begin, call
from tests.up import ROOT

pytestmark = pytest.mark.slow

PYTHON = sys.executable
SHOW = "import sys; print(sys.argv[1:])"
TREE = """
import os, signal, subprocess, sys, time
deaf, folder = sys.argv[1] == "deaf", sys.argv[2]
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c",
    "import signal, time;" + ("signal.signal(signal.SIGTERM, signal.SIG_IGN);" if deaf else "")
    + f"open({folder!r} + '/child', 'w').close(); time.sleep(600)"])
while not os.path.exists(folder + "/child"):
    time.sleep(0.005)
with open(folder + "/pids.new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(folder + "/pids.new", folder + "/pids")
if sys.argv[1] != "leave":
    time.sleep(600)
"""


def python(code: str, *rest: str, **fields: Any) -> Command:
    """A handler whose command ``it`` runs that program."""
    return Command(commands={"it": {"argv": [PYTHON, "-S", "-c", code, *rest], "grace": 0.2, **fields}})


async def ran(code: str, *rest: str, given: dict[str, Any] | None = None, **fields: Any) -> Outcome:
    return await call(python(code, *rest, **fields), "it", given or {}, run_id="run_9")


async def appeared(folder: Path, played: Played | None = None) -> list[int]:
    """The processes of the tree, once they all run."""
    async with asyncio.timeout(20):
        while not (folder / "pids").exists():
            assert played is None or not played._task.done()
            await asyncio.sleep(0.005)
    async with asyncio.timeout(20):
        while not (pids := [int(pid) for pid in (folder / "pids").read_text().split()]):
            await asyncio.sleep(0.005)
    return pids


async def gone(processes: list[int]) -> None:
    """Until none of them runs any more."""
    async with asyncio.timeout(20):
        while any(alive(process) for process in processes):
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent to look does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_the_end_of_both_outputs_and_the_exit_code_are_the_result() -> None:
    outcome = await ran("import sys; print('x' * 50_000 + 'end'); print('odd\\0', file=sys.stderr)", output_bytes=10)
    assert outcome.result == {
        "exit_code": 0, "stdout": "xxxxxxend\n", "stderr": "odd\N{REPLACEMENT CHARACTER}\n",
        "seconds": outcome.result["seconds"],
    }  # fmt: skip


async def test_a_value_is_one_argument_whatever_it_holds() -> None:
    odd = "a b; rm -rf / $(id) `id` \"'*?{day}"
    outcome = await ran(SHOW, "{first}", "--x={second}", given={"first": odd, "second": "-n"},
                        args={"first": {}, "second": {"dash": True}})  # fmt: skip
    assert outcome.result["stdout"] == f"{[odd, '--x=-n']}\n"


async def test_what_is_not_given_leaves_its_part_of_the_line_out() -> None:
    args = {"day": {"optional": True}, "rows": {"type": "integer", "optional": True}}
    assert (await ran(SHOW, "--day={day}", "{rows}", args=args)).result["stdout"] == "[]\n"
    assert (await ran(SHOW, "--day={day}", "{rows}", args=args, given={"rows": 3})).result["stdout"] == "['3']\n"


async def test_the_environment_is_what_the_operator_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    outcome = await ran("import os; print(sorted(os.environ.items()))", env={"MINE": "yes"})
    names = [name for name, _ in eval(outcome.result["stdout"])]
    assert names == ["LANG", "MINE", "PATH", "SCHEDULE_ZERO_ATTEMPT", "SCHEDULE_ZERO_RUN"]
    assert "'run_9'" in outcome.result["stdout"]


async def test_a_program_starts_with_no_input_and_with_signals_as_they_come(tmp_path: Path) -> None:
    code = "import os, signal, sys; print(sys.stdin.read() == '', os.getcwd(), os.getpgrp() == os.getpid(), os.listdir('/proc/self/fd'), signal.getsignal(signal.SIGTERM))"
    outcome = await ran(code, cwd=str(tmp_path))
    assert outcome.result["stdout"] == f"True {tmp_path} True ['0', '1', '2', '3'] 0\n"


@pytest.mark.parametrize(
    ("code", "cause"),
    [(1, Cause.UNKNOWN), (64, Cause.LASTING), (127, Cause.LASTING), (75, Cause.PASSING), (9, Cause.LASTING)],
)
async def test_an_exit_code_decides_whether_there_is_another_try(code: int, cause: Cause) -> None:
    fields: dict[str, Any] = {"lasting": [9]} if code == 9 else {}
    outcome = await ran(f"import sys; print('no  room', file=sys.stderr); sys.exit({code})", **fields)
    assert (outcome.status, outcome.cause) == ("failed", cause)
    assert outcome.error is not None
    assert outcome.error.endswith(f"it ended with exit code {code}: no room")


async def test_a_program_that_dies_by_a_signal_says_which() -> None:
    outcome = await ran("import os; os.kill(os.getpid(), 11)")
    assert outcome.error == "CommandFailed: it ended with signal 11"


async def test_a_program_that_cannot_be_run_any_more_is_a_lasting_failure(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/nowhere/at/all\n")
    program.chmod(0o755)
    outcome = await call(Command(commands={"it": {"argv": [str(program)]}}), "it")
    assert (outcome.cause, outcome.error) == (Cause.LASTING, "it cannot be started: no such file or directory")


@pytest.mark.parametrize("kind", ["obedient", "deaf"])
@pytest.mark.parametrize("end", [Played.cancel, Played.time_out])
async def test_the_whole_group_ends_when_it_is_told_to(
    tmp_path: Path, kind: str, end: Callable[[Played], None]
) -> None:
    played = begin(python(TREE, kind, str(tmp_path)), "it")
    processes = await appeared(tmp_path, played)
    end(played)
    assert (await played.outcome()).status == ("cancelled" if end is Played.cancel else "timed_out")
    assert not any(alive(process) for process in processes)


async def test_a_program_may_end_by_itself_when_it_is_told_to(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time; folder = sys.argv[1];"
        "signal.signal(signal.SIGTERM, lambda *_: (open(folder + '/tidied', 'w'), sys.exit()));"
        "open(folder + '/pids', 'w').write(str(os.getpid())); time.sleep(600)"
    )
    played = begin(python(code, str(tmp_path), grace=20), "it")
    await appeared(tmp_path, played)
    played.cancel()
    assert (await played.outcome()).status == "cancelled"
    assert (tmp_path / "tidied").exists()


async def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    outcome = await ran(TREE, "leave", str(tmp_path))
    assert outcome.status == "succeeded"
    assert not any(alive(process) for process in await appeared(tmp_path))


async def test_a_child_in_a_session_of_its_own_does_not_get_away(tmp_path: Path) -> None:
    code = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'], start_new_session=True, stdout=subprocess.DEVNULL); open({str(tmp_path / 'pids')!r}, 'w').write(str(child.pid))"
    assert (await ran(code)).status == "succeeded"
    await gone(await appeared(tmp_path))


async def test_a_program_goes_with_its_keeper(tmp_path: Path) -> None:
    played = begin(python(TREE, "obedient", str(tmp_path)), "it")
    processes = await appeared(tmp_path, played)
    keeper = psutil.Process(processes[0]).parent()
    assert keeper is not None
    assert str(KEEPER) in keeper.cmdline()
    keeper.kill()
    assert "was killed together with its keeper" in ((await played.outcome()).error or "")
    await gone(processes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["obedient", "deaf"])
async def test_nothing_is_left_when_the_process_that_asked_for_it_is_killed(tmp_path: Path, kind: str) -> None:
    code = f"""
        import asyncio, sys
        from handlers.command import Command
        from schedule_zero.testing import call
        argv = [sys.executable, "-S", "-c", {TREE!r}, {kind!r}, {str(tmp_path)!r}]
        asyncio.run(call(Command(commands={{"it": {{"argv": argv, "grace": 0.2}}}}), "it"))
    """
    core = subprocess.Popen([PYTHON, "-c", textwrap.dedent(code)], env={"PYTHONPATH": str(ROOT)})
    try:
        processes = await appeared(tmp_path)
        assert len(processes) == 2
    finally:
        core.kill()
        core.wait()
    await gone(processes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"day": "-rf"}, "begins with a dash"),
        ({"day": "a\nb"}, "holds control characters"),
        ({"day": "a\0b"}, "holds control characters"),
        ({"day": "x" * 11}, "length"),
        ({"day": "2026-1"}, r"does not look like \\d"),
        ({"day": "2026-11-29", "kind": "odd"}, "odd"),
        ({"day": 3}, "Expected `str`"),
        ({"other": "x"}, "other"),
        ({}, "day"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_when_the_schedule_is_saved(given: dict[str, Any], words: str) -> None:
    args = {
        "day": {"pattern": r"\d{4}-\d\d-\d\d", "max_length": 10, "description": "of the report"},
        "kind": {"choices": ["full", "small"], "optional": True},
    }
    method = methods_of(python(SHOW, "{day}", "{kind}", args=args))["it"]
    properties = next(iter(method.info.schema["$defs"].values()))["properties"]
    assert properties["day"]["description"] == "of the report"
    with pytest.raises(Invalid, match=words):
        method.check(given)


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ({}, "name at least one"),
        ({"a b": {"argv": ["true"]}}, "commands.a b"),
        ({"it": {"argv": []}}, "argv"),
        ({"it": {"argv": ["no-such-program"]}}, "commands.it.argv: there is no program no-such-program"),
        ({"it": {"argv": ["./script"]}}, "commands.it.argv: ./script is relative"),
        ({"it": {"argv": ["/etc/passwd"]}}, "there is no program /etc/passwd that can be run"),
        ({"it": {"argv": ["true", "{day}"]}}, "{day} is not among args"),
        ({"it": {"argv": ["true"], "args": ["day"]}}, "{day} stands nowhere in it"),
        ({"it": {"argv": ["{day}"], "args": ["day"]}}, "the program itself cannot be an argument"),
        ({"it": {"argv": ["true", "{d}"], "args": {"d": {"pattern": "("}}}}, "args.d.pattern"),
        ({"it": {"argv": ["true"], "cwd": "/nowhere/at/all"}}, "cwd: /nowhere/at/all is no folder"),
        ({"it": {"argv": ["true"], "shell": True}}, "shell"),
        ({"it": {"argv": ["true"], "timeout": 0}}, "timeout"),
    ],
)
def test_options_that_are_wrong_are_named(commands: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=re.escape(words)):
        Command(commands=commands)


def test_what_a_command_says_of_itself_reaches_the_core() -> None:
    method = methods_of(python(SHOW, timeout=3, at_most_once=True, description="Shows."))["it"]
    assert (method.info.timeout, method.info.at_most_once, method.info.doc) == (3, True, "Shows.")


def test_no_descriptor_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        asyncio.run(call(python("import sys; sys.exit(3)"), "it"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
