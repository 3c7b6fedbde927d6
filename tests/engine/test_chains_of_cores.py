"""Chains where several cores share a database: whoever saves a link, and whoever ends a run."""

from __future__ import annotations

import asyncio

import pytest

from core.engine.chains import occurrence_of
from schedule_zero.errors import Invalid
from schedule_zero.event import EventKind
from schedule_zero.run import RunState
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from tests.engine.house import House
from tests.engine.test_cluster import Join, database_url, databases, die, guilds_of, join, shared_out

__all__ = ["database_url", "databases", "join"]  # fixtures

pytestmark = pytest.mark.slow


async def following(house: House, parent: Schedule, when: str = "success", delay: str = "PT0S") -> Schedule:
    link = After(schedule=parent.id, when=when, delay=delay)  # type: ignore[arg-type]
    return await house.client.create_schedule(
        ScheduleSpec(handler="hands", method="work", guild_id=parent.guild_id, after=(link,))
    )


async def test_a_link_that_another_core_saved_is_followed_from_its_answer_on(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (guild,) = guilds_of(first)
    parent = await first.schedule(guild_id=guild)
    for _ in range(10):
        gate = first.hold()
        run = await first.run_now(parent)
        await first.working(run.id)
        child = await following(second, parent)  # and nobody has told the first core of it yet
        gate.set()
        await first.ended(run.id)
        assert await first.ledger.reader.runs.by_occurrence(child.id, occurrence_of(run.id)) is not None
        await second.client.delete_schedule(child.id)


async def test_a_link_saved_elsewhere_beside_the_end_of_its_parent_is_before_it_or_behind_it(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (guild,) = guilds_of(first)
    parent = await first.schedule(guild_id=guild)
    for number in range(30):
        gate = first.hold()
        run = await first.run_now(parent)
        await first.working(run.id)
        saving = asyncio.create_task(following(second, parent))
        for _ in range(number % 10):
            await asyncio.sleep(0)
        gate.set()
        child, _ = await asyncio.gather(saving, first.ended(run.id))
        told = {event.kind: event.seq for event in await first.told("run.succeeded", "schedule.created")
                if run.id == event.run_id or child.id == event.schedule_id}  # fmt: skip
        found = await first.ledger.reader.runs.by_occurrence(child.id, occurrence_of(run.id))
        assert (found is not None) is (told["schedule.created"] < told["run.succeeded"])
        await second.client.delete_schedule(child.id)


async def test_what_a_core_ends_for_a_guild_of_another_is_followed_there(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (guild,) = guilds_of(first)
    parent = await first.schedule(guild_id=guild)
    child = await following(first, parent, "any")
    gate = first.hold()
    running = await first.run_now(parent)
    await first.heard(EventKind.RUN_STARTED, run_id=running.id)
    waiting = await first.run_now(parent)
    await second.client.cancel_run(waiting.id)
    row = await first.ledger.reader.runs.by_occurrence(child.id, occurrence_of(waiting.id))
    assert row is not None
    gate.set()
    assert (await first.ended(row.id)).state is RunState.SUCCEEDED


async def test_who_takes_over_makes_what_follows(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (guild,) = guilds_of(first)
    parent = await first.schedule(guild_id=guild, method="once")
    child = await following(first, parent, "failure")
    first.hold()
    run = await first.run_now(parent)
    await first.heard(EventKind.RUN_STARTED, run_id=run.id)
    await die(first)
    assert (await second.ended(run.id)).reason == "lost"
    row = await second.ledger.reader.runs.by_occurrence(child.id, occurrence_of(run.id))
    assert row is not None
    assert (await second.ended(row.id)).state is RunState.SUCCEEDED


async def test_of_two_cores_that_close_a_circle_at_once_one_is_refused(join: Join) -> None:
    first, second = await join(), await join()
    for _ in range(10):
        one, two = await first.schedule(), await first.schedule()
        both = await asyncio.gather(
            first.client.add_link(one.id, two.id), second.client.add_link(two.id, one.id), return_exceptions=True
        )
        assert sum(isinstance(each, Schedule) for each in both) == 1
        assert sum(isinstance(each, Invalid) for each in both) == 1
    assert (await first.client.check_chains(guild_id="1")).items == ()
