"""The audit: every change leaves a line, for those who may read it; and what a line says can be taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.ledger.port import AuditFilter, Transaction
from core.ledger.rows import AuditedRow, AuditRow, DeadRow
from core.service.service import _CHANGES
from schedule_zero import requests as ask
from schedule_zero.actor import (
    ADMINISTRATOR,
    MANAGE_GUILD,
    MANAGE_MESSAGES,
    VIEW_AUDIT_LOG,
    Actor,
)
from schedule_zero.audit import DONE, Action, Changed, csv_of, what_changed
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.curve import new_pair
from schedule_zero.errors import Conflict, Forbidden, Gone, Invalid, NotFound, QuotaExceeded
from schedule_zero.handler import MethodInfo
from schedule_zero.instant import DAY, parse
from schedule_zero.masking import MASK
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger
from schedule_zero.views import AuditLine
from tests.engine.house import House, Mute, plan
from tests.service.people import ANNA, CORE, MOD, OPERATOR, STRANGER, as_, member, post, remind

Build = Callable[..., Awaitable[House]]
DAILY = CronTrigger(expression="0 9 * * *")
READER = member("reader", permissions=VIEW_AUDIT_LOG)
CHIEF = member("chief", permissions=VIEW_AUDIT_LOG | MANAGE_GUILD | MANAGE_MESSAGES)
CONFINED = Actor(kind="operator", id="theirs", guild_id="1")
LATER_S = 20 * 60


async def stored(house: House) -> list[AuditedRow]:
    """Every line, oldest first."""
    return list(await house.ledger.reader.audit.page(AuditFilter(any_guild=True), None, 1000))[::-1]


async def newest(house: House, actor: Actor = OPERATOR) -> AuditLine:
    """The line of the last change, as that actor sees it."""
    return (await as_(house, actor).list_audit(guild_id="1", limit=1)).items[0]


# ── every change leaves a line ─────────────────────────────────────────────────────────────────────────────────


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


async def _suspended(scene: Scene) -> ask.Request:
    await scene.core.send(ask.SuspendGuild(guild_id="1"))
    return ask.ResumeGuild(guild_id="1")


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
    ask.PutGuildQuota: (
        lambda _: _plain(ask.PutGuildQuota(guild_id="1", document={"running": 5})), Action.GUILD_QUOTA,
    ),
    ask.PatchGuildQuota: (
        lambda _: _plain(ask.PatchGuildQuota(guild_id="1", changes={"running": 5}, until="in 2 hours")),
        Action.GUILD_QUOTA,
    ),
    ask.VerifyGuild: (lambda _: _plain(ask.VerifyGuild(guild_id="1")), Action.GUILD_VERIFY),
    ask.SuspendGuild: (lambda _: _plain(ask.SuspendGuild(guild_id="1", why="spam")), Action.GUILD_SUSPEND),
    ask.ResumeGuild: (_suspended, Action.GUILD_RESUME),
    ask.PutUserTimezone: (
        lambda _: _plain(ask.PutUserTimezone(user_id="7", timezone="Asia/Tokyo")), Action.USER_TIMEZONE,
    ),
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
    ask.DrainHandler: (lambda _: _plain(ask.DrainHandler(name="hands")), Action.HANDLER_DRAIN),
    ask.ResumeHandler: (_drained, Action.HANDLER_RESUME),
    ask.NewKey: (lambda _: _plain(ask.NewKey(name="ci", role="operator")), Action.KEY_NEW),
    ask.RevokeKey: (lambda scene: _of(scene.key(), lambda id: ask.RevokeKey(id=id)), Action.KEY_REVOKE),
    ask.RotateKey: (
        lambda scene: _of(scene.key(), lambda id: ask.RotateKey(id=id, public=new_pair().public)), Action.KEY_ROTATE,
    ),
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


# ── who reads what ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_for_those_with_view_audit_log_where_they_speak(house: House) -> None:
    await post(house, MOD)
    await house.client.create_schedule(msgspec.structs.replace(_spec(), guild_id="2"))
    await house.client.create_schedule(msgspec.structs.replace(_spec(), guild_id=None))
    for actor in (READER, member("boss", permissions=ADMINISTRATOR), CONFINED):
        for filters in ({}, {"guild_id": "1"}, {"any_guild": True}):
            assert {line.guild_id for line in (await as_(house, actor).list_audit(**filters)).items} == {"1"}
        with pytest.raises(NotFound):
            await as_(house, actor).list_audit(guild_id="2")
    for actor in (ANNA, MOD, member("reader", None, ADMINISTRATOR)):
        with pytest.raises(Forbidden):
            await as_(house, actor).list_audit()
    everything = (await house.client.list_audit(any_guild=True)).items
    assert [line.guild_id for line in everything] == [None, "2", "1"]
    assert [line.guild_id for line in (await house.client.list_audit()).items] == [None]
    assert [line.guild_id for line in (await as_(house, CORE).list_audit(guild_id="2")).items] == ["2"]


async def test_a_line_by_its_number_is_not_there_for_others(house: House) -> None:
    await post(house, MOD)
    line = await newest(house)
    assert (await as_(house, READER).get_audit(line.id)).action == "schedule.create"
    for core in (as_(house, STRANGER), as_(house, member("ben", None, ADMINISTRATOR))):
        for ask_for in (core.get_audit, core.revert_audit):
            with pytest.raises(NotFound, match=f"no line '{line.id}'"):
                await ask_for(line.id)
    with pytest.raises(Forbidden, match="View Audit Log"):
        await as_(house, MOD).get_audit(line.id)
    for id in ("0", "x", "1" * 19, "-1"):
        with pytest.raises(NotFound):
            await house.client.get_audit(id)


async def test_what_a_schedule_said_is_only_for_those_who_may_see_it(house: House) -> None:
    await remind(house, ANNA, "the secret of Anna")
    await post(house, MOD, "to the moderators")
    for line in (await as_(house, READER).list_audit()).items:
        assert (line.hidden, line.title, line.before, line.after, line.back) == (True, None, None, None, None)
    lines = (await as_(house, CHIEF).list_audit()).items
    assert [line.title for line in lines] == ["to the moderators", "the secret of Anna"]
    assert not any(line.hidden for line in lines)
    assert lines[1].after is not None
    assert lines[1].after["args"]["content"] == "the secret of Anna"


async def test_of_keys_members_see_that_something_was_done_and_no_more(house: House) -> None:
    public = new_pair().public
    await house.client.new_key("far", "handler", guild_id="1", public=public)
    assert public not in str(await as_(house, CHIEF).list_audit())
    line = await newest(house, CONFINED)
    assert line.after is not None
    assert (line.after["public"], line.hidden) == (public, False)
    assert parse(line.after["created"]) <= house.clock.now()


SECRET_METHOD = MethodInfo(
    name="call", doc="", timeout=None, at_most_once=False,
    schema={"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}, "n": {"type": "integer"}}},
)  # fmt: skip


async def test_secrets_are_masked_and_one_that_changed_is_marked(house: House) -> None:
    house.engine.join(Mute(house.engine, further=(SECRET_METHOD,)))
    spec = ScheduleSpec(handler="far", method="call", trigger=DAILY, guild_id="1", args={"pin": "first-pin", "n": 1})
    made = await house.client.create_schedule(spec)
    await house.client.patch_schedule(made.id, {"args": {"pin": "second-pin", "n": 1}})
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("args.pin", MASK, f"{MASK} (another)"),)
    await house.client.patch_schedule(made.id, {"args": {"pin": "second-pin", "n": 2}})
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("args.n", 1, 2),)
    assert "-pin" not in str(await house.client.list_audit(any_guild=True))


async def test_what_nobody_describes_any_more_is_hidden_text_by_text(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1")
    await house.rewrite(made.id, handler="gone", args='{"said":"words","n":3}')
    await house.client.pause_schedule(made.id)
    line = await newest(house)
    assert line.after is not None
    assert line.after["args"] == {"said": MASK, "n": 3}


async def test_the_difference_of_a_skipped_time_is_that_time(house: House) -> None:
    made = await house.schedule(DAILY, guild_id="1")
    await house.client.skip_occurrence(made.id)
    line = await newest(house)
    assert what_changed(line.before, line.after) == (Changed("skipped", None, ["2026-03-04T09:00:00+00:00"]),)


async def test_whoever_does_not_operate_the_service_changes_things_in_their_own_name(house: House) -> None:
    code = (await as_(house, CHIEF).send(ask.NewVerification(guild_id="1"))).code  # type: ignore[union-attr]
    await as_(house, CHIEF).send(ask.VerifyGuild(guild_id="1", code=code, by="operator:root"))
    assert (await newest(house)).actor == "member:chief"
    await house.client.send(ask.SuspendGuild(guild_id="1", by="member:7"))
    line = await newest(house)
    assert line.actor == "member:7"
    assert line.after is not None
    assert line.after["suspended"]["at"].startswith("2026-03-03T12:00")
    assert "operator:root" not in str(line)


# ── filters and pages ──────────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_found_by_who_what_where_and_when(house: House) -> None:
    first = await post(house, MOD)
    between = house.clock.in_s(0.5)
    house.clock.move(60)
    await as_(house, CHIEF).pause_schedule(first.id)
    await as_(house, CHIEF).change_guild_settings("1", {"hour24": False})

    async def found(**filters: Any) -> list[str]:
        return [line.action for line in (await as_(house, READER).list_audit(**filters)).items]

    assert await found() == ["guild.settings", "schedule.pause", "schedule.create"]
    assert await found(actor="chief") == ["guild.settings", "schedule.pause"]
    assert await found(actor="member:mod") == ["schedule.create"]
    assert await found(actor="operator:mod") == []
    assert await found(action="schedule.pause") == ["schedule.pause"]
    assert await found(target=first.id) == ["schedule.pause", "schedule.create"]
    assert await found(target="1", actor="chief") == ["guild.settings"]
    assert await found(since=between) == ["guild.settings", "schedule.pause"]
    assert await found(until=between) == ["schedule.create"]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"action": "schedule.paus"}, "action: there is no action 'schedule.paus'; did you mean schedule.pause?"),
        ({"action": "x"}, "action: there is no action 'x'"),
        ({"since": "yesterday"}, "since: 'yesterday' is no instant"),
        ({"until": "x"}, "until: "),
        ({"cursor": "run_1"}, "cursor: is no cursor; send the `next` of the page before"),
        ({"cursor": "1-"}, "cursor: is no cursor"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(house: House, filters: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await house.client.list_audit(any_guild=True, **filters)
    assert refused.value.sentence.startswith(said)


async def test_pages_go_through_all_lines_once_also_while_new_ones_come(house: House) -> None:
    for n in range(10):
        await house.client.change_guild_settings("1", {"hour24": n % 2 == 1})
    numbers = [line.id for line in (await house.client.list_audit(guild_id="1")).items]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await house.client.list_audit(guild_id="1", limit=3, cursor=cursor)
        seen += [line.id for line in page.items]
        await house.client.change_guild_settings("1", {"hour24": len(seen) % 2 == 0})
        cursor = page.next
        if cursor is None:
            break
    assert seen == numbers
    assert sorted(numbers, key=int, reverse=True) == numbers


async def test_lines_of_one_instant_are_not_lost_between_two_pages(house: House) -> None:
    line = house.service._desk.line(OPERATOR, Action.SCHEDULE_RUN, "sch_1", "1")

    async def unit(tx: Transaction) -> None:
        await tx.notes.audit([line] * 7)

    await house.ledger.write(unit)
    first = await house.client.list_audit(guild_id="1", limit=4)
    second = await house.client.list_audit(guild_id="1", limit=4, cursor=first.next)
    assert [int(each.id) for each in (*first.items, *second.items)] == [7, 6, 5, 4, 3, 2, 1]
    assert second.next is None


# ── the way back ───────────────────────────────────────────────────────────────────────────────────────────────


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
    assert await house.client.guild_settings("1") == settings
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
    assert house.engine.entitler._zones["1"].key == "Asia/Tokyo"
    await house.client.revert_audit(line.id)
    assert house.engine.entitler._zones["1"].key == "UTC"


async def test_what_cannot_be_taken_back_says_so(house: House) -> None:
    await house.client.put_calendar("1", "ours", CalendarDays(dates=("12-24",)))
    line = await newest(house)
    assert line.back is None
    with pytest.raises(Conflict, match=r"What calendar\.put does cannot be taken back"):
        await house.client.revert_audit(line.id)


# ── old lines, and those of the erased ─────────────────────────────────────────────────────────────────────────


async def test_lines_of_another_form_are_listed_and_not_taken_back(house: House) -> None:
    row = AuditRow(
        at=house.clock.now(), guild_id="1", actor="member:7", action="schedule.update", target="sch_1",
        before='{"id":"sch_1"}', after='{"id":"sch_1"}',
    )  # fmt: skip
    closings = msgspec.structs.replace(row, action="guild.closings", before=None, after='{"hours":{}}')

    async def unit(tx: Transaction) -> None:
        await tx.notes.audit([row, closings])

    await house.ledger.write(unit)
    other, line = (await house.client.list_audit(guild_id="1")).items
    assert (line.via, line.hidden, line.after, line.back) == (None, True, None, None)
    assert (other.action, other.after) == ("guild.closings", {"hours": {}})
    with pytest.raises(Gone, match="not kept any more"):
        await house.client.revert_audit(line.id)


async def test_an_erased_person_is_in_no_line_and_their_words_neither(house: House) -> None:
    anna = member("100000000000000007")
    await remind(house, anna, "canary")
    await as_(house, anna).set_user_timezone(anna.id, "Asia/Tokyo")
    mods = await post(house, MOD, "not Anna's")
    audit = house.ledger.reader.audit
    top = await audit.newest()

    async def unit(tx: Transaction) -> None:
        await tx.audit.forget(anna.id, 0, top)

    await house.ledger.write(unit)
    lines = await stored(house)
    assert anna.id not in str(lines)
    assert "canary" not in str(lines)
    assert [(line.actor, line.action, line.target) for line in lines[1:]] == [
        ("user:erased", "user.timezone", "user:erased"), ("member:mod", "schedule.create", mods.id),
    ]  # fmt: skip
    shown = (await house.client.list_audit(guild_id="1")).items
    assert [(line.actor, line.title, line.back) for line in shown] == [
        ("member:mod", "not Anna's", "undo"), ("user:erased", None, None),
    ]  # fmt: skip


# ── as files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_csv_holds_what_a_line_says_and_computes_nothing() -> None:
    line = AuditLine(
        id="1", at="2026-03-03T12:00:00Z", guild_id=None, actor="member:7", via=None, action="calendar.put",
        target="=HYPERLINK(1)", title='a "b"\nc', after={"n": [1]},
    )  # fmt: skip
    assert csv_of([line]).split("\r\n") == [
        "id,at,guild_id,actor,via,action,target,title,before,after",
        '1,2026-03-03T12:00:00Z,,member:7,,calendar.put,\'=HYPERLINK(1),"a ""b""\nc",,"{""n"":[1]}"',
        "",
    ]
    assert csv_of([line], titled=False).startswith("1,")


def test_what_changed_is_told_entry_by_entry() -> None:
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "e": {"f": 1}}
    after = {"b": {"c": 2, "d": [1, 2]}, "e": 3, "a": 1, "g": None}
    assert what_changed(before, after) == (
        Changed("b.c", 1, 2), Changed("b.d", [1], [1, 2]), Changed("e", {"f": 1}, 3),
    )  # fmt: skip
    assert what_changed(None, {"a": 1}) == (Changed("a", None, 1),)
    assert what_changed(None, None) == ()


def test_every_action_has_its_words() -> None:
    assert set(DONE) == set(Action)
    assert all(action.count(".") == 1 for action in Action)
