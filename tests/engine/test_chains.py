"""Chains: whatever ends a run, what follows it is there in the same transaction, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.engine.chains import SATISFIES, occurrence_of
from core.ledger.file import FileDriver
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDatabase, MemoryDriver
from core.ledger.reach import address_of
from core.ledger.server import ServerDriver
from schedule_zero import Context, Reject
from schedule_zero.event import EventKind
from schedule_zero.run import ACTIVE, TERMINAL, Run, RunState
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from tests.engine.conftest import Build
from tests.engine.house import House, plan
from tests.postgres import databases

__all__ = ["databases"]  # a fixture


@pytest.fixture(
    params=["memory", pytest.param("file", marks=pytest.mark.slow), pytest.param("server", marks=pytest.mark.slow)]
)
def make_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], StoredLedger]]:
    """Ledgers over the same rows, in each kind of store."""
    if request.param == "file":
        yield lambda: StoredLedger(FileDriver(tmp_path / "ledger.sqlite3", synchronous="normal"))
    elif request.param == "server":
        server = request.getfixturevalue("databases")
        with server.one() as name:
            yield lambda: StoredLedger(ServerDriver(address_of(server.server.url(name))))
    else:
        database = MemoryDatabase()
        yield lambda: StoredLedger(MemoryDriver(database.connect))
        database.close()


@pytest.fixture
async def house(build: Build) -> House:
    return await build()


async def after(house: House, parent: Schedule, when: str = "success", delay: str = "PT0S", **fields: Any) -> Schedule:
    """A schedule without times of its own that runs after another."""
    link = After(schedule=parent.id, when=when, delay=delay)  # type: ignore[arg-type]
    return await joining(house, link, **fields)


async def joining(house: House, *links: After, **fields: Any) -> Schedule:
    fields = {"handler": "hands", "method": "work", "guild_id": "1", **fields}
    return await house.client.create_schedule(ScheduleSpec(trigger=None, after=links, **fields))


async def follower(house: House, child: Schedule, parent: Run) -> Run | None:
    """The child's run for a parent's run, if there is one by now."""
    row = await house.ledger.reader.runs.by_occurrence(child.id, occurrence_of(parent.id))
    return None if row is None else await house.client.get_run(row.id)


async def ended_as(house: House, schedule: Schedule, state: RunState) -> Run:
    """A run of a schedule, brought to an end of that kind."""
    if state is RunState.SUCCEEDED:
        return await house.ended((await house.run_now(schedule)).id)
    if state is RunState.FAILED:
        house.fail_with(Reject("no"))
        return await house.ended((await house.run_now(schedule)).id)
    gate = house.hold()
    first = await house.run_now(schedule)
    if state is RunState.TIMED_OUT:
        return await house.ended(first.id)
    await house.heard(EventKind.RUN_STARTED, run_id=first.id)
    if state is RunState.CANCELLED:
        await house.client.cancel_run(first.id)
        return await house.ended(first.id)
    await house.client.patch_schedule(schedule.id, {"policy": {"overlap": "skip"}})
    skipped = await house.run_now(schedule)
    assert skipped.state is RunState.SKIPPED
    gate.set()
    return skipped


TABLE = {
    ("success", RunState.SUCCEEDED): True,
    ("failure", RunState.FAILED): True,
    ("failure", RunState.TIMED_OUT): True,
    **{("any", state): True for state in TERMINAL},
    ("all", RunState.SUCCEEDED): True,
}


@pytest.mark.parametrize("state", sorted(TERMINAL))
async def test_what_follows_which_end(house: House, state: RunState) -> None:
    """One row for each ``when`` and each end, as the guarantees say it."""
    policy = {"retry": {"max_attempts": 1}}
    parent = await house.schedule(policy=policy, method="brief" if state is RunState.TIMED_OUT else "work")
    children = {when: await after(house, parent, when) for when in SATISFIES}
    ended = await ended_as(house, parent, state)
    assert ended.state is state
    for when, child in children.items():
        found = await follower(house, child, ended)
        assert (found is not None) is TABLE.get((when, state), False), (when, state)
        if found is not None:
            assert found.parent == ended.id
            assert found.occurrence == f"c:{ended.id}"


async def test_a_childs_run_is_told_and_shown_with_its_parent(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent)
    run = await house.ended((await house.run_now(parent)).id)
    found = await follower(house, child, run)
    assert found is not None
    assert (await house.client.get_run(run.id)).children == (found.id,)
    assert (await house.heard(EventKind.RUN_CREATED, run_id=found.id)).data["parent"] == run.id
    assert (await house.ended(found.id)).state is RunState.SUCCEEDED
    assert child.state == "active"
    assert child.next_fire_times == ()
    assert child.trigger is None
    assert child.notes == (f"it has no times of its own; it runs after {parent.id} succeeds",)


async def test_a_delay_is_waited_for(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, delay="PT10M")
    run = await house.ended((await house.run_now(parent)).id)
    found = await follower(house, child, run)
    assert found is not None
    assert found.why is not None
    assert found.why.words.startswith("It follows another run after a while")
    house.pass_time(601)
    assert (await house.ended(found.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("state", ["paused", "deleted", "blocked"])
async def test_who_is_stopped_gets_no_run_and_nothing_is_made_up_for(house: House, state: str) -> None:
    parent = await house.schedule()
    child = await after(house, parent)
    if state == "deleted":
        await house.client.delete_schedule(child.id)
    else:
        await house.rewrite(child.id, state=state)
    missed = await house.ended((await house.run_now(parent)).id)
    assert await follower(house, child, missed) is None
    if state == "deleted":
        return
    await house.client.resume_schedule(child.id)
    assert (await house.client.get_schedule(child.id)).state == "active"
    assert await follower(house, child, missed) is None
    assert await follower(house, child, await house.ended((await house.run_now(parent)).id)) is not None


async def test_all_joins_the_latest_run_of_each_since_the_childs_own_last(house: House) -> None:
    first, second = await house.schedule(), await house.schedule()
    child = await joining(house, *(After(schedule=each.id, when="all") for each in (first, second)))

    async def ran(parent: Schedule, error: BaseException | None = None) -> Run | None:
        house.fail_with(error)
        return await follower(house, child, await house.ended((await house.run_now(parent)).id))

    assert await ran(first) is None
    assert await ran(first) is None
    assert await ran(second) is not None
    assert await ran(second) is None  # the first's was used
    assert await ran(first, Reject("no")) is None
    assert await ran(second) is None  # the latest of the first failed
    assert await ran(first) is not None
    assert await ran(first) is None
    await house.ended((await house.run_now(child)).id)
    assert await ran(second) is None  # the child has run since
    assert await ran(first) is not None
    assert await ran(first) is None
    await house.client.pause_schedule(child.id)
    assert await ran(first, Reject("no")) is None
    await house.client.resume_schedule(child.id)
    assert await ran(second) is None  # what the first did meanwhile counts, too
    assert await ran(first) is not None


async def test_a_chain_of_three_runs_to_its_end_and_a_retry_counts_as_a_run(house: House) -> None:
    first = await house.schedule(policy={"retry": {"max_attempts": 1}})
    second = await after(house, first)
    third = await after(house, second)
    house.fail_with(Reject("no"))
    failed = await house.ended((await house.run_now(first)).id)
    assert await follower(house, second, failed) is None
    again = await house.ended((await house.client.retry_run(failed.id)).id)
    one = await follower(house, second, again)
    assert one is not None
    two = await follower(house, third, await house.ended(one.id))
    assert two is not None
    assert (await house.ended(two.id)).state is RunState.SUCCEEDED


async def test_ends_that_are_no_outcomes_count(house: House) -> None:
    """Pausing, the tick's overlap, and time: each through its own transaction."""
    parent = await house.schedule()
    child = await after(house, parent, "any")
    gate = house.hold()
    running, waiting = await house.run_now(parent), await house.run_now(parent)
    await house.heard(EventKind.RUN_STARTED, run_id=running.id)
    await house.client.pause_schedule(parent.id)
    assert (await house.ended(waiting.id)).state is RunState.CANCELLED
    assert await follower(house, child, waiting) is not None
    gate.set()
    series = await house.every(30, policy={"catchup": "skip", "catchup_window": "PT1S", "overlap": "queue"})
    late = await after(house, series, "any")
    house.hands.deed = None
    house.clock.move(95)
    skipped = await house.heard(EventKind.RUN_SKIPPED, schedule_id=series.id)
    assert skipped.run_id is not None
    assert await follower(house, late, await house.client.get_run(skipped.run_id)) is not None


