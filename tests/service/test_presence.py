"""The bot leaves a guild and comes back: what was active rests meanwhile, and just that goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.service import presence
from core.service.errands import Errand
from schedule_zero import requests as ask
from schedule_zero.errors import Forbidden, Reject
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import House
from tests.service.people import MOD, OWNER, as_

Build = Callable[..., Awaitable[House]]

DAILY = CronTrigger(expression="0 9 * * *")


async def leave(house: House, guild_id: str = "1") -> None:
    await house.client.note_guild(guild_id, "A", present=False)
    await house.service.errands.turn()


async def come_back(house: House, guild_id: str = "1") -> None:
    await house.client.note_guild(guild_id, "A")
    await house.service.errands.turn()


async def now(house: House, *schedules: Schedule) -> list[Schedule]:
    return [await house.client.get_schedule(each.id) for each in schedules]


async def test_leaving_pauses_what_is_active_in_that_guild_in_the_transaction_that_tells_of_it(house: House) -> None:
    await house.client.note_guild("1", "A")
    here = [await house.schedule(DAILY) for _ in range(3)]
    elsewhere, nowhere = await house.schedule(DAILY, guild_id="2"), await house.schedule(DAILY, guild_id=None)
    run = await house.client.run_schedule(here[0].id)
    left = await house.client.note_guild("1", "A", present=False)
    assert left.ok
    for schedule in await now(house, *here):
        assert (schedule.state, schedule.note, schedule.next_fire_times) == ("paused", "The bot left this server.", ())
    assert [each.state for each in await now(house, elsewhere, nowhere)] == ["active", "active"]
    ended = await house.client.get_run(run.id)
    assert (ended.state, ended.reason) == (RunState.CANCELLED, "guild_left")
    events = await house.told("guild.left", "schedule.paused", "run.cancelled")
    assert [event.kind for event in events] == ["guild.left", "run.cancelled", *["schedule.paused"] * 3]
    assert {event.data.get("reason") for event in events[1:]} == {"guild_left"}
    assert [event.seq for event in events] == list(range(events[0].seq, events[0].seq + 5))


async def test_on_coming_back_exactly_those_go_on_that_the_leaving_had_paused(house: House) -> None:
    await house.client.note_guild("1", "A")
    ours, theirs, ended, stopped, resumed = [await house.schedule(DAILY, name=name) for name in "abcde"]
    await house.client.pause_schedule(theirs.id, note="The bot left this server.")
    await house.client.pause_schedule(ended.id, until="in 40 days")
    await leave(house)
    await house.client.pause_schedule(stopped.id, note="and somebody said so")
    await house.client.resume_schedule(resumed.id)
    await house.client.patch_schedule(ours.id, {"name": "renamed"})
    house.clock.move(3 * 86_400)
    await come_back(house)
    states = {each.name: each.state for each in await now(house, ours, theirs, ended, stopped, resumed)}
    assert states == {"renamed": "active", "b": "paused", "c": "paused", "d": "paused", "e": "active"}
    (again,) = await now(house, ours)
    assert again.next_fire_times[0] == "2026-03-07T09:00:00+00:00"
    assert again.note is None
    assert await house.ledger.reader.notes.all("resting:1") == {}
    assert await house.ledger.reader.notes.all("errand") == {}


async def test_a_pause_with_an_end_does_not_end_while_the_bot_is_away(build: Build) -> None:
    house = await build(run=False)
    await house.client.note_guild("1", "A")
    short, long = [await house.schedule(IntervalTrigger(every="PT1H"), name=name) for name in ("short", "long")]
    await house.client.pause_schedule(short.id, until=house.clock.in_s(1800), note="lunch")
    until = (
        await house.client.pause_schedule(long.id, until=house.clock.in_s(9 * 86_400), note="holidays")
    ).paused_until
    await leave(house)
    house.clock.move(86_400)
    await house.engine.janitor.resume_due()
    for schedule in await now(house, short, long):
        assert (schedule.state, schedule.note, schedule.next_fire_times) == ("paused", "The bot left this server.", ())
    assert await house.runs(short.id) == []
    await come_back(house)
    over, still = await now(house, short, long)
    assert (over.state, over.note) == ("active", None)
    assert (still.state, still.note, still.paused_until) == ("paused", "holidays", until)
    house.clock.move(9 * 86_400)
    await house.engine.janitor.resume_due()
    assert [each.state for each in await now(house, long)] == ["active"]
    assert await house.ledger.reader.notes.all("resting:1") == {}


async def test_one_event_says_how_many_came_back_and_what_was_missed(house: House) -> None:
    await house.client.note_guild("1", "A")
    hourly = await house.schedule(IntervalTrigger(every="PT1H", start=house.clock.in_s(60)))
    daily = await house.schedule(DAILY)
    once = await house.schedule(DateTrigger(at=house.clock.in_s(3600)))
    await house.schedule(DateTrigger(at=house.clock.in_s(30 * 86_400)))
    await leave(house)
    house.clock.move(2 * 86_400)
    await come_back(house)
    (told,) = await house.told("guild.returned")
    assert told.guild_id == "1"
    assert (told.data["resumed"], told.data["over"], told.data["missed"]) == (3, 1, 48 + 2 + 1)
    assert told.data["most"] == [
        {"schedule_id": hourly.id, "count": 48}, {"schedule_id": daily.id, "count": 2},
        {"schedule_id": once.id, "count": 1},
    ]  # fmt: skip
    (over,) = await now(house, once)
    assert over.state == "done"
    (missed,) = await house.runs(once.id)
    assert (missed.state, missed.reason) == (RunState.SKIPPED, "missed")
    assert [event.data.get("together") for event in await house.told("run.skipped", "schedule.resumed")] == [True] * 5


async def test_who_comes_back_with_nothing_paused_is_told_nothing(house: House) -> None:
    await house.client.note_guild("1", "A")
    await leave(house)
    await come_back(house)
    assert await house.told("guild.returned") == []
    assert [event.kind for event in await house.told()] == ["guild.joined", "guild.left", "guild.joined"]


async def test_what_is_under_way_ends_by_itself_and_a_lasting_cause_blocks_nothing(build: Build) -> None:
    house = await build()
    await house.client.note_guild("1", "A")
    schedule = await house.schedule(DAILY, policy={"failure_threshold": 1})
    gate = house.hold()
    run = await house.run_now(schedule)
    await house.working(run.id)
    await house.client.note_guild("1", "A", present=False)
    house.fail_with(Reject("the bot is no longer in this server"))
    gate.set()
    ended = await house.ended(run.id)
    assert ended.state is RunState.SUCCEEDED
    again = await house.client.run_schedule(schedule.id)
    failed = await house.ended(again.id)
    assert (failed.state, failed.attempts[0].cause) == (RunState.FAILED, "lasting")
    assert [each.state for each in await now(house, schedule)] == ["paused"]
    assert await house.told("schedule.blocked") == []
    await house.client.note_guild("1", "A")
    await house.heard("guild.returned")
    assert [each.state for each in await now(house, schedule)] == ["active"]


async def test_many_are_paused_page_by_page_and_a_process_that_ends_between_two_pages_goes_on(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PAGE", 4)
    house = await build(run=False)
    await house.client.note_guild("1", "A")
    made = [await house.schedule(DAILY) for _ in range(10)]
    await house.client.note_guild("1", "A", present=False)
    assert [each.state for each in await now(house, *made)] == ["paused"] * 4 + ["active"] * 6
    await house.kill()
    await house.open(run=False)
    await house.service.errands.turn()
    assert {each.state for each in await now(house, *made)} == {"paused"}
    await house.client.note_guild("1", "A")
    errand = msgspec.json.decode((await house.ledger.reader.notes.all("errand"))["guild:1"], type=Errand)
    assert (errand.what, errand.resumed) == ("return", 0)
    await house.service.errands._steps["return"](errand)
    assert sorted(each.state for each in await now(house, *made)) == ["active"] * 4 + ["paused"] * 6
    await house.kill()
    await house.open(run=False)
    await house.service.errands.turn()
    assert {each.state for each in await now(house, *made)} == {"active"}
    (told,) = await house.told("guild.returned")
    assert told.data["resumed"] == 10


async def test_a_guild_left_again_before_all_went_on_rests_whole(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "PAGE", 2)
    house = await build(run=False)
    await house.client.note_guild("1", "A")
    made = [await house.schedule(DAILY) for _ in range(5)]
    await leave(house)
    await house.client.note_guild("1", "A")
    stored = (await house.ledger.reader.notes.all("errand"))["guild:1"]
    await house.service.errands._steps["return"](msgspec.json.decode(stored, type=Errand))
    await leave(house)
    assert {each.state for each in await now(house, *made)} == {"paused"}
    await come_back(house)
    assert {each.state for each in await now(house, *made)} == {"active"}


async def test_a_schedule_whose_rule_is_lost_does_not_hold_up_the_others(build: Build) -> None:
    house = await build(run=False)
    await house.client.note_guild("1", "A")
    broken, well = await house.schedule(DAILY), await house.schedule(DAILY)
    await leave(house)
    await house.rewrite(broken.id, trigger='{"type":"cron","expression":"0 9 * * *","timezone":"Gone/Away"}')
    await come_back(house)
    assert [each.state for each in await now(house, broken, well)] == ["blocked", "active"]
    assert await house.ledger.reader.notes.all("errand") == {}


async def test_only_the_service_says_where_the_bot_is_and_hears_it(house: House) -> None:
    for actor in (OWNER, MOD):
        with pytest.raises(Forbidden):
            await as_(house, actor).note_guild("1", "A", present=False)
        with pytest.raises(Forbidden):
            await as_(house, actor).present_guilds()


async def test_the_guilds_of_one_shard_are_listed_page_by_page(house: House) -> None:
    def id(shard: int, n: int) -> str:
        return str((4 * n + shard) << 22)

    for n in range(1, 6):
        await house.client.note_guild(id(1, n), "A", present=n != 3)
        await house.client.note_guild(id(2, n), "B")
    await house.client.note_guild("own-name", "C")
    await house.client.change_guild_settings(id(1, 9), {"hour24": False})
    page = await house.client.present_guilds(1, 4)
    assert sorted(page.items) == sorted(id(1, n) for n in (1, 2, 4, 5))
    assert page.next is None
    first: Any = await house.client.send(ask.ListPresentGuilds(shard=1, shards=4, limit=3))
    rest = await house.client.present_guilds(1, 4, first.next)
    assert sorted((*first.items, *rest.items)) == sorted(page.items)


async def test_since_when_a_guild_is_left_is_kept_and_no_setting(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    await house.client.note_guild("1", "A")
    await leave(house)
    kept = msgspec.json.decode((await house.ledger.reader.notes.all("guild"))["1"])
    assert (kept["present"], kept["name"]) == (False, "A")
    assert kept["left"] <= house.clock.now()
    assert (await house.client.guild_settings("1")).timezone == "Asia/Tokyo"
    await house.client.note_guild("1", "")
    kept = msgspec.json.decode((await house.ledger.reader.notes.all("guild"))["1"])
    assert (kept["present"], kept["name"], kept.get("left")) == (True, "A", None)
