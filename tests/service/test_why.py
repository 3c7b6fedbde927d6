"""What a waiting run waits for, in words: for whom nobody takes it, and since when; to nobody what is another guild's."""

from __future__ import annotations

import pytest

from schedule_zero.actor import Actor
from schedule_zero.instant import SECOND, parse, spell
from schedule_zero.run import RunState
from tests.engine.conftest import Build
from tests.engine.house import House, Mute
from tests.service.people import MOD, OPERATOR, as_

GUILD_TOKEN = Actor(kind="operator", id="of guild 1", guild_id="1")


def come(house: House, guild_id: str | None = None, place: str = "elsewhere", credit: int = 64) -> Mute:
    """A handler comes, for one guild or for all."""
    link = Mute(house.engine, name=f"far@{place}", credit=credit)
    link.instance.guild_id = guild_id
    house.engine.join(link)
    return link


async def waits(house: House, guild_id: str = "1") -> str:
    """What another run for that handler waits for."""
    return (await house.why(await house.run_now(await house.schedule(handler="far", guild_id=guild_id)))).words


@pytest.fixture
async def alone(build: Build) -> House:
    """A house in which nobody serves anything."""
    return await build(serve=False)


async def test_nobody_there_is_said_with_the_time_since_when(alone: House) -> None:
    alone.engine.leave(come(alone).instance, "it said goodbye")
    alone.clock.move(3600)
    words = await waits(alone)
    since = words.removeprefix("No handler far is connected, and none has been since ").removesuffix(
        "; it goes on when one is."
    )
    assert 0 <= alone.clock.now() - parse(since) - 3600 * SECOND < 20 * SECOND
    seen = await alone.client.get_handler("far")
    assert (seen.absent_since, seen.standing) == (since, f"nobody is there since {since}")


async def test_after_a_crash_nobody_has_been_there_since_the_start_at_least(alone: House) -> None:
    come(alone)
    await alone.heard("handler.connected")
    schedule = await alone.schedule(handler="far")
    await alone.kill()
    began = alone.clock.now() - SECOND
    await alone.open(serve=False)
    seen = (await alone.client.get_handler("far")).absent_since
    assert seen is not None
    assert began <= parse(seen) <= alone.clock.now()
    assert f"none has been since {seen};" in (await alone.why(await alone.run_now(schedule))).words
    come(alone)
    assert (await alone.client.get_handler("far")).absent_since is None


async def test_all_drained_cannot_work_and_full_are_told_apart(alone: House) -> None:
    link = come(alone, credit=1)
    busy = await alone.run_now(await alone.schedule(handler="far"))
    await link.orders.get()
    full = await alone.why(await alone.run_now(await alone.schedule(handler="far")))
    assert (full.used, full.allowed) == (1, 1)
    assert full.words == "Handler far has 1 of 1 runs going at once; the next can start when one of them ends."
    link.instance.ailing = "its beats stopped"
    assert "going at once, and is unhealthy (its beats stopped);" in await waits(alone)
    link.instance.credit = 0
    assert await waits(alone) == (
        "Handler far is connected, but cannot work at the moment, and is unhealthy (its beats stopped)."
    )
    await alone.client.drain_handler("far")
    assert (await waits(alone)).startswith("Handler far is drained: its processes get nothing new;")
    assert (await alone.client.get_handler("far")).standing == "draining"
    assert (await alone.client.get_run(busy.id)).state is not RunState.WAITING


async def test_a_method_that_none_of_them_has_any_more_is_named(alone: House) -> None:
    link = come(alone)
    schedule = await alone.schedule(handler="far")
    link.instance.methods = {}
    words = (await alone.why(await alone.run_now(schedule))).words
    assert words == "Handler far is connected, but no process of it has the method work."


async def test_that_another_guild_has_a_handler_of_that_name_is_told_to_who_runs_the_service_alone(
    alone: House,
) -> None:
    first = come(alone)
    schedule = await alone.schedule(handler="far")
    come(alone, "2", "theirs")
    alone.engine.leave(first.instance, "it went")
    run = await alone.run_now(schedule)
    await alone.why(run)
    told = {actor.id: (await as_(alone, actor).get_run(run.id)).why for actor in (OPERATOR, MOD, GUILD_TOKEN)}
    assert all(why is not None for why in told.values())
    words = {id: why.words for id, why in told.items() if why is not None}
    assert words.pop(OPERATOR.id).startswith("Handler far is connected for other servers only;")
    assert {each[: len("No handler far is connected,")] for each in words.values()} == {"No handler far is connected,"}
    (pile,) = (await alone.client.queue()).scopes
    assert pile.words.startswith("Handler far is connected for other servers only;")


async def test_the_queue_says_that_nobody_is_there_whoever_waits(alone: House) -> None:
    alone.engine.leave(come(alone).instance, "it went")
    for guild in ("1", "2"):
        await waits(alone, guild_id=guild)
    (pile,) = (await alone.client.queue()).scopes
    assert (pile.runs, pile.words.partition(",")[0]) == (2, "No handler far is connected")


async def test_a_run_between_two_tries_says_what_went_wrong_and_when_the_next_begins(build: Build) -> None:
    house = await build()
    house.fail_with(OSError("away"))
    run = await house.run_now(
        await house.schedule(policy={"retry": {"initial": "PT1H", "maximum": "PT1H", "jitter": 0}})
    )
    await house.heard("run.waiting")
    (seen,) = (await house.client.list_runs(schedule_id=run.schedule_id)).items
    assert seen.why is not None
    assert (seen.error, seen.why.words) == ("OSError: away", f"The next attempt begins at {seen.why.until}.")
    assert spell(parse(seen.why.until or "")) == seen.why.until
