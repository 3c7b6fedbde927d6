"""Two and three cores on one database: each guild has one of them, and what ends one of them ends nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from core.engine.ports import ADOPTION_S
from core.engine.territory import fair_share
from core.governor.settings import Limits
from core.ledger.buckets import BUCKETS, bucket_of
from core.ledger.ledger import StoredLedger
from core.ledger.membership import ServerMembership
from core.ledger.port import StoreClosed, StoreError
from core.ledger.reach import address_of
from core.ledger.server import ServerDriver
from schedule_zero.actor import Actor
from schedule_zero.errors import QuotaExceeded
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger
from tests.engine.house import PATIENCE_S, HandClock, House, Mute, plan
from tests.engine.test_dispatch_ahead import SlowStore
from tests.postgres import database_url, databases

__all__ = ["database_url", "databases"]  # fixtures

pytestmark = pytest.mark.slow

LEASE_S = 1.0
Join = Callable[..., Awaitable[House]]


@pytest.fixture
async def join(database_url: str, clock: HandClock) -> AsyncIterator[Join]:
    """Starts one more core on the same database: ``await join()``."""
    houses: list[House] = []

    async def make(*, version: str = "1", serve: bool = True, **options: Any) -> House:
        def ledger() -> StoredLedger:
            membership = ServerMembership(version, lease_s=LEASE_S, turn_s=0.1)
            return StoredLedger(ServerDriver(address_of(database_url), membership=membership))

        house = House(ledger, clock, **options)
        await house.open(serve=serve)
        houses.append(house)
        return house

    yield make
    for house in houses:
        await _quietly(house.kill())


async def _quietly(end: Awaitable[None]) -> None:
    try:
        await end
    except (StoreError, OSError):
        pass


def freeze(house: House) -> None:
    """It does not renew its lease any more, as a stopped process would not; what it holds in memory stays."""
    membership = house.ledger.membership
    assert isinstance(membership, ServerMembership)
    assert membership._task is not None
    membership._task.cancel()


async def die(house: House) -> None:
    """As by kill -9: nothing is drained, and nobody is told."""
    freeze(house)
    membership: Any = house.ledger.membership
    membership._connection.terminate()
    membership._connection = None
    await house.kill()


async def held(house: House, number: int) -> None:
    """Until a core holds so many buckets, in memory and in the ledger."""
    await house.until(lambda: house.engine.territory.held == number)
    holders = await house.ledger.reader.buckets.holders()
    assert list(holders.values()).count(house.engine.incarnation) == number


def guilds_of(house: House, count: int = 1) -> list[str]:
    """Some guilds that a core works for."""
    owns = house.engine.territory.owns
    return [str(number) for number in range(1, 2000) if owns(str(number))][:count]


async def shared_out(first: House, second: House) -> None:
    await held(second, BUCKETS - fair_share(2))
    await held(first, fair_share(2))


async def test_what_a_schedule_used_of_its_own_rate_goes_with_its_guild_to_another_core(join: Join) -> None:
    limits = plan(each_schedule=Limits(rate="1/h"))
    first, second = await join(governor=limits), await join(governor=limits)
    await shared_out(first, second)
    theirs = guilds_of(first, 2)
    used, other = [await first.schedule(guild_id=id, policy={"overlap": "allow"}) for id in theirs]
    await first.ended((await first.run_now(used)).id)
    await die(first)
    await held(second, BUCKETS)
    assert (await second.ended((await second.run_now(other)).id)).state is RunState.SUCCEEDED
    waiting = await second.why(await second.run_now(used))
    assert (waiting.scope, waiting.limit) == (f"schedule:{used.id}", "rate")


async def test_a_core_alone_works_for_everybody(join: Join) -> None:
    house = await join()
    await held(house, BUCKETS)
    done = await house.ended((await house.run_now(await house.schedule(guild_id=None))).id)
    assert done.state is RunState.SUCCEEDED


async def test_cores_share_guilds_out_and_a_core_that_leaves_gives_all_back(join: Join) -> None:
    first = await join()
    second = await join()
    await shared_out(first, second)
    third = await join()
    await held(third, BUCKETS - 2 * fair_share(3))
    both = fair_share(3)
    await held(first, both)
    await held(second, both)
    await second.close()
    await first.until(lambda: first.engine.territory.held + third.engine.territory.held == BUCKETS)


async def test_whichever_core_is_asked_the_one_that_works_for_the_guild_runs_it(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    schedule = await first.schedule(guild_id=theirs)
    done = await first.ended((await first.run_now(schedule)).id)
    assert done.state is RunState.SUCCEEDED
    assert (len(first.hands.calls), len(second.hands.calls)) == (0, 1)


async def test_a_schedule_saved_through_another_core_fires_at_the_one_that_works_for_its_guild(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    schedule = await first.every(3600, guild_id=theirs)
    event = await second.heard("run.succeeded", schedule_id=schedule.id)
    assert event.run_id is not None
    assert (len(first.hands.calls), len(second.hands.calls)) == (0, 1)
    assert (first.engine.tick.fired, second.engine.tick.fired) == (0, 1)
    await first.client.pause_schedule(schedule.id)
    await second.until(lambda: second.engine.tick.look_at() > first.clock.now() + 3_000_000_000)


async def test_a_run_is_cancelled_and_withdrawn_through_another_core(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    schedule = await first.schedule(guild_id=theirs)
    second.hold()
    running = await first.run_now(schedule)
    await second.hands.begun.get()
    behind = await first.run_now(schedule)
    await second.until(lambda: behind.id in second.engine.room)
    await first.client.cancel_run(behind.id)
    await second.until(lambda: behind.id not in second.engine.room)
    await first.client.cancel_run(running.id)
    assert (await first.ended(running.id)).state is RunState.CANCELLED


async def test_why_a_run_waits_is_said_by_whichever_core_is_asked(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    schedule = await first.schedule(guild_id=theirs)
    second.hold()
    running = await first.run_now(schedule)
    await second.hands.begun.get()
    behind = await first.run_now(schedule)
    why = (await first.client.get_run(behind.id)).why
    assert why is not None
    assert (why.limit, why.used, why.allowed) == ("overlap", 1, 1)
    await first.client.cancel_run(running.id)
    second.hands.set_available(False)
    other = await first.run_now(await first.schedule(guild_id=theirs))
    assert (await second.why(other)).scope == "handler:hands"
    why = (await first.client.get_run(other.id)).why
    assert why is not None
    holder, membership = second.engine.incarnation, first.ledger.membership
    assert membership is not None
    place = {member.id: member.place for member in membership.members}[holder]
    assert (why.scope, why.limit) == (f"core:{holder}", "elsewhere")
    assert why.words == f"Another core ({holder}), {place}, works for this run; what it waits for is known there."
    theirs_own = Actor(kind="operator", id="token", guild_id=theirs)
    why = (await first.client.acting_as(theirs_own).get_run(other.id)).why
    assert why is not None
    assert place not in why.words


async def test_that_a_run_is_being_cancelled_is_said_by_whichever_core_is_asked(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    gate = second.hold(obedient=False)
    run = await first.run_now(await first.schedule(guild_id=theirs))
    await second.hands.begun.get()
    seen = [await first.client.cancel_run(run.id), await second.client.get_run(run.id)]
    gate.set()
    seen.append(await first.ended(run.id))
    assert [each.cancelling for each in seen] == [True, True, False]


async def test_who_dies_is_followed_within_its_lease_and_its_runs_are_done(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    second.hold()
    running = await first.run_now(await first.schedule(guild_id=theirs))
    await second.hands.begun.get()
    began = asyncio.get_running_loop().time()
    await die(second)
    await held(first, BUCKETS)
    assert asyncio.get_running_loop().time() - began < 2 * LEASE_S + 2
    done = await first.ended(running.id)
    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 2)
    assert done.attempts[0].outcome == "lost"


async def test_who_was_frozen_writes_nothing_more_and_ends(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    waiting = await first.schedule(guild_id=theirs)
    freeze(second)
    await held(first, BUCKETS)
    with pytest.raises(Exception, match=r"taken over|nothing can be saved"):
        await second.run_now(waiting)
    assert "silent for too long" in str(await second.ledger.failed)
    assert isinstance(_only(await second.crashed()), StoreClosed)
    assert await first.runs(waiting.id) == []


async def test_what_was_committed_before_a_freeze_is_not_sent_after_it(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    (theirs,) = guilds_of(second)
    schedule = await first.schedule(guild_id=theirs, method="once")
    committed, go_on = asyncio.Event(), asyncio.Event()
    write = second.engine.dispatcher._write

    async def stop_behind(*args: Any) -> Any:
        written = await write(*args)
        committed.set()
        await go_on.wait()
        return written

    second.engine.dispatcher._write = stop_behind  # type: ignore[method-assign,assignment]
    run = await first.run_now(schedule)
    await committed.wait()
    freeze(second)
    await held(first, BUCKETS)
    go_on.set()
    await second.crashed()
    assert second.hands.calls == []
    done = await first.ended(run.id)
    assert (done.state, done.reason, done.attempt) == (RunState.FAILED, "lost", 1)
    assert first.hands.calls == []


async def test_a_handler_elsewhere_keeps_its_attempt_when_its_core_dies(join: Join) -> None:
    first, second = await join(serve=False), await join(serve=False)
    await shared_out(first, second)
    far = Mute(second.engine)
    second.engine.join(far)
    also_here = Mute(first.engine)
    first.engine.join(also_here)
    (theirs,) = guilds_of(second)
    run = await first.run_now(await first.schedule(guild_id=theirs, handler="far"))
    order = await asyncio.wait_for(far.orders.get(), PATIENCE_S)
    await die(second)
    # It is told of before the takeover, too: that counts nothing then, and does no harm.
    also_here.answer(order, value='"done"')
    await held(first, BUCKETS)
    done = await first.ended(run.id)
    assert (done.state, done.attempt, done.result) == (RunState.SUCCEEDED, 1, "done")
    assert set(also_here.acknowledged) == {(run.id, 1)}
    assert also_here.orders.empty()


async def test_an_attempt_nobody_answers_for_after_a_takeover_is_lost_after_the_time_to_come_back(join: Join) -> None:
    first, second = await join(serve=False), await join(serve=False)
    await shared_out(first, second)
    far, also_here = Mute(second.engine), Mute(first.engine, name="far@other")
    second.engine.join(far)
    first.engine.join(also_here)
    (theirs,) = guilds_of(second)
    await first.run_now(await first.schedule(guild_id=theirs, handler="far"))
    await asyncio.wait_for(far.orders.get(), PATIENCE_S)
    await die(second)
    await held(first, BUCKETS)
    first.pass_time(ADOPTION_S - 2)
    assert also_here.orders.empty()
    first.pass_time(4)
    again = await asyncio.wait_for(also_here.orders.get(), PATIENCE_S)
    assert again.attempt == 2


async def test_a_bucket_with_work_under_way_is_given_up_only_when_that_has_ended(join: Join) -> None:
    first = await join()
    gate = first.hold()
    schedules = [await first.schedule(guild_id=str(number)) for number in range(1, 200)]
    for schedule in schedules:
        await first.run_now(schedule)
    await first.until(lambda: len(first.hands.calls) == len(schedules))
    second = await join()
    await second.until(lambda: second.engine.territory.held > 0)
    assert len(first.engine.flights) == len(schedules)
    assert not any(second.engine.territory.owns(schedule.guild_id) for schedule in schedules)
    gate.set()
    await shared_out(first, second)
    for schedule in schedules:
        (run,) = await first.runs(schedule.id)
        assert (await first.ended(run.id)).attempt == 1


async def test_a_run_whose_attempt_was_being_written_when_its_bucket_was_laid_down_keeps_its_place_in_the_line(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await join()
    await held(house, BUCKETS)
    store, working = SlowStore(house, monkeypatch), house.hold()
    schedule = await house.schedule(guild_id="7")
    first = await house.run_now(schedule)
    await house.until(lambda: store.held == 1)
    second = await house.run_now(schedule)
    bucket = [bucket_of("7")]
    down = asyncio.create_task(house.engine.estate.lay_down(bucket))
    await house.until(lambda: first.id not in house.engine.room)
    store.go_on.set()
    await down
    await house.engine.estate.take_up(bucket)
    await house.until(lambda: second.id in house.engine.room)
    assert house.engine.room.in_line(second.id) == (1, 1)
    working.set()
    for run in (first, second):
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_what_one_core_tells_is_heard_at_the_other_in_the_order_of_commits(join: Join) -> None:
    first, second = await join(), await join()
    await shared_out(first, second)
    heard: list[int] = []

    async def listen() -> None:
        async for event in second.engine.publisher.follow(0, lambda _: True):
            heard.append(event.seq)  # noqa: PERF401 - it goes on for ever

    listening = asyncio.create_task(listen())
    for number in range(40):
        house = (first, second)[number % 2]
        await house.run_now(await house.schedule(guild_id=str(number)))
    last = await first.schedule()
    seq = (await first.heard("schedule.created", schedule_id=last.id)).seq
    await second.until(lambda: bool(heard) and heard[-1] >= seq)
    listening.cancel()
    assert heard[:seq] == list(range(1, seq + 1))


async def test_a_guilds_limit_is_exact_whichever_core_is_asked(join: Join) -> None:
    limits = plan(schedules=20)
    first, second = await join(governor=limits), await join(governor=limits)
    await shared_out(first, second)

    async def create(number: int) -> bool:
        house = (first, second)[number % 2]
        spec = ScheduleSpec(
            handler="hands", method="work", trigger=DateTrigger(at=first.clock.in_s(86_400)), guild_id="77"
        )
        try:
            await house.client.create_schedule(spec)
        except QuotaExceeded:
            return False
        return True

    made = await asyncio.gather(*(create(number) for number in range(50)))
    assert made.count(True) == 20
    assert await first.ledger.reader.schedules.count("77") == 20


async def test_a_calendar_quota_is_exact_whichever_core_is_asked(join: Join) -> None:
    limits = plan(runs_per_day=15)
    first, second = await join(governor=limits), await join(governor=limits)
    await shared_out(first, second)
    policy = {"on_quota": "skip", "overlap": "allow"}
    schedules = [
        await first.schedule(guild_id="77", policy=policy) for _ in range(50)
    ]  # one waits for none of the others
    runs = await asyncio.gather(*((first, second)[n % 2].run_now(schedule) for n, schedule in enumerate(schedules)))
    ends = [await first.ended(run.id) for run in runs]
    assert [run.state for run in ends].count(RunState.SUCCEEDED) == 15
    assert {run.reason for run in ends if run.state is RunState.SKIPPED} == {"quota"}


async def test_a_zone_changed_at_one_core_and_then_at_another_begins_no_quota_anew(join: Join) -> None:
    limits = plan(runs_per_day=4)
    first, second = await join(governor=limits), await join(governor=limits)
    await shared_out(first, second)
    schedule = await first.schedule(guild_id="77", policy={"on_quota": "skip", "overlap": "allow"})
    await first.client.change_guild_settings("77", {"timezone": "Pacific/Kiritimati"})
    for _ in range(4):
        await first.ended((await first.run_now(schedule)).id)
    await second.client.change_guild_settings("77", {"timezone": "UTC"})  # it has not heard of the other zone
    for house in (second, first):
        assert (await house.run_now(schedule)).reason == "quota"


async def test_a_core_of_another_version_is_refused(join: Join) -> None:
    await join(version="1")
    with pytest.raises(StoreError, match="cores on one database are of one version"):
        await join(version="2")


async def test_a_quota_raised_at_any_core_lets_what_was_put_off_go_and_counts_it_once(join: Join) -> None:
    first = await join(governor=plan(runs_per_day=1))
    second = await join(governor=plan(runs_per_day=1))
    await shared_out(first, second)
    (guild,) = guilds_of(first)
    schedule = await first.schedule(guild_id=guild, policy={"overlap": "allow"})
    await first.ended((await first.run_now(schedule)).id)
    put_off = await first.run_now(schedule)
    await second.client.change_guild_quota(guild, {"runs_per_day": 2})
    for house in (first, second):
        await house.service.measures.turn()
        await house.forwarded()
    assert (await first.ended(put_off.id)).state is RunState.SUCCEEDED
    standing = await first.engine.entitler.standing(first.ledger.reader.usage, guild, first.clock.now())
    assert [each.used for each in standing] == [2]


def _only(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
