"""What is kept is taken away as a file: complete, part by part, and only by those who may see it."""

from __future__ import annotations

import csv
import io
import itertools
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from dateutil.rrule import rrulestr
from icalendar import Calendar

from core.service.exporting import exports
from core.service.exporting.as_csv import COLUMNS
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_GUILD, MANAGE_MESSAGES, Actor
from schedule_zero.client import CoreClient
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Forbidden, Invalid, NotFound
from schedule_zero.instant import from_datetime, parse
from schedule_zero.masking import MASK
from schedule_zero.schedule import After, ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, Trigger
from tests.engine.house import House
from tests.service.people import ADMIN, ANNA, MOD, OPERATOR, OWNER, STRANGER, as_, member, post, remind

Build = Callable[..., Awaitable[House]]
KEY = Actor(kind="operator", id="confined", guild_id="1")


async def text_of(client: CoreClient, **asked: Any) -> str:
    return "".join([part.text async for part in client.export(**asked)])


async def as_json(client: CoreClient, **asked: Any) -> Any:
    return msgspec.json.decode(await text_of(client, **asked))


def read(text: str, name: str) -> list[Any]:
    """Those parts of a calendar, as a calendar program reads it."""
    return list(Calendar.from_ical(text).walk(name))


async def parts_of(house: House, name: str) -> list[Any]:
    return read(await text_of(house.client, guild_id="1", format="ics"), name)


