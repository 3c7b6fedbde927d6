"""Every request there is, its refusals, its repetition: alike in one process, over ZeroMQ and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero.answers import ANSWERS
from schedule_zero.client import CoreClient
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Conflict, Forbidden, Gone, Invalid, NotFound, ScheduleZeroError, TooLarge, Unauthorized
from schedule_zero.schedule import After, Schedule, ScheduleSpec
from schedule_zero.trigger import CronTrigger, TextTrigger
from tests.contract.place import BOT_TOKEN, Kind, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")
CRON = CronTrigger(expression="0 9 * * *")
SPEC = ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="every day at 9"), guild_id="9")

Of = Callable[[Schedule], Any]
EVERY: dict[type[Any], Of] = {
    ask.CreateSchedule: lambda _: ask.CreateSchedule(spec=SPEC),
    ask.CreateSchedules: lambda _: ask.CreateSchedules(items=({"handler": "echo"}, 3)),
    ask.GetSchedule: lambda it: ask.GetSchedule(id=it.id),
    ask.ListSchedules: lambda _: ask.ListSchedules(guild_id="9", metadata={"a": "b&c"}),
    ask.PatchSchedule: lambda it: ask.PatchSchedule(id=it.id, changes={"args": {"text": "ü"}}),
    ask.DeleteSchedule: lambda it: ask.DeleteSchedule(id=it.id),
    ask.PauseSchedule: lambda it: ask.PauseSchedule(id=it.id, until="in 2 hours", note="n"),
    ask.ResumeSchedule: lambda it: ask.ResumeSchedule(id=it.id),
    ask.RunSchedule: lambda it: ask.RunSchedule(id=it.id, args={"text": "x"}),
    ask.CheckRun: lambda it: ask.CheckRun(id=it.id),
    ask.PreviewSchedule: lambda it: ask.PreviewSchedule(id=it.id, n=3),
    ask.PreviewTrigger: lambda _: ask.PreviewTrigger(trigger=CRON, timezone="Europe/Rome", n=2),
    ask.ReadTime: lambda _: ask.ReadTime(when="tomorrow at 9", timezone="UTC"),
    ask.SuggestTimes: lambda _: ask.SuggestTimes(field="when", text="in 2"),
    ask.SuggestZones: lambda _: ask.SuggestZones(text="rome"),
    ask.SuggestCountries: lambda _: ask.SuggestCountries(text="united"),
    ask.SuggestClosings: lambda _: ask.SuggestClosings(guild_id="9", kind="calendar", text="ou"),
    ask.SuggestSchedules: lambda _: ask.SuggestSchedules(text="", guild_id="9"),
    ask.Undo: lambda it: ask.Undo(token=it.undo.token if it.undo else ""),
    ask.ListRuns: lambda _: ask.ListRuns(any_guild=True, limit=2),
    ask.GetRun: lambda _: ask.GetRun(id="run_none"),
    ask.GetRunLog: lambda _: ask.GetRunLog(id="run_none"),
    ask.CancelRun: lambda _: ask.CancelRun(id="run_none"),
    ask.RetryRun: lambda _: ask.RetryRun(id="run_none"),
    ask.ListDead: lambda _: ask.ListDead(any_guild=True, limit=2),
    ask.ReplayDead: lambda _: ask.ReplayDead(ids=("run_none",)),
    ask.DropDead: lambda _: ask.DropDead(handler="nobody"),
    ask.ListEvents: lambda _: ask.ListEvents(after="1-0", kinds=("schedule.created",), limit=2),
    ask.ListAudit: lambda _: ask.ListAudit(guild_id="9", since="2026-01-01T00:00:00Z", limit=2),
    ask.GetAudit: lambda _: ask.GetAudit(id="999999999"),
    ask.RevertAudit: lambda _: ask.RevertAudit(id="999999999"),
    ask.GetGuildSettings: lambda _: ask.GetGuildSettings(guild_id="9"),
    ask.PutGuildSettings: lambda _: ask.PutGuildSettings(guild_id="9", changes={"hour24": False}),
    ask.UndoGuildSettings: lambda _: ask.UndoGuildSettings(guild_id="9", token="und_none"),
    ask.AddLink: lambda it: ask.AddLink(item=it.id, after="sch_none", when="any", delay="PT1M"),
    ask.RemoveLink: lambda it: ask.RemoveLink(item=it.id, after="sch_none", when="all"),
    ask.GetChain: lambda it: ask.GetChain(schedule=it.id),
    ask.ListChains: lambda _: ask.ListChains(guild_id="9", limit=2),
    ask.CheckChains: lambda _: ask.CheckChains(any_guild=True),
    ask.SkipOccurrence: lambda it: ask.SkipOccurrence(id=it.id),
    ask.MoveOccurrence: lambda it: ask.MoveOccurrence(id=it.id, to="in 400 days"),
    ask.ListCalendars: lambda _: ask.ListCalendars(guild_id="9"),
    ask.GetCalendar: lambda _: ask.GetCalendar(guild_id="9", name="nobody's"),
    ask.PutCalendar: lambda _: ask.PutCalendar(guild_id="9", name="ours ü", calendar=CalendarDays(dates=("12-24 ü",))),
    ask.DeleteCalendar: lambda _: ask.DeleteCalendar(guild_id="9", name="nobody's"),
    ask.ListHours: lambda _: ask.ListHours(guild_id="9"),
    ask.GetHours: lambda _: ask.GetHours(guild_id="9", name="nobody's"),
    ask.PutHours: lambda _: ask.PutHours(guild_id="9", name="office", hours=HoursWindows(windows=("09:00-17:00",))),
    ask.DeleteHours: lambda _: ask.DeleteHours(guild_id="9", name="nobody's"),
    ask.ListBlackouts: lambda _: ask.ListBlackouts(guild_id="9"),
    ask.AddBlackout: lambda _: ask.AddBlackout(
        guild_id="9", blackout=NewBlackout(begin="in 300 days", end="in 301 days", reason="ü")
    ),
    ask.RemoveBlackout: lambda _: ask.RemoveBlackout(guild_id="9", id="blk_none"),
    ask.NoteGuild: lambda _: ask.NoteGuild(guild_id="9", name="Nine"),
    ask.ListGuilds: lambda _: ask.ListGuilds(q="ü", limit=2),
    ask.GetGuild: lambda _: ask.GetGuild(guild_id="9"),
    ask.GetGuildQuota: lambda _: ask.GetGuildQuota(guild_id="9"),
    ask.PutGuildQuota: lambda _: ask.PutGuildQuota(guild_id="9", document={"runs_per_month": None}),
    ask.PatchGuildQuota: lambda _: ask.PatchGuildQuota(
        guild_id="9", changes={"runs_per_month": 10**6}, until="in 1 hour", by="ü"
    ),
    ask.NewVerification: lambda _: ask.NewVerification(guild_id="8"),
    ask.VerifyGuild: lambda _: ask.VerifyGuild(guild_id="9", by="ü"),
    ask.SuspendGuild: lambda _: ask.SuspendGuild(guild_id="7", why="ü"),
    ask.ResumeGuild: lambda _: ask.ResumeGuild(guild_id="7"),
    ask.GetRefusal: lambda _: ask.GetRefusal(guild_id="9"),
    ask.ListPresentGuilds: lambda _: ask.ListPresentGuilds(shard=1, shards=2),
    ask.EraseGuild: lambda _: ask.EraseGuild(guild_id="77"),
    ask.Export: lambda _: ask.Export(guild_id="9", format="csv", cursor="0"),
    ask.NewCalendarLink: lambda _: ask.NewCalendarLink(guild_id="9"),
    ask.GetCalendarLink: lambda _: ask.GetCalendarLink(user_id="7"),
    ask.EndCalendarLink: lambda _: ask.EndCalendarLink(guild_id="9"),
    ask.EraseUser: lambda _: ask.EraseUser(user_id="nobody"),
    ask.GetUserTimezone: lambda _: ask.GetUserTimezone(user_id="7"),
    ask.PutUserTimezone: lambda _: ask.PutUserTimezone(user_id="7", timezone="Asia/Tokyo"),
    ask.NewKey: lambda _: ask.NewKey(name="reader", role="operator"),
    ask.ListKeys: lambda _: ask.ListKeys(),
    ask.RevokeKey: lambda _: ask.RevokeKey(id="key_none"),
    ask.RotateKey: lambda _: ask.RotateKey(id="key_none"),
    ask.NewSignIn: lambda _: ask.NewSignIn(),
    ask.ListHandlers: lambda _: ask.ListHandlers(),
    ask.GetHandler: lambda _: ask.GetHandler(name="echo"),
    ask.ListBans: lambda _: ask.ListBans(),
    ask.BanUser: lambda _: ask.BanUser(user_id="666", why="ü"),
    ask.UnbanUser: lambda _: ask.UnbanUser(user_id="667"),
    ask.GetUpkeep: lambda _: ask.GetUpkeep(),
    ask.DrainCore: lambda _: ask.DrainCore(by="ü"),
    ask.ResumeCore: lambda _: ask.ResumeCore(),
    ask.SetMaintenance: lambda _: ask.SetMaintenance(message="ü", until="in 1 hour"),
    ask.DrainHandler: lambda _: ask.DrainHandler(name="nobody"),
    ask.ResumeHandler: lambda _: ask.ResumeHandler(name="nobody"),
    ask.GetLag: lambda _: ask.GetLag(),
    ask.GetQueue: lambda _: ask.GetQueue(),
    ask.GetStatus: lambda _: ask.GetStatus(),
}
ABSENT = (
    ask.UnbanUser,
    ask.GetAudit, ask.RevertAudit, ask.DrainHandler, ask.ResumeHandler, ask.GetRun, ask.GetRunLog, ask.CancelRun, ask.RetryRun, ask.RevokeKey,
    ask.RotateKey, ask.RemoveLink, ask.GetCalendar, ask.DeleteCalendar, ask.GetHours, ask.DeleteHours, ask.RemoveBlackout,
)  # fmt: skip


async def test_no_request_is_left_out() -> None:
    assert set(EVERY) == set(get_args(ask.Request))


@pytest.mark.parametrize("what", EVERY, ids=lambda what: what.__name__)
async def test_a_request_gets_its_answer(any_client: CoreClient, what: type[Any]) -> None:
    made = await any_client.create_schedule(SPEC)
    if what is ask.AddLink:
        parent = await any_client.create_schedule(SPEC)
        linked = await any_client.add_link(made.id, parent.id, when="any", delay="PT1M")
        assert linked.words.endswith(f"; 1 minute after {parent.id} ends")
        assert (await any_client.get_chain(parent.id)).edges[0].child == made.id
        assert (await any_client.remove_link(made.id, parent.id, when="any")).after == ()
        await any_client.delete_schedule(parent.id)
    elif what is ask.UndoGuildSettings:
        changed = await any_client.change_guild_settings("9", {"default_time": "07:00"})
        assert changed.undo is not None
        back = await any_client.undo_guild_settings("9", changed.undo.token)
        assert (back.default_time, back.undo is None) == ("09:00", False)
        with pytest.raises(Gone):
            await any_client.send(EVERY[what](made))
    elif what in ABSENT:
        with pytest.raises(NotFound):
            await any_client.send(EVERY[what](made))
    else:
        if what is ask.ResumeGuild:
            await any_client.suspend_guild("7")
        answer = await any_client.send(EVERY[what](made))
        assert type(answer) is ANSWERS[what]
    if what is ask.DrainCore:
        await any_client.resume_core()  # the core is everybody's
    if what not in (ask.DeleteSchedule, ask.Undo):
        await any_client.delete_schedule(made.id)


async def test_a_chain_runs_and_is_answered_alike(any_client: CoreClient) -> None:
    parent = await any_client.create_schedule(SPEC)
    link = After(schedule=parent.id)
    child = await any_client.create_schedule(
        ScheduleSpec(handler="echo", method="echo", guild_id="9", after=(link,), args={"text": "{parent.result}!"})
    )
    async with asyncio.timeout(20):
        run = await any_client.run_schedule(parent.id, args={"text": "ü"})
        while not (found := await any_client.get_run(run.id)).children:
            await asyncio.sleep(0.01)
        while (followed := await any_client.get_run(found.children[0])).result is None:
            await asyncio.sleep(0.01)
    assert (followed.parent, followed.result, followed.occurrence) == (run.id, "ü!", f"c:{run.id}")
    assert (await any_client.get_chain(child.id)).edges[0].parent == parent.id
    assert [chain for chain in (await any_client.list_chains(guild_id="9")).items if len(chain.nodes) == 2]
    await any_client.delete_schedule(parent.id)
    report = await any_client.check_chains(guild_id="9")
    assert {each.kind for each in report.items} == {"gone", "never"}
    await any_client.delete_schedule(child.id)


async def test_answers_are_the_same_to_the_last_field(place: Place) -> None:
    local, zmq, http = place.client("local"), place.client("zmq"), place.client("http")
    made = await local.create_schedule(msgspec.structs.replace(SPEC, metadata={"k": "ü"}, args={"text": "\U0001f600"}))
    for request in (
        ask.GetSchedule(id=made.id),
        ask.ListSchedules(guild_id="9"),
        ask.ListRuns(any_guild=True),
        ask.ListEvents(after="1-0", limit=5),
        ask.PreviewSchedule(id=made.id, n=3, after="2026-03-28T12:00:00Z"),
        ask.GetGuildSettings(guild_id="9"),
    ):
        first = await local.send(request)
        assert await zmq.send(request) == first
        assert await http.send(request) == first
    await local.delete_schedule(made.id)
    await zmq.close()
    await http.close()


WRONG: list[tuple[str, Callable[[CoreClient], Awaitable[Any]], type[ScheduleZeroError]]] = [
    ("a field", lambda core: core.create_schedule(msgspec.structs.replace(SPEC, timezone="Nowhere/Land")), Invalid),
    ("arguments", lambda core: core.create_schedule(msgspec.structs.replace(SPEC, args={"txt": 1})), Invalid),
    (
        "a time",
        lambda core: core.create_schedule(msgspec.structs.replace(SPEC, trigger=TextTrigger(text="at 5"))),
        Invalid,
    ),
    ("a place", lambda core: core.list_events(after="x"), Invalid),
    ("a change", lambda core: core.change_guild_settings("9", {"nothing": 1}), Invalid),
    ("an id", lambda core: core.get_schedule("x" * 101), Invalid),
    ("a number", lambda core: core.send(ask.ListSchedules(limit="many")), Invalid),  # type: ignore[arg-type]
    ("a schedule", lambda core: core.pause_schedule("sch_none"), NotFound),
    ("too much", lambda core: core.run_schedule("sch_none", args={"text": "x" * 1_100_000}), TooLarge),
]


@pytest.mark.parametrize(("what", "asked", "kind"), WRONG, ids=[what for what, *_ in WRONG])
async def test_what_is_wrong_is_refused_alike(
    any_client: CoreClient, place: Place, kind: type[ScheduleZeroError], asked: Any, what: str
) -> None:
    if kind is TooLarge and any_client is place.app.client:
        kind = ScheduleZeroError  # no door stands between
    with pytest.raises(kind) as refused:
        await asked(any_client)
    with pytest.raises(ScheduleZeroError) as said:
        await asked(place.app.client)
    if kind is Invalid:
        assert isinstance(said.value, Invalid)
        assert isinstance(refused.value, Invalid)
        assert [each.field for each in refused.value.errors] == [each.field for each in said.value.errors]


async def test_a_key_belongs_to_one_request(any_client: CoreClient, kind: Kind) -> None:
    made = await any_client.create_schedule(SPEC)
    first = await any_client.run_schedule(made.id, key=f"once-{kind}")
    assert (await any_client.run_schedule(made.id, key=f"once-{kind}")).id == first.id
    with pytest.raises(Conflict, match="Idempotency-Key"):
        await any_client.run_schedule(made.id, args={"text": "other"}, key=f"once-{kind}")
    await any_client.delete_schedule(made.id)


async def test_who_stops_waiting_changes_nothing_for_others(any_client: CoreClient) -> None:
    made = await any_client.create_schedule(SPEC)
    asked = [asyncio.create_task(any_client.pause_schedule(made.id)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Schedule | ScheduleZeroError | asyncio.CancelledError) for each in ended)
    assert (await any_client.get_schedule(made.id)).state == "paused"
    await any_client.delete_schedule(made.id)


@pytest.mark.parametrize("kind", ["zmq", "http"])
async def test_a_token_nobody_holds_opens_nothing(place: Place, kind: Kind) -> None:
    client = place.client(kind, "sz_other")
    with pytest.raises(Unauthorized):
        await client.list_runs()
    await client.close()


async def test_the_bots_token_opens_nothing_over_http(place: Place) -> None:
    client = place.client("http", BOT_TOKEN)
    with pytest.raises(Unauthorized):
        await client.list_runs()
    await client.close()


async def test_only_a_bot_speaks_for_members(place: Place) -> None:
    from schedule_zero.actor import Actor

    anna = Actor(kind="member", id="anna", guild_id="9")
    bot = place.client("zmq", BOT_TOKEN)
    here, there = place.app.client.acting_as(anna), bot.acting_as(anna)
    for client in (here, there):
        with pytest.raises(Forbidden, match="Manage Messages"):
            await client.create_schedule(msgspec.structs.replace(SPEC, handler="discord", method="send_message"))
        assert (await client.user_timezone("anna")).user_id == "anna"
        with pytest.raises(Forbidden):
            await client.user_timezone("ben")
    for kind in ("zmq", "http"):
        owner = place.client(kind)
        with pytest.raises(Forbidden):
            await owner.acting_as(anna).user_timezone("anna")
        await owner.close()
    await bot.close()