async def test_a_child_that_is_skipped_at_once_has_followers_itself(build: Build) -> None:
    house = await build(governor=plan(runs_per_day=1))
    parent = await house.schedule()
    child = await after(house, parent, policy={"on_quota": "skip"})
    last = await after(house, child, "any", policy={"on_quota": "skip"})
    run = await house.ended((await house.run_now(parent)).id)
    one = await follower(house, child, run)
    assert one is not None
    two = await follower(house, last, one)
    assert two is not None
    assert (one.reason, two.reason) == ("quota", "quota")


async def test_overlap_is_decided_for_what_follows_too(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, policy={"overlap": "skip"}, method="once")
    gate = house.hold()
    gate.set()
    first = await follower(house, child, await house.ended((await house.run_now(parent)).id))
    assert first is not None
    await house.ended(first.id)
    stuck = house.hold()
    busy = await house.run_now(child)
    await house.heard(EventKind.RUN_STARTED, run_id=busy.id)
    house.hands.deed = None
    second = await follower(house, child, await house.ended((await house.run_now(parent)).id))
    assert second is not None
    assert (second.state, second.reason) == (RunState.SKIPPED, "overlap")
    stuck.set()


async def test_what_waits_by_a_link_that_is_taken_away_is_skipped(house: House) -> None:
    parent = await house.schedule()
    child = await house.schedule(after=(After(schedule=parent.id, delay="PT1H"),))
    found = await follower(house, child, await house.ended((await house.run_now(parent)).id))
    assert found is not None
    await house.client.remove_link(child.id, parent.id)
    gone = await house.client.get_run(found.id)
    assert (gone.state, gone.reason) == (RunState.SKIPPED, "chain")