async def fill(house: House) -> None:
    await house.client.change_guild_settings("1", {"timezone": "Europe/Berlin", "channels": {"log": "7"}})
    await house.client.note_guild("1", "The Guild")
    await house.client.put_calendar("1", "off", CalendarDays(dates=("12-24 Eve",), country="DE"))
    await house.client.put_hours("1", "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))
    await house.client.add_blackout("1", NewBlackout(begin="2026-08-01", end="2026-08-15", reason="holidays"))


async def test_a_guilds_file_holds_all_it_takes_to_make_it_again(house: House) -> None:
    await fill(house)
    first = await post(house, MOD, "hello", CronTrigger(expression="0 9 * * *"), name="standup", calendar="off",
                       active_hours="office", policy={"catchup": "all"}, metadata={"team": "ops"})  # fmt: skip
    second = await house.schedule(None, name="after", guild_id="1", after=(After(schedule=first.id, delay="PT5M"),))
    skipped = await house.client.skip_occurrence(first.id)
    await house.client.pause_schedule(second.id, until="2026-06-01T00:00:00Z", note="later")
    await house.schedule(guild_id="2", name="elsewhere")
    gone = await house.schedule(guild_id="1", name="gone")
    await house.client.delete_schedule(gone.id)
    told = await as_json(house.client, guild_id="1")
    assert told["schedule_zero_export"] == 1
    assert told["scope"] == {"guild_id": "1", "user_id": None}
    (guild,) = told["guilds"]
    assert guild["settings"] == {"timezone": "Europe/Berlin", "channels": {"log": "7"}}
    assert guild["calendars"]["off"] == {"name": None, "dates": ["12-24 Eve"], "country": "DE", "on_clash": "skip"}
    assert guild["hours"]["office"]["windows"] == ["MO-FR 09:00-17:00"]
    assert guild["blackouts"] == [
        {"from": "2026-08-01T07:00:00+00:00", "to": "2026-08-15T07:00:00+00:00", "reason": "holidays", "scope": "all"}
    ]
    standup, after = told["schedules"]
    assert (standup["id"], standup["name"], standup["owner_id"], standup["state"]) == (
        first.id,
        "standup",
        "mod",
        "active",
    )
    assert standup["args"] == {"channel_id": "7", "content": "hello"}
    assert standup["trigger"] == {"type": "cron", "expression": "0 9 * * *"}
    assert (standup["calendar"]["name"], standup["active_hours"]["name"]) == ("off", "office")
    assert standup["policy"]["catchup"] == "all"
    assert len(standup["exceptions"]["skipped"]) == 1
    assert skipped.id == first.id
    assert after["after"] == [{"schedule": first.id, "when": "success", "delay": "PT5M"}]
    assert (after["state"], after["note"]) == ("paused", "later")
    assert parse(after["paused_until"]) == parse("2026-06-01T00:00:00Z")


async def test_what_was_exported_is_what_creates_take(house: House) -> None:
    await fill(house)
    made = await post(house, MOD, "hello", CronTrigger(expression="0 9 * * *"), name="standup", calendar="off", count=5)
    (told,) = (await as_json(house.client, guild_id="1"))["schedules"]
    fields = {name: value for name, value in told.items() if name in ScheduleSpec.__struct_fields__}
    again = await house.client.create_schedule(msgspec.convert({**fields, "guild_id": "1", "name": "b"}, ScheduleSpec))
    same = ("handler", "method", "args", "trigger", "timezone", "policy", "calendar", "count", "metadata", "words")
    assert [getattr(again, name) for name in same] == [getattr(made, name) for name in same]


async def test_the_parts_are_the_file_however_many_there_are(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        await house.schedule(CronTrigger(expression=f"{number} 9 * * *"), name=f"s{number}")
    whole = {format: await text_of(house.client, guild_id="1", format=format) for format in ("json", "csv", "ics")}
    for page in (1, 3, 7):
        monkeypatch.setattr(exports, "PAGE", page)
        parts = [part async for part in house.client.export(guild_id="1")]
        assert len(parts) == -(-7 // page)
        names = [each["name"] for each in msgspec.json.decode("".join(part.text for part in parts))["schedules"]]
        assert names == [f"s{number}" for number in range(7)]
        assert await text_of(house.client, guild_id="1", format="csv") == whole["csv"]
        events = await parts_of(house, "VEVENT")
        assert len(events) == 7
        assert {part.name for part in parts} == {"schedule-zero-guild-1.json"}


async def test_of_nothing_there_is_a_file_too(house: House) -> None:
    assert (await as_json(house.client, guild_id="5"))["schedules"] == []
    assert (await text_of(house.client, guild_id="5", format="csv")).splitlines() == [",".join(COLUMNS)]
    assert read(await text_of(house.client, guild_id="5", format="ics"), "VEVENT") == []


async def test_a_person_takes_what_is_theirs_wherever_it_is(house: House) -> None:
    await house.client.set_user_timezone("anna", "Asia/Tokyo", shared=True)
    mine = [await remind(house, member("anna", place), f"tea {place}") for place in ("1", "2", None)]
    await remind(house, member("ben"), "bens")
    told = await as_json(as_(house, ANNA), user_id="anna")
    assert (told["timezone"], told["timezone_shared"], told["guilds"]) == ("Asia/Tokyo", True, [])
    assert [each["id"] for each in told["schedules"]] == [each.id for each in mine]


async def test_an_operator_takes_everything(house: House) -> None:
    await fill(house)
    for place in ("1", "2", None):
        await house.schedule(guild_id=place)
    told = await as_json(house.client)
    assert [each["guild_id"] for each in told["schedules"]] == ["1", "2", None]
    assert [each["guild_id"] for each in told["guilds"]] == ["1"]


@pytest.mark.parametrize(
    ("actor", "asked", "error"),
    [
        (MOD, {"guild_id": "1"}, Forbidden), (ANNA, {"guild_id": "1"}, Forbidden), (STRANGER, {"guild_id": "1"}, NotFound),
        (OWNER, {"guild_id": "2"}, NotFound), (OWNER, {}, Forbidden), (OWNER, {"user_id": "anna"}, Forbidden),
        (KEY, {}, Forbidden), (KEY, {"guild_id": "2"}, NotFound), (KEY, {"user_id": "confined"}, Forbidden),
        (ADMIN, {"guild_id": "1", "secrets": True}, Forbidden), (ANNA, {"user_id": "anna", "secrets": True}, Forbidden),
        (OPERATOR, {"guild_id": "1", "user_id": "anna"}, Invalid), (OPERATOR, {"cursor": "x"}, Invalid),
    ],
)  # fmt: skip
async def test_others_take_nothing_away(house: House, actor: Actor, asked: dict[str, Any], error: Any) -> None:
    await remind(house, ANNA, "the text")
    with pytest.raises(error):
        await as_(house, actor).send(ask.Export(**asked))


async def test_a_manager_takes_what_they_may_see(house: House) -> None:
    await remind(house, ANNA, "annas")
    await post(house, MOD, "the post")
    job = await house.schedule(guild_id="1")
    jobs = await as_json(as_(house, ADMIN), guild_id="1")
    assert [each["id"] for each in jobs["schedules"]] == [job.id]
    both = member("both", permissions=MANAGE_GUILD | MANAGE_MESSAGES)
    assert len((await as_json(as_(house, both), guild_id="1"))["schedules"]) == 3
    assert len((await as_json(as_(house, KEY), guild_id="1"))["schedules"]) == 3


async def test_secrets_are_masked_unless_an_operator_asks(house: House) -> None:
    secret = "hunter2-secret"
    await house.rewrite((await house.schedule(guild_id="1")).id, args=f'{{"api_key":"{secret}","n":1}}')
    await house.rewrite((await house.schedule(guild_id="1")).id, handler="gone", args=f'{{"whatever":"{secret}"}}')
    for format in ("json", "csv", "ics"):
        assert secret not in await text_of(house.client, guild_id="1", format=format)
    masked = await as_json(house.client, guild_id="1")
    assert [each["args"] for each in masked["schedules"]] == [{"api_key": MASK, "n": 1}, {"whatever": MASK}]
    shown = await as_json(house.client, guild_id="1", secrets=True)
    assert shown["schedules"][0]["args"]["api_key"] == secret


async def test_a_row_for_each_schedule_and_no_formula(house: House) -> None:
    await post(house, MOD, 'a,b\n"c"', CronTrigger(expression="0 9 * * *"), name="=1+1")
    rows = list(csv.DictReader(io.StringIO(await text_of(house.client, guild_id="1", format="csv"))))
    assert [row["name"] for row in rows] == ["'=1+1"]
    assert msgspec.json.decode(rows[0]["args"])["content"] == 'a,b\n"c"'
    assert (rows[0]["state"], rows[0]["words"], rows[0]["owner_id"]) == ("active", "every day at 09:00", "mod")


@pytest.mark.slow
async def test_of_twenty_thousand_schedules_no_more_than_a_part_is_held(house: House) -> None:
    item = {"handler": "hands", "method": "work", "guild_id": "1", "metadata": {"note": "x" * 200},
            "trigger": {"type": "cron", "expression": "0 9 * * *"}}  # fmt: skip
    for _ in range(20):
        await house.client.create_schedules([item] * 1000)
    size, count = 0, 0
    tracemalloc.start()
    try:
        async for part in house.client.export(guild_id="1"):
            size += len(part.text)
            count += part.text.count('"id":"sch_')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert size > 15_000_000
    assert peak < size / 5


# ── iCalendar ──

WHEN: list[tuple[Trigger, str | None]] = [
    (CronTrigger(expression="0 9 * * MON-FRI", timezone="Europe/Berlin"), "FREQ=DAILY"),
    (CronTrigger(expression="*/15 9-17 * * *"), "FREQ=DAILY"),
    (CronTrigger(expression="0 * * * *"), "FREQ=HOURLY"),
    (CronTrigger(expression="30 2 L * *", timezone="Europe/Berlin"), "BYMONTHDAY=-1"),
    (CronTrigger(expression="0 9 1 * MON"), None),
    (CronTrigger(expression="0 9 * * FRI#2"), None),
    (IntervalTrigger(every="PT90M", start="2026-03-03T12:30:00Z"), "FREQ=MINUTELY"),
    (IntervalTrigger(every="P1M", start="2026-03-15T12:30:00Z"), "FREQ=MONTHLY"),
    (IntervalTrigger(every="P1M", start="2026-03-31T12:30:00Z"), None),
    (RRuleTrigger(rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", start="2026-03-06T09:00:00", timezone="America/New_York"), "INTERVAL=2"),
    (RRuleTrigger(rule="FREQ=DAILY;COUNT=5"), None),
    (DateTrigger(at="2026-05-01T09:00:00Z"), None),
]  # fmt: skip


@pytest.mark.parametrize(("trigger", "says"), WHEN, ids=lambda each: str(each)[:60])
async def test_a_calendar_program_sees_the_times_that_are_due(house: House, trigger: Trigger, says: str | None) -> None:
    made = await house.schedule(trigger, guild_id="1")
    text = await text_of(house.client, guild_id="1", format="ics")
    (event,) = read(text, "VEVENT")
    begin = event["DTSTART"].dt
    if says is None:
        assert "RRULE" not in event
        listed = [each.dt for each in event["RDATE"].dts] if "RDATE" in event else []
        times = [begin, *listed]
    else:
        rule = event["RRULE"].to_ical().decode()
        assert says in rule
        times = list(itertools.islice(rrulestr(rule, dtstart=begin), 10))
        named = event["DTSTART"].params.get("TZID", "UTC")
        assert named in {"UTC", *(str(each["TZID"]) for each in read(text, "VTIMEZONE"))}
    fires = (await house.client.preview_schedule(made.id, n=10)).fires
    assert [from_datetime(at) for at in times][:10] == [parse(fire.at) for fire in fires]
    assert str(event["UID"]) == f"{made.id}@schedule-zero"


async def test_what_heeds_a_calendar_is_listed_time_by_time(house: House) -> None:
    await house.client.put_calendar("1", "off", CalendarDays(dates=("2026-03-04",)))
    made = await post(house, MOD, "x", CronTrigger(expression="0 9 * * *"), calendar="off")
    (event,) = await parts_of(house, "VEVENT")
    assert "RRULE" not in event
    listed = [from_datetime(event["DTSTART"].dt), *(from_datetime(each.dt) for each in event["RDATE"].dts)]
    fires = (await house.client.preview_schedule(made.id, n=50)).fires
    assert listed == [parse(fire.at) for fire in fires]


async def test_a_file_is_lines_as_the_standard_has_them(house: House) -> None:
    await post(house, MOD, "ü" * 300 + "\nsecond; line, with\\all", CronTrigger(expression="0 9 * * *"))
    await house.client.pause_schedule((await house.schedule(guild_id="1")).id)
    text = await text_of(house.client, guild_id="1", format="ics")
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    assert text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    (event,) = read(text, "VEVENT")
    assert str(event["DESCRIPTION"]).endswith("second; line, with\\all")
    assert event["DTSTART"].dt.tzinfo is not None
