"""Settings of guilds, zones of people, who is here, how the service is; and the journal as it is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from schedule_zero.actor import Actor
from schedule_zero.errors import Forbidden, Invalid, Malformed
from schedule_zero.instant import parse
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import GuildSettings
from tests.engine.house import House
from tests.service.people import MOD, as_, member, post

Build = Callable[..., Awaitable[House]]


async def test_settings_nobody_made_are_the_defaults_and_say_so(house: House) -> None:
    settings = await house.client.guild_settings("1")
    assert (settings.timezone, settings.default_time, settings.hour24) == ("UTC", "09:00", True)
    assert "timezone" in settings.defaults


async def test_settings_are_changed_in_part_and_put_back_with_null(house: House) -> None:
    changes: dict[str, Any] = {"timezone": "berlin", "channels": {"log": "5"}}
    changed = await house.client.change_guild_settings("1", changes)
    assert (changed.timezone, changed.channels.log, changed.hour24) == ("Europe/Berlin", "5", True)
    assert {"timezone", "channels"} & set(changed.defaults) == set()
    more = await house.client.change_guild_settings("1", {"channels": {"failures": "6"}, "hour24": False})
    assert (more.channels.log, more.channels.failures, more.hour24) == ("5", "6", False)
    back = await house.client.change_guild_settings("1", {"timezone": None, "channels": {"log": None}})
    assert (back.timezone, back.channels.log, back.channels.failures) == ("UTC", None, "6")
    assert (await house.client.guild_settings("1")) == msgspec.structs.replace(back, undo=None)
    assert (await house.client.guild_settings("2")).channels.failures is None


async def test_what_was_read_can_be_sent_back(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Europe/Rome"})
    read = await house.client.guild_settings("1")
    sent = await house.client.change_guild_settings("1", msgspec.to_builtins(read))
    assert sent.timezone == "Europe/Rome"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": 1}, "colour"),
        ({"timezone": "Mars/Phobos"}, "timezone"),
        ({"default_time": "25:00"}, "default_time"),
        ({"default_time": "9am"}, "default_time"),
        ({"hour24": "yes"}, "hour24"),
        ({"channels": {"gossip": "1"}}, "channels.gossip"),
    ],
)
async def test_wrong_settings_are_refused_with_their_place(house: House, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await house.client.change_guild_settings("1", changes)
    assert caught.value.errors[0].field == field
    assert (await house.client.guild_settings("1")).timezone == "UTC"


async def test_settings_outlive_a_restart(build: Build) -> None:
    house = await build(run=False)
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    await house.client.set_user_timezone("anna", "Europe/Rome")
    await house.kill()
    await house.open(run=False)
    assert (await house.client.guild_settings("1")).timezone == "Asia/Tokyo"
    assert (await house.client.user_timezone("anna")).timezone == "Europe/Rome"


async def test_a_zone_that_vanished_does_not_keep_the_core_from_starting(build: Build) -> None:
    house = await build(run=False)
    await house.ledger.write(lambda tx: tx.notes.put("guild", {"1": '{"timezone":"Gone/Away"}'}))
    await house.kill()
    await house.open(run=False)
    assert (await house.client.guild_settings("1")).timezone == "Gone/Away"


async def test_a_persons_zone_is_kept_under_its_full_name_and_forgotten_when_asked(house: House) -> None:
    assert (await house.client.user_timezone("anna")).timezone is None
    assert (await house.client.set_user_timezone("anna", "rome")).timezone == "Europe/Rome"
    assert (await house.client.user_timezone("anna")).timezone == "Europe/Rome"
    with pytest.raises(Invalid, match="Mars"):
        await house.client.set_user_timezone("anna", "Mars")
    assert (await house.client.set_user_timezone("anna", None)).timezone is None


async def test_a_zone_is_seen_by_others_only_while_it_is_shared(house: House) -> None:
    anna, ben = as_(house, member("anna")), as_(house, member("ben"))
    confined = as_(house, Actor(kind="operator", id="key", guild_id="1"))
    with pytest.raises(Invalid, match="no time zone to share"):
        await anna.set_user_timezone("anna", None, shared=True)
    with pytest.raises(Forbidden) as none:
        await ben.user_timezone("anna")
    assert not (await anna.set_user_timezone("anna", "Europe/Rome")).shared
    with pytest.raises(Forbidden) as hidden:
        await ben.user_timezone("anna")
    assert hidden.value.sentence == none.value.sentence
    await anna.set_user_timezone("anna", "Europe/Rome", shared=True)
    assert (await anna.set_user_timezone("anna", "Asia/Tokyo")).shared  # another zone stays shared
    assert (await ben.user_timezone("anna")).timezone == "Asia/Tokyo"
    for asking in (ben.set_user_timezone("anna", "Europe/Rome"), confined.user_timezone("anna")):
        with pytest.raises(Forbidden):
            await asking
    for zone, shared in (("Asia/Tokyo", False), (None, None), ("Asia/Tokyo", None)):
        await anna.set_user_timezone("anna", zone, shared=shared)
        with pytest.raises(Forbidden):
            await ben.user_timezone("anna")


async def test_what_is_shared_outlives_a_restart_and_counts_for_times(build: Build) -> None:
    house = await build(run=False)
    await house.client.set_user_timezone("anna", "Europe/Rome", shared=True)
    await house.kill()
    await house.open(run=False)
    assert (await as_(house, member("ben")).user_timezone("anna")).timezone == "Europe/Rome"
    assert (await house.client.read_time("tomorrow at 9", guild_id="1", user_id="anna")).timezone == "Europe/Rome"


async def test_a_changed_zone_counts_at_once_also_while_others_ask(house: House) -> None:
    async def read() -> str:
        return (await house.client.read_time("tomorrow at 9", guild_id="1", user_id="anna")).timezone

    for zone in ("Europe/Rome", "Asia/Tokyo", "Africa/Cairo"):
        asking = [asyncio.create_task(read()) for _ in range(5)]
        await house.client.set_user_timezone("anna", zone)
        assert await read() == zone
        await asyncio.gather(*asking)
        assert await read() == zone


async def test_the_bot_tells_which_guilds_it_is_in_and_only_news_is_an_event(house: House) -> None:
    for name, present in (("A", True), ("A", True), ("B", True), ("B", False), ("B", False)):
        await house.client.note_guild("1", name, present=present)
    assert [event.kind for event in await house.told()] == ["guild.joined", "guild.left"]
    settings = await house.client.guild_settings("1")
    assert isinstance(settings, GuildSettings)
    assert "name" not in msgspec.to_builtins(settings)


async def test_noting_a_guild_keeps_its_settings(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    await house.client.note_guild("1", "A")
    assert (await house.client.guild_settings("1")).timezone == "Asia/Tokyo"
    await house.client.change_guild_settings("1", {"hour24": False})
    await house.client.note_guild("1", "A")
    assert [event.kind for event in await house.told("guild.joined")] == ["guild.joined"]


async def test_status_says_how_it_goes(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(0)))
    await house.heard("run.succeeded", schedule_id=schedule.id)
    await house.schedule()
    status = await house.client.status()
    assert (status.running, status.schedules, status.runs_executed, status.waiting) == (True, 1, 1, 0)
    assert status.last_tick is not None
    assert parse(status.last_tick) <= house.clock.now()
    assert status.parts["scheduler"].ok


async def test_status_tells_of_a_scheduler_that_does_not_keep_up(house: House) -> None:
    house.run()
    await house.until(lambda: house.engine.tick._horizon.until > 0)
    await house.kill()
    await house.open(run=False)
    await house.schedule(DateTrigger(at=house.clock.in_s(1)))
    await house.engine.tick.refill()
    house.clock.move(60)
    status = await house.client.status()
    assert (status.running, status.due) == (False, 1)
    assert "behind" in status.parts["scheduler"].detail


async def test_a_request_of_no_known_kind_is_refused(house: House) -> None:
    with pytest.raises(Malformed, match="str"):
        await house.client.send("what?")  # type: ignore[arg-type]


# ── the journal ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_are_paged_with_the_next_place_always_given(house: House) -> None:
    made = [(await house.schedule()).id for _ in range(5)]
    first = await house.client.list_events(limit=3)
    second = await house.client.list_events(after=first.next, limit=3)
    third = await house.client.list_events(after=second.next, limit=3)
    assert [event.schedule_id for event in (*first.items, *second.items)] == made
    assert third.items == ()
    assert third.next == second.next
    await house.schedule()
    assert len((await house.client.list_events(after=third.next)).items) == 1


async def test_events_are_filtered_by_kind_and_guild(house: House) -> None:
    here = await post(house, MOD)
    await house.schedule(guild_id="2")
    await as_(house, MOD).pause_schedule(here.id)
    page = await house.client.list_events(kinds=("schedule.created",), guild_id="1")
    assert [event.schedule_id for event in page.items] == [here.id]


@pytest.mark.parametrize("after", ["x", "1-x", "-", "1-2-3x", "9" * 30, "-5"])
async def test_a_place_that_is_none_is_refused(house: House, after: str) -> None:
    with pytest.raises(Invalid) as caught:
        await house.client.list_events(after=after)
    assert caught.value.errors[0].field == "after"


async def test_a_place_of_another_epoch_starts_this_one_over(house: House) -> None:
    schedule = await house.schedule()
    page = await house.client.list_events(after="77-1000")
    assert [event.schedule_id for event in page.items] == [schedule.id]


async def test_following_tells_of_kinds_that_are_wanted(house: House) -> None:
    follow = house.client.events("0", kinds=("schedule.deleted",))
    schedule = await house.schedule()
    await house.client.delete_schedule(schedule.id)
    async with asyncio.timeout(10):
        event = await anext(follow)
    assert (event.kind, event.schedule_id) == ("schedule.deleted", schedule.id)
    await follow.aclose()  # type: ignore[attr-defined]
