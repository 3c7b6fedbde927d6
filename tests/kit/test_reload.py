"""--reload: a change is there in the next run, what runs ends first, and a mistake waits for its mending."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.kit.conftest import Far, Open, Start, came, done

pytestmark = pytest.mark.slow
SOURCE = """\
import asyncio
from schedule_zero import Context, Handler, method
from words import WORD

class Some(Handler):
    @method
    async def say(self) -> str:
        return WORD

    @method
    async def wait(self, ctx: Context) -> str:
        ctx.progress(0)
        await asyncio.sleep(1.2)
        return WORD
"""


def write(folder: Path, name: str, text: str) -> None:
    """Another content at once, as editors do it."""
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / name)


async def started_anew(far: Far, times: int) -> None:
    """Until it has connected so often."""
    while sum("knows us" in line for line in far.lines) < times:
        far._news.clear()
        await far._news.wait()


async def test_a_change_is_there_in_the_next_run_and_what_runs_ends_first(
    open_core: Open, start: Start, tmp_path: Path
) -> None:
    write(tmp_path, "words.py", "WORD = 'one'")
    write(tmp_path, "some.py", SOURCE)
    write(tmp_path, "other.py", "")
    door = await open_core()
    far = await start("some:Some", "--core", door.address, "--reload")
    async with asyncio.timeout(40):
        await started_anew(far, 1)
        assert (await done(door, "some", "say")).result == "one"
        schedule = await door.house.schedule(handler="some", method="wait")
        run = await door.house.run_now(schedule)
        await door.house.heard("run.started", run_id=run.id)
        write(tmp_path, "other.py", "# nobody imports this")
        write(tmp_path, "words.py", "WORD = 'three'")
        await far.said("words.py changed: starting anew")
        await started_anew(far, 2)
        ended = await door.house.ended(run.id)
        assert (ended.result, ended.attempt) == ("one", 1)
        assert (await done(door, "some", "say")).result == "three"

        write(tmp_path, "words.py", "WORD = ")
        await far.said("cannot be imported: SyntaxError")
        write(tmp_path, "words.py", "WORD = 'mended'")
        await started_anew(far, 3)
        await came(door)
        assert (await done(door, "some", "say")).result == "mended"
        assert not any("Traceback" in line for line in far.lines)
        assert await far.ended(signal.SIGTERM) == 0
