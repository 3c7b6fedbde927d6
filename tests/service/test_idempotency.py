"""The same key gets the same answer, whatever happened between; another request under it is refused."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from core.ledger.ledger import StoredLedger
from core.ledger.port import NameTaken
from core.service.service import _REMEMBERED
from schedule_zero import requests as ask
from schedule_zero.errors import Conflict, Invalid, NotFound
from schedule_zero.instant import SECOND
from schedule_zero.routes import ROUTES
from schedule_zero.run import Run
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger, TextTrigger
from tests.engine.house import House
from tests.service.people import MOD, STRANGER, as_, member, post


def create(house: House, key: str = "k", in_s: float = 60.0, **fields: Any) -> ask.CreateSchedule:
    spec = ScheduleSpec(
        handler="hands", method="work", trigger=DateTrigger(at=house.clock.in_s(in_s)), guild_id="1", **fields
    )
    return ask.CreateSchedule(spec=spec, idempotency_key=key)


def same(first: object, second: object) -> bool:
    return msgspec.json.encode(first) == msgspec.json.encode(second)


async def test_a_creation_repeated_is_one_schedule_and_one_answer(house: House) -> None:
    request = create(house)
    first, second = [await house.client.send(request) for _ in range(2)]
    assert same(first, second)
    assert len((await house.client.list_schedules(guild_id="1")).items) == 1
    assert len(await house.told("schedule.created")) == 1


async def test_fifty_at_once_with_one_key_are_one_schedule(house: House) -> None:
    request = create(house)
    answers = await asyncio.gather(*(house.client.send(request) for _ in range(50)))
    assert all(same(answer, answers[0]) for answer in answers)
    assert len((await house.client.list_schedules(guild_id="1")).items) == 1


async def test_a_repetition_after_its_time_has_come_is_answered_as_before(house: House) -> None:
    """The answer was lost on its way; the client asks again after the moment it named has passed."""
    request = create(house, in_s=5)
    first = await house.client.send(request)
    house.clock.move(300)
    assert same(await house.client.send(request), first)


async def test_another_request_under_the_same_key_is_refused(house: House) -> None:
    await house.client.send(create(house))
    with pytest.raises(Conflict, match="another request"):
        await house.client.send(create(house, args={"n": 1}))
    with pytest.raises(Conflict):
        await house.client.send(ask.PutUserTimezone(user_id="x", timezone="UTC", idempotency_key="k"))
    assert len((await house.client.list_schedules(guild_id="1")).items) == 1


async def test_the_order_in_which_fields_were_written_is_no_difference(house: House) -> None:
    spec = {"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "text", "text": "in 1 hour"}}
    first = ask.CreateSchedule(
        spec=msgspec.convert({**spec, "metadata": {"a": "1", "b": "2"}}, ScheduleSpec), idempotency_key="k"
    )
    second = ask.CreateSchedule(
        spec=msgspec.convert({**spec, "metadata": {"b": "2", "a": "1"}}, ScheduleSpec), idempotency_key="k"
    )
    assert same(await house.client.send(first), await house.client.send(second))


async def test_keys_are_everybodys_own(house: House) -> None:
    spec = ScheduleSpec(
        handler="discord", method="send_message", guild_id="1", args={"channel_id": "1", "content": "x"},
        trigger=TextTrigger(text="in 1 hour"),
    )  # fmt: skip
    request = ask.CreateSchedule(spec=spec, idempotency_key="k")
    one = await as_(house, MOD).send(request)
    other = await as_(house, member("mod2", permissions=MOD.permissions)).send(request)
    assert isinstance(one, Schedule)
    assert isinstance(other, Schedule)
    assert one.id != other.id
    assert (await post(house, STRANGER)).guild_id == "2"


async def test_a_key_is_forgotten_after_a_day(house: House) -> None:
    request = create(house, in_s=10 * 86_400)
    first = await house.client.send(request)
    house.clock.move(86_000)
    assert same(await house.client.send(request), first)
    house.clock.move(500)
    second = await house.client.send(request)
    assert not same(second, first)


async def test_a_refusal_is_not_remembered(house: House) -> None:
    schedule = await house.schedule(name="taken")
    request = create(house, name="taken")
    with pytest.raises(Conflict, match="taken"):
        await house.client.send(request)
    await house.client.delete_schedule(schedule.id)
    assert isinstance(await house.client.send(request), Schedule)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_one_to_255_characters(house: House, key: str) -> None:
    with pytest.raises(Invalid, match="1 to 255"):
        await house.client.send(create(house, key=key))


CHANGES: list[Callable[[str], ask.Request]] = [
    lambda id: ask.PauseSchedule(id=id, idempotency_key="k"),
    lambda id: ask.DeleteSchedule(id=id, idempotency_key="k"),
    lambda id: ask.DeleteSchedule(id=id, revision=1, idempotency_key="k"),
    lambda id: ask.PatchSchedule(id=id, changes={"name": "x"}, revision=1, idempotency_key="k"),
    lambda id: ask.RunSchedule(id=id, idempotency_key="k"),
    lambda id: ask.PutGuildSettings(guild_id="1", changes={"hour24": False}, idempotency_key="k"),
]


@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_is_made_once_and_answered_as_often_as_asked(
    house: House, change: Callable[[str], ask.Request]
) -> None:
    request = change((await house.schedule()).id)
    first = await house.client.send(request)
    events = len(await house.told())
    assert same(await house.client.send(request), first)
    assert same(await house.client.send(request), first)
    assert len(await house.told()) == events


async def test_resuming_undoing_cancelling_and_retrying_are_made_once_too(house: House) -> None:
    schedule = await house.schedule()
    run = await house.client.run_schedule(schedule.id)
    paused = await house.client.pause_schedule(schedule.id)
    assert paused.undo is not None
    for request in (
        ask.ResumeSchedule(id=schedule.id, idempotency_key="a"),
        ask.RetryRun(id=run.id, idempotency_key="b"),
    ):
        first = await house.client.send(request)
        assert same(await house.client.send(request), first)
    deleted = await house.client.delete_schedule(schedule.id)
    assert deleted.undo is not None
    undo = ask.Undo(token=deleted.undo.token, idempotency_key="c")
    first = await house.client.send(undo)
    assert same(await house.client.send(undo), first)


def test_every_request_that_travels_by_post_has_its_answer_remembered() -> None:
    assert {route.request for route in ROUTES if route.method == "POST"} <= set(_REMEMBERED)
    assert all(_REMEMBERED[route.request] is route.answer for route in ROUTES if route.request in _REMEMBERED)


async def test_a_question_asked_again_under_its_key_is_answered_as_before_although_time_has_passed(
    house: House,
) -> None:
    for request, changed in (
        (ask.PreviewTrigger(trigger=TextTrigger(text="in 2 hours"), n=1, idempotency_key="a"), {"n": 2}),
        (ask.ReadTime(when="in 2 hours", idempotency_key="b"), {"when": "in 3 hours"}),
    ):
        first = await house.client.send(request)
        house.clock.move(600)
        assert same(await house.client.send(request), first)
        assert not same(await house.client.send(msgspec.structs.replace(request, idempotency_key=None)), first)
        with pytest.raises(Conflict, match="another request"):
            await house.client.send(msgspec.structs.replace(request, **changed))


async def test_runs_asked_for_under_one_key_by_two_people_are_two_runs(house: House) -> None:
    schedule = await post(house, MOD)
    request = ask.RunSchedule(id=schedule.id, idempotency_key="k")
    one = await as_(house, MOD).send(request)
    other = await house.client.send(request)
    assert isinstance(one, Run)
    assert isinstance(other, Run)
    assert one.id != other.id


async def test_a_batch_repeated_makes_its_schedules_once(house: House) -> None:
    items = (
        {"handler": "hands", "method": "work", "guild_id": "1", "trigger": {"type": "text", "text": "in 1 hour"}},
    ) * 3
    request = ask.CreateSchedules(items=items, idempotency_key="k")
    first = await house.client.send(request)
    assert same(await house.client.send(request), first)
    assert len((await house.client.list_schedules(guild_id="1")).items) == 3


async def test_a_client_that_left_while_its_change_was_committed_is_served_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed reaches the scheduler, also when nobody waits for the answer any more."""
    house.run()
    await house.until(lambda: house.engine.tick._horizon.until > 0)
    reached, go_on = asyncio.Event(), asyncio.Event()
    real = StoredLedger.write

    async def write(ledger: StoredLedger, unit: Any) -> Any:
        result = await real(ledger, unit)
        if "Desk" in unit.__qualname__:
            reached.set()
            await go_on.wait()
        return result

    monkeypatch.setattr(StoredLedger, "write", write)
    asking = asyncio.create_task(house.client.send(create(house, in_s=5)))
    await reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go_on.set()
    await house.until(lambda: house.engine.tick.overdue(house.clock.now() + 10 * SECOND) == 1)


@pytest.mark.parametrize(
    ("ends_with", "told"), [(NameTaken("tea"), []), (NotFound("gone"), []), (KeyError("defect"), ["error"])]
)
async def test_a_client_that_left_leaves_a_defect_to_the_log_and_a_refusal_to_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch, logged: list[Any], ends_with: Exception, told: list[str]
) -> None:
    reached, go_on, unheard = asyncio.Event(), asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    async def write(ledger: StoredLedger, unit: Any) -> Any:
        reached.set()
        await go_on.wait()
        raise ends_with

    monkeypatch.setattr(StoredLedger, "write", write)
    asking = asyncio.create_task(house.client.send(create(house)))
    await reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    logged.clear()
    go_on.set()
    for _ in range(10):  # turns of the loop, in which the change ends
        await asyncio.sleep(0)
    del asking
    gc.collect()
    assert not unheard
    assert [line["log_level"] for line in logged] == told
