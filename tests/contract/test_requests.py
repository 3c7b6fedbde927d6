"""What is asked of a core is answered alike whatever carries it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict, Gone, Invalid, NotFound, RevisionMismatch
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, TextTrigger
from tests.contract.place import Kind

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAILY = TextTrigger(text="every day at 9", timezone="Europe/Berlin")


def spec(**fields: Any) -> ScheduleSpec:
    return ScheduleSpec(**{"handler": "echo", "method": "echo", "trigger": DAILY, **fields})


async def test_a_schedule_lives_from_creation_to_undo(any_client: CoreClient) -> None:
    made = await any_client.create_schedule(spec(name="standup", guild_id="1", metadata={"team": "ops"}))
    try:
        assert len(made.next_fire_times) == 5
        assert not isinstance(made.trigger, TextTrigger)
        assert made.undo is not None
        page = await any_client.list_schedules(guild_id="1", metadata={"team": "ops"})
        assert [each.id for each in page.items] == [made.id]
        assert (await any_client.list_schedules(any_guild=False)).items == ()
        changed = await any_client.patch_schedule(made.id, {"args": {"text": "new"}}, revision=made.revision)
        assert (changed.args, changed.revision) == ({"text": "new"}, made.revision + 1)
        with pytest.raises(RevisionMismatch):
            await any_client.patch_schedule(made.id, {"name": "late"}, revision=made.revision)
        assert (await any_client.pause_schedule(made.id, note="holiday")).state == "paused"
        assert (await any_client.resume_schedule(made.id)).state == "active"
    finally:
        deleted = await any_client.delete_schedule(made.id)
    assert deleted.state == "deleted"
    assert (await any_client.get_schedule(made.id)).state == "deleted"
    assert deleted.undo is not None
    assert (await any_client.undo(deleted.undo.token)).state == "active"
    await any_client.delete_schedule(made.id)
    with pytest.raises((Gone, Conflict, NotFound)):
        await any_client.undo("no-such-token")


async def test_a_run_can_be_asked_for_and_watched(any_client: CoreClient) -> None:
    made = await any_client.create_schedule(spec())
    place = (await any_client.list_events(limit=1000)).next
    events = any_client.events(place, kinds=("run.succeeded",))
    run = await any_client.run_schedule(made.id, args={"text": "now"})
    async with asyncio.timeout(10):
        event = await anext(events)
    assert event.run_id == run.id
    await events.aclose()  # type: ignore[attr-defined]
    ended = await any_client.get_run(run.id)
    assert (ended.state, ended.result, len(ended.attempts)) == (RunState.SUCCEEDED, "now", 1)
    assert [each.id for each in (await any_client.list_runs(schedule_id=made.id, any_guild=True)).items] == [run.id]
    with pytest.raises(Conflict):
        await any_client.cancel_run(run.id)
    await any_client.delete_schedule(made.id)


async def test_refusals_are_alike(any_client: CoreClient) -> None:
    await any_client.create_schedule(spec(name="taken", guild_id="2"))
    with pytest.raises(Conflict):
        await any_client.create_schedule(spec(name="taken", guild_id="2"))
    with pytest.raises(NotFound):
        await any_client.get_schedule("sch_nothing")
    with pytest.raises(NotFound):
        await any_client.delete_schedule("sch_nothing", revision=1)
    with pytest.raises(Invalid) as unclear:
        await any_client.create_schedule(spec(trigger=TextTrigger(text="at 5")))
    assert len(unclear.value.readings) == 2
    with pytest.raises(Invalid) as wrong:
        await any_client.create_schedule(spec(args={"txt": 1}))
    assert wrong.value.errors[0].field.startswith("args")
    for left in (await any_client.list_schedules(guild_id="2")).items:
        await any_client.delete_schedule(left.id)


async def test_the_same_key_gets_the_same_answer(any_client: CoreClient, kind: Kind) -> None:
    key = f"key-{kind}"
    first = await any_client.create_schedule(spec(guild_id="3"), idempotency_key=key)
    again = await any_client.create_schedule(spec(guild_id="3"), idempotency_key=key)
    assert first.id == again.id
    assert len((await any_client.list_schedules(guild_id="3")).items) == 1
    await any_client.delete_schedule(first.id)


async def test_a_batch_answers_item_by_item(any_client: CoreClient) -> None:
    good = {
        "handler": "echo",
        "method": "echo",
        "trigger": {"type": "cron", "expression": "0 9 * * *"},
        "guild_id": "4",
    }
    batch = await any_client.create_schedules([good, {**good, "trigger": {"type": "text", "text": "at 5"}}, good])
    assert [item.status for item in batch.items] == [201, 422, 201]
    assert batch.items[1].problem is not None
    for item in batch.items:
        if item.schedule is not None:
            await any_client.delete_schedule(item.schedule.id)


async def test_times_are_read_and_previewed(any_client: CoreClient) -> None:
    preview = await any_client.preview(
        CronTrigger(expression="30 2 * * *"), timezone="Europe/Berlin", n=1, after="2026-03-28T12:00:00+01:00"
    )
    assert preview.fires[0].local == "2026-03-29T03:00:00+02:00"
    assert (await any_client.read_time("every monday at 9", timezone="Europe/Rome")).recurring
    assert (await any_client.suggest_zones("berlin")).items[0].value == "Europe/Berlin"
    assert (await any_client.suggest_times("when", "in 2")).items


async def test_settings_and_zones_are_kept(any_client: CoreClient) -> None:
    assert (await any_client.change_guild_settings("5", {"timezone": "Europe/Rome"})).timezone == "Europe/Rome"
    assert (await any_client.guild_settings("5")).timezone == "Europe/Rome"
    assert (await any_client.set_user_timezone("6", "Asia/Tokyo")).timezone == "Asia/Tokyo"
    assert (await any_client.user_timezone("6")).timezone == "Asia/Tokyo"
    assert (await any_client.status()).running
