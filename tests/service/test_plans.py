"""What a plan allows: how many schedules, how often, how large, which handlers; and batches that meet it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.governor.settings import GovernorSettings, GuildQuota, Plan
from core.service.draft import MOST_ARGS
from core.service.room import REMINDERS_EACH
from handlers.echo import Echo
from schedule_zero.errors import FieldError, Invalid, QuotaExceeded
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.engine.house import House, plan
from tests.service.people import (
    ANNA,
    ANNA_ALONE,
    ANNA_ELSEWHERE,
    BEN,
    BEN_ALONE,
    MOD,
    OWNER,
    Post,
    as_,
    post,
    remind,
)

Build = Callable[..., Awaitable[House]]
HOURLY = CronTrigger(expression="0 * * * *")


async def refusal(asking: Awaitable[object]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        await asking
    return caught.value


# ── quotas ─────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = GovernorSettings(
    plans={"small": Plan(schedules=2, min_interval="PT5M", payload_bytes=60, handlers=["discord"])},
    default_plan="small",
    guilds={"9": GuildQuota(schedules=None, min_interval=None, payload_bytes=None, handlers=None)},
)


@pytest.fixture
async def small(build: Build) -> House:
    """A house whose guilds have the smallest of plans; guild 9 has no limits."""
    house = await build(run=False, governor=SMALL)
    house.engine.serve(Post())
    return house


async def test_a_guild_has_so_many_schedules(small: House) -> None:
    first, _ = [await post(small, MOD) for _ in range(2)]
    with pytest.raises(QuotaExceeded, match="2 schedules") as caught:
        await post(small, MOD)
    assert caught.value.details == {"scope": "guild:1", "limit": "schedules", "used": 2, "allowed": 2}
    await small.client.delete_schedule(first.id)
    await post(small, MOD)
    for _ in range(5):
        await small.schedule(guild_id="9")


async def test_arguments_have_a_bound_whatever_the_plan(house: House) -> None:
    house.engine.serve(Echo())
    await house.schedule(handler="echo", method="echo", args={"value": "x" * (MOST_ARGS - 12)})
    with pytest.raises(Invalid, match=f"take {MOST_ARGS + 1} bytes; at most {MOST_ARGS} are kept"):
        await house.schedule(handler="echo", method="echo", args={"value": "x" * (MOST_ARGS - 11)})


async def test_a_person_without_a_guild_has_no_more_than_a_new_guild(small: House) -> None:
    for _ in range(2):
        await remind(small, ANNA_ALONE)
    with pytest.raises(
        QuotaExceeded, match="You have 2 reminders outside servers, and the limit is 2 schedules in all;"
    ):
        await remind(small, ANNA_ALONE)
    await remind(small, BEN_ALONE)
    with pytest.raises(QuotaExceeded, match="This repeats after 1 minute; the shortest interval"):
        await remind(small, BEN_ALONE, trigger=IntervalTrigger(every="PT1M"))


async def test_one_persons_reminders_do_not_fill_the_server(house: House) -> None:
    for _ in range(REMINDERS_EACH):
        await remind(house, ANNA)
    with pytest.raises(
        QuotaExceeded, match="You have 50 reminders in this server, and one person may have 50; delete"
    ) as caught:
        await remind(house, ANNA)
    assert caught.value.details == {"scope": "user:anna", "limit": "reminders", "used": 50, "allowed": 50}
    await remind(house, ANNA_ALONE)
    await remind(house, ANNA_ELSEWHERE)
    await remind(house, BEN)
    await post(house, MOD)


async def test_what_is_over_or_deleted_makes_room_for_a_reminder_and_undo_asks_for_it(house: House) -> None:
    made = [await remind(house, ANNA) for _ in range(REMINDERS_EACH)]
    deleted = await as_(house, ANNA).delete_schedule(made[0].id)
    await remind(house, ANNA)
    assert deleted.undo is not None
    with pytest.raises(QuotaExceeded, match="You have 50"):
        await as_(house, ANNA).undo(deleted.undo.token)


async def test_reminders_together_take_half_of_a_servers_schedules_at_most(build: Build) -> None:
    house = await build(run=False, governor=plan(schedules=6))
    house.engine.serve(Post())
    for actor in (ANNA, BEN, MOD):
        await remind(house, actor)
    with pytest.raises(QuotaExceeded, match="3 reminders, and they may take half of its schedules: 3;") as caught:
        await remind(house, OWNER)
    assert caught.value.details == {"scope": "guild:1", "limit": "reminders", "used": 3, "allowed": 3}
    for _ in range(3):
        await post(house, MOD)
    with pytest.raises(QuotaExceeded, match="has 6 schedules, and the limit is 6 schedules in all;"):
        await post(house, MOD)


async def test_a_limit_that_was_lowered_is_told_with_what_there_really_is(build: Build) -> None:
    house = await build(run=False, governor=plan(schedules=8))
    house.engine.serve(Post())
    for _ in range(3):
        await remind(house, ANNA)
    await house.client.change_guild_quota("1", {"schedules": 1})
    with pytest.raises(
        QuotaExceeded, match="You have 3 reminders in this server, and the limit is 1 schedule in all;"
    ) as caught:
        await remind(house, ANNA)
    assert caught.value.details == {"scope": "user:anna", "limit": "reminders", "used": 3, "allowed": 1}
    await house.client.change_guild_quota("1", {"schedules": 0})
    with pytest.raises(
        QuotaExceeded, match="This server has 3 schedules, and the limit is 0 schedules in all; who runs"
    ):
        await post(house, MOD)


async def test_a_batch_of_reminders_fills_up_to_each_limit(build: Build) -> None:
    house = await build(run=False, governor=plan(schedules=200))
    house.engine.serve(Post())
    reminder = item(metadata={"kind": "reminder"}, method="send_dm", args={"user_id": "anna", "content": "x"})
    view = await as_(house, ANNA).create_schedules([reminder] * (REMINDERS_EACH + 2))
    assert [each.status for each in view.items] == [201] * REMINDERS_EACH + [429, 429]
    view = await house.client.create_schedules([reminder] * 51 + [item()])
    assert [each.status for each in view.items] == [201] * 50 + [429, 201]
    problem = view.items[50].problem
    assert problem is not None
    assert (problem.scope, problem.limit, problem.allowed) == ("guild:1", "reminders", 100)


@pytest.mark.parametrize(
    "trigger",
    [
        IntervalTrigger(every="PT4M59S"),
        CronTrigger(expression="* * * * *"),
        CronTrigger(expression="0,4 0 * * *"),
        RRuleTrigger(rule="FREQ=MINUTELY;INTERVAL=3"),
        TextTrigger(text="every 2 minutes"),
    ],
    ids=str,
)
async def test_a_rule_faster_than_the_plan_is_refused(small: House, trigger: Trigger) -> None:
    with pytest.raises(QuotaExceeded, match="plan allows is 5 minutes") as caught:
        await post(small, MOD, trigger=trigger)
    assert caught.value.details["limit"] == "min_interval"
    await small.schedule(trigger, guild_id="9")


async def test_a_rule_of_exactly_the_plans_pace_is_taken(small: House) -> None:
    await post(small, MOD, trigger=IntervalTrigger(every="PT5M"))
    await post(small, MOD, trigger=DateTrigger(at=small.clock.in_s(1)))


async def test_arguments_are_no_larger_than_the_plan_allows(small: House) -> None:
    with pytest.raises(
        QuotaExceeded, match=r"^This message is too large: 91 bytes, and 60 are allowed in this server\.$"
    ) as caught:
        await post(small, MOD, "x" * 60)
    assert caught.value.details == {"scope": "guild:1", "limit": "payload_bytes", "used": 91, "allowed": 60}
    schedule = await post(small, MOD, "é" * 10)
    too_long = {"channel_id": "7", "content": "é" * 20}
    for asking in (
        small.client.patch_schedule(schedule.id, {"args": too_long}), small.client.run_schedule(schedule.id, args=too_long),
    ):  # fmt: skip
        with pytest.raises(QuotaExceeded, match="This message is too large: "):
            await asking


async def test_no_guild_is_promised_more_than_arguments_may_ever_take(small: House) -> None:
    error = await refusal(small.client.change_guild_quota("1", {"payload_bytes": 65_537}))
    assert error.sentence == "payload_bytes: is more than the 65,536 bytes that arguments may ever take"
    assert (await small.client.change_guild_quota("1", {"payload_bytes": 65_536})).limits["payload_bytes"] == 65_536


async def test_handlers_are_those_of_the_plan(small: House) -> None:
    with pytest.raises(
        QuotaExceeded, match=r"^The handler 'hands' is not allowed in this server; what may be used is discord\.$"
    ) as caught:
        await small.schedule()
    assert caught.value.details == {"scope": "guild:1", "limit": "handlers"}
    await small.client.change_guild_quota("1", {"handlers": ["hands"], "payload_bytes": 3})
    with pytest.raises(QuotaExceeded, match=r"^Messages are not allowed in this server; what may be used is hands\.$"):
        await post(small, MOD)
    with pytest.raises(
        QuotaExceeded, match=r"^The arguments are too large: 7 bytes, and 3 are allowed in this server\.$"
    ):
        await small.schedule(args={"n": 1})
    await small.client.change_guild_quota("1", {"handlers": []})
    with pytest.raises(QuotaExceeded, match=r"^Messages are not allowed in this server; no handler may be used\.$"):
        await post(small, MOD)


async def test_a_plan_that_became_smaller_does_not_lock_what_is_there(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(IntervalTrigger(every="PT1M"), args={"n": 1})
    await house.kill()
    house.governor = SMALL
    await house.open(run=False)
    assert (await house.client.patch_schedule(schedule.id, {"name": "renamed"})).name == "renamed"
    assert (await house.client.pause_schedule(schedule.id)).state == "paused"
    with pytest.raises(QuotaExceeded, match="hands' is not allowed"):
        await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────


def item(**fields: Any) -> dict[str, Any]:
    return {
        "handler": "discord", "method": "send_message", "guild_id": "1",
        "args": {"channel_id": "1", "content": "x"}, "trigger": {"type": "text", "text": "tomorrow at 9"}, **fields,
    }  # fmt: skip


async def test_a_batch_answers_item_by_item_and_keeps_what_is_right(house: House) -> None:
    items: list[Any] = [
        item(name="a"), item(name="a"), item(trigger={"type": "cron"}), item(handler="x"), "text", item(name="b"),
        item(colour=1), item(trigger={"type": "text", "text": "blue"}),
    ]  # fmt: skip
    view = await house.client.create_schedules(items)
    assert [each.status for each in view.items] == [201, 409, 422, 422, 422, 201, 422, 422]
    assert [each.schedule.name for each in view.items if each.schedule] == ["a", "b"]
    assert all(each.problem is not None and each.problem.detail for each in view.items if each.status != 201)
    listed = (await house.client.list_schedules(guild_id="1")).items
    assert {schedule.name for schedule in listed} == {"a", "b"}
    first = view.items[0].schedule
    assert first is not None
    assert first.undo is not None
    assert (await house.client.undo(first.undo.token)).state == "deleted"


async def test_a_batch_fills_up_to_the_quota_and_refuses_the_rest(small: House) -> None:
    await small.client.create_schedule(msgspec.convert(item(), ScheduleSpec))
    view = await small.client.create_schedules([item(), item(name="too many"), item(guild_id="9"), item(guild_id="2")])
    assert [each.status for each in view.items] == [201, 429, 201, 201]
    problem = view.items[1].problem
    assert problem is not None
    assert (problem.scope, problem.limit, problem.allowed) == ("guild:1", "schedules", 2)


async def test_a_name_taken_before_is_refused_and_takes_no_room(small: House) -> None:
    await small.client.create_schedules([item(name="here"), item(name="there", guild_id="9")])
    asked = [
        item(name="here"),
        item(name="new"),
        item(name="one too many"),
        item(name="there", guild_id="9"),
        item(name="here", guild_id="9"),
    ]
    view = await small.client.create_schedules(asked)
    assert [each.status for each in view.items] == [409, 201, 429, 409, 201]


async def test_room_made_by_deleting_is_found_again(small: House) -> None:
    first = await small.client.create_schedules([item(name="a"), item(name="b"), item(name="c")])
    assert [each.status for each in first.items] == [201, 201, 429]
    for each in first.items[:2]:
        assert each.schedule is not None
        await small.client.delete_schedule(each.schedule.id)
    again = await small.client.create_schedules([item(), item(), item()])
    assert [each.status for each in again.items] == [201, 201, 429]
    with pytest.raises(QuotaExceeded):
        await small.client.create_schedule(msgspec.convert(item(), ScheduleSpec))


async def test_a_long_batch_lets_others_have_their_turn(house: House) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await house.client.create_schedules([item() for _ in range(200)])
    task.cancel()
    assert turns > 8


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_one_to_a_thousand_items(house: House, count: int) -> None:
    error = await refusal(house.client.create_schedules([item()] * count))
    assert error.errors == (FieldError("items", f"takes 1 to 1,000 schedules, not {count:,}"),)
    assert error.sentence == f"items: {error.errors[0].message}"
