"""The way back from the audit: a change that still stands is undone, or reverted later, as a change of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from core.ledger.port import Transaction
from schedule_zero.audit import Changed, what_changed
from schedule_zero.closings import CalendarDays
from schedule_zero.errors import Conflict, Forbidden, Gone, Invalid, QuotaExceeded
from schedule_zero.instant import DAY
from schedule_zero.trigger import DateTrigger
from tests.engine.house import House, plan
from tests.service.auditing import CHIEF, DAILY, READER, newest
from tests.service.people import MOD, as_, post

Build = Callable[..., Awaitable[House]]
LATER_S = 20 * 60


async def test_within_its_time_a_change_is_undone_from_its_line(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1", name="a")
    await house.client.patch_schedule(made.id, {"name": "b"})
    line = await newest(house)
    assert line.back == "undo"
    reverted = await house.client.revert_audit(line.id)
    assert reverted.schedule is not None
    assert (reverted.schedule.name, reverted.settings) == ("a", None)
    again = await newest(house)
    assert (again.action, again.back) == ("schedule.undo", "undo")
    assert what_changed(again.before, again.after) == (Changed("name", "b", "a"),)
    assert (await house.client.get_audit(line.id)).back is None


@pytest.mark.parametrize("change", ["update", "pause", "delete", "skip"])
async def test_later_a_change_that_still_stands_is_reverted(house: House, change: str) -> None:
    made = await house.schedule(DAILY, guild_id="1", name="a")
    core = as_(house, CHIEF)
    if change == "update":
        await core.patch_schedule(made.id, {"name": "b", "args": {"n": 2}})
    elif change == "pause":
        await core.pause_schedule(made.id)
    elif change == "delete":
        await core.delete_schedule(made.id)
    else:
        await core.skip_occurrence(made.id)
    house.clock.move(LATER_S)
    line = await newest(house, CHIEF)
    assert line.back == "revert"
    reverted = (await core.revert_audit(line.id)).schedule
    assert reverted is not None
    assert (reverted.state, reverted.name, reverted.args) == ("active", "a", made.args)
    assert reverted.next_fire_times == made.next_fire_times
    assert reverted.undo is not None
    told = await newest(house, CHIEF)
    assert (told.action, told.actor) == ("schedule.revert", "member:chief")


async def test_a_change_that_does_not_stand_any_more_is_refused_in_a_sentence(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1", name="a")
    await house.client.patch_schedule(made.id, {"name": "b"})
    line = await newest(house)
    await house.client.patch_schedule(made.id, {"name": "c"})
    for _ in range(2):
        with pytest.raises(Conflict, match="has been changed again since then; undo the newer change first"):
            await house.client.revert_audit(line.id)
        assert (await house.client.get_audit(line.id)).back is None
        house.clock.move(LATER_S)


async def test_a_reverted_change_cannot_be_taken_back_twice(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1", name="a")
    await house.client.patch_schedule(made.id, {"name": "b"})
    line = await newest(house)
    await house.client.revert_audit(line.id)
    with pytest.raises(Conflict):
        await house.client.revert_audit(line.id)
    first = await house.client.revert_audit((await newest(house)).id, key="k")
    assert await house.client.revert_audit((await newest(house)).id, key="other") != first


async def test_a_token_that_was_given_for_it_is_no_good_after_a_revert(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1", name="a")
    edited = await house.client.patch_schedule(made.id, {"name": "b"})
    await house.client.revert_audit((await newest(house)).id)
    assert edited.undo is not None
    with pytest.raises(Conflict):
        await house.client.undo(edited.undo.token)


async def test_reverting_takes_the_rights_that_the_change_would_take(house: House) -> None:
    made = await post(house, MOD, "to all")
    await as_(house, MOD).pause_schedule(made.id)
    line = await newest(house)
    house.clock.move(LATER_S)
    assert (await as_(house, READER).get_audit(line.id)).back is None
    with pytest.raises(Gone):
        await as_(house, READER).revert_audit(line.id)  # what they may not see is not there for them
    await as_(house, CHIEF).revert_audit(line.id)
    await house.client.change_guild_settings("1", {"hour24": False})
    line = await newest(house, READER)
    assert line.back is None
    with pytest.raises(Forbidden, match="Manage Server"):
        await as_(house, READER).revert_audit(line.id)


async def test_reverting_keeps_to_the_limits_of_now(build: Build) -> None:
    house = await build(governor=plan(schedules=1), run=False)
    made = await house.schedule(DAILY, guild_id="1")
    await house.client.delete_schedule(made.id)
    line = await newest(house)
    await house.schedule(DAILY, guild_id="1")
    house.clock.move(LATER_S)
    with pytest.raises(QuotaExceeded):
        await house.client.revert_audit(line.id)


async def test_later_what_could_not_be_made_any_more_is_not_brought_back(house: House) -> None:
    made = await house.schedule(DateTrigger(at=house.clock.in_s(3600)), guild_id="1")
    moved = await house.client.patch_schedule(made.id, {"trigger": {"type": "date", "at": house.clock.in_s(9000)}})
    line = await newest(house)
    house.clock.move(7200)
    with pytest.raises(Invalid, match="lies in the past"):
        await house.client.revert_audit(line.id)
    assert (await house.client.get_schedule(made.id)).trigger == moved.trigger


async def test_a_time_that_passed_long_ago_does_not_fire_because_of_a_revert(house: House) -> None:
    made = await house.schedule(DateTrigger(at=house.clock.in_s(3600)), guild_id="1")
    await house.client.pause_schedule(made.id)
    line = await newest(house)
    house.clock.move(7200)
    reverted = (await house.client.revert_audit(line.id)).schedule
    assert reverted is not None
    assert (reverted.state, reverted.next_fire_times) == ("done", ())


async def test_of_a_schedule_that_is_gone_for_good_nothing_is_taken_back(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1")
    await house.client.delete_schedule(made.id)
    line = await newest(house)

    async def unit(tx: Transaction) -> None:
        await tx.schedules.purge(house.clock.now() + DAY, 100)

    await house.ledger.write(unit)
    assert (await house.client.get_audit(line.id)).back is None
    with pytest.raises(Gone, match="nothing left of this schedule"):
        await house.client.revert_audit(line.id)


async def test_settings_go_back_alone_and_leave_what_others_set_since(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Europe/Berlin", "channels": {"log": "5"}})
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo", "channels": {"log": "6", "review": "7"}})
    line = await newest(house)
    await house.client.change_guild_settings("1", {"hour24": False, "channels": {"default": "8"}})
    for moved in (0, LATER_S):
        house.clock.move(moved)
        assert (await house.client.get_audit(line.id)).back == ("revert" if moved else "undo")
    settings = (await house.client.revert_audit(line.id)).settings
    assert settings is not None
    assert (settings.timezone, settings.hour24) == ("Europe/Berlin", False)
    channels = settings.channels
    assert (channels.log, channels.review, channels.default) == ("5", None, "8")
    assert settings.undo is not None
    assert await house.client.guild_settings("1") == msgspec.structs.replace(settings, undo=None)
    told = await newest(house)
    assert told.action == "guild.revert"
    assert {each.field for each in what_changed(told.before, told.after)} == {
        "timezone", "channels.log", "channels.review",
    }  # fmt: skip


async def test_a_setting_that_was_not_there_goes_back_to_its_default(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    settings = (await house.client.revert_audit((await newest(house)).id)).settings
    assert settings is not None
    assert (settings.timezone, "timezone" in settings.defaults) == ("UTC", True)


async def test_settings_that_were_changed_again_are_not_taken_back(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    line = await newest(house)
    await house.client.change_guild_settings("1", {"timezone": "Europe/Rome"})
    assert (await house.client.get_audit(line.id)).back is None
    with pytest.raises(Conflict, match="have been changed again since then"):
        await house.client.revert_audit(line.id)


async def test_the_server_days_begin_by_the_zone_that_came_back(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    line = await newest(house)
    assert house.engine.entitler.clocks_of("1").zone.key == "Asia/Tokyo"
    await house.client.revert_audit(line.id)
    assert house.engine.entitler.clocks_of("1").zone.key == "UTC"


async def test_what_cannot_be_taken_back_says_so(house: House) -> None:
    await house.client.put_calendar("1", "ours", CalendarDays(dates=("12-24",)))
    line = await newest(house)
    assert line.back is None
    with pytest.raises(Conflict, match=r"What calendar\.put does cannot be taken back"):
        await house.client.revert_audit(line.id)
