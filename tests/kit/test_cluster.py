"""One handler at several cores: what one of a cluster does not ask after any more is told to the others, and to no stranger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from schedule_zero.process.slots import Slots
from schedule_zero.process.worker import Worker
from schedule_zero.transport import wire
from tests.engine.house import Hands
from tests.handlers.bare_core import BareCore

pytestmark = pytest.mark.slow

Serve = Callable[[Hands, Sequence[BareCore]], Awaitable[None]]
BEATS = 8


@pytest.fixture
async def cores() -> AsyncIterator[list[BareCore]]:
    made = [BareCore(lease=30.0) for _ in range(2)]
    yield made
    for core in made:
        await core.close()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    tasks: list[asyncio.Task[None]] = []

    async def begin(hands: Hands, served: Sequence[BareCore]) -> None:
        slots = Slots(8)
        workers = [Worker(hands, core.address, slots=slots, instance="one") for core in served]
        for worker in workers:
            worker.serve_beside(workers)
            tasks.append(asyncio.create_task(worker.serve()))

    yield begin
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def beaten(core: BareCore, times: int) -> list[wire.Beat]:
    """So many beats from now on."""
    after = len(core.heard)
    while len(beats := [each for each in core.heard[after:] if isinstance(each, wire.Beat)]) < times:
        core.say(wire.Beat([]))
        await asyncio.sleep(core.beat / 2)
    return beats


async def test_what_a_silent_core_gave_out_is_told_to_the_others_of_its_cluster(
    cores: list[BareCore], serve: Serve
) -> None:
    hands = Hands()
    gate = hands.hold()
    gone, left = cores
    await serve(hands, cores)
    await gone.welcome("clu_1")
    await left.welcome("clu_1")
    pair = gone.run("run_a", "work", '{"n": 1}')
    await left.next(wire.Beat, pairs=[pair])
    gate.set()
    assert (await left.ended(pair)).value == "1"
    left.acknowledge(pair)
    last = (await beaten(left, BEATS))[-1]
    assert last.pairs == []


async def test_a_core_that_speaks_is_told_of_its_own_alone(cores: list[BareCore], serve: Serve) -> None:
    hands = Hands()
    hands.hold()
    one, two = cores
    await serve(hands, cores)
    await one.welcome("clu_1")
    await two.welcome("clu_1")
    pair = one.run("run_a", "work", "{}")
    first, second = await asyncio.gather(beaten(one, BEATS), beaten(two, BEATS))
    assert first[-1].pairs == [pair]
    assert all(beat.pairs == [] for beat in second)


@pytest.mark.parametrize("clusters", [(None, None), ("clu_1", "clu_2"), ("clu_1", None)])
async def test_a_core_of_another_cluster_hears_nothing_of_it(
    cores: list[BareCore], serve: Serve, clusters: tuple[str | None, str | None]
) -> None:
    one, two = cores
    await serve(Hands(), cores)
    await one.welcome(clusters[0])
    await two.welcome(clusters[1])
    pair = one.run("run_a", "work", "{}")
    await one.ended(pair)
    beats = await beaten(two, BEATS)
    assert all(beat.pairs == [] for beat in beats)
    assert not any(isinstance(message, wire.Result) for message in two.heard)


async def test_a_cancel_of_any_core_of_the_cluster_is_heard(cores: list[BareCore], serve: Serve) -> None:
    hands = Hands()
    hands.hold()
    gone, left = cores
    await serve(hands, cores)
    await gone.welcome("clu_1")
    await left.welcome("clu_1")
    pair = gone.run("run_a", "work", "{}")
    await left.next(wire.Beat, pairs=[pair])
    left.say(wire.Cancel(*pair))
    assert (await left.ended(pair)).status == "cancelled"
