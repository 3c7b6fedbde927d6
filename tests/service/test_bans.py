"""Who is banned: what they ask is refused everywhere, nothing of theirs starts, and others notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.service.feeding import Wish
from schedule_zero import Context
from schedule_zero import requests as ask
from schedule_zero.actor import ADMINISTRATOR
from schedule_zero.errors import Forbidden, NotFound, Passing
from schedule_zero.run import RunState
from schedule_zero.trigger import DateTrigger
from tests.engine.house import House, plan
from tests.service.people import (
    ADMIN,
    ANNA,
    ANNA_ALONE,
    ANNA_ELSEWHERE,
    BEN,
    BEN_ALONE,
    OPERATOR,
    OWNER,
    Post,
    as_,
    member,
    remind,
)

Build = Callable[..., Awaitable[House]]


async def test_what_a_banned_person_asks_is_refused_everywhere_with_one_sentence(house: House) -> None:
    made = await remind(house, ANNA)
    ban = await house.client.ban_user("anna", "spam", by="discord:eve")
    assert (ban.user_id, ban.why, ban.by) == ("anna", "spam", "discord:eve")
    for actor in (ANNA, ANNA_ALONE, ANNA_ELSEWHERE):
        with pytest.raises(Forbidden, match=r"You may not use this service any more \(spam\)"):
            await as_(house, actor).get_schedule(made.id)
        with pytest.raises(Forbidden):
            await as_(house, actor).status()
    await remind(house, BEN)
    assert (await house.client.get_schedule(made.id)).state == "active", "nothing of theirs is lost"


async def test_a_banned_person_may_still_have_and_erase_what_is_kept_of_them(house: House) -> None:
    await remind(house, ANNA, "secret tea")
    await house.client.ban_user("anna")
    mine = await as_(house, ANNA_ALONE).send(ask.Export(user_id="anna"))
    assert "secret tea" in msgspec.json.encode(mine).decode()
    with pytest.raises(Forbidden):
        await as_(house, ANNA).send(ask.Export(user_id="anna", guild_id="1"))
    with pytest.raises(Forbidden):
        await as_(house, ANNA_ALONE).send(ask.EraseUser(user_id="ben"))
    for wanted in (ask.EraseUser(user_id="anna"), ask.Export(user_id="anna")):
        with pytest.raises(Forbidden, match=r"^What is kept of a person is theirs alone to have and to erase"):
            await as_(house, BEN_ALONE).send(wanted)
    await as_(house, ANNA_ALONE).send(ask.EraseUser(user_id="anna"))


async def test_nothing_of_theirs_starts_and_what_is_theirs_alone(build: Build) -> None:
    house = await build(run=False)
    house.engine.serve(Post())
    theirs = await house.schedule(owner_id="anna", policy={"overlap": "allow"})
    others = await house.schedule(owner_id="ben")
    await house.client.ban_user("anna")
    turned_away, goes = await house.run_now(theirs), await house.run_now(others)
    house.run()
    ended = await house.ended(turned_away.id)
    assert (ended.state, ended.reason) == (RunState.CANCELLED, "its owner may not use this service any more")
    assert ended.attempts == ()
    assert (await house.ended(goes.id)).state is RunState.SUCCEEDED
    await house.heard("run.cancelled", run_id=turned_away.id)
    await house.client.unban_user("anna")
    assert (await house.ended((await house.run_now(theirs)).id)).state is RunState.SUCCEEDED


async def test_a_run_that_waits_says_that_its_owner_is_banned_and_that_it_will_be_cancelled(house: House) -> None:
    theirs = await house.schedule(owner_id="anna", policy={"overlap": "queue"})
    later = await house.client.run_schedule(theirs.id)
    assert (await house.client.get_run(later.id)).why is None
    await house.client.ban_user("anna", "spam")
    for asker in (house.client, as_(house, OWNER)):
        why = (await asker.get_run(later.id)).why
        assert why is not None
        assert (why.scope, why.limit) == ("user:anna", "banned")
        assert why.words == "Its owner may not use this service any more; it is cancelled when its turn comes."
    await house.client.unban_user("anna")
    assert (await house.client.get_run(later.id)).why is None


async def test_due_times_while_somebody_is_banned_pile_nothing_up(build: Build) -> None:
    house = await build(governor=plan(running=2, runs_per_day=2))
    theirs = await house.schedule(owner_id="anna", policy={"overlap": "queue"})
    await house.client.ban_user("anna")
    for _ in range(3):  # more than the day allows: what is turned away is given back
        assert (await house.ended((await house.run_now(theirs)).id)).state is RunState.CANCELLED
    assert (await house.client.status()).waiting == 0
    use = house.engine.governor.use_of("1")
    assert use is None or use.running.used == 0, "what was taken for it is given back"


async def test_what_was_due_by_itself_before_the_ban_does_not_come(build: Build) -> None:
    house = await build()
    due = DateTrigger(at=house.clock.in_s(2))
    theirs, others = [await house.schedule(due, owner_id=who) for who in ("anna", "ben")]
    await house.client.ban_user("anna")
    house.pass_time(3)
    await house.heard("run.succeeded", schedule_id=others.id)
    (run,) = await house.runs(theirs.id)
    assert (await house.ended(run.id)).state is RunState.CANCELLED


async def test_what_is_under_way_ends_and_its_retry_is_turned_away(build: Build) -> None:
    house = await build()
    gate = house.hands.hold()
    retry = {"initial": "PT0.01S", "jitter": 0}
    goes, fails = [
        await house.run_now(await house.schedule(owner_id="anna", policy={"retry": retry}), n=n) for n in (0, 1)
    ]
    held = house.hands.deed
    assert held is not None

    async def deed(ctx: Context, n: int) -> Any:
        await held(ctx, n)
        if n:
            raise Passing("not now")

    house.hands.deed = deed
    for run in (goes, fails):
        await house.working(run.id)
    await house.client.ban_user("anna")
    gate.set()
    assert (await house.ended(goes.id)).state is RunState.SUCCEEDED
    ended = await house.ended(fails.id)
    assert (ended.state, len(ended.attempts)) == (RunState.CANCELLED, 1)


async def test_a_ban_outlives_a_restart_and_an_end_of_it_is_the_end(build: Build) -> None:
    house = await build()
    await house.client.ban_user("anna", "spam")
    await house.close()
    house = await build()
    assert [each.user_id for each in (await house.client.list_bans()).items] == ["anna"]
    with pytest.raises(Forbidden):
        await as_(house, ANNA).status()
    assert (await house.client.unban_user("anna")).why == "spam"
    assert (await as_(house, ANNA).status()).running
    assert (await house.client.list_bans()).items == ()
    with pytest.raises(NotFound, match="'anna' is not banned"):
        await house.client.unban_user("anna")


async def test_only_who_runs_the_service_bans_and_sees_who_is_banned(house: House) -> None:
    for actor in (BEN, ADMIN, OWNER):
        with pytest.raises(Forbidden):
            await as_(house, actor).ban_user("anna")
        with pytest.raises(Forbidden):
            await as_(house, actor).list_bans()
    assert (await as_(house, ANNA).status()).version


@pytest.mark.parametrize("way", ["follow", "feed", "log"])
async def test_who_listens_hears_nothing_more_from_the_ban_on_and_it_ends_at_once(build: Build, way: str) -> None:
    house = await build()
    gate = house.hands.hold()
    held = await house.run_now(await house.schedule(guild_id="1"))
    service = house.service
    ways: dict[str, Callable[[], Awaitable[AsyncIterator[Any]]]] = {
        "follow": lambda: _now(service.follow(OWNER, "0", guild_id="1")),
        "feed": lambda: _portions(house),
        "log": lambda: _now(service.follow_log(OWNER, held.id, 0)),
    }
    await house.working(held.id)
    heard = await ways[way]()
    assert await asyncio.wait_for(anext(heard), 5)
    listening = asyncio.create_task(_all_of(heard))
    others = service.follow(ADMIN_ALL, None, guild_id="1")
    goes_on = asyncio.create_task(_next(others))
    await asyncio.sleep(0)
    await house.client.ban_user("owner")
    await asyncio.wait_for(listening, 2)
    await house.schedule(guild_id="1")
    assert (await asyncio.wait_for(goes_on, 5)).guild_id == "1", "nobody else notices"
    with pytest.raises(Forbidden, match="may not use"):
        await anext(await ways[way]())
    gate.set()
    await others.aclose()  # type: ignore[attr-defined]


ADMIN_ALL = member("mod", permissions=ADMINISTRATOR)


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items)


async def _now(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    return items


async def _portions(house: House) -> AsyncIterator[Any]:
    return (await house.service.feed(OWNER, Wish(after="0", guild_id="1"))).portions()


async def _all_of(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def test_an_operators_name_is_nobodys_id(house: House) -> None:
    await house.client.ban_user(OPERATOR.id)
    assert (await as_(house, OPERATOR).status()).version, "keys are no people, whatever their names"
