"""Every change leaves a line in the audit, whoever asks for it; what changes nothing leaves none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.ledger.port import Transaction
from core.ledger.rows import DeadRow
from core.service.service import _CHANGES
from schedule_zero import requests as ask
from schedule_zero.audit import DONE, Action
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Conflict, Forbidden
from schedule_zero.instant import parse
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.transport.curve import new_pair
from tests.engine.house import House
from tests.service.auditing import DAILY, newest, stored
from tests.service.people import ANNA, OPERATOR, as_


class Scene:
    """What there is to be changed."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.core = house.client

    async def daily(self, **fields: Any) -> Schedule:
        return await self.house.schedule(DAILY, guild_id="1", **fields)

    async def run(self, *, cancelled: bool = False) -> str:
        run = await self.core.run_schedule((await self.daily()).id)
        if cancelled:
            await self.core.cancel_run(run.id)
        return run.id

    async def linked(self) -> tuple[str, str]:
        parent, child = await self.daily(), await self.daily()
        await self.core.add_link(child.id, parent.id)
        return parent.id, child.id

    async def dead(self) -> str:
        run = await self.core.get_run(await self.run(cancelled=True))

        async def bury(tx: Transaction) -> None:
            letter = DeadRow(
                run_id=run.id, guild_id="1", schedule_id=run.schedule_id, handler="hands", method="work", at=1
            )
            await tx.dead.add([letter])

        await self.house.ledger.write(bury)
        return run.id

    async def key(self) -> str:
        return (await self.core.new_key("far", "handler", public=new_pair().public)).id

    async def paused(self) -> str:
        return (await self.core.pause_schedule((await self.daily()).id)).id


async def _settings_undone(scene: Scene) -> ask.Request:
    changed = await scene.core.change_guild_settings("1", {"hour24": False})
    assert changed.undo is not None
    return ask.UndoGuildSettings(guild_id="1", token=changed.undo.token)


async def _undone(scene: Scene) -> ask.Request:
    made = await scene.daily()
    assert made.undo is not None
    return ask.Undo(token=made.undo.token)


async def _unlinked(scene: Scene) -> ask.Request:
    parent, child = await scene.linked()
    return ask.RemoveLink(item=child, after=parent)


async def _linked(scene: Scene) -> ask.Request:
    return ask.AddLink(item=(await scene.daily()).id, after=(await scene.daily()).id)


async def _calendar_gone(scene: Scene) -> ask.Request:
    await scene.core.put_calendar("1", "ours", CalendarDays(dates=("12-24",)))
    return ask.DeleteCalendar(guild_id="1", name="ours")


async def _hours_gone(scene: Scene) -> ask.Request:
    await scene.core.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)))
    return ask.DeleteHours(guild_id="1", name="office")


async def _blackout_gone(scene: Scene) -> ask.Request:
    made = await scene.core.add_blackout("1", NewBlackout(begin="tomorrow", end="in 3 days"))
    return ask.RemoveBlackout(guild_id="1", id=made.id)


async def _drained(scene: Scene) -> ask.Request:
    await scene.core.drain_handler("hands")
    return ask.ResumeHandler(name="hands")


async def _banned(scene: Scene) -> ask.Request:
    await scene.core.ban_user("666")
    return ask.UnbanUser(user_id="666")


async def _calendar_linked(scene: Scene) -> ask.Request:
    await scene.core.new_calendar_link(guild_id="1")
    return ask.EndCalendarLink(guild_id="1")


async def _core_drained(scene: Scene) -> ask.Request:
    await scene.core.drain_core()
    return ask.ResumeCore()


async def _suspended(scene: Scene) -> ask.Request:
    await scene.core.send(ask.SuspendGuild(guild_id="1"))
    return ask.ResumeGuild(guild_id="1")


async def _signing_in(scene: Scene) -> ask.Request:
    scene.house.service.keyring.trust("sz_token", name=OPERATOR.id)
    return ask.NewSignIn()


async def _reverted(scene: Scene) -> ask.Request:
    await scene.daily()
    return ask.RevertAudit(id=(await newest(scene.house)).id)


def _spec() -> ScheduleSpec:
    return ScheduleSpec(handler="hands", method="work", trigger=DAILY, guild_id="1")


async def _plain(request: ask.Request) -> ask.Request:
    return request