async def test_times_of_its_own_do_not_take_away_what_follows_another(house: House) -> None:
    parent = await house.schedule()
    child = await house.every(60, first_in=120, after=(After(schedule=parent.id, delay="PT1H"),))
    found = await follower(house, child, await house.ended((await house.run_now(parent)).id))
    assert found is not None
    house.clock.move(130)
    await house.heard(EventKind.RUN_SUCCEEDED, schedule_id=child.id)
    assert (await house.client.get_run(found.id)).state is RunState.WAITING


async def test_a_schedule_whose_own_time_is_over_lives_as_long_as_it_follows_another(house: House) -> None:
    from schedule_zero.trigger import DateTrigger

    parent = await house.schedule()
    once = DateTrigger(at=house.clock.in_s(5))
    child = await house.schedule(once, after=(After(schedule=parent.id),))
    house.clock.move(6)
    await house.heard(EventKind.RUN_SUCCEEDED, schedule_id=child.id)
    assert (await house.client.get_schedule(child.id)).state == "active"
    assert await follower(house, child, await house.ended((await house.run_now(parent)).id)) is not None
    assert (await house.client.remove_link(child.id, parent.id)).state == "done"


async def test_a_link_saved_beside_the_end_of_its_parent_is_before_it_or_behind_it(house: House) -> None:
    """Whoever has the answer that a link is saved finds a run for every end that comes after."""
    for _ in range(20):
        parent = await house.schedule()
        gate = house.hold()
        run = await house.run_now(parent)
        await house.working(run.id)
        saved = asyncio.create_task(after(house, parent))
        gate.set()
        child = await saved
        ended = await house.ended(run.id)
        told = [event.seq for event in await house.told("run.succeeded") if event.run_id == ended.id]
        made = [event.seq for event in await house.told("schedule.created") if event.schedule_id == child.id]
        assert (await follower(house, child, ended) is not None) is (made < told)
        await house.client.delete_schedule(child.id)


async def test_a_core_that_starts_anew_knows_who_follows_whom(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, "any")
    house.hold()
    run = await house.run_now(parent)
    await house.heard(EventKind.RUN_STARTED, run_id=run.id)
    await house.kill()
    house.hands.deed = None
    await house.open()
    found = await follower(house, child, await house.ended(run.id))
    assert found is not None
    assert (await house.ended(found.id)).state is RunState.SUCCEEDED


async def test_a_run_that_nothing_follows_asks_the_store_for_nothing(house: House, monkeypatch: Any) -> None:
    asked: list[Any] = []
    from core.ledger.links import LinkChanges

    real = LinkChanges.below

    async def below(self: LinkChanges, parents: Any) -> Any:
        asked.append(parents)
        return await real(self, parents)

    monkeypatch.setattr(LinkChanges, "below", below)
    parent, alone = await house.schedule(), await house.schedule()
    child = await after(house, parent)
    asked.clear()
    await house.ended((await house.run_now(alone)).id)
    assert asked == []
    run = await house.ended((await house.run_now(parent)).id)
    assert asked == [[parent.id]]
    assert await follower(house, child, run) is not None


async def test_a_parents_result_is_the_childs_argument(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, args={"n": "{parent.result.n}"})
    run = await house.ended((await house.run_now(parent, n=7)).id)
    found = await follower(house, child, run)
    assert found is not None
    assert (await house.ended(found.id)).result == {"n": 7}


async def test_an_argument_that_stands_for_nothing_fails_the_run_before_any_attempt(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, args={"n": "{parent.result.rows}"}, policy={"failure_threshold": 2})
    run = await house.ended((await house.run_now(parent)).id)
    found = await follower(house, child, run)
    assert found is not None
    assert (found.state, found.reason, found.attempts) == (RunState.FAILED, "arguments", ())
    assert found.error == f"args.n: {{parent.result.rows}} stands for nothing: the result of {run.id} has no 'rows'"
    await house.client.patch_schedule(child.id, {"args": {"n": "{parent.result.n}"}})
    mended = await house.client.retry_run(found.id)
    assert (await house.ended(mended.id)).state is RunState.SUCCEEDED
    await house.client.patch_schedule(child.id, {"args": {"n": "{parent.result.rows}"}})
    for _ in range(2):
        await house.ended((await house.run_now(parent)).id)
    blocked = await house.client.get_schedule(child.id)
    assert (blocked.state, blocked.note is not None) == ("blocked", True)


