"""`up` and `handler` as two processes, as somebody starts them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedule_zero.client import CoreClient
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.up import ROOT, running

pytestmark = pytest.mark.slow

HANDLER = """\
from schedule_zero import Handler, method


class Sums(Handler):
    @method
    def add(self, a: int, b: int) -> int:
        return a + b
"""


PATIENT = """\
import time
from pathlib import Path

from schedule_zero import Handler, method


class Sums(Handler):
    @method
    def add(self, a: int, b: int) -> int:
        with Path("begun").open("a") as begun:
            begun.write("once")
        while not Path("go").exists():
            time.sleep(0.01)
        return a + b
"""


TALKING = """\
import time
from pathlib import Path

from schedule_zero import Context, Handler, method


class Sums(Handler):
    @method
    def add(self, ctx: Context, a: int, b: int) -> int:
        for line in range(5):
            ctx.log(f"before {line}")
        while not Path("go").exists():
            time.sleep(0.01)
        ctx.log("meanwhile")
        while not Path("end").exists():
            time.sleep(0.01)
        for line in range(5):
            ctx.log(f"after {line}")
        return a + b
"""


@contextlib.contextmanager
def handler(folder: Path, core: str, *options: str, text: str = HANDLER) -> Iterator[subprocess.Popen[str]]:
    """The handler of that folder, in a process of its own."""
    (folder / "sums.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "schedule_zero", "handler", "sums:Sums", "--core", core, *options]
    process = subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def adding(client: CoreClient, a: int, b: int) -> Run:
    """Their sum is asked for, by way of a schedule and of whoever came to add."""
    while not (await client.list_events(kinds=("handler.connected",))).items:
        pass
    schedule = await client.create_schedule(
        ScheduleSpec(handler="sums", method="add", args={"a": a, "b": b}, trigger=TextTrigger(text="in 1 hour"))
    )
    return await client.run_schedule(schedule.id)


async def ended(client: CoreClient, run: Run) -> Run:
    """A run, once it is over."""
    while run.state not in (RunState.SUCCEEDED, RunState.FAILED, RunState.SKIPPED):
        run = await client.get_run(run.id)
    return run


async def added(client: CoreClient, a: int, b: int) -> Run:
    """Their sum."""
    return await ended(client, await adding(client, a, b))


async def test_up_gives_work_to_a_handler_of_another_process(tmp_path: Path) -> None:
    with running(tmp_path) as core, handler(tmp_path, core.handlers_at()) as far:
        client = core.client()
        run = await added(client, 1, 2)
        assert (run.state, run.result) == (RunState.SUCCEEDED, 3)
        far.send_signal(signal.SIGTERM)
        far.communicate(timeout=30)
        assert far.returncode == 0
        await client.close()
        assert core.ended(signal.SIGTERM)[0] == 0


def keys(folder: Path, core: str, *arguments: str) -> str:
    """What ``schedule-zero keys`` prints, asked of that core."""
    command = [sys.executable, "-m", "schedule_zero", "keys", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "SCHEDULE_ZERO__CORE__ADDRESS": core}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


async def test_a_handler_registers_itself_over_an_encrypted_door_and_ends_when_its_key_is_revoked(
    tmp_path: Path,
) -> None:
    with running(tmp_path, SCHEDULE_ZERO__ZMQ__CURVE="on") as core:
        keys(tmp_path, core.address, "new", "sums", "--role", "handler", "--register", "-o", "sums.key")
        with handler(tmp_path, core.handlers_at(), "--key", "sums.key") as far:
            client = core.client()
            assert (await added(client, 1, 2)).result == 3
            (key,) = (await client.list_keys()).items
            assert (key.kind, key.name) == ("curve", "sums")
            keys(tmp_path, core.address, "revoke", key.id)
            _, err = far.communicate(timeout=30)
            assert (far.returncode, err.splitlines()[-1]) == (1, "the key of this handler was revoked")
            await client.close()


async def test_a_key_made_while_a_process_without_one_works_costs_no_run_also_over_a_kill_of_the_core(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as core, contextlib.ExitStack() as leaving:
        at, client = core.handlers_at(), core.client()
        far = leaving.enter_context(handler(tmp_path, at, text=PATIENT))
        run = await adding(client, 1, 2)
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
        keys(tmp_path, core.address, "new", "sums", "--role", "handler", "-o", "sums.key")
        await client.close()
        core.ended(signal.SIGKILL)
        with running(tmp_path, SCHEDULE_ZERO__ZMQ__HANDLERS=at) as again:
            near = leaving.enter_context(handler(tmp_path, at, "--key", "sums.key", text=PATIENT))
            assert near.stderr is not None
            assert any("knows us" in line for line in near.stderr)
            (tmp_path / "go").touch()
            client = again.client()
            done = await ended(client, run)
            assert (done.state, done.result, done.attempt) == (RunState.SUCCEEDED, 3, 1)
            assert (tmp_path / "begun").read_text(encoding="utf-8") == "once"
            _, err = far.communicate(timeout=30)
            assert (far.returncode, "the name sums is for who holds a key" in err) == (1, True)
            assert (await added(client, 3, 4)).result == 7
            await client.close()


@pytest.mark.parametrize("curve", ["auto", "on"], ids=["plain", "encrypted"])
async def test_a_registered_handler_is_served_on_with_its_rotated_key_when_the_older_is_revoked(
    tmp_path: Path, curve: str
) -> None:
    with running(tmp_path, SCHEDULE_ZERO__ZMQ__CURVE=curve) as core, contextlib.ExitStack() as leaving:
        client, at = core.client(), core.handlers_at()
        keys(tmp_path, core.address, "new", "sums", "--role", "handler", "--register", "-o", "old.key")
        far = leaving.enter_context(handler(tmp_path, at, "--key", "old.key"))
        assert (await added(client, 1, 2)).result == 3
        (old,) = (await client.list_keys()).items
        keys(tmp_path, core.address, "rotate", old.id, "-o", "new.key")
        near = leaving.enter_context(handler(tmp_path, at, "--key", "new.key"))
        assert near.stderr is not None
        assert any("knows us" in line for line in near.stderr)
        keys(tmp_path, core.address, "revoke", old.id)
        _, err = far.communicate(timeout=30)
        assert err.splitlines()[-1] == "the key of this handler was revoked"
        assert (await added(client, 3, 4)).result == 7
        await client.close()


async def logged(client: CoreClient, run: Run, text: str) -> list[str]:
    """The lines of a run, once this one is among them."""
    while text not in (lines := [line.text for line in (await client.run_log(run.id)).items]):
        await asyncio.sleep(0.01)
    return lines


async def test_what_was_logged_before_a_kill_of_the_core_is_there_once_and_the_rest_follows(tmp_path: Path) -> None:
    before, after = [f"before {line}" for line in range(5)], [f"after {line}" for line in range(5)]
    with running(tmp_path) as core, contextlib.ExitStack() as leaving:
        at, client = core.handlers_at(), core.client()
        leaving.enter_context(handler(tmp_path, at, text=TALKING))
        run = await adding(client, 1, 2)
        assert await logged(client, run, before[-1]) == before
        await client.close()
        core.ended(signal.SIGKILL)
        with running(tmp_path, SCHEDULE_ZERO__ZMQ__HANDLERS=at) as again:
            client = again.client()
            assert [line.text for line in (await client.run_log(run.id)).items] == before
            while not (await client.list_handlers()).items[-1].healthy:
                await asyncio.sleep(0.01)
            (tmp_path / "go").touch()
            assert await logged(client, run, "meanwhile") == [*before, "meanwhile"]
            (tmp_path / "end").touch()
            done = await ended(client, run)
            page = await client.run_log(run.id)
            assert (done.state, done.result, done.attempt) == (RunState.SUCCEEDED, 3, 1)
            assert [line.text for line in page.items] == [*before, "meanwhile", *after]
            assert [line.n for line in page.items] == list(range(1, 12))
            await client.close()
