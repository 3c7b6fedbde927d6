"""Whatever a method raises is a failed attempt of its run alone; what a signal raises is meant for the whole process."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import pytest

from schedule_zero import Handler, method
from schedule_zero.handler import Context, methods_of
from schedule_zero.printable import OneLine
from schedule_zero.process.calling import call as call_method
from schedule_zero.run import Cause
from schedule_zero.testing import begin, call
from tests.kit.conftest import Open, Start, came, done


class Leaver(Handler):
    """Raises what ends a process elsewhere."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error or SystemExit(2)

    def _leave(self, args: Mapping[str, Any]) -> None:
        raise self._error

    @method(check=_leave)
    async def checked(self) -> None: ...

    @method
    async def soon(self) -> None:
        raise self._error

    @method
    def thread(self) -> None:
        raise self._error

    @method
    async def later(self) -> None:
        await asyncio.sleep(0)
        raise self._error

    @method
    async def apart(self) -> None:
        await asyncio.to_thread(self.thread)

    @method
    def unsaid(self) -> Any:
        raise Unsaid

    @method
    async def signalled(self) -> None:
        signal.raise_signal(signal.SIGINT)

    @method
    async def signalled_while_said(self) -> None:
        raise Interrupted

    @method
    async def waits(self) -> None:
        await asyncio.Event().wait()


class Unsaid(BaseException):
    def __str__(self) -> str:
        raise SystemExit(3)


class Interrupted(Exception):
    def __str__(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return "told"


@pytest.mark.parametrize("name", ["soon", "later", "thread", "apart"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(2), "SystemExit: 2"), (SystemExit(), "SystemExit: "),
        (KeyboardInterrupt("no"), "KeyboardInterrupt: no"), (GeneratorExit(), "GeneratorExit: "),
        (BaseException("odd"), "BaseException: odd"), (asyncio.CancelledError(), "CancelledError: "),
    ],
)  # fmt: skip
async def test_whatever_a_method_raises_is_a_failure_of_unknown_cause(
    name: str, error: BaseException, said: str
) -> None:
    outcome = await call(Leaver(error), name)
    assert (outcome.status, outcome.cause, outcome.error) == ("failed", Cause.UNKNOWN, said)


async def test_an_error_that_will_not_say_what_it_is_is_a_failure_all_the_same() -> None:
    assert (await call(Leaver(), "unsaid")).error == "Unsaid: (it cannot be told)"


async def test_a_check_that_leaves_fails_whoever_asks_it_and_ends_nothing() -> None:
    with pytest.raises(RuntimeError, match="checked: its check raised SystemExit"):
        methods_of(Leaver())["checked"].check({})
    assert (await call(Leaver(), "checked")).error == "RuntimeError: checked: its check raised SystemExit"


def test_an_interrupt_that_a_method_raises_is_its_failure_where_python_itself_answers_to_signals() -> None:
    assert (
        _outside_of_a_runner(Leaver(KeyboardInterrupt()), "soon", signal.default_int_handler) == "KeyboardInterrupt: "
    )


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(f"asked to by {number}")


@pytest.mark.parametrize("name", ["signalled", "signalled_while_said"])
@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (signal.default_int_handler, KeyboardInterrupt), (_leave, SystemExit),
        (functools.partial(_leave), SystemExit),
    ],
)  # fmt: skip
def test_what_a_signal_raises_while_a_method_runs_reaches_the_process(
    handler: Any, kind: type[BaseException], name: str
) -> None:
    with pytest.raises(kind):
        _outside_of_a_runner(Leaver(), name, handler)


def _outside_of_a_runner(leaver: Leaver, name: str, handler: Any) -> str | None:
    """Call a method in a loop that leaves the signal as it is; the error of its outcome."""

    async def called() -> str | None:
        return (await begin(leaver, name).outcome()).error

    before = signal.signal(signal.SIGINT, handler)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # nobody asks the task that was left by a signal
    try:
        return loop.run_until_complete(called())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        signal.signal(signal.SIGINT, before)


async def test_a_call_that_is_closed_while_it_waits_has_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    context = Context(run_id="run_1", attempt=1, due=0, deadline=0, schedule_id="sch_1")
    waiting = call_method(methods_of(Leaver())["waits"], context, "{}")
    waiting.send(None)
    waiting.close()
    assert caplog.messages == []


def test_a_line_of_the_command_is_one_line_and_its_traceback_follows() -> None:
    try:
        raise ValueError("here")
    except ValueError:
        record = logging.LogRecord(
            "kit", logging.INFO, "", 1, "the core said %s", ("\x1b[31m\nall is well",), sys.exc_info()
        )
    first, *trace = OneLine("%(levelname)s %(message)s").format(record).splitlines()
    assert first == "INFO the core said \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}all is well"
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ValueError: here")


def test_a_star_import_asks_for_nothing_that_the_kit_alone_has_not() -> None:
    script = (
        "import sys; sys.modules['core'] = None; from schedule_zero import *; print(Handler.__name__, method.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["Handler", "method"], "")


async def test_what_an_error_says_begins_no_line_of_its_own_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    outcome = await call(Leaver(RuntimeError("red: \x1b[31m\nINFO all is well")), "soon")
    assert outcome.error == "RuntimeError: red: \x1b[31m\nINFO all is well"
    (line,) = caplog.messages
    assert line.endswith("RuntimeError: red: \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}INFO all is well")


SOURCE = """\
import asyncio, sys
from schedule_zero import Context, Handler, method


class Leaver(Handler):
    def __init__(self):
        self.go_on = asyncio.Event()

    @method
    async def neighbour(self, ctx: Context) -> str:
        ctx.log("begun")
        await self.go_on.wait()
        return "unharmed"

    @method
    async def leave(self) -> None:
        sys.exit(2)

    @method
    async def interrupt(self) -> None:
        raise KeyboardInterrupt

    @method
    async def gathered(self) -> None:
        await asyncio.gather(self.leave(), asyncio.sleep(0))

    @method
    def thread(self) -> None:
        sys.exit("a\\x1b[31m\\nb")

    async def stop(self) -> None:
        sys.exit(3)

    @method
    async def free(self) -> None:
        self.go_on.set()
"""


@pytest.mark.slow
async def test_a_method_that_leaves_ends_neither_its_process_nor_its_neighbours(
    open_core: Open, start: Start, tmp_path: Any
) -> None:
    (tmp_path / "leaver.py").write_text(SOURCE)
    door = await open_core()
    far = await start("leaver:Leaver", "--core", door.address)
    await came(door)
    schedule = await door.house.schedule(handler="leaver", method="neighbour")
    neighbour = await door.house.run_now(schedule)
    await door.house.heard("run.started", run_id=neighbour.id)
    once = {"retry": {"max_attempts": 1}}
    for name, said in [
        ("leave", "SystemExit: 2"), ("interrupt", "KeyboardInterrupt: "), ("gathered", "SystemExit: 2"),
        ("thread", "SystemExit: a\x1b[31m\nb"),
    ]:  # fmt: skip
        schedule = await door.house.schedule(handler="leaver", method=name, policy=once)
        run = await door.house.ended((await door.house.run_now(schedule)).id)
        assert (run.state, run.error) == ("failed", said)
    assert "SystemExit: a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b" in await far.said("failed: thread")
    await done(door, "leaver", "free")
    ended = await door.house.ended(neighbour.id)
    assert (ended.result, ended.attempt) == ("unharmed", 1)
    assert await far.ended(signal.SIGTERM) == 0
    assert "SystemExit: 3 (leaver.py, line " in await far.said("the handler could not stop")