Made = Callable[[Scene], Awaitable[ask.Request]]
CHANGES: dict[type[Any], tuple[Made, Action]] = {
    ask.CreateSchedule: (lambda _: _plain(ask.CreateSchedule(spec=_spec())), Action.SCHEDULE_CREATE),
    ask.CreateSchedules: (
        lambda _: _plain(ask.CreateSchedules(items=(msgspec.to_builtins(_spec()),))), Action.SCHEDULE_CREATE,
    ),
    ask.PatchSchedule: (
        lambda scene: _of(scene.daily(), lambda it: ask.PatchSchedule(id=it.id, changes={"name": "b"})),
        Action.SCHEDULE_UPDATE,
    ),
    ask.DeleteSchedule: (
        lambda scene: _of(scene.daily(), lambda it: ask.DeleteSchedule(id=it.id)), Action.SCHEDULE_DELETE,
    ),
    ask.PauseSchedule: (
        lambda scene: _of(scene.daily(), lambda it: ask.PauseSchedule(id=it.id)), Action.SCHEDULE_PAUSE,
    ),
    ask.ResumeSchedule: (
        lambda scene: _of(scene.paused(), lambda id: ask.ResumeSchedule(id=id)), Action.SCHEDULE_RESUME,
    ),
    ask.SkipOccurrence: (
        lambda scene: _of(scene.daily(), lambda it: ask.SkipOccurrence(id=it.id)), Action.SCHEDULE_SKIP,
    ),
    ask.MoveOccurrence: (
        lambda scene: _of(scene.daily(), lambda it: ask.MoveOccurrence(id=it.id, to="in 5 hours")),
        Action.SCHEDULE_MOVE,
    ),
    ask.Undo: (_undone, Action.SCHEDULE_UNDO),
    ask.AddLink: (_linked, Action.CHAIN_ADD),
    ask.RemoveLink: (_unlinked, Action.CHAIN_REMOVE),
    ask.RunSchedule: (
        lambda scene: _of(scene.daily(), lambda it: ask.RunSchedule(id=it.id)), Action.SCHEDULE_RUN,
    ),
    ask.CancelRun: (lambda scene: _of(scene.run(), lambda id: ask.CancelRun(id=id)), Action.RUN_CANCEL),
    ask.RetryRun: (
        lambda scene: _of(scene.run(cancelled=True), lambda id: ask.RetryRun(id=id)), Action.RUN_RETRY,
    ),
    ask.ReplayDead: (lambda scene: _of(scene.dead(), lambda id: ask.ReplayDead(ids=(id,))), Action.DEAD_REPLAY),
    ask.DropDead: (lambda scene: _of(scene.dead(), lambda id: ask.DropDead(ids=(id,))), Action.DEAD_DROP),
    ask.PutGuildSettings: (
        lambda _: _plain(ask.PutGuildSettings(guild_id="1", changes={"hour24": False})), Action.GUILD_SETTINGS,
    ),
    ask.UndoGuildSettings: (_settings_undone, Action.GUILD_REVERT),
    ask.PutGuildQuota: (
        lambda _: _plain(ask.PutGuildQuota(guild_id="1", document={"running": 5})), Action.GUILD_QUOTA,
    ),
    ask.PatchGuildQuota: (
        lambda _: _plain(ask.PatchGuildQuota(guild_id="1", changes={"running": 5}, until="in 2 hours")),
        Action.GUILD_QUOTA,
    ),
    ask.NewVerification: (lambda _: _plain(ask.NewVerification(guild_id="1")), Action.GUILD_CODE),
    ask.VerifyGuild: (lambda _: _plain(ask.VerifyGuild(guild_id="1")), Action.GUILD_VERIFY),
    ask.SuspendGuild: (lambda _: _plain(ask.SuspendGuild(guild_id="1", why="spam")), Action.GUILD_SUSPEND),
    ask.ResumeGuild: (_suspended, Action.GUILD_RESUME),
    ask.PutUserTimezone: (
        lambda _: _plain(ask.PutUserTimezone(user_id="7", timezone="Asia/Tokyo")), Action.USER_TIMEZONE,
    ),
    ask.NewCalendarLink: (lambda _: _plain(ask.NewCalendarLink(guild_id="1")), Action.CALENDAR_LINK_NEW),
    ask.EndCalendarLink: (_calendar_linked, Action.CALENDAR_LINK_END),
    ask.PutCalendar: (
        lambda _: _plain(ask.PutCalendar(guild_id="1", name="ours", calendar=CalendarDays(dates=("12-24",)))),
        Action.CALENDAR_PUT,
    ),
    ask.DeleteCalendar: (_calendar_gone, Action.CALENDAR_DELETE),
    ask.PutHours: (
        lambda _: _plain(ask.PutHours(guild_id="1", name="office", hours=HoursWindows(windows=("09:00-17:00",)))),
        Action.HOURS_PUT,
    ),
    ask.DeleteHours: (_hours_gone, Action.HOURS_DELETE),
    ask.AddBlackout: (
        lambda _: _plain(ask.AddBlackout(guild_id="1", blackout=NewBlackout(begin="tomorrow", end="in 3 days"))),
        Action.BLACKOUT_ADD,
    ),
    ask.RemoveBlackout: (_blackout_gone, Action.BLACKOUT_REMOVE),
    ask.NoteGuild: (lambda _: _plain(ask.NoteGuild(guild_id="1", name="One")), Action.GUILD_JOIN),
    ask.BanUser: (lambda _: _plain(ask.BanUser(user_id="666")), Action.USER_BAN),
    ask.UnbanUser: (_banned, Action.USER_UNBAN),
    ask.DrainCore: (lambda _: _plain(ask.DrainCore()), Action.CORE_DRAIN),
    ask.ResumeCore: (_core_drained, Action.CORE_RESUME),
    ask.SetMaintenance: (lambda _: _plain(ask.SetMaintenance(message="soon back")), Action.CORE_MAINTENANCE),
    ask.DrainHandler: (lambda _: _plain(ask.DrainHandler(name="hands")), Action.HANDLER_DRAIN),
    ask.ResumeHandler: (_drained, Action.HANDLER_RESUME),
    ask.NewKey: (lambda _: _plain(ask.NewKey(name="ci", role="operator")), Action.KEY_NEW),
    ask.RevokeKey: (lambda scene: _of(scene.key(), lambda id: ask.RevokeKey(id=id)), Action.KEY_REVOKE),
    ask.RotateKey: (
        lambda scene: _of(scene.key(), lambda id: ask.RotateKey(id=id, public=new_pair().public)), Action.KEY_ROTATE,
    ),
    ask.NewSignIn: (_signing_in, Action.SIGN_IN_NEW),
    ask.RevertAudit: (_reverted, Action.SCHEDULE_UNDO),
}  # fmt: skip
SILENT: dict[type[Any], str] = {}
"""Requests that change something and leave no line, each with its reason."""


