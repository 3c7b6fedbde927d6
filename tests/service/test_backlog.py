"""How many runs wait and what for, wherever they wait: for a quota, for an earlier run, for an operator."""

from __future__ import annotations

from core.governor.settings import GovernorSettings, GuildQuota, Limits, MethodQuota, Plan
from tests.engine.conftest import Build
from tests.engine.house import House, plan


async def _piles(house: House) -> dict[str, int]:
    """How many runs of guild 1 wait, by what for; the same for everybody, who has no other guild."""
    queue = await house.client.queue()
    (guild,) = queue.guilds
    assert queue.scopes == guild.scopes
    assert (await house.client.get_guild("1")).waiting == guild.waiting == queue.waiting
    return {each.limit: each.runs for each in guild.scopes}


async def test_runs_that_wait_for_a_quota_are_counted_and_said_to(build: Build) -> None:
    house = await build(run=False, governor=plan(runs_per_day=1))
    schedule = await house.schedule(policy={"overlap": "allow"})
    for _ in range(3):
        await house.run_now(schedule)
    assert await _piles(house) == {"turn": 1, "runs_per_day": 2}


async def test_whose_quota_is_used_up_is_said_where_it_is_not_the_servers(build: Build) -> None:
    shared = Plan(shared=Limits(runs_per_month=1))
    governor = GovernorSettings(
        global_=Limits(running=10), plans={"free": shared, "each": Plan(each_schedule=Limits(runs_per_hour=1))},
        default_plan="free", guilds={"2": GuildQuota(plan="each")}, methods={"hands.work": MethodQuota(runs_per_day=2)},
    )  # fmt: skip
    house = await build(run=False, governor=governor)
    for guild in ("1", "1", "2", None, None):
        schedule = await house.schedule(guild_id=guild, policy={"overlap": "allow"})
        await house.run_now(schedule)
        if guild == "2":
            await house.run_now(schedule)
    queue = await house.client.queue()
    assert queue.guild_count == 2, "what belongs to no server is none"
    method = ("method:hands.work", "runs_per_day")
    found = {each.guild_id: {(it.scope, it.limit): it.runs for it in each.scopes} for each in queue.guilds}
    assert found == {
        "1": {("turn", "turn"): 1, ("plan:free", "runs_per_month"): 1},
        "2": {("turn", "turn"): 1, method: 1}, None: {method: 2},
    }  # fmt: skip
    words = {(each.scope, each.limit): (each.words, each.until) for each in queue.scopes}
    assert words["plan:free", "runs_per_month"] == (
        "Plan free has used 1 of 1 runs it may have in a month; the next can start at 2026-04-01T00:00:00+00:00.",
        "2026-04-01T00:00:00+00:00",
    )  # fmt: skip


async def test_the_waiting_runs_of_a_guild_are_counted_where_none_of_them_is_in_memory(build: Build) -> None:
    """There was no room for them, or another core works for the guild."""
    house = await build(run=False)
    schedule = await house.schedule(policy={"overlap": "allow"})
    for _ in range(3):
        await house.run_now(schedule)
    house.engine.room.clear_out(lambda guild: guild != "1")
    assert len(house.engine.room) == 0
    assert (await house.client.get_guild("1")).waiting == 3


async def test_runs_behind_an_earlier_one_of_their_schedule_are_counted(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(policy={"overlap": "queue"})
    for _ in range(2):
        await house.run_now(schedule)
    assert await _piles(house) == {"turn": 1, "overlap": 1}


async def test_runs_of_a_suspended_server_wait_for_an_operator(build: Build) -> None:
    house = await build()
    await house.client.suspend_guild("1", "spam")
    run = await house.run_now(await house.schedule())
    await house.why(run)
    (scope,) = (await house.client.queue()).scopes
    assert (scope.scope, scope.limit, scope.runs) == ("guild:1", "suspended", 1)
    assert scope.words == "This server is suspended (spam); it goes on when an operator resumes it."
