"""Suspending a guild: nothing in it starts or is made, everything can be calmed, and it goes on when it is resumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from core.service.service import _CHANGES
from core.service.suspension import ACTING
from schedule_zero import requests as ask
from schedule_zero.closings import HoursWindows
from schedule_zero.errors import Conflict, QuotaExceeded
from schedule_zero.run import RunState
from tests.engine.house import House
from tests.service.people import ADMIN, OWNER, Post, as_, post

Build = Callable[..., Awaitable[House]]


async def test_a_suspended_guild_starts_nothing_and_goes_on_when_it_is_resumed(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(policy={"overlap": "allow"})
    assert (await house.client.suspend_guild("1", "spam", by="discord:eve")).suspended is not None
    await house.heard("guild.suspended")
    run = await house.run_now(schedule)  # who runs the service may, and it waits
    held = await house.why(run)
    assert (held.scope, held.limit) == ("guild:1", "suspended")
    assert held.words == "This server is suspended (spam); it goes on when an operator resumes it."
    await house.client.resume_guild("1")
    assert (await house.ended(run.id)).state is RunState.SUCCEEDED


async def test_suspending_again_keeps_since_when_and_the_reason_unless_there_is_another(build: Build) -> None:
    house = await build(run=False)
    first = (await house.client.suspend_guild("1", "spam", by="discord:eve")).suspended
    house.clock.move(60)
    assert (await house.client.suspend_guild("1")).suspended == first
    again = (await house.client.suspend_guild("1", "worse spam", by="discord:ada")).suspended
    assert first is not None
    assert again is not None
    assert (again.at, again.by, again.why) == (first.at, "discord:ada", "worse spam")


async def test_what_is_not_suspended_is_not_resumed(build: Build) -> None:
    house = await build(run=False)
    with pytest.raises(Conflict, match="Server 7 is not suspended"):
        await house.client.resume_guild("7")
    await house.client.suspend_guild("7")
    await house.client.resume_guild("7")
    with pytest.raises(Conflict):
        await house.client.resume_guild("7")


async def test_in_a_suspended_guild_nothing_is_made_and_everything_can_be_calmed(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(guild_id="1", owner_id="admin")
    await house.client.suspend_guild("1", "spam")
    admin = as_(house, ADMIN)
    with pytest.raises(QuotaExceeded, match=r"This server is suspended \(spam\); nothing new is made") as caught:
        await admin.run_schedule(schedule.id)
    assert caught.value.details["limit"] == "suspended"
    paused = await admin.pause_schedule(schedule.id)
    with pytest.raises(QuotaExceeded):
        await admin.resume_schedule(schedule.id)
    assert paused.state == "paused"
    assert (await admin.delete_schedule(schedule.id)).state == "deleted"


async def test_for_a_suspended_guild_an_operator_makes_what_waits_and_its_managers_change_settings(
    build: Build,
) -> None:
    house = await build()
    await house.client.suspend_guild("1", "spam")
    schedule = await house.schedule(guild_id="1")
    run = await house.run_now(schedule)
    assert (await house.why(run)).limit == "suspended"
    admin = as_(house, ADMIN)
    assert (await admin.change_guild_settings("1", {"timezone": "Europe/Berlin"})).timezone == "Europe/Berlin"
    assert (await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))).name == "office"
    house.engine.serve(Post())
    with pytest.raises(QuotaExceeded, match="This server is suspended"):
        await post(house, ADMIN)


async def test_what_makes_something_act_is_known_of_every_change() -> None:
    changes = set(_CHANGES)
    assert changes >= ACTING
    assert changes - ACTING == CALM, "a new change: say whether it makes a schedule, or makes one act"


CALM = {
    ask.DeleteSchedule, ask.PauseSchedule, ask.SkipOccurrence, ask.CancelRun, ask.DropDead, ask.RemoveLink,  # they calm
    ask.PutGuildSettings, ask.UndoGuildSettings, ask.PutUserTimezone, ask.PutCalendar, ask.DeleteCalendar, ask.PutHours,
    ask.DeleteHours, ask.AddBlackout, ask.RemoveBlackout,  # of what stands they say when, and it starts nothing
    ask.NewVerification, ask.VerifyGuild, ask.NewKey, ask.RevokeKey, ask.RotateKey, ask.NewSignIn,  # who somebody is
    ask.NewCalendarLink, ask.EndCalendarLink,  # who sees it
    ask.NoteGuild, ask.PutGuildQuota, ask.PatchGuildQuota, ask.SuspendGuild, ask.ResumeGuild, ask.BanUser, ask.UnbanUser,
    ask.DrainCore, ask.ResumeCore, ask.SetMaintenance, ask.DrainHandler, ask.ResumeHandler,  # of the bot and the operators
}  # fmt: skip


async def test_in_a_suspended_guild_the_audit_brings_nothing_back(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(guild_id="1", owner_id="owner")
    owner = as_(house, OWNER)
    await owner.delete_schedule(schedule.id)
    (line,) = (await owner.list_audit(guild_id="1", action="schedule.delete")).items
    await house.client.suspend_guild("1")
    with pytest.raises(QuotaExceeded, match="This server is suspended"):
        await owner.send(ask.RevertAudit(id=line.id))
    assert (await house.client.get_schedule(schedule.id)).state == "deleted"
