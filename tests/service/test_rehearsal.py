"""What would become of a run: told without making it, and as it then becomes."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound
from schedule_zero.run import RunCheck
from tests.engine.conftest import Build
from tests.engine.house import House, Mute, plan
from tests.service.people import MOD, OWNER, STRANGER, as_


async def _checked(house: House, schedule_id: str, **args: Any) -> RunCheck:
    found = await house.client.check_run(schedule_id, args=args)
    assert (await house.client.list_runs(schedule_id=schedule_id, state="waiting")).items == ()
    assert house.hands.calls == []
    return found


async def test_who_could_get_it_is_named_and_nothing_is_made(house: House) -> None:
    schedule = await house.schedule()
    before = await house.told("run.created")
    found = await _checked(house, schedule.id, n=3)
    assert (len(found.instances), found.why, found.skipped) == (1, None, None)
    assert await house.told("run.created") == before


async def test_the_likeliest_process_comes_first_and_conditions_are_heeded(house: House) -> None:
    busy, free = Mute(house.engine, name="far@busy"), Mute(house.engine, name="far@free")
    for link in (busy, free):
        house.engine.join(link)
    busy.instance.in_flight = 60
    schedule = await house.schedule(handler="far")
    assert (await house.client.check_run(schedule.id)).instances == ("far@free", "far@busy")
    free.instance.capabilities = frozenset({"gpu"})
    picky = await house.schedule(handler="far", policy={"needs": ["gpu"]})
    assert (await house.client.check_run(picky.id)).instances == ("far@free",)


async def test_what_it_would_wait_for_is_said(build: Build) -> None:
    alone = await build(run=False, serve=False, governor=plan(running=1))
    link = Mute(alone.engine)
    alone.engine.join(link)
    schedule = await alone.schedule(handler="far")
    alone.engine.governor.take("1", "far.work", ["far@elsewhere"], alone.clock.monotonic())
    full = (await alone.client.check_run(schedule.id)).why
    assert full is not None
    assert (full.scope, full.limit) == ("guild:1", "running")
    alone.engine.leave(link.instance, "it said goodbye")
    gone = (await alone.client.check_run(schedule.id)).why
    assert gone is not None
    assert gone.words.startswith("No handler far is connected, and none has been since ")


async def test_a_used_up_quota_is_said(build: Build) -> None:
    house = await build(run=False, governor=plan(runs_per_day=1))
    schedule = await house.schedule()
    assert (await house.client.check_run(schedule.id)).why is None
    await house.run_now(schedule)
    why = (await house.client.check_run(schedule.id)).why
    assert why is not None
    assert why.limit == "runs_per_day"
    assert "1 of 1" in why.words


async def test_a_run_that_would_be_left_out_is_said_to_be(build: Build) -> None:
    house = await build()
    gate = house.hold()
    schedule = await house.schedule(policy={"overlap": "skip"})
    await house.run_now(schedule)
    await house.heard("run.started")
    assert "leaves out others" in str((await house.client.check_run(schedule.id)).skipped)
    gate.set()


async def test_in_a_suspended_server_it_is_the_suspension_that_is_said_and_no_limit_of_0(build: Build) -> None:
    house = await build(run=False, governor=plan(running=3))
    schedule = await house.schedule(guild_id="1")
    await house.client.suspend_guild("1", "spam")
    why = (await house.client.check_run(schedule.id)).why
    assert why is not None
    assert (why.scope, why.limit) == ("guild:1", "suspended")
    assert why.words == "This server is suspended (spam); it goes on when an operator resumes it."
    gauges = {each.limit: each for each in (await house.client.get_guild("1")).gauges}
    assert gauges["running"].allowed == 3
    assert (await house.client.guild_quota("1")).limits["running"] == 3


async def test_where_nothing_may_run_nothing_is_said_to_end(build: Build) -> None:
    house = await build(run=False, governor=plan(running=0))
    schedule = await house.schedule()
    why = (await house.client.check_run(schedule.id)).why
    assert why is not None
    assert why.words == "Guild 1 may run nothing (its limit is 0); it goes on when that is raised."


@pytest.mark.parametrize(
    ("most", "policy", "words"),
    [
        (0, {"on_quota": "skip"}, "this server may run nothing (runs_per_day is 0)"),
        (1, {"on_quota": "skip"}, "the quota of this server is used up (runs_per_day is 1)"),
    ],
)
async def test_what_a_quota_would_leave_out_is_not_said_to_wait(
    build: Build, most: int, policy: dict[str, Any], words: str
) -> None:
    house = await build(run=False, governor=plan(runs_per_day=most))
    schedule = await house.schedule(policy={"overlap": "allow", **policy})
    for _ in range(most):
        await house.run_now(schedule)
    check = await house.client.check_run(schedule.id)
    assert check.why is None
    assert str(check.skipped).startswith(words)
    skipped = await house.run_now(schedule)
    assert (skipped.state, skipped.reason) == ("skipped", "quota")


async def test_what_belongs_to_somebody_banned_is_said_to_be_left_out(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(owner_id="anna")
    await house.client.ban_user("anna", "spam")
    assert (await house.client.check_run(schedule.id)).skipped == "its owner may not use this service any more"


async def test_it_is_refused_as_the_run_would_be(house: House) -> None:
    schedule = await house.schedule()
    with pytest.raises(Invalid, match=r"args\.n"):
        await house.client.check_run(schedule.id, args={"n": "many"})
    with pytest.raises(Forbidden):
        await as_(house, MOD).check_run(schedule.id)
    with pytest.raises(NotFound):
        await as_(house, STRANGER).check_run(schedule.id)
    assert (await as_(house, OWNER).check_run(schedule.id)).instances
    await house.client.delete_schedule(schedule.id)
    with pytest.raises(Conflict, match="deleted"):
        await house.client.check_run(schedule.id)
