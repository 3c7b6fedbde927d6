"""Bytes into a Request: every route makes the record its row names, and nothing else gets through."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from schedule_zero import requests as ask
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.routes import PREFIX
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import DateTrigger, TextTrigger
from tests.web.fake import OVER_HTTP, RUN, SCHEDULE, FakeDoor

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEC = {"handler": "echo", "method": "echo", "trigger": {"type": "text", "text": "daily at 9"}}
CASES: list[tuple[str, str, Any, Any, int]] = [
    (
        "POST", "/schedules", SPEC,
        ask.CreateSchedule(spec=ScheduleSpec(handler="echo", method="echo", trigger=TextTrigger(text="daily at 9"))), 201,
    ),
    ("POST", "/schedules/batch", {"items": [SPEC, 7]}, ask.CreateSchedules(items=(SPEC, 7)), 200),
    ("GET", "/schedules", None, ask.ListSchedules(any_guild=True), 200),
    (
        "GET", "/schedules?guild_id=12&state=active&handler=echo&q=a%20b&metadata.team=ops&metadata.a.b=1&limit=7&cursor=c", None,
        ask.ListSchedules(guild_id="12", state="active", handler="echo", q="a b", metadata={"team": "ops", "a.b": "1"},
                          limit=7, cursor="c"), 200,
    ),
    ("GET", "/schedules?guild_id=null", None, ask.ListSchedules(guild_id=None), 200),
    ("GET", "/schedules/suggest?text=st&reminders=true", None, ask.SuggestSchedules(text="st", reminders=True), 200),
    ("GET", "/schedules/sch_1", None, ask.GetSchedule(id="sch_1"), 200),
    ("PATCH", "/schedules/sch_1", {"name": "new"}, ask.PatchSchedule(id="sch_1", changes={"name": "new"}), 200),
    ("DELETE", "/schedules/sch_1", None, ask.DeleteSchedule(id="sch_1"), 200),
    ("POST", "/schedules/sch_1/pause", None, ask.PauseSchedule(id="sch_1"), 200),
    ("POST", "/schedules/sch_1/pause", {"until": "tomorrow", "note": "n"},
     ask.PauseSchedule(id="sch_1", until="tomorrow", note="n"), 200),
    ("POST", "/schedules/sch_1/resume", None, ask.ResumeSchedule(id="sch_1"), 200),
    ("POST", "/schedules/sch_1/run", {"args": {"a": 1}}, ask.RunSchedule(id="sch_1", args={"a": 1}), 202),
    ("GET", "/schedules/sch_1/preview?n=5&after=2026-01-01T00:00:00Z", None,
     ask.PreviewSchedule(id="sch_1", n=5, after="2026-01-01T00:00:00Z"), 200),
    ("GET", "/schedules/sch_1/runs?state=failed", None,
     ask.ListRuns(schedule_id="sch_1", state=RunState.FAILED, any_guild=True), 200),
    ("POST", "/preview", {"trigger": {"type": "date", "at": "2026-01-01T09:00"}, "timezone": "Europe/Rome", "n": 2},
     ask.PreviewTrigger(trigger=DateTrigger(at="2026-01-01T09:00"), timezone="Europe/Rome", n=2), 200),
    ("POST", "/undo", {"token": "t"}, ask.Undo(token="t"), 200),
    ("GET", "/runs?guild_id=12&schedule_id=s&since=2026-01-01T00:00:00Z", None,
     ask.ListRuns(guild_id="12", schedule_id="s", since="2026-01-01T00:00:00Z"), 200),
    ("GET", "/runs/run_1", None, ask.GetRun(id="run_1"), 200),
    ("POST", "/runs/run_1/cancel", None, ask.CancelRun(id="run_1"), 200),
    ("POST", "/runs/run_1/retry", None, ask.RetryRun(id="run_1"), 200),
    ("GET", "/events?after=1-5&kinds=run.failed,run.skipped&kinds=core.started&guild_id=12&limit=3", None,
     ask.ListEvents(after="1-5", kinds=("run.failed", "run.skipped", "core.started"), guild_id="12", limit=3), 200),
    ("GET", "/audit?guild_id=12&actor=7&action=key.new&target=x&since=2026-01-01T00:00:00Z&limit=3&cursor=1-2", None,
     ask.ListAudit(guild_id="12", actor="7", action="key.new", target="x", since="2026-01-01T00:00:00Z", limit=3,
                   cursor="1-2"), 200),
    ("GET", "/audit", None, ask.ListAudit(any_guild=True), 200),
    ("GET", "/audit?guild_id=null", None, ask.ListAudit(), 200),
    ("GET", "/audit/12", None, ask.GetAudit(id="12"), 200),
    ("POST", "/audit/12/revert", {}, ask.RevertAudit(id="12"), 200),
    ("GET", "/guilds/12/settings", None, ask.GetGuildSettings(guild_id="12"), 200),
    ("PUT", "/guilds/12/settings", {"timezone": "Europe/Rome"},
     ask.PutGuildSettings(guild_id="12", changes={"timezone": "Europe/Rome"}), 200),
    ("POST", "/guilds/12/settings/undo", {"token": "und_1"},
     ask.UndoGuildSettings(guild_id="12", token="und_1"), 200),
    ("PUT", "/guilds/12/presence", {"name": "G", "present": False},
     ask.NoteGuild(guild_id="12", name="G", present=False), 200),
    ("GET", "/presence?shard=1&shards=4", None, ask.ListPresentGuilds(shard=1, shards=4), 200),
    ("DELETE", "/guilds/12", None, ask.EraseGuild(guild_id="12"), 200),
    ("GET", "/export?guild_id=12&format=csv&cursor=0", None, ask.Export(guild_id="12", format="csv", cursor="0"), 200),
    ("DELETE", "/users/34", None, ask.EraseUser(user_id="34"), 200),
    ("POST", "/schedules/sch_1/skip", {}, ask.SkipOccurrence(id="sch_1"), 200),
    ("GET", "/chains?guild_id=12", None, ask.ListChains(guild_id="12"), 200),
    ("GET", "/chains", None, ask.ListChains(any_guild=True), 200),
    ("GET", "/chains/check?guild_id=null", None, ask.CheckChains(), 200),
    ("GET", "/chains/sch_1", None, ask.GetChain(schedule="sch_1"), 200),
    ("POST", "/chains", {"item": "sch_2", "after": "sch_1", "when": "any", "delay": "PT1M"},
     ask.AddLink(item="sch_2", after="sch_1", when="any", delay="PT1M"), 200),
    ("DELETE", "/chains/sch_2/sch_1?when=all", None, ask.RemoveLink(item="sch_2", after="sch_1", when="all"), 200),
    ("POST", "/schedules/sch_1/move", {"occurrence": "2026-01-01T09:00:00Z", "to": "tomorrow"},
     ask.MoveOccurrence(id="sch_1", occurrence="2026-01-01T09:00:00Z", to="tomorrow"), 200),
    ("GET", "/guilds/12/calendars", None, ask.ListCalendars(guild_id="12"), 200),
    ("GET", "/guilds/12/calendars/bank%20holidays", None, ask.GetCalendar(guild_id="12", name="bank holidays"), 200),
    ("PUT", "/guilds/12/calendars/ours", {"dates": ["12-24"], "country": "DE"},
     ask.PutCalendar(guild_id="12", name="ours", calendar=CalendarDays(dates=("12-24",), country="DE")), 200),
    ("DELETE", "/guilds/12/calendars/ours", None, ask.DeleteCalendar(guild_id="12", name="ours"), 200),
    ("GET", "/guilds/12/hours", None, ask.ListHours(guild_id="12"), 200),
    ("GET", "/guilds/12/hours/office", None, ask.GetHours(guild_id="12", name="office"), 200),
    ("PUT", "/guilds/12/hours/office", {"windows": ["09:00-17:00"]},
     ask.PutHours(guild_id="12", name="office", hours=HoursWindows(windows=("09:00-17:00",))), 200),
    ("DELETE", "/guilds/12/hours/office", None, ask.DeleteHours(guild_id="12", name="office"), 200),
    ("GET", "/guilds/12/blackouts", None, ask.ListBlackouts(guild_id="12"), 200),
    ("POST", "/guilds/12/blackouts", {"from": "tomorrow", "to": "in 3 days", "scope": "jobs"},
     ask.AddBlackout(guild_id="12", blackout=NewBlackout(begin="tomorrow", end="in 3 days", scope="jobs")), 201),
    ("DELETE", "/guilds/12/blackouts/blk_1", None, ask.RemoveBlackout(guild_id="12", id="blk_1"), 200),
    ("GET", "/users/34/timezone", None, ask.GetUserTimezone(user_id="34"), 200),
    ("POST", "/calendar-link", {"guild_id": "12"}, ask.NewCalendarLink(guild_id="12"), 201),
    ("GET", "/calendar-link?user_id=34", None, ask.GetCalendarLink(user_id="34"), 200),
    ("DELETE", "/calendar-link?guild_id=12", None, ask.EndCalendarLink(guild_id="12"), 200),
    ("PUT", "/users/34/timezone", {"timezone": None}, ask.PutUserTimezone(user_id="34", timezone=None), 200),
    ("POST", "/keys", {"name": "far", "role": "handler", "register": True, "guild_id": "12"},
     ask.NewKey(name="far", role="handler", register=True, guild_id="12"), 201),
    ("GET", "/keys?guild_id=12&over=true", None, ask.ListKeys(guild_id="12", over=True), 200),
    ("DELETE", "/keys/key_1", None, ask.RevokeKey(id="key_1"), 200),
    ("POST", "/sign-ins", {}, ask.NewSignIn(), 201),
    ("POST", "/keys/key_1/rotate", {"public": "0" * 40}, ask.RotateKey(id="key_1", public="0" * 40), 201),
    ("POST", "/times/read", {"when": "tomorrow", "guild_id": "12"}, ask.ReadTime(when="tomorrow", guild_id="12"), 200),
    ("GET", "/times/suggest?field=when&text=in", None, ask.SuggestTimes(field="when", text="in"), 200),
    ("GET", "/times/zones?text=Ber", None, ask.SuggestZones(text="Ber"), 200),
    ("GET", "/times/countries?text=Ger", None, ask.SuggestCountries(text="Ger"), 200),
    ("GET", "/guilds/12/closings?kind=hours&text=of", None,
     ask.SuggestClosings(guild_id="12", kind="hours", text="of"), 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "expected", "status"), CASES, ids=lambda value: str(value)[:40])
async def test_every_route_makes_its_request(
    http: aiohttp.ClientSession, door: FakeDoor, method: str, path: str, body: Any, expected: Any, status: int
) -> None:
    async with http.request(method, PREFIX + path, json=body) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
    assert door.asked == [(OVER_HTTP, expected)]


async def test_a_calendar_says_which_revision_it_is_and_is_set_only_at_the_one_that_is_asked_for(
    http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    path = f"{PREFIX}/guilds/12/calendars/ours"
    async with http.get(path) as answer:
        tag = answer.headers["ETag"]
    async with http.put(path, json={"country": "DE"}, headers={"If-Match": tag}):
        assert door.last == ask.PutCalendar(guild_id="12", name="ours", calendar=CalendarDays(country="DE"), revision=7)


async def test_a_created_schedule_says_where_it_is_and_which_revision(http: aiohttp.ClientSession) -> None:
    async with http.post(f"{PREFIX}/schedules", json=SPEC) as answer:
        assert answer.headers["Location"] == f"{PREFIX}/schedules/{SCHEDULE.id}"
        assert answer.headers["ETag"] == '"3"'
        assert (await answer.json())["policy"]["retry"]["max_attempts"] == 3


@pytest.mark.parametrize(
    ("tag", "revision"), [("4", 4), ('"4"', 4), ('W/"4"', 4), ("*", None), ('"x"', -1), ("1, 2", -1)]
)
async def test_if_match_is_read_bare_or_quoted_and_a_strange_tag_matches_nothing(
    http: aiohttp.ClientSession, door: FakeDoor, tag: str, revision: int | None
) -> None:
    for method in ("PATCH", "DELETE"):
        async with http.request(method, f"{PREFIX}/schedules/s", json={}, headers={"If-Match": tag}):
            assert door.last.revision == revision


@pytest.mark.parametrize("path", ["/schedules/s/resume", "/runs/r/retry", "/undo", "/preview", "/schedules"])
async def test_every_post_carries_its_idempotency_key(http: aiohttp.ClientSession, door: FakeDoor, path: str) -> None:
    body = {"token": "t"} if path == "/undo" else {"trigger": SPEC["trigger"]} if path == "/preview" else {}
    async with http.post(
        PREFIX + path, json=SPEC if path == "/schedules" else body, headers={"Idempotency-Key": "key-1"}
    ) as answer:
        assert answer.status < 300
    assert door.last.idempotency_key == "key-1"


@pytest.mark.parametrize("key", ["x" * 201, "", " "])
async def test_an_idempotency_key_is_short_and_printable(http: aiohttp.ClientSession, door: FakeDoor, key: str) -> None:
    async with http.post(f"{PREFIX}/runs/r/retry", headers={"Idempotency-Key": key}) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["field"] == "Idempotency-Key"
    assert not door.asked


async def test_an_address_with_odd_characters_reaches_the_door_whole(
    http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    async with http.get(f"{PREFIX}/runs/r%20%C3%BC%3F"):
        assert door.last == ask.GetRun(id="r ü?")


async def test_a_run_says_what_it_waits_for(http: aiohttp.ClientSession) -> None:
    async with http.get(f"{PREFIX}/runs/{RUN.id}") as answer:
        run = await answer.json()
    assert run["why"] == {
        "scope": "guild:123", "limit": "rate", "used": 30.0, "allowed": 30.0, "until": None,
        "words": "Guild 123 has used 30 of the 30 starts its rate allows.",
    }  # fmt: skip
