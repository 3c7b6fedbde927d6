"""Events and restarts: what a program that follows the journal is promised, however it is connected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schedule_zero.client import CoreClient
from schedule_zero.errors import Invalid
from schedule_zero.event import Event
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.contract.place import Kind, Place

pytestmark = pytest.mark.slow

SPEC = ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="every day at 9"), guild_id="9")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A core on a file, which may be stopped and started."""
    made = Place(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def any_client(kind: Kind, place: Place) -> AsyncIterator[CoreClient]:
    client = place.client(kind)
    yield client
    await client.close()


async def heard(events: AsyncIterator[Event], count: int) -> list[Event]:
    """The next events."""
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(count)]


@contextlib.asynccontextmanager
async def following(client: CoreClient, after: str | None, *kinds: str) -> AsyncIterator[AsyncIterator[Event]]:
    events = client.events(after, kinds=kinds)
    yield events
    await events.aclose()  # type: ignore[attr-defined]


async def test_events_come_in_order_from_a_place_of_some_kinds(any_client: CoreClient) -> None:
    start = (await any_client.list_events(limit=1000)).next
    made = [await any_client.create_schedule(SPEC) for _ in range(3)]
    await any_client.pause_schedule(made[0].id)
    async with following(any_client, start) as events:
        everything = await heard(events, 4)
    assert [event.kind for event in everything] == ["schedule.created"] * 3 + ["schedule.paused"]
    assert [event.seq for event in everything] == list(range(everything[0].seq, everything[0].seq + 4))
    async with following(any_client, f"1-{everything[1].seq}", "schedule.created") as events:
        assert (await heard(events, 1))[0].schedule_id == made[2].id


async def test_a_place_of_another_epoch_starts_this_one_over(any_client: CoreClient) -> None:
    first = (await any_client.list_events(limit=1)).items[0]
    async with following(any_client, "7-1000000") as events:
        assert await heard(events, 1) == [first]


async def test_what_is_no_place_is_refused(any_client: CoreClient) -> None:
    async with following(any_client, "yesterday") as events:
        with pytest.raises(Invalid, match="no place in the journal"):
            await heard(events, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zmq", "http"])
async def test_requests_and_events_go_on_when_the_core_was_restarted(place: Place, kind: Kind) -> None:
    client = place.client(kind)
    start = (await client.list_events(limit=1000)).next
    async with following(client, start, "schedule.created") as events:
        before = await client.create_schedule(SPEC)
        assert [event.schedule_id for event in await heard(events, 1)] == [before.id]
        await place.stop()
        await place.start()
        between = await place.app.client.create_schedule(SPEC)
        after = await client.create_schedule(SPEC)
        assert [event.schedule_id for event in await heard(events, 2)] == [between.id, after.id]
    assert (await client.get_schedule(before.id)).id == before.id
    await client.close()
