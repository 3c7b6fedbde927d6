"""Dead letters: what failed for good is listed, run again or dropped, each guild's by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from core.engine.janitor import Retention
from core.ledger.notes import NoteChanges
from core.ledger.rows import AuditRow
from schedule_zero import Context
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Invalid, NotFound, Reject
from schedule_zero.instant import SECOND
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from schedule_zero.views import DeadChange, DeadFate
from tests.engine.house import House, plan
from tests.service.people import ANNA, MOD, OPERATOR, OWNER, STRANGER, as_
from tests.service.test_idempotency import same

Build = Callable[..., Awaitable[House]]
GUILD_2 = Actor(kind="operator", id="theirs", guild_id="2")
ONCE = {"retry": {"max_attempts": 1}}


@pytest.fixture
async def house(build: Build) -> House:
    """A house at work, whose hands refuse everything."""
    made = await build()
    made.fail_with(*[Reject("no")] * 100)
    return made


async def dead(house: House, schedule: Schedule | None = None, **fields: Any) -> Run:
    """A run that failed for good."""
    return await house.ended((await house.run_now(schedule or await house.schedule(**fields))).id)


async def listed(house: House, **filters: Any) -> list[str]:
    return [each.run.id for each in (await house.client.list_dead(**filters or {"any_guild": True})).items]


def fates(change: DeadChange) -> list[tuple[str, str]]:
    return [(each.id, each.fate) for each in change.items]


async def test_what_failed_or_timed_out_for_good_is_a_dead_letter_and_nothing_else_is(house: House) -> None:
    failed = await dead(house)
    house.fail_with(OSError("away"))
    retried = await house.ended((await house.run_now(await house.schedule(policy={"retry": {"initial": "PT0S"}}))).id)
    house.hold()
    slow = await house.ended((await house.run_now(await house.schedule(policy={"timeout": "PT0.02S", **ONCE}))).id)
    stopped = await house.run_now(await house.schedule())
    await house.client.cancel_run(stopped.id)
    await house.ended(stopped.id)
    assert (retried.state, slow.state) == (RunState.SUCCEEDED, RunState.TIMED_OUT)
    assert await listed(house) == [slow.id, failed.id]
    letter = (await house.client.list_dead(any_guild=True)).items[1]
    assert (letter.run.reason, letter.run.error, letter.run.state) == ("no", "no", RunState.FAILED)


async def test_one_that_may_be_begun_but_once_is_a_dead_letter_too_and_replaying_is_how_it_is_begun_again(
    house: House,
) -> None:
    house.fail_with(OSError("away"))
    lost = await dead(house, method="once")
    change = await house.client.replay_dead([lost.id])
    assert change.items[0].run is not None
    again = await house.ended(change.items[0].run)
    assert (again.state, again.occurrence) == (RunState.SUCCEEDED, f"m:again:{lost.id}")
    assert await listed(house) == []


async def test_a_try_that_came_too_late_leaves_a_dead_letter(build: Build) -> None:
    house = await build()
    house.fail_with(*[OSError("away")] * 9)
    policy = {"catchup_window": "PT20S", "retry": {"initial": "PT10S", "jitter": 0}}
    schedule = await house.every(3600, policy=policy)
    waiting = await house.heard("run.waiting", schedule_id=schedule.id)
    await house.engine.dispatcher.pause()
    house.pass_time(30)
    await house.engine.usher.see_out([str(waiting.run_id)])
    assert await listed(house) == [waiting.run_id]
    assert (await house.client.get_run(str(waiting.run_id))).reason == "expired"


async def test_replaying_takes_the_arguments_as_they_are_now_all_in_one_transaction(house: House) -> None:
    schedule = await house.schedule(args={"n": 1}, policy={"overlap": "allow"})
    ended = [await dead(house, schedule) for _ in range(3)]
    await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})
    house.fail_with()
    change = await house.client.replay_dead(schedule_id=schedule.id)
    assert sorted(fates(change)) == sorted((run.id, "replayed") for run in ended)
    made = [await house.ended(each.run) for each in change.items if each.run is not None]
    assert {run.state for run in made} == {RunState.SUCCEEDED}
    assert [n for _, _, n in house.hands.calls] == [1, 1, 1, 2, 2, 2]
    assert await listed(house) == []


async def test_what_was_retried_is_no_dead_letter_any_more_and_what_fails_again_is_one_anew(house: House) -> None:
    first = await dead(house)
    second = await house.ended((await house.client.retry_run(first.id)).id)
    assert await listed(house) == [second.id]
    (gone,) = (await house.client.replay_dead([first.id])).items
    assert gone == DeadFate(id=first.id, fate="gone")


async def test_asking_twice_does_it_once_with_a_key_and_without(house: House) -> None:
    run = await dead(house)
    request = ask.ReplayDead(ids=(run.id,), idempotency_key="k")
    first = await house.client.send(request)
    assert same(await house.client.send(request), first)
    at_once = await asyncio.gather(*(house.client.replay_dead([run.id]) for _ in range(5)))
    assert {fate for change in at_once for fate in fates(change)} == {(run.id, "gone")}
    assert len((await house.client.list_runs(schedule_id=run.schedule_id)).items) == 2


async def test_what_is_dropped_is_forgotten_and_its_run_stays(house: House) -> None:
    kept, dropped = await dead(house), await dead(house)
    request = ask.DropDead(ids=(dropped.id,), idempotency_key="k")
    assert isinstance(first := await house.client.send(request), DeadChange)
    assert fates(first) == [(dropped.id, "dropped")]
    assert same(await house.client.send(request), first)
    assert fates(await house.client.drop_dead([dropped.id])) == [(dropped.id, "gone")]
    assert await listed(house) == [kept.id]
    assert (await house.client.get_run(dropped.id)).state is RunState.FAILED


async def test_of_a_deleted_schedule_nothing_is_replayed_and_all_can_be_dropped(house: House) -> None:
    run = await dead(house)
    await house.client.delete_schedule(run.schedule_id)
    (refused,) = (await house.client.replay_dead([run.id])).items
    assert (refused.fate, "bring it back first: its deletion can be undone until" in (refused.why or "")) == (
        "refused",
        True,
    )
    house.clock.move(16 * 60)
    (refused,) = (await house.client.replay_dead([run.id])).items
    assert refused.why == "its schedule is deleted, and it is too late to bring it back"
    assert await listed(house) == [run.id]
    assert fates(await house.client.drop_dead([run.id])) == [(run.id, "dropped")]


async def test_of_a_blocked_schedule_nothing_is_run_again_until_it_is_resumed(house: House) -> None:
    schedule = await house.every(3600, policy={"failure_threshold": 1})
    run = await dead(house, schedule)
    await house.heard("schedule.blocked", schedule_id=schedule.id)
    (refused,) = (await house.client.replay_dead([run.id])).items
    assert (refused.fate, refused.why) == ("refused", "its schedule is blocked; resume it first")
    with pytest.raises(Conflict, match=r"^The schedule of this run is blocked; resume it first\.$"):
        await house.client.retry_run(run.id)
    assert await listed(house) == [run.id]
    await house.client.resume_schedule(schedule.id)
    assert fates(await house.client.replay_dead([run.id])) == [(run.id, "replayed")]


async def test_what_overlap_or_quota_forbids_stays_a_dead_letter(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=3))
    house.fail_with(Reject("no"), Reject("no"))
    busy = await house.schedule(policy={"overlap": "skip", "on_quota": "skip"})
    first, second = [await dead(house, busy) for _ in range(2)]
    gate = house.hold()
    under_way = await house.run_now(busy)
    await house.hands.begun.get()
    change = await house.client.replay_dead([first.id, second.id])
    assert [(each.fate, "overlap is skip" in (each.why or "")) for each in change.items] == [("refused", True)] * 2
    gate.set()
    await house.ended(under_way.id)
    change = await house.client.replay_dead([first.id, second.id])
    assert [(each.fate, "has used 3 of 3 runs" in (each.why or "")) for each in change.items] == [("refused", True)] * 2
    assert await listed(house) == [second.id, first.id]


async def test_a_listing_is_paged_and_filtered_and_a_filter_goes_on_where_it_stopped(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = await house.schedule()
    ended = []
    for _ in range(5):
        ended.append((await dead(house, schedule)).id)
        house.clock.move(1)
    other = await dead(house, guild_id="2")
    page = await house.client.list_dead(guild_id="1", limit=3)
    rest = await house.client.list_dead(guild_id="1", limit=3, cursor=page.next)
    assert [each.run.id for each in (*page.items, *rest.items)] == ended[::-1]
    assert rest.next is None
    assert await listed(house, schedule_id=schedule.id) == ended[::-1]
    assert await listed(house, any_guild=True, handler="nobody") == []
    monkeypatch.setattr("core.service.dead.MOST", 2)
    sizes, cursor = [], None
    while True:
        change = await house.client.drop_dead(guild_id="1", cursor=cursor)
        sizes.append(len(change.items))
        cursor = change.next
        if cursor is None:
            break
    assert sizes == [2, 2, 1]
    assert await listed(house) == [other.id]


async def test_a_guild_sees_and_touches_its_own_alone(house: House) -> None:
    ours, theirs = await dead(house, guild_id="1"), await dead(house, guild_id="2")
    mine = as_(house, GUILD_2)
    assert [each.run.id for each in (await mine.list_dead(any_guild=True)).items] == [theirs.id]
    assert [each.run.id for each in (await mine.list_dead(handler="hands", any_guild=True)).items] == [theirs.id]
    for asking in (mine.list_dead(guild_id="1"), mine.replay_dead(guild_id="1"), mine.drop_dead(guild_id="1")):
        with pytest.raises(NotFound):
            await asking
    for asking in (mine.list_dead(schedule_id=ours.schedule_id), mine.drop_dead(schedule_id=ours.schedule_id)):
        with pytest.raises(NotFound):
            await asking
    assert fates(await mine.drop_dead([ours.id])) == [(ours.id, "gone")]
    assert fates(await mine.replay_dead([ours.id])) == [(ours.id, "gone")]
    assert fates(await mine.drop_dead(handler="hands")) == [(theirs.id, "dropped")]
    assert await listed(house) == [ours.id]


async def test_a_member_sees_their_own_and_moderators_their_servers(house: House) -> None:
    schedule = await house.schedule(owner_id="anna")
    run = await dead(house, schedule)
    other = await dead(house)
    assert [each.run.id for each in (await as_(house, ANNA).list_dead(guild_id="1")).items] == [run.id]
    assert [each.run.id for each in (await as_(house, MOD).list_dead(guild_id="1")).items] == [other.id, run.id]
    assert fates(await as_(house, STRANGER).replay_dead([run.id])) == [(run.id, "gone")]
    (refused,) = (await as_(house, MOD).replay_dead([run.id])).items
    assert (refused.fate, "Manage Server" in (refused.why or "")) == ("refused", True)
    assert fates(await as_(house, ANNA).drop_dead([run.id])) == [(run.id, "dropped")]


async def test_a_replay_is_noted_in_the_name_of_whom_the_service_asks_for_and_of_nobody_else(house: House) -> None:
    ended = [await dead(house) for _ in range(2)]
    await house.client.replay_dead([ended[0].id], by="discord:eve")
    await as_(house, OWNER).replay_dead([ended[1].id], by="discord:eve")
    lines = (await house.client.list_audit(any_guild=True, action="dead.replay")).items
    assert {(line.target, line.actor) for line in lines} == {
        (ended[0].id, "discord:eve"),
        (ended[1].id, "member:owner"),
    }


async def test_each_replay_and_drop_has_its_line_in_the_audit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await dead(house), await dead(house)
    lines: list[AuditRow] = []
    write = NoteChanges.audit

    async def noting(notes: NoteChanges, rows: Sequence[AuditRow]) -> None:
        lines.extend(rows)
        await write(notes, rows)

    monkeypatch.setattr(NoteChanges, "audit", noting)
    change = await as_(house, OPERATOR).replay_dead([first.id])
    await as_(house, OPERATOR).drop_dead([second.id, first.id])
    assert [(line.actor, line.action, line.target, line.guild_id) for line in lines] == [
        ("operator:token", "dead.replay", first.id, "1"),
        ("operator:token", "dead.drop", second.id, "1"),
    ]
    assert lines[0].after == f'{{"run":"{change.items[0].run}"}}'


async def test_they_go_with_their_runs_when_those_are_too_old(build: Build) -> None:
    house = await build(retention=Retention(runs=10 * SECOND))
    house.fail_with(Reject("no"))
    run = await dead(house)
    house.clock.move(11)
    await house.engine.janitor.sweep()
    with pytest.raises(NotFound):
        await house.client.get_run(run.id)
    assert await listed(house) == []


@pytest.mark.parametrize("asked", [{}, {"ids": ["run_1"], "handler": "hands"}])
async def test_it_is_said_which_are_meant(house: House, asked: dict[str, Any]) -> None:
    for asking in (house.client.replay_dead(**asked), house.client.drop_dead(**asked)):
        with pytest.raises(Invalid, match="name dead letters by their runs, or a guild_id") as refusal:
            await asking
        assert ("exclude each other" in refusal.value.sentence) == bool(asked)


async def test_what_was_replayed_is_not_superseded_by_the_next_time_of_its_schedule(house: House) -> None:
    schedule = await house.every(60)
    failed = await house.heard("run.failed", schedule_id=schedule.id)
    house.hands.set_available(False)
    (fate,) = (await house.client.replay_dead([str(failed.run_id)])).items
    house.clock.move(60)
    await house.heard("run.created", schedule_id=schedule.id, count=3)
    house.clock.move(60)  # that one is superseded
    await house.heard("run.skipped", schedule_id=schedule.id)
    assert fate.run is not None
    assert (await house.client.get_run(fate.run)).state is RunState.WAITING


async def test_a_retry_that_would_be_skipped_is_refused_and_the_dead_letter_stays(house: House) -> None:
    schedule = await house.schedule(policy={"overlap": "skip"})
    failed = await dead(house, schedule)
    gate = house.hold()
    other = await house.run_now(schedule)
    await house.heard("run.started", run_id=other.id)
    with pytest.raises(Conflict, match="cannot be run again now: another run"):
        await house.client.retry_run(failed.id)
    assert await listed(house) == [failed.id]
    gate.set()
    await house.ended(other.id)
    assert (await house.ended((await house.client.retry_run(failed.id)).id)).state is RunState.SUCCEEDED
    assert await listed(house) == []


async def test_what_followed_another_is_replayed_with_what_that_left(house: House) -> None:
    """Inside the unit nothing is read but its transaction; else the store would wait for itself."""
    parent = await house.schedule(name="one")
    link = After(schedule=parent.id, when="success")
    spec = ScheduleSpec(handler="hands", method="work", guild_id="1", trigger=None, after=(link,),
                        args={"n": "{parent:one.result.n}"})  # fmt: skip
    child = await house.client.create_schedule(spec)
    refusals = [Reject("no")]

    async def deed(ctx: Context, n: int) -> Any:
        if ctx.schedule_id == child.id and refusals:
            raise refusals.pop()
        return {"n": n}

    house.hands.deed = deed
    await house.run_now(parent, n=7)
    failed = await house.heard("run.failed", schedule_id=child.id)
    async with asyncio.timeout(10):
        (fate,) = (await house.client.replay_dead([str(failed.run_id)])).items
    assert fate.run is not None
    assert (await house.ended(fate.run)).result == {"n": 7}
