"""What docs/protocol.md asks of a handler, asked of two that have nothing in common: the kit's, and one in Node that was
written from the page alone."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from schedule_zero.run import Cause
from schedule_zero.transport import wire
from tests.handlers.bare_core import BareCore
from tests.kit.conftest import Far, Open, Start, came, done
from tests.up import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WORDS = ROOT / "handlers" / "examples" / "words"
TWIN = """\
import asyncio
from schedule_zero import Context, Handler, Reject, method


class Words(Handler):
    @method(timeout=30)
    async def count(self, text: str) -> dict[str, int]:
        '''Counts the words of a text.'''
        return {"words": len(text.split())}

    @method(timeout=600)
    async def read(self, ctx: Context, text: str, pause: float = 1) -> int:
        '''Reads a text aloud, a word at a time.'''
        words = text.split()
        for place, word in enumerate(words):
            ctx.progress(place / len(words), word)
            await asyncio.sleep(pause)
        return len(words)
"""
Words = Callable[[str], Awaitable[Far]]


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node example with its packages, in a folder of the tests."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.fail("the example in Node needs node and npm: install them (on Debian: apt-get install nodejs npm)")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "words.js"):
        shutil.copy(WORDS / name, folder)
    cache = tmp_path_factory.getbasetemp().parent / "npm"
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(cache)],
        cwd=folder, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=["kit", "node"])
def words(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Words:
    """Starts the handler ``words``: connected to that address."""
    if request.param == "node":
        folder: Path = request.getfixturevalue("node_folder")
        return lambda address: start(address, command=("node", "words.js"), folder=folder)
    (tmp_path / "words.py").write_text(TWIN)
    return lambda address: start("words:Words", "--core", address, "--concurrency", "16")


@pytest.fixture
async def core() -> AsyncIterator[BareCore]:
    made = BareCore()
    yield made
    await made.close()


async def test_it_says_who_it_is_and_beats_as_often_as_the_core_wishes(words: Words, core: BareCore) -> None:
    await words(core.address)
    hello = await core.welcome()
    assert isinstance(core.heard[0], wire.Hello)
    assert (hello.name, hello.versions, hello.credit, hello.held) == ("words", (1, 1), 16, [])
    offers = {offer.name: (offer.doc, offer.timeout, offer.at_most_once) for offer in hello.methods}
    assert offers["count"] == ("Counts the words of a text.", 30.0, False)
    assert {type(msgspec.json.decode(offer.schema)) for offer in hello.methods} == {dict}
    assert [beat.pairs for beat in await core.beats(3)] == [[], [], []]


async def test_a_result_is_told_until_it_is_acknowledged_and_no_longer(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    pair = core.run("run_1", "count", '{"text": "one two  three"}')
    told = await core.ended(pair, times=3)
    assert (told.status, msgspec.json.decode(told.value or "")) == ("succeeded", {"words": 3})
    assert pair in (await core.beats(1))[0].pairs
    core.acknowledge(pair)
    await core.beats(2)
    before = len(core.heard)
    await core.beats(8)
    assert not any(isinstance(message, wire.Result) for message in core.heard[before:])


async def test_a_pair_is_run_once_however_often_it_is_given_out(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    args = '{"text": "a b", "pause": 0.2}'
    core.say(wire.Run([core.order("run_1", "read", args), core.order("run_1", "read", args)]))
    await core.ended(("run_1", 1))
    assert len([m for m in core.heard if isinstance(m, wire.Progress) and m.note == "a"]) == 1
    before = len(core.heard)
    core.run("run_1", "read", args)
    assert (await core.ended(("run_1", 1), after=before)).value == "2"
    assert not any(isinstance(message, wire.Progress) for message in core.heard[before:])


async def test_progress_and_cancel(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    pair = core.run("run_2", "read", '{"text": "a long text", "pause": 60}', attempt=3)
    progress = await core.next(wire.Progress, run_id="run_2")
    assert (progress.attempt, progress.fraction, progress.note) == (3, 0, "a")
    assert pair in (await core.beats(2))[1].pairs
    core.say(wire.Cancel("run_404", 1), wire.Cancel(*pair))
    assert (await core.ended(pair)).status == "cancelled"


async def test_a_failure_says_what_went_wrong(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    ended = await core.ended(core.run("run_3", "count", '{"text": 3}'))
    assert (ended.status, ended.cause) == ("failed", Cause.LASTING)
    assert "text" in (ended.error or "")


async def test_what_it_cannot_take_it_gives_back(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    core.run("run_4", "sing", "{}")
    assert (await core.next(wire.Nack, run_id="run_4")).reason == "unknown_method"
    assert ("run_4", 1) not in (await core.beats(2))[1].pairs


async def test_a_core_that_knows_it_not_hears_what_it_holds(words: Words, core: BareCore) -> None:
    await words(core.address)
    first = await core.welcome()
    answered = core.run("run_5", "count", '{"text": ""}')
    running = core.run("run_6", "read", '{"text": "a b", "pause": 60}')
    await core.ended(answered)
    await core.next(wire.Progress, run_id="run_6")
    before = len(core.heard)
    core.say(wire.Who())
    again = await core.next(wire.Hello, after=before)
    assert again.instance == first.instance
    assert {tuple(pair) for pair in again.held} == {answered, running}
    before = len(core.heard)
    core.say(wire.Welcome(wire.VERSION, 180, 60, wire.LARGEST_BODY, 0))  # so that three beats are no reason to tell it
    await core.ended(answered, after=before)


async def test_a_refusal_that_may_pass_is_asked_again_and_a_final_one_ends_it(words: Words, core: BareCore) -> None:
    far = await words(core.address)
    await core.next(wire.Hello)
    before = len(core.heard)
    core.say(wire.Refuse("not now", again=True))
    await core.next(wire.Hello, after=before)
    core.say(wire.Refuse("you are not wanted here", again=False))
    assert await far.ended() == 1
    assert "you are not wanted here" in far.lines[-1]


async def test_what_a_later_version_says_more_is_passed_over(words: Words, core: BareCore) -> None:
    await words(core.address)
    await core.welcome()
    order = [*msgspec.to_builtins(core.order("run_7", "count", '{"text": "a"}')), "new", 1]
    core.say_raw(["RUN", [order], {"more": 1}])
    assert (await core.ended(("run_7", 1))).status == "succeeded"


@pytest.mark.parametrize("told_by", ["signal", "core"])
async def test_it_stops_in_order(words: Words, core: BareCore, told_by: str) -> None:
    far = await words(core.address)
    await core.welcome()
    pair = core.run("run_8", "read", '{"text": "a b", "pause": 0.2}')
    await core.next(wire.Progress)
    if told_by == "signal":
        far.process.send_signal(signal.SIGTERM)
    else:
        core.say(wire.Drain())
    await core.next(wire.Drain)
    core.run("run_9", "count", '{"text": ""}')
    assert (await core.next(wire.Nack, run_id="run_9")).reason == "draining"
    assert (await core.ended(pair)).status == "succeeded"
    await core.beats(2)
    assert not any(isinstance(message, wire.Bye) for message in core.heard)
    core.acknowledge(pair)
    await core.next(wire.Bye)
    assert await far.ended() == 0


async def test_a_real_core_gives_it_work(words: Words, open_core: Open) -> None:
    door = await open_core()
    far = await words(door.address)
    await came(door)
    for text, count in (("", 0), ("one", 1), ("eins zwei drei ÄÖÜ 🎉", 5)):
        assert (await done(door, "words", "count", text=text)).result == {"words": count}
    schedule = await door.house.schedule(handler="words", method="read", args={"text": "a b", "pause": 60})
    run = await door.house.run_now(schedule)
    await door.house.heard("run.started", run_id=run.id)
    await door.house.client.cancel_run(run.id)
    assert (await door.house.ended(run.id)).state == "cancelled"
    assert await far.ended(signal.SIGTERM) == 0
    await door.house.heard("handler.disconnected")


def test_the_example_is_short() -> None:
    assert len((WORDS / "words.js").read_text(encoding="utf-8").splitlines()) < 120
