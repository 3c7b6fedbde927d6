"""Handlers in threads: the same promises as far as threads can keep them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.processes.keeper import Limits
from core.processes.places import Places
from core.processes.port import ChildStatus, ProcessError
from core.processes.running import ChildSpec
from core.processes.settings import HandlerProcess
from core.processes.threads import ThreadGovernor
from schedule_zero import Handler, method
from schedule_zero.process.loading import WrongInput
from schedule_zero.process.serving import Serving
from schedule_zero.process.worker import Worker
from schedule_zero.run import RunState
from tests.gateway.conftest import Door
from tests.kit.conftest import Open, clock, done, logged, open_core
from tests.processes.household import PATIENCE_S, limits, until

__all__ = ["clock", "logged", "open_core"]
pytestmark = pytest.mark.slow
HUNG, BEGUN = threading.Event(), threading.Event()


class Reports(Handler):
    """Works, and hangs its loop when it is told to."""

    @method()
    async def build(self, rows: int = 1) -> int:
        """Answer at once."""
        return rows

    @method()
    async def thread(self) -> str:
        """The thread it is in."""
        return threading.current_thread().name

    @method(timeout=60, lease=60)
    async def hold(self) -> str:
        """Keep the loop for longer than is usual, as was declared."""
        HUNG.wait(1.8)
        return threading.current_thread().name

    @method()
    async def leave(self) -> None:
        """End the process, as a command line's parser does."""
        raise SystemExit(2)

    @method()
    async def gathered(self) -> None:
        """The same in a task of its own."""
        await asyncio.gather(self.leave())

    @method(timeout=60)
    async def hang(self) -> None:
        """Keep the loop until the test lets it go."""
        BEGUN.set()
        HUNG.wait(60)


def spec(name: str) -> ChildSpec:
    return ChildSpec(name=name, kind="handler", command=(), handler=HandlerProcess(module="r:R", name=name[:-2]))


Make = Callable[..., ThreadGovernor]


def ours() -> list[threading.Thread]:
    """The threads of governors that have not ended."""
    return [each for each in threading.enumerate() if each.name.startswith(("reports-", "more-", "bad-"))]