async def test_the_parents_of_a_join_are_taken_by_name(house: House) -> None:
    first, second = await house.schedule(name="one.a"), await house.schedule(name="two")
    links = (After(schedule=first.id, when="all"), After(schedule=second.id, when="all"))
    args = {"n": "{parent:one.a.result.n}"}
    child = await joining(house, *links, args=args)
    await house.ended((await house.run_now(first, n=3)).id)
    found = await follower(house, child, await house.ended((await house.run_now(second, n=4)).id))
    assert found is not None
    assert (await house.ended(found.id)).result == {"n": 3}


def test_every_end_is_in_the_table() -> None:
    assert {state for _, state in TABLE} <= TERMINAL
    assert TERMINAL.isdisjoint(ACTIVE)


async def test_no_fallback_ends_the_core(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, args={"n": "{parent.result.rows|" + "[" * 5_000 + "}"})
    run = await house.ended((await house.run_now(parent)).id)
    found = await follower(house, child, run)
    assert found is not None
    assert (await house.ended(found.id)).error is not None  # the method takes a number


async def test_a_run_that_joined_several_takes_of_all_of_them_when_it_is_run_again(house: House) -> None:
    first, second = await house.schedule(name="one"), await house.schedule(name="two")
    links = (After(schedule=first.id, when="all"), After(schedule=second.id, when="all"))
    child = await joining(house, *links, args={"n": "{parent:one.result.n}"})
    refusals = [Reject("no"), Reject("no")]

    async def deed(ctx: Context, n: int) -> Any:
        if ctx.schedule_id == child.id and refusals:
            raise refusals.pop()
        return {"n": n}

    house.hands.deed = deed
    for n in (2, 3):
        await house.ended((await house.run_now(first, n=n)).id)
    found = await follower(house, child, await house.ended((await house.run_now(second, n=4)).id))
    assert found is not None
    await house.ended(found.id)
    await house.ended((await house.run_now(first, n=5)).id)  # that came later, and is not what it joined
    again = await house.ended((await house.client.retry_run(found.id)).id)
    assert (again.state, again.error) == (RunState.FAILED, "no")
    again = await house.ended((await house.client.retry_run(again.id)).id)
    assert (again.state, again.result) == (RunState.SUCCEEDED, {"n": 3})


async def test_affinity_by_an_argument_goes_by_what_is_filled_in(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, args={"n": "{parent.result.n}"}, policy={"affinity": "{args.n}"})
    routings = []
    for n in (1, 2, 1):
        found = await follower(house, child, await house.ended((await house.run_now(parent, n=n)).id))
        assert found is not None
        row = await house.ledger.reader.runs.get(found.id)
        assert row is not None
        routings.append(row.routing)
    assert routings[0] == routings[2] != routings[1]


async def test_placeholders_that_came_while_a_run_waited_are_filled_in_before_it_begins(house: House) -> None:
    parent = await house.schedule(name="one")
    child = await after(house, parent, delay="PT1H", args={"n": 1})
    run = await house.ended((await house.run_now(parent, n=7)).id)
    await house.client.patch_schedule(child.id, {"args": {"n": "{parent:one.result.n}"}})
    house.pass_time(3601)
    found = await follower(house, child, run)
    assert found is not None
    assert (await house.ended(found.id)).result == {"n": 7}


async def test_what_cannot_be_filled_in_when_a_run_begins_fails_before_its_attempt(house: House) -> None:
    parent = await house.schedule()
    child = await after(house, parent, delay="PT1H", args={"n": 1})
    run = await house.ended((await house.run_now(parent, n=7)).id)
    await house.client.patch_schedule(child.id, {"args": {"n": "{parent.result.rows}"}})
    house.pass_time(3601)
    found = await follower(house, child, run)
    assert found is not None
    failed = await house.ended(found.id)
    assert (failed.state, failed.reason, failed.attempts) == (RunState.FAILED, "arguments", ())
    assert failed.error == f"args.n: {{parent.result.rows}} stands for nothing: the result of {run.id} has no 'rows'"
    assert [letter.run.id for letter in (await house.client.list_dead(guild_id="1")).items] == [failed.id]
    await house.until(lambda: house.engine.governor._global.running.used == 0)
    await house.client.patch_schedule(child.id, {"args": {"n": "{parent.result.n}"}})
    assert (await house.ended((await house.client.retry_run(failed.id)).id)).result == {"n": 7}
