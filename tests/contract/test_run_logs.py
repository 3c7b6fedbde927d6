"""The log of a run is read and followed alike in one process, over ZeroMQ and over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound
from schedule_zero.run import Progress, RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger
from tests.contract.place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEC = ScheduleSpec(handler="echo", method="tell", trigger=CronTrigger(expression="0 9 * * *"), guild_id="9")


async def test_a_log_is_followed_from_the_first_line_to_the_end(any_client: CoreClient, place: Place) -> None:
    made = await any_client.create_schedule(SPEC)
    run = await any_client.run_schedule(made.id)
    found: list[tuple[int, str]] = []
    async with asyncio.timeout(20):
        async for page in any_client.follow_run_log(run.id, every_s=0.01):
            found += [(line.n, line.text) for line in page.items]
            if not place.echo.gate.is_set():
                assert (await any_client.get_run(run.id)).progress == Progress(fraction=0.5, note="half")
                place.echo.gate.set()
    assert found == [(1, "first ü"), (2, "last")]
    assert (await any_client.get_run(run.id)).state is RunState.SUCCEEDED
    place.echo.gate.clear()
    await any_client.delete_schedule(made.id)


async def test_pages_of_a_log_are_the_same_to_the_last_field(any_client: CoreClient, place: Place) -> None:
    made = await any_client.create_schedule(SPEC)
    place.echo.gate.set()
    run = await any_client.run_schedule(made.id)
    async with asyncio.timeout(20):
        while not (page := await any_client.run_log(run.id)).ended:
            await asyncio.sleep(0.001)
    assert page == await place.app.client.run_log(run.id)
    first = await any_client.run_log(run.id, limit=1)
    assert ([line.text for line in first.items], first.next, first.lines, first.ended) == (["first ü"], 1, 2, False)
    rest = await any_client.run_log(run.id, after=first.next, limit=1)
    assert ([line.text for line in rest.items], rest.next, rest.ended) == (["last"], 2, True)
    assert (await any_client.run_log(run.id, after=2)).items == ()
    place.echo.gate.clear()
    await any_client.delete_schedule(made.id)


async def test_of_a_run_that_is_not_there_nothing_is_followed(any_client: CoreClient) -> None:
    with pytest.raises(NotFound):
        async for _ in any_client.follow_run_log("run_none"):
            pass