@pytest.fixture
async def make(open_core: Open, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes governors of threads that serve `Reports` to `make.door`."""
    door, governors = await open_core(), list[ThreadGovernor]()
    places = Places(tmp_path / "data")
    places.make()

    def serve(child: ChildSpec) -> Serving:
        handler = Reports()
        return Serving(handler, [Worker(handler, door.address, name="reports")], 0.2)

    def made(*names: str, rules: Limits | None = None, serve: Callable[[ChildSpec], Serving] = serve) -> ThreadGovernor:
        governors.append(
            ThreadGovernor(
                [spec(name) for name in names], places, rules or limits(), deployment="test",
                specs_of=lambda handler: [spec(f"{handler.pool}-1")], make=serve,
            )
        )  # fmt: skip
        return governors[-1]

    made.door = door  # type: ignore[attr-defined]
    yield made
    HUNG.set()
    for governor in governors:
        await governor.stop()
    for thread in ours():  # also those that were left behind
        await asyncio.to_thread(thread.join, PATIENCE_S)
    HUNG.clear()
    BEGUN.clear()


def door_of(make: Make) -> Door:
    door: Door = make.door  # type: ignore[attr-defined]
    return door


def of(governor: ThreadGovernor, name: str) -> ChildStatus:
    return next(each for each in governor.status().children if each.name == name)


async def test_handlers_serve_from_threads_with_loops_of_their_own(make: Make) -> None:
    governor = make("reports-1", "reports-2")
    await governor.start()
    assert (await governor.ready(PATIENCE_S)).healthy
    run = await done(door_of(make), "reports", "thread")
    assert run.result in ("reports-1", "reports-2")
    assert governor.get_metrics().ready == 2
    await governor.restart("reports")
    assert (await governor.ready(PATIENCE_S)).healthy
    assert await governor.add_handler(HandlerProcess(module="m:M", name="more")) == ["more-1"]
    assert (await governor.ready(PATIENCE_S)).healthy
    assert await governor.remove_handler("more") == ["more-1"]
    await governor.stop()
    assert ours() == []
    assert governor.left_behind == []
    with pytest.raises(ProcessError, match="is being stopped"):
        await governor.restart()


async def test_a_thread_that_fails_is_started_again_and_given_up_at_last(make: Make) -> None:
    def fail(child: ChildSpec) -> Serving:
        raise RuntimeError("no such table")

    governor = make("bad-1", rules=limits(crashes=3), serve=fail)
    await governor.start()
    await until(lambda: of(governor, "bad-1").state == "failed")
    assert of(governor, "bad-1").restarts == 2
    assert "RuntimeError: no such table" in of(governor, "bad-1").says


async def test_one_whose_module_is_wrong_is_not_tried_again(make: Make) -> None:
    def fail(child: ChildSpec) -> Serving:
        raise WrongInput("reports has no Reprots")

    governor = make("bad-1", serve=fail)
    await governor.start()
    await until(lambda: of(governor, "bad-1").state == "failed")
    assert of(governor, "bad-1").says == "ended with exit code 2: reports has no Reprots"


@pytest.mark.parametrize("name", ["leave", "gathered"])
async def test_a_method_that_leaves_does_not_end_its_thread(make: Make, name: str) -> None:
    governor = make("reports-1")
    await governor.start()
    assert (await governor.ready(PATIENCE_S)).healthy
    door = door_of(make)
    schedule = await door.house.schedule(handler="reports", method=name, policy={"retry": {"max_attempts": 1}})
    run = await door.house.ended((await door.house.run_now(schedule)).id)
    assert (run.state, run.error) == (RunState.FAILED, "SystemExit: 2")
    assert (await done(door, "reports", "build", rows=3)).state is RunState.SUCCEEDED
    assert of(governor, "reports-1").restarts == 0


async def test_a_thread_that_is_left_by_what_was_made_in_it_has_ended(make: Make) -> None:
    def leave(child: ChildSpec) -> Serving:
        raise SystemExit(7)

    governor = make("bad-1", rules=limits(crashes=1), serve=leave)
    await governor.start()
    await until(lambda: of(governor, "bad-1").state == "failed")
    assert "SystemExit: 7" in of(governor, "bad-1").says


async def test_a_thread_whose_loop_hangs_is_left_behind_and_another_takes_its_place(make: Make) -> None:
    governor = make("reports-1", rules=limits(silent_s=0.6))
    await governor.start()
    assert (await governor.ready(PATIENCE_S)).healthy
    door = door_of(make)
    schedule = await door.house.schedule(handler="reports", method="hang", args={})
    await door.house.run_now(schedule)
    await until(lambda: governor.left_behind == ["reports-1"])
    await until(lambda: of(governor, "reports-1").ready)
    assert (await done(door, "reports", "build", rows=3)).state is RunState.SUCCEEDED


async def test_a_thread_that_is_silent_for_no_longer_than_its_declared_lease_is_let_be(make: Make) -> None:
    governor = make("reports-1", rules=limits(silent_s=0.6))
    await governor.start()
    assert (await governor.ready(PATIENCE_S)).healthy
    run = await done(door_of(make), "reports", "hold")
    assert (run.state, run.result) == (RunState.SUCCEEDED, "reports-1")
    assert (governor.left_behind, of(governor, "reports-1").restarts) == ([], 0)


async def test_a_stop_does_not_wait_for_a_thread_for_ever(make: Make) -> None:
    governor = make("reports-1", rules=limits(stop_s=0.2))
    await governor.start()
    assert (await governor.ready(PATIENCE_S)).healthy
    door = door_of(make)
    schedule = await door.house.schedule(handler="reports", method="hang", args={})
    await door.house.run_now(schedule)
    assert await asyncio.to_thread(BEGUN.wait, PATIENCE_S)
    await asyncio.wait_for(governor.stop(), PATIENCE_S)
    assert governor.left_behind == ["reports-1"]