async def _of(made: Awaitable[Any], request: Callable[[Any], ask.Request]) -> ask.Request:
    return request(await made)


@pytest.fixture
async def scene(house: House) -> Scene:
    return Scene(house)


@pytest.mark.parametrize("kind", _CHANGES, ids=lambda kind: kind.__name__)
async def test_every_request_that_changes_something_leaves_one_line(scene: Scene, kind: type[Any]) -> None:
    if kind in SILENT:
        return
    make, action = CHANGES[kind]
    request = await make(scene)
    before = await stored(scene.house)
    asks = msgspec.structs.replace(OPERATOR, via="cli")
    await as_(scene.house, asks).send(request)
    line, *more = (await stored(scene.house))[len(before) :]
    assert more == []
    assert (line.action, line.actor, line.via) == (action, "operator:token", "cli")
    assert line.target
    assert scene.house.clock.now() - 5_000_000 < line.at <= scene.house.clock.now()
    assert action in DONE


async def test_what_is_refused_or_changes_nothing_leaves_no_line(scene: Scene) -> None:
    made = await scene.daily(name="a")
    await scene.core.change_guild_settings("1", {"hour24": False})
    await scene.core.note_guild("1", "One")
    await scene.core.set_user_timezone("7", "Asia/Tokyo")
    before = await stored(scene.house)
    await scene.core.patch_schedule(made.id, {"name": "a"})
    await scene.core.change_guild_settings("1", {"hour24": False})
    await scene.core.note_guild("1", "One")
    await scene.core.set_user_timezone("7", "Asia/Tokyo")
    with pytest.raises(Conflict):
        await scene.core.create_schedule(msgspec.structs.replace(_spec(), name="a"))
    with pytest.raises(Forbidden):
        await as_(scene.house, ANNA).create_schedule(_spec())
    assert await stored(scene.house) == before


async def test_a_request_that_is_repeated_leaves_its_line_once(scene: Scene) -> None:
    for _ in range(3):
        await scene.core.create_schedule(_spec(), idempotency_key="once")
    assert [line.action for line in await stored(scene.house)] == ["schedule.create"]


async def test_a_guild_that_goes_comes_and_is_renamed_is_told_with_what_it_was(scene: Scene) -> None:
    for name, present in (("One", True), ("Eins", True), ("Eins", False)):
        await scene.core.note_guild("1", name, present=present)
    lines = (await scene.core.list_audit(guild_id="1")).items[::-1]
    assert [(line.action, line.before, line.after) for line in lines] == [
        ("guild.join", None, {"present": True, "name": "One"}),
        ("guild.rename", {"present": True, "name": "One"}, {"present": True, "name": "Eins"}),
        ("guild.leave", {"present": True, "name": "Eins"}, {"present": False, "name": "Eins"}),
    ]


async def test_of_what_a_guild_keeps_closed_the_line_says_only_what_was_changed(scene: Scene) -> None:
    await scene.core.put_calendar("1", "theirs", CalendarDays(dates=("01-01",)))
    await scene.core.put_calendar("1", "ours", CalendarDays(dates=("12-24",)))
    await scene.core.put_calendar("1", "ours", CalendarDays(dates=("12-25",)))
    line = await newest(scene.house)
    assert (line.action, line.target) == ("calendar.put", "ours")
    assert line.before is not None
    assert line.after is not None
    assert (line.before["dates"], line.after["dates"]) == (["12-24"], ["12-25"])
    assert "01-01" not in str(line)
    made = await scene.core.add_blackout("1", NewBlackout(begin="2026-12-24T00:00:00Z", end="2026-12-27T00:00:00Z"))
    told = await newest(scene.house)
    assert told.target == made.id
    assert told.after is not None
    assert parse(told.after["begin"]) == parse(made.begin)
