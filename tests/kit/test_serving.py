"""A handler as a process: served to several cores, ended in order or at once, and told in one sentence what is wrong."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from schedule_zero import Context
from schedule_zero.process.serving import main, script
from schedule_zero.process.slots import Slots
from schedule_zero.run import RunState
from tests.engine.house import Hands
from tests.kit.conftest import Open, Start, came, done

SLOW = """\
import asyncio, threading
from schedule_zero import Context, Handler, method


class Slow(Handler):
    async def stop(self) -> None:
        print("stopped in order", file=__import__("sys").stderr, flush=True)

    @method
    async def short(self, ctx: Context) -> str:
        ctx.log("begun")
        await asyncio.sleep(0.3)
        return "done"

    @method
    async def deaf(self, ctx: Context) -> None:
        ctx.log("begun")
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    @method
    def stuck(self, ctx: Context) -> None:
        ctx.log("begun")
        threading.Event().wait()

    @method
    async def pooled(self, ctx: Context) -> None:
        ctx.log("begun")
        await asyncio.to_thread(threading.Event().wait)
"""


@pytest.fixture
def slow(tmp_path: Path) -> str:
    (tmp_path / "slow.py").write_text(SLOW)
    return "slow:Slow"


async def test_one_handler_serves_two_cores_within_one_limit(open_core: Open) -> None:
    doors = [await open_core(), await open_core()]
    running, most, full = 0, 0, asyncio.Event()

    async def deed(ctx: Context, n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 5:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        running -= 1
        return n

    slots = Slots(5)
    hands = Hands(deed)
    for door in doors:
        await door.come(hands, slots=slots, instance="one")
    schedules = [await door.house.schedule(handler="hands", policy={"overlap": "allow"}) for door in doors]
    asked = [
        (door, await door.house.run_now(schedule, n=n))
        for n in range(40)
        for door, schedule in zip(doors, schedules, strict=True)
    ]
    ended = [await door.house.ended(run.id) for door, run in asked]
    assert [(run.state, run.attempt) for run in ended] == [(RunState.SUCCEEDED, 1)] * 80
    assert most == 5


async def test_one_slot_is_there_for_every_core_in_turn(open_core: Open) -> None:
    doors = [await open_core(), await open_core()]
    slots, hands = Slots(1), Hands()
    workers = [(await door.come(hands, slots=slots))[0] for door in doors]
    for worker in workers:
        worker._beat_s = 0.01
    for door in doors * 2:
        schedule = await door.house.schedule(handler="hands")
        await door.house.ended((await door.house.run_now(schedule)).id)


async def test_a_core_that_is_away_leaves_its_slots_to_the_others(open_core: Open) -> None:
    doors = [await open_core(), await open_core()]
    slots, hands = Slots(8), Hands()
    first, second = [(await door.come(hands, slots=slots))[0] for door in doors]
    assert first._credit() == second._credit() == 4
    second._unwelcome()
    assert first._credit() == 8


@pytest.mark.slow
async def test_a_process_serves_every_core_it_was_told_of_and_finishes_what_runs(
    open_core: Open, start: Start, slow: str
) -> None:
    doors = [await open_core(), await open_core()]
    far = await start(slow, "--core", f"{doors[0].address},{doors[1].address}", "--core", doors[0].address)
    for door in doors:
        await came(door)
    for door in doors:
        assert (await done(door, "slow", "short")).result == "done"
    runs = []
    for door in doors:
        schedule = await door.house.schedule(handler="slow", method="short")
        runs.append((door, await door.house.run_now(schedule)))
        await door.house.heard("run.started", run_id=runs[-1][1].id)
    assert await far.ended(signal.SIGTERM) == 0
    assert {(await door.house.ended(run.id)).state for door, run in runs} == {RunState.SUCCEEDED}
    assert sum("stopped in order" in line for line in far.lines) == 1
    for door in doors:
        assert [event.data["reason"] for event in await door.house.told("handler.disconnected")] == ["it said goodbye"]


@pytest.mark.slow
async def test_a_core_that_refuses_does_not_end_what_is_served_to_another(
    open_core: Open, start: Start, slow: str
) -> None:
    kind, other = await open_core(), await open_core()
    other.house.engine.fleet.serves = lambda handler: True  # type: ignore[method-assign]
    far = await start(slow, "--core", kind.address, "--core", other.address)
    assert other.address in await far.said(
        "refuses this handler: the name slow belongs to a handler of the core itself"
    )
    await came(kind)
    assert (await done(kind, "slow", "short")).result == "done"
    alone = await start(slow, "--core", other.address)
    assert await alone.ended() == 1
    assert alone.lines[-1] == "the name slow belongs to a handler of the core itself"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["deaf", "stuck", "pooled"])
async def test_a_method_that_never_ends_does_not_keep_the_process(
    open_core: Open, start: Start, slow: str, method: str
) -> None:
    door = await open_core()
    far = await start(slow, "--core", door.address, "--drain", "0.1")
    await came(door)
    schedule = await door.house.schedule(handler="slow", method=method)
    run = await door.house.run_now(schedule)
    await door.house.heard("run.started", run_id=run.id)
    assert await far.ended(signal.SIGTERM) == 0


@pytest.mark.slow
async def test_a_second_signal_ends_it_at_once(open_core: Open, start: Start, slow: str) -> None:
    door = await open_core()
    far = await start(slow, "--core", door.address)
    await came(door)
    schedule = await door.house.schedule(handler="slow", method="deaf")
    await door.house.heard("run.started", run_id=(await door.house.run_now(schedule)).id)
    far.process.send_signal(signal.SIGINT)
    await far.said("what runs may end")
    assert await far.ended(signal.SIGTERM) == 128 + signal.SIGTERM


@pytest.mark.parametrize(("call", "name"), [(script, "schedule-zero-handler"), (None, "schedule-zero handler")])
def test_the_usage_names_the_command_that_was_called(
    call: Callable[[], int] | None, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit):
        main(["--help"]) if call is None else call()
    assert capsys.readouterr().out.startswith(f"usage: {name} [-h]")


GOOD = "from schedule_zero import Handler, method\n\nclass Some(Handler):\n    @method\n    def do(self) -> None: ...\n"


@pytest.mark.parametrize(
    ("source", "arguments", "words"),
    [
        (GOOD, ("some",), "'some' names no handler; write it as MODULE:OBJECT"),
        (GOOD, ("some:Other",), "some has no Other; it has Some"),
        (GOOD, ("nowhere:Some",), "nowhere cannot be imported"),
        (GOOD + "    version = 2.1", ("some:Some",), "version is a text of at most 64 characters, such as \"2.1\""),
        (GOOD + "    capabilities = 'gpu'", ("some:Some",), "capabilities is a list of at most 32 words, such as (\"gpu\",)"),
        (GOOD + "    capabilities = ('a b',)", ("some:Some",), "'a b' is no name for a capability"),
        (GOOD, ("some:Some", "--core", "http://core"), "--core 'http://core': write an address such as tcp://"),
        (GOOD, ("some:Some", "--core", "tcp://nowhere"), "--core tcp://nowhere is no address of a core"),
        (GOOD, ("some:Some", "--core", "tcp://127.0.0.1:99999"), "after the host it takes a port from 1 to 65535"),
        (GOOD, ("some:Some", "--core", "tcp://127.0.0.1:0"), "after the host it takes a port from 1 to 65535"),
        (GOOD, ("some:Some", "--name", "ü x"), "'ü x' is no name for a handler"),
        ("def (", ("some:Some",), "some cannot be imported: SyntaxError"),
        ("x = 1\ny = x / 0\n", ("some:Some",), "some cannot be imported: ZeroDivisionError: division by zero (some.py, line 2)"),
        ("Some = 3", ("some:Some",), "some:Some is no Handler"),
        ("from schedule_zero import Handler\nclass Some(Handler): ...", ("some:Some",), "has no methods; mark them with @method"),
        (GOOD + "    def __init__(self, n: int) -> None: ...", ("some:Some",), "make an object of it in the module, and name that"),
        (GOOD + "    @method\n    def größe(self) -> None: ...", ("some:Some",), "'größe' is no name for a method"),
        (GOOD + "    @method\n    def all(self, *rest: int) -> None: ...", ("some:Some",), "*rest has no schema"),
        (GOOD + "    @method\n    def bad(self, x: complex) -> None: ...", ("some:Some",), "bad: x is a complex, which JSON has no form for"),
        (GOOD + "    async def start(self) -> None: open('/nowhere/at/all')", ("some:Some",), "could not start: FileNotFoundError"),
        (GOOD + "    async def start(self) -> None: raise SystemExit(5)", ("some:Some",), "could not start: SystemExit: 5 (some.py, line 6)"),
        ("x = 1\nraise SystemExit(5)\n", ("some:Some",), "some cannot be imported: SystemExit: 5 (some.py, line 2)"),
        ("raise ValueError('\\x1b[31m\\nall is well')", ("some:Some",), "ValueError: \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}all is well (some.py, line 1)"),
        (GOOD + "    def __init__(self) -> None: raise SystemExit(5)", ("some:Some",), "some:Some cannot be made: SystemExit: 5 (some.py, line 6)"),
        (GOOD + "    @method\n    def many(self): yield 1", ("some:Some",), "many: a method with yield has no result"),
        (GOOD + "    @method\n    async def many(self): yield 1", ("some:Some",), "many: a method with yield has no result"),
        (GOOD + "    @method(timeout='5')\n    def late(self) -> None: ...", ("some:Some",), "timeout='5': has to be a number, more than 0 seconds, and at most 86400 (a day) (some.py, line 6)"),
        (GOOD + "    @method(lease='5')\n    def late(self) -> None: ...", ("some:Some",), "lease='5': has to be a number"),
        (GOOD + "    @method\n    async def start(self) -> None: ...", ("some:Some",), "some:Some: start: is part of what every handler has"),
        (GOOD + "    @method\n    async def stop(self) -> None: ...", ("some:Some",), "some:Some: stop: is part of what every handler has"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, source: str, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "some.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "some", raising=False)
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert words in said[-1]
    assert not any("Traceback" in line for line in said)
