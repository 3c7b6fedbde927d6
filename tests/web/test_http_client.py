"""The client over HTTP: what it is asked arrives as it was, and refusals come back as the errors they were."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, get_args

import msgspec
import pytest

from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero import requests as ask
from schedule_zero.actor import CORE, Actor
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import (
    ERRORS,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
    ReadingOffer,
    ScheduleZeroError,
    Unauthorized,
    Unavailable,
)
from schedule_zero.routes import ROUTES
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.http import HttpClient, problem_error
from schedule_zero.trigger import IntervalTrigger, TextTrigger
from tests.web.conftest import SETTINGS, TOKEN, holding
from tests.web.fake import STATUS, FakeDoor, event

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SPEC = ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="daily"), args={"a": [1, {"b": "ü"}]})
REQUESTS: list[ask.Request] = [
    ask.CreateSchedule(spec=SPEC, idempotency_key="k"),
    ask.CreateSchedules(items=({"handler": "a"}, 3)),
    ask.GetSchedule(id="sch_1 %?#ü"),
    ask.ListSchedules(any_guild=True, metadata={"team": "a&b"}, limit=3, cursor="c"),
    ask.ListSchedules(guild_id="12", state="active", handler="h", owner_id="o", q="x y"),
    ask.ListSchedules(guild_id=None),
    ask.PatchSchedule(id="s", changes={"name": None}, revision=4),
    ask.DeleteSchedule(id="s", revision=0),
    ask.PauseSchedule(id="s", until="tomorrow", note="n"),
    ask.ResumeSchedule(id="s"),
    ask.RunSchedule(id="s", args={"x": 1}, idempotency_key="k2"),
    ask.CheckRun(id="s", args={"x": 1}),
    ask.PreviewSchedule(id="s", n=3, after="2026-01-01T00:00:00Z"),
    ask.PreviewTrigger(trigger=IntervalTrigger(every="PT1H"), timezone="Europe/Rome", policy={"dst": "literal"}),
    ask.ReadTime(when="tomorrow", repeat="daily", timezone="UTC", guild_id="1", user_id="2"),
    ask.SuggestTimes(field="when", text="in", guild_id="1"),
    ask.SuggestZones(text="Eu"),
    ask.SuggestCountries(text="Ger"),
    ask.SuggestClosings(guild_id="1", kind="hours", text="of"),
    ask.SuggestSchedules(text="st", guild_id="1", reminders=True),
    ask.Undo(token="t"),
    ask.ListRuns(guild_id="1", state=RunState.FAILED, since="2026-01-01T00:00:00Z"),
    ask.ListRuns(schedule_id="s", any_guild=True),
    ask.GetRun(id="r"),
    ask.GetRunLog(id="run_1", after=3, limit=7),
    ask.CancelRun(id="r"),
    ask.RetryRun(id="r"),
    ask.ListDead(guild_id="1", handler="h", schedule_id="s", limit=7, cursor="r"),
    ask.ReplayDead(ids=("r", "s")),
    ask.DropDead(guild_id="1", handler="h", schedule_id="s", cursor="r"),
    ask.ListEvents(after="1-4", kinds=("run.failed", "run.skipped"), guild_id="1", limit=7),
    ask.ListAudit(
        guild_id="1", actor="member:7", action="key.new", target="ü / b", since="2026-01-01T00:00:00Z", limit=7
    ),
    ask.ListAudit(any_guild=True, until="2026-01-01T00:00:00Z", cursor="1-2"),
    ask.GetAudit(id="12"),
    ask.RevertAudit(id="12", idempotency_key="k6"),
    ask.GetGuildSettings(guild_id="1"),
    ask.PutGuildSettings(guild_id="1", changes={"hour24": False}),
    ask.UndoGuildSettings(guild_id="1", token="und_1", idempotency_key="k6"),
    ask.AddLink(item="s", after="t", when="failure", delay="PT5M", idempotency_key="k5"),
    ask.RemoveLink(item="s", after="t", when="any"),
    ask.GetChain(schedule="s"),
    ask.ListChains(guild_id="1", limit=5),
    ask.CheckChains(any_guild=True),
    ask.SkipOccurrence(id="s", occurrence="t:2026-01-01T00:00:00Z", idempotency_key="k4"),
    ask.MoveOccurrence(id="s", to="tomorrow at 5pm"),
    ask.ListCalendars(guild_id="1"),
    ask.GetCalendar(guild_id="1", name="bank holidays ü"),
    ask.PutCalendar(guild_id="1", name="ours", calendar=CalendarDays(dates=("12-24 Rest",), country="DE")),
    ask.DeleteCalendar(guild_id="1", name="ours"),
    ask.ListHours(guild_id="1"),
    ask.GetHours(guild_id="1", name="office"),
    ask.PutCalendar(guild_id="1", name="ours", calendar=CalendarDays(country="DE"), revision=7),
    ask.PutHours(guild_id="1", name="office", hours=HoursWindows(windows=("MO-FR 09:00-17:00",))),
    ask.DeleteHours(guild_id="1", name="office"),
    ask.ListBlackouts(guild_id="1"),
    ask.AddBlackout(guild_id="1", blackout=NewBlackout(begin="tomorrow", end="in 3 days", reason="rest")),
    ask.RemoveBlackout(guild_id="1", id="blk_1"),
    ask.NoteGuild(guild_id="1", name="G", present=False),
    ask.ListGuilds(q="ü", cursor="8", limit=2),
    ask.GetGuild(guild_id="1"),
    ask.GetGuildQuota(guild_id="1"),
    ask.PutGuildQuota(guild_id="1", document={"running": None, "plan": "trusted"}),
    ask.PatchGuildQuota(guild_id="1", changes={"running": 5}, until="in 1 hour", reset=("rate",), by="discord:1"),
    ask.NewVerification(guild_id="1", idempotency_key="k6"),
    ask.VerifyGuild(guild_id="1", code="ABCD"),
    ask.SuspendGuild(guild_id="1", why="ü", by="discord:1"),
    ask.ResumeGuild(guild_id="1"),
    ask.GetRefusal(guild_id="1"),
    ask.ListPresentGuilds(shard=3, shards=4, cursor="12"),
    ask.EraseGuild(guild_id="1"),
    ask.EraseUser(user_id="2"),
    ask.Export(user_id="2", format="ics", secrets=True, cursor="sch_1"),
    ask.GetUserTimezone(user_id="2"),
    ask.NewCalendarLink(user_id="2", idempotency_key="k7"),
    ask.GetCalendarLink(guild_id="1"),
    ask.EndCalendarLink(user_id="2"),
    ask.PutUserTimezone(user_id="2", timezone=None),
    ask.NewKey(name="far", role="handler", public="0" * 40, idempotency_key="k3"),
    ask.ListKeys(any_guild=True, over=True),
    ask.RevokeKey(id="key_1"),
    ask.RotateKey(id="key_1"),
    ask.NewSignIn(idempotency_key="k4"),
    ask.ListHandlers(),
    ask.GetHandler(name="echo"),
    ask.ListBans(),
    ask.BanUser(user_id="2", why="ü", by="discord:1"),
    ask.UnbanUser(user_id="2"),
    ask.GetUpkeep(),
    ask.DrainCore(by="discord:1"),
    ask.ResumeCore(),
    ask.SetMaintenance(message="ü", until="in 1 hour"),
    ask.DrainHandler(name="far", instance="far@1"),
    ask.ResumeHandler(name="echo"),
    ask.GetLag(),
    ask.GetQueue(guilds=3),
    ask.GetStatus(),
]


async def test_every_request_travels() -> None:
    assert {type(request) for request in REQUESTS} == set(get_args(ask.Request))
    assert {route.request for route in ROUTES} | {ask.GetStatus} == set(get_args(ask.Request))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
async def test_a_request_arrives_as_it_was_sent(client: HttpClient, door: FakeDoor, request_: Any) -> None:
    view = await client.send(request_)
    actor, arrived = door.asked[-1]
    assert arrived == request_
    assert view == await door.handle(actor, request_)
    assert (actor == CORE) is isinstance(request_, ask.GetStatus)


@pytest.mark.parametrize("code", sorted(set(ERRORS) - {"malformed", "too-large", "unauthorized"}))
async def test_a_refusal_comes_back_as_the_error_it_was(client: HttpClient, door: FakeDoor, code: str) -> None:
    door.answers[ask.GetRun] = ERRORS[code]("Because.")
    with pytest.raises(ERRORS[code], match=r"^Because\.$"):
        await client.get_run("r")


async def test_the_data_of_a_refusal_comes_back_too(client: HttpClient, door: FakeDoor) -> None:
    offer = ReadingOffer(text="5 pm", trigger=None, words="at 17:00", next="2026-01-01T17:00:00Z")
    unclear = Invalid("Unclear.", (FieldError("when", "is unclear"),), (offer,))
    door.answers[ask.ReadTime] = unclear
    with pytest.raises(Invalid) as refused:
        await client.read_time("5")
    assert (refused.value.errors, refused.value.readings) == (unclear.errors, unclear.readings)
    door.answers[ask.RunSchedule] = QuotaExceeded(
        "Full.", retry_after=9.5, scope="guild:1", limit="rate", used=3, allowed=3
    )
    with pytest.raises(QuotaExceeded) as full:
        await client.run_schedule("s")
    assert (full.value.retry_after, full.value.details["scope"], full.value.details["allowed"]) == (9.5, "guild:1", 3)
    door.answers[ask.RunSchedule] = Unavailable("Busy.", retry_after=2.5)
    with pytest.raises(Unavailable) as busy:
        await client.run_schedule("s")
    assert busy.value.retry_after == 2.5


async def test_a_status_is_told_even_by_a_core_that_is_not_ready(client: HttpClient, door: FakeDoor) -> None:
    door.answers[ask.GetStatus] = msgspec.structs.replace(STATUS, running=False)
    assert not (await client.status()).running


async def test_another_token_is_said_to_be_wrong(server: HttpServer, door: FakeDoor) -> None:
    for token in ("other", None):
        stranger = HttpClient(server.address, token)
        with pytest.raises(Unauthorized, match="API token"):
            await stranger.list_runs()
        with pytest.raises(Unauthorized):
            await anext(stranger.events())
        await stranger.close()


async def test_nobody_at_the_address_is_one_sentence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = HttpClient(f"http://127.0.0.1:{unused.getsockname()[1]}", "t")
        with pytest.raises(Unavailable, match="is it running"):
            await client.list_runs()


@pytest.mark.parametrize("id", ["", "a/b", "/"])
async def test_an_id_that_cannot_be_one_names_nothing(client: HttpClient, door: FakeDoor, id: str) -> None:
    with pytest.raises(NotFound):
        await client.get_run(id)
    assert not door.asked


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "tcp://127.0.0.1:1", "http://", "http:///x"])
async def test_an_address_is_http_or_https(address: str) -> None:
    with pytest.raises(ValueError, match="http://127"):
        HttpClient(address)


async def test_a_token_speaks_for_its_holder_alone(client: HttpClient) -> None:
    with pytest.raises(Forbidden):
        client.acting_as(Actor(kind="member", id="1"))


async def test_many_requests_at_once_use_few_connections(client: HttpClient, door: FakeDoor) -> None:
    runs = await asyncio.gather(*(client.get_run(f"run_{number}") for number in range(60)))
    assert len(runs) == 60
    assert {request.id for _, request in door.asked} == {f"run_{number}" for number in range(60)}


async def test_a_restarted_core_is_found_again() -> None:
    door = FakeDoor()
    first = HttpServer(build_web(door, SETTINGS, holding(TOKEN)), SETTINGS)
    await first.start()
    client = HttpClient(first.address, TOKEN)
    await client.get_run("r")
    settings = HttpSettings(bind=f"127.0.0.1:{first.port}")
    await first.stop()
    second = HttpServer(build_web(door, settings, holding(TOKEN)), settings)
    await second.start()
    await client.resume_schedule("s")  # not to be asked twice, so the dead connection has to be known beforehand
    await client.get_run("r")
    await client.close()
    await second.stop()


async def test_events_arrive_in_order_and_by_kind(client: HttpClient, door: FakeDoor) -> None:
    await door.tell(event(1), event(2, "run.failed"), event(3), event(4, "run.failed"))
    events = client.events("1-0", kinds=("run.failed",))
    assert [(await anext(events)).seq, (await anext(events)).seq] == [2, 4]
    await events.aclose()  # type: ignore[attr-defined]


async def test_events_go_on_where_they_were_when_the_core_restarts() -> None:
    door = FakeDoor()
    first = HttpServer(build_web(door, SETTINGS, holding(TOKEN)), SETTINGS)
    await first.start()
    client = HttpClient(first.address, TOKEN)
    events = client.events("1-0")
    await door.tell(event(1), event(2))
    assert [(await anext(events)).seq, (await anext(events)).seq] == [1, 2]
    settings = HttpSettings(bind=f"127.0.0.1:{first.port}")
    await first.stop()
    await door.tell(event(3))
    second = HttpServer(build_web(door, settings, holding(TOKEN)), settings)
    await second.start()
    assert (await anext(events)).seq == 3
    await events.aclose()  # type: ignore[attr-defined]
    await second.stop()


async def test_a_flood_of_events_arrives_whole(client: HttpClient, door: FakeDoor) -> None:
    await door.tell(*(event(number + 1) for number in range(3000)))
    events = client.events("1-0")
    assert [(await anext(events)).seq for _ in range(3000)] == list(range(1, 3001))
    await events.aclose()  # type: ignore[attr-defined]


async def test_an_answer_that_is_no_problem_document_still_says_something() -> None:
    assert isinstance(problem_error(401, b"<html>"), Unauthorized)
    assert "502" in problem_error(502, b"<html>").sentence
    assert (
        type(problem_error(418, b'{"type":"about:blank","title":"t","status":418,"detail":"d"}')) is ScheduleZeroError
    )
