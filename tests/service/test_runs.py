"""Run now, retry, cancel, and looking at runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.ledger.port import Transaction
from schedule_zero.errors import Conflict, Invalid, Reject
from schedule_zero.handler import Context
from schedule_zero.instant import parse
from schedule_zero.run import RunState
from schedule_zero.trigger import CronTrigger, DateTrigger
from tests.engine.house import House
from tests.service.people import MOD, OPERATOR, OWNER, Post, as_, post

Build = Callable[..., Awaitable[House]]


async def test_run_now_runs_works_while_paused_and_moves_no_due_time(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(CronTrigger(expression="0 * * * *"))
    await house.ended((await house.run_now(schedule)).id)
    assert (await house.client.get_schedule(schedule.id)).next_fire_times == schedule.next_fire_times
    paused = await house.client.pause_schedule(schedule.id)
    assert (await house.ended((await house.run_now(schedule)).id)).state is RunState.SUCCEEDED
    assert (await house.client.get_schedule(schedule.id)).revision == paused.revision
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    assert (row.last_due, row.fired) == (None, 0)


async def test_run_now_works_on_what_is_over(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=schedule.id)
    assert (await house.ended((await house.run_now(schedule)).id)).state is RunState.SUCCEEDED


async def test_run_now_replaces_single_arguments_for_this_run_only(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(args={"n": 1})
    await house.ended((await house.run_now(schedule, n=5)).id)
    await house.ended((await house.run_now(schedule)).id)
    assert [n for _, _, n in house.hands.calls] == [5, 1]
    with pytest.raises(Invalid) as caught:
        await house.run_now(schedule, n="many")
    assert caught.value.errors[0].field == "args.n"
    with pytest.raises(Invalid, match="colour"):
        await house.run_now(schedule, colour="blue")


async def test_a_run_says_when_it_was_due_and_how_late_it_began(build: Build) -> None:
    house = await build(run=False)
    run = await house.run_now(await house.schedule())
    assert (run.state, run.late_by, run.start_before) == (RunState.WAITING, None, None)
    assert run.occurrence.startswith("m:")
    house.clock.move(90)
    house.run()
    done = await house.ended(run.id)
    assert done.late_by is not None
    assert done.late_by.startswith("PT1M30")
    assert parse(done.attempts[0].sent) - parse(done.due) > 89_000_000


async def test_a_cancelled_waiting_run_ends_at_once(house: House) -> None:
    run = await house.run_now(await house.schedule())
    cancelled = await house.client.cancel_run(run.id)
    assert (cancelled.state, cancelled.reason, cancelled.attempts) == (RunState.CANCELLED, "cancelled", ())
    assert len(house.engine.room) == 0
    with pytest.raises(Conflict, match="has ended"):
        await house.client.cancel_run(run.id)
    assert (await house.told("run.cancelled"))[0].run_id == run.id


async def test_a_run_between_two_tries_can_be_cancelled(build: Build) -> None:
    house = await build()

    async def deed(ctx: Context, n: int) -> Any:
        raise OSError("away")

    house.hands.deed = deed
    run = await house.run_now(await house.schedule(policy={"retry": {"initial": "PT1H", "maximum": "PT1H"}}))
    await house.heard("run.waiting", run_id=run.id)
    await house.client.cancel_run(run.id)
    house.pass_time(3700)
    assert (await house.client.get_run(run.id)).state is RunState.CANCELLED
    assert len(house.hands.calls) == 1


async def _refusing(build: Build, *refused: int) -> House:
    house = await build()

    async def deed(ctx: Context, n: int) -> Any:
        if n in refused:
            raise Reject("no")

    house.hands.deed = deed
    return house


async def test_a_retry_is_a_new_run_with_the_arguments_as_they_were_mended(build: Build) -> None:
    house = await _refusing(build, 1)
    schedule = await house.schedule(args={"n": 1})
    failed = await house.ended((await house.run_now(schedule)).id)
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    again = await house.client.retry_run(failed.id)
    assert again.id != failed.id
    assert (await house.ended(again.id)).state is RunState.SUCCEEDED
    assert [n for _, _, n in house.hands.calls] == [1, 2]


async def test_a_run_started_with_arguments_of_its_own_keeps_them_however_often_it_is_retried(build: Build) -> None:
    house = await _refusing(build, 5)
    schedule = await house.schedule(args={"n": 1})
    run = await house.ended((await house.run_now(schedule, n=5)).id)
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    for _ in range(2):
        run = await house.ended((await house.client.retry_run(run.id)).id)
    assert [n for _, _, n in house.hands.calls] == [5, 5, 5]


async def test_a_run_is_run_again_once_whoever_asks_and_however_often(build: Build) -> None:
    house = await build(run=False)
    house.engine.serve(Post())
    run = await house.client.run_schedule((await post(house, MOD)).id)
    await house.client.cancel_run(run.id)
    asked = [
        as_(house, actor).retry_run(run.id, key=key)
        for actor, key in ((MOD, "again"), (OWNER, "again"), (MOD, None), (OPERATOR, None))
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    (again,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    refusals = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refusals) == 3
    assert all(again.id in refusal.sentence for refusal in refusals)
    assert again.occurrence == f"m:again:{run.id}"
    assert len((await house.client.list_runs(schedule_id=run.schedule_id)).items) == 2
    await house.kill()
    await house.open(run=False)
    with pytest.raises(Conflict, match=again.id):
        await house.client.retry_run(run.id)


async def test_a_retry_that_failed_too_can_be_retried_itself(build: Build) -> None:
    house = await build(run=False)
    first = await house.run_now(await house.schedule())
    await house.client.cancel_run(first.id)
    second = await house.client.retry_run(first.id)
    await house.client.cancel_run(second.id)
    third = await house.client.retry_run(second.id)
    assert third.occurrence == f"m:again:{second.id}"
    with pytest.raises(Conflict, match=second.id):
        await house.client.retry_run(first.id)


async def test_only_what_did_not_succeed_can_be_retried(build: Build) -> None:
    house = await build()
    run = await house.ended((await house.run_now(await house.schedule())).id)
    with pytest.raises(Conflict, match="This run has succeeded; only one that failed"):
        await house.client.retry_run(run.id)


async def test_a_run_of_a_deleted_schedule_cannot_be_retried(house: House) -> None:
    schedule = await house.schedule()
    run = await house.run_now(schedule)
    await house.client.delete_schedule(schedule.id)
    with pytest.raises(Conflict, match="bring it back"):
        await house.client.retry_run(run.id)


async def test_a_listing_of_runs_is_newest_first_filtered_and_paged(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule()
    made = []
    for _ in range(5):
        made.append((await house.run_now(schedule)).id)
        house.clock.move(1)
    await house.run_now(await house.schedule(guild_id="2"))
    page = await house.client.list_runs(schedule_id=schedule.id, limit=3)
    rest = await house.client.list_runs(schedule_id=schedule.id, limit=3, cursor=page.next)
    assert [run.id for run in (*page.items, *rest.items)] == made[::-1]
    assert rest.next is None
    cancelled = await house.client.cancel_run(made[0])
    assert [run.id for run in (await house.client.list_runs(guild_id="1", state="cancelled")).items] == [cancelled.id]
    since = (await house.client.get_run(made[3])).due
    assert [run.id for run in (await house.client.list_runs(guild_id="1", since=since)).items] == made[:2:-1]
    with pytest.raises(Invalid, match="since"):
        await house.client.list_runs(since="soon")


# ── what is seen of a run ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_list_says_why_a_run_failed_and_why_one_is_tried_again(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(policy={"retry": {"max_attempts": 2, "initial": "PT0S", "jitter": 0}})
    gate = asyncio.Event()

    async def deed(ctx: Context, n: int) -> Any:
        if ctx.attempt == 2:
            await gate.wait()
        raise ValueError(f"boom {ctx.attempt}")

    house.hands.deed = deed
    run = await house.run_now(schedule)
    for _ in range(2):
        await house.hands.begun.get()
    (trying,) = (await house.client.list_runs(schedule_id=schedule.id)).items
    assert (trying.attempt, trying.error, trying.trouble) == (2, "ValueError: boom 1", "ValueError: boom 1")
    gate.set()
    await house.ended(run.id)
    (failed,) = (await house.client.list_runs(schedule_id=schedule.id)).items
    assert (failed.reason, failed.error, failed.trouble) == ("error", "ValueError: boom 2", "ValueError: boom 2")
    last = (await house.client.get_schedule(schedule.id)).last_run
    assert last is not None
    assert (last.reason, last.error) == ("error", "ValueError: boom 2")


async def test_a_run_that_succeeds_after_all_has_no_error(build: Build) -> None:
    house = await build()
    house.fail_with(OSError("away"))
    policy = {"retry": {"initial": "PT0S", "jitter": 0}}
    done = await house.ended((await house.run_now(await house.schedule(policy=policy))).id)
    assert (done.attempt, done.error, done.trouble, done.attempts[0].error) == (2, None, None, "OSError: away")


async def test_a_run_under_way_shows_that_it_is_being_cancelled_until_it_ends(build: Build) -> None:
    house = await build()
    gate = house.hold(obedient=False)
    run = await house.run_now(await house.schedule())
    await house.hands.begun.get()
    before = await house.client.get_run(run.id)
    asked = await house.client.cancel_run(run.id)
    (listed,) = (await house.client.list_runs(schedule_id=run.schedule_id)).items
    gate.set()
    done = await house.ended(run.id)
    assert [each.cancelling for each in (before, asked, listed, done)] == [False, True, True, False]
    assert (asked.state, asked.standing) == (before.state, f"{before.state}, being cancelled")
    assert done.standing == str(done.state)


async def test_what_nobody_owns_is_said_to_be_without_an_owner(house: House) -> None:
    schedule = await house.schedule()
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    orphan = msgspec.structs.replace(row, state="needs_owner", next_due=None)

    async def work(tx: Transaction) -> None:
        await tx.schedules.replace(orphan, expected=row.revision)

    await house.ledger.write(work)
    for asking in (house.client.run_schedule(schedule.id), house.client.skip_occurrence(schedule.id)):
        with pytest.raises(Conflict, match="This schedule is without an owner"):
            await asking


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RunState.WAITING, "is waiting"),
        (RunState.SUCCEEDED, "has succeeded"),
        (RunState.TIMED_OUT, "has timed out"),
        (RunState.CANCELLED, "was cancelled"),
        (RunState.SKIPPED, "was skipped"),
    ],
)
def test_a_state_can_be_said_of_a_run(state: RunState, said: str) -> None:
    assert state.said == said
